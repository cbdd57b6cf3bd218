"""No Wrong Door: referrals for Enhanced Care Management and Community Supports, decided and told.

A referral travels through five stages, one folder each; `app.process` shows them in order:

1. `intake`        receive it once, completely or not at all
2. `eligibility`   what is known of the member, and what the plan's rules (`policy`) say of it
3. `capacity`      who can take the member
4. `decision`      approve, deny, ask, or hand it to a person; when that is due
5. `notification`  tell everybody who must know, until they have heard

What travels, and what happens to it afterwards:

* `referral`       the thing itself: its state machine, its rows, its history
* `service`        what the performer does with it: accept, decline, begin, end
* `clocks`         what happens to it when nobody does anything
* `correspondence` the letters, and the outbox of those that a person must send

What is seen of it:

* `reading`        FHIR reads and searches
* `explanation`    why it was decided as it was
* `timeline`       all that happened, in words and as a picture
* `deliveries`     did they get it
* `workqueue`      what waits for the plan's staff
* `reports`        how a plan does, in figures
* `subscription`   FHIR's way to be told

What it is decided by:

* `policy`         the plans' rules, as dated files, and the engine that asks them
* `forms`          the questions of the rules, as Questionnaires
* `catalog`        what the rules offer, in words
* `directory`      network and roster

And the house around it:

* `fhir`           the edge: FHIR in and out, and where every URL is spelled
* `caller`         who is at the door, and what they may do
* `web`            what happens to every request around its handler
* `openapi`        the contract
* `health`         is the process well
"""
