"""No Wrong Door: referrals for Enhanced Care Management and Community Supports, decided and told.

A referral travels through five stages, one folder each; `app.process` shows them in order:

1. `intake`        receive it once, completely or not at all
2. `eligibility`   what is known of the member, and what the plan's rules (`policy`) say of it
3. `capacity`      who can take the member
4. `decision`      approve, deny, ask, or hand it to a person; when that is due
5. `notification`  tell everybody who must know, until they have heard

`referral` is the thing that travels; `fhir` is the edge; `caller` is who is at the door;
`directory` holds network and roster; `reading` answers reads and searches.
"""
