"""`$request-information` and `$add-information`: asking for what is missing, and getting it.

What is added stops the void clock and puts the question to the rules again, which may decide at
once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.aside import aside
from app.base.errors import refuse
from app.base.local_time import local_date
from app.fhir.facts import read_facts
from app.fhir.parameters import Given
from app.fhir.reference import unversioned
from app.fhir.render_referral import copy
from app.fhir.service_request import read_referral
from app.journey.added import Identified, Listed, about_the_member, named_by, service_stated, who
from app.journey.decision.apply import ask
from app.journey.eligibility.identify import Identity, identify
from app.journey.finish import policy_of, require_move
from app.journey.intake.context import Door
from app.journey.intake.fingerprint import Fingerprint
from app.journey.intake.gather import gather
from app.journey.intake.referenced import held_again
from app.journey.intake.submission import Copy, Submission
from app.journey.receive import asked_performer
from app.journey.refer import Terms, inquire
from app.journey.stages import candidates, eligibility, settle
from app.model.caller import UNASSIGNED
from app.model.known import Known
from app.model.lifecycle import Event
from app.model.request import ReferralRequest
from app.policy.deadlines import decision_due
from app.policy.dictionary import load_dictionary
from app.policy.model import Missing, Reason
from app.store.reading.access import Sight
from app.store.referral.change_of_plan import move_to_plan
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import copies


def ask_by_person(draft: Draft, given: Given, door: Door) -> None:
    """Asks the requester: facts of the dictionary, or questions in words."""
    require_move(draft, Event.REQUEST_INFORMATION)
    missing = _asked(given)
    details = replace(draft.details, reasons=(Reason("facts-missing"),), missing=tuple(missing))
    clocks = door.rules.clocks(draft.after.plan, local_date(draft.after.received_at))
    act = Act(door.actor, details, policy_of(draft, door), given.text("note"))
    ask(draft, act, missing, clocks)


def _asked(given: Given) -> list[Missing]:
    dictionary = load_dictionary()
    facts, questions = given.texts("fact"), given.texts("question")
    if any(name not in dictionary and name != "service" for name in facts):
        text = "`fact` takes names of the fact dictionary; put anything else as a `question`."
        raise refuse(422, "code-invalid", text, given.at("fact"))
    if not facts and not questions:
        text = "Name at least one `fact`, or put a `question`."
        raise refuse(422, "required", text, given.at("fact"))
    missing = [Missing(name, dictionary.question(name)) for name in facts]
    return missing + [Missing("", words) for words in questions]


async def add_information(
    connection: AsyncConnection,
    draft: Draft,
    added: Sequence[Copy],
    door: Door,
    seen: Sight,
) -> None:
    """Keeps the resources with the referral, stops the void clock and asks the rules again."""
    require_move(draft, Event.ADD_INFORMATION)
    after = draft.after
    came = await copies(connection, after.plan, after.id)
    earlier = await held_again(connection, draft.sent, came, after.organization_id, door.fhir_base)
    submission = await aside(_submission, draft, earlier, added, door)
    terms = Terms(door.actor.name, None, None, seen)
    known = await gather(connection, replace(inquire(submission, terms, door), identifiers=()))
    identity = identify(submission.request, known.members, door.rules.plans, submission.on)
    if draft.after.plan == UNASSIGNED and identity.plan is not None:
        await _belongs_to(connection, draft, identity, submission, known, door)
    elif identity.key != draft.after.plan:
        identity = replace(identity, plan=draft.after.plan, identified=False, member_id=None)
    draft.copies += [copy(item.resource, item.id, draft.after) for item in added]
    draft.sent = _pointing_to(draft.sent, added)
    answered = replace(draft.details, missing=())
    draft.move(Event.ADD_INFORMATION, Act(door.actor, answered, None))
    draft.listening = [*draft.listening, *known.listening]
    case = await aside(eligibility, submission, identity, known, door.rules)
    ordered = candidates(submission, case, known)
    request = submission.request
    draft.about(identity.member_id, request.cin, request.service)
    await settle(connection, draft, case, ordered, submission, door)


def _pointing_to(sent: Mapping[str, Any], added: Sequence[Copy]) -> Mapping[str, Any]:
    """The request with what was added among its supporting information (spec.md 4)."""
    if not added:
        return sent
    new = [{"reference": f"{item.type}/{item.id}"} for item in added]
    return {**sent, "supportingInfo": [*sent.get("supportingInfo", ()), *new]}


async def _belongs_to(
    connection: AsyncConnection,
    draft: Draft,
    identity: Identity,
    submission: Submission,
    known: Known,
    door: Door,
) -> None:
    """The referral whose plan nobody knew is this plan's, with its id and its history.

    Due dates go by the plan's own clocks from now on, still counted from receipt.
    """
    plan, after = identity.key, draft.after
    await move_to_plan(connection, after.id, after.plan, plan)
    asked = after.asked_performer_id or asked_performer(submission, known, identity)
    clocks = door.rules.clocks(plan, submission.on)
    due = decision_due(after.received_at, after.priority, clocks)
    draft.belongs_to(plan, known.plan_organization(plan), due, asked)


def _submission(
    draft: Draft,
    earlier: Sequence[tuple[str, dict[str, Any]]],
    added: Sequence[Copy],
    door: Door,
) -> Submission:
    """The stored referral and all that came with it, as if it came in now."""
    received = draft.after.received_at
    on = local_date(received)
    new = [(f"{item.type}/{item.id}", {**item.resource, "meta": {}}) for item in added]
    beside: Listed = [*earlier, *new]
    found = None if draft.after.member_id else who(beside)
    if found is not None:
        beside = about_the_member(beside, found, draft.sent["subject"])
    named = {
        unversioned(item["reference"])
        for item in draft.sent.get("supportingInfo", ())
        if "reference" in item
    }
    extra = [{"reference": name} for name, _ in beside if name not in named]
    sent = {**draft.sent, "supportingInfo": [*draft.sent.get("supportingInfo", ()), *extra]}
    return Submission(
        referral_id=draft.after.id,
        service_request=sent,
        request=_request(draft, read_referral(sent, beside, on, door.rules.plans), beside, found),
        stated=[*read_facts(sent, beside, on), *([found.stated()] if found else [])],
        received_at=received,
        fingerprint=Fingerprint("", ""),
        base=door.fhir_base,
    )


def _request(
    draft: Draft, request: ReferralRequest, beside: Listed, found: Identified | None
) -> ReferralRequest:
    """Who is meant, once known, stays; so does the service that the requester named later."""
    after = draft.after
    service = request.service or service_stated(beside) or after.service
    if after.member_id is not None:
        request = replace(request, cin=after.cin, plan=after.plan, birth_date=None)
    elif found is not None:
        request = named_by(request, found)
    return replace(request, service=service)
