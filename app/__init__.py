"""No Wrong Door: referrals for Enhanced Care Management and Community Supports, decided and told.

What comes in:

* `api`       every route, one file a resource; the caller, the contract, what surrounds a request
* `commands`  the command line: migrate, clients, places, policies
* `workers`   the processes beside the service: delivery, clocks, subscriptions

What happens:

* `journey`   one file for each thing that happens to a referral; `stages.py` shows the five stages
  `intake`, `eligibility`, `capacity`, `decision`, `notification` on one screen

What is shown:

* `views`     timeline, work queue, deliveries, letters, reports, forms, catalog, explanation

What is known:

* `store`     the database: tables, referral rows, reading and search, network and roster
* `fhir`      the codec: FHIR in and out, and where every URL is spelled

What is ruled:

* `model`     values: the referral, its lifecycle, who may do what, who is told
* `policy`    the plans' rules as dated files, and the database that asks them

And what all stand on:

* `base`      settings, clock, ids, errors, text

A folder imports from those below it in this order, never from one above: api, views, journey,
store, fhir, model, policy, base (`pyproject.toml` holds it; commands and workers stand beside api).
"""
