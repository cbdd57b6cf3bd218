"""The service receives a submission: it becomes the draft of a pending referral, not yet decided.

The draft holds the first row of history, the parties that may see the referral from now on, its
identifiers, and the copies of the resources sent with it. `app.journey.stages` goes on from there.
PURE, except for the ids that it makes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from app.base.text import as_key
from app.fhir.reference import id_of
from app.fhir.render_referral import copy
from app.journey.eligibility.identity import Identity
from app.journey.intake.context import RequestContext
from app.journey.intake.submission import Submission
from app.model.known import Known
from app.model.lifecycle import Event, State
from app.model.record import Details, Referral
from app.policy.deadlines import decision_due
from app.policy.model import EligibilityQuestion
from app.store.referral.asker import asker
from app.store.referral.draft import Act, Draft
from app.store.tables.referral import referral_business_identifier, referral_identifier

_UNITS = {
    "requested_hours": "h",
    "requested_days": "d",
    "requested_weeks": "wk",
    "requested_usd": "USD",
}


def receive(
    submission: Submission, identity: Identity, known: Known, context: RequestContext
) -> Draft:
    """Drafts a new referral: its first row of history, its parties, its identifiers, its copies."""
    asked = asked_performer(submission, known, identity)
    draft = Draft(
        before=None,
        after=_new_referral(submission, identity, asked, context),
        at=context.now,
        sent=submission.service_request,
        details=Details(),
        plan_organization=known.plan_organization(identity.key),
        adopted=submission.adopted,
        asker=asker(submission.service_request, submission.request.cin),
        entered_by_plan=context.plan is not None,
        listening=known.listening,
        fhir_base=context.fhir_base,
    )
    draft.move(Event.RECEIVE, Act(context.actor, draft.details, None))
    draft.become_party(draft.after.organization_id, "requester")
    _add_identifiers(draft, submission)
    for item in submission.copies:
        draft.copies.append(copy(item.resource, item.id, draft.after))
    return draft


def _new_referral(
    submission: Submission, identity: Identity, asked: str | None, context: RequestContext
) -> Referral:
    request = submission.request
    received = submission.received_at
    clocks = context.rules.clocks(identity.plan, submission.on)
    return Referral(
        plan=identity.key,
        id=submission.referral_id,
        version=0,
        state=State.PENDING,
        business_status=None,
        organization_id=context.actor.organization_id or "",
        service=request.service,
        priority=request.priority,
        intent=request.intent,
        member_id=identity.member_id,
        cin=request.cin,
        patient_id=_patient_id(submission),
        county=None,
        received_at=received,
        decision_due=decision_due(received, request.priority, clocks),
        void_due=None,
        overdue_told_at=None,
        assignment=None,
        offer_id=None,
        holds_place=False,
        performer_id=None,
        asked_performer_id=asked,
        based_on=None,
        moves=0,
        announced=0,
        closed_at=None,
        created_at=context.now,
        updated_at=context.now,
        details="",
    )


def _patient_id(submission: Submission) -> str | None:
    id_ = id_of(submission.request.patient.reference, "Patient", submission.base)
    return as_key(id_) if id_ else None


def asked_performer(submission: Submission, known: Known, identity: Identity) -> str | None:
    """Finds the organization that the referrer asked for; None if the network does not know it."""
    wish = submission.wish
    if not wish:
        return None
    for offer in known.offers.get(identity.key, ()):
        if wish.names(offer):
            return offer.organization_id
    return next(
        (
            item.id
            for item in known.organizations
            if item.id in wish.organization_ids or (item.npi and item.npi in wish.npis)
        ),
        None,
    )


def _add_identifiers(draft: Draft, submission: Submission) -> None:
    """Adds the identifiers of the referral to the draft.

    Identifiers are unique per organization: of parallel posts with one identifier, the database
    writes exactly one.
    """
    locations = orjson.dumps(submission.locations).decode()
    for system, value in submission.claims:
        draft.add(
            referral_identifier,
            organization_id=draft.after.organization_id,
            system=as_key(system),
            value=as_key(value),
            plan=draft.after.plan,
            referral_id=draft.after.id,
            fingerprint=submission.fingerprint.value,
            locations=locations,
        )
    for system, value in dict.fromkeys(submission.request.identifiers):
        draft.add(
            referral_business_identifier,
            plan=draft.after.plan,
            system=as_key(system),
            value=as_key(value),
            referral_id=draft.after.id,
        )


def requested_units(question: EligibilityQuestion) -> Mapping[str, Any] | None:
    """Finds the requested amount, which is approved as asked; None if none is stated.

    Example: `{"quantity": 4, "unit": "h"}`.
    """
    for name, unit in _UNITS.items():
        fact = question.facts.values.get(name)
        if fact is not None and isinstance(fact.value, int | Decimal):
            return {"quantity": fact.value, "unit": unit}
    return None
