"""`$request-information` and `$add-information`: asking for what is missing, and getting it.

What is added stops the void clock and puts the question to the rules again, which may decide at
once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.decision.apply import Act, ask
from app.decision.finish import policy_of, require_move
from app.eligibility.identify import identify
from app.errors import refuse
from app.fhir.facts import read_facts
from app.fhir.parameters import Given
from app.fhir.render_referral import copy
from app.fhir.service_request import read_referral
from app.ids import new_id
from app.intake.door import Door
from app.intake.gather import gather
from app.intake.post import Terms, inquire
from app.intake.submission import Submission
from app.local_time import local_date
from app.notification.messages import EventType
from app.policy.dictionary import load_dictionary
from app.policy.model import Missing, Reason
from app.process import candidates, eligibility, settle
from app.reading.access import Sight
from app.referral.draft import Draft
from app.referral.lifecycle import Event
from app.referral.reopen import copies


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
        raise refuse(422, "code-invalid", text, "Parameters.parameter('fact')")
    if not facts and not questions:
        text = "Name at least one `fact`, or put a `question`."
        raise refuse(422, "required", text, "Parameters.parameter('fact')")
    missing = [
        Missing(
            name, dictionary[name].question if name in dictionary else "Which service is meant?"
        )
        for name in facts
    ]
    return missing + [Missing("", words) for words in questions]


async def add_information(
    connection: AsyncConnection,
    draft: Draft,
    resources: Sequence[dict[str, Any]],
    door: Door,
    seen: Sight,
) -> None:
    """Keeps the resources with the referral and asks the rules again."""
    require_move(draft, Event.ADD_INFORMATION)
    if not resources:
        text = "Send at least one `resource`, or a Bundle."
        raise refuse(422, "required", text, "Parameters.parameter('resource')")
    before = draft.after
    earlier = await copies(connection, before.plan, before.id)
    added = [(f"{item['resourceType']}/{new_id()}", item) for item in resources]
    draft.copies += [copy(item, name.partition("/")[2], before) for name, item in added]
    details = replace(draft.details, missing=())
    draft.move(Event.ADD_INFORMATION, door.actor, details=details)
    draft.answered()
    draft.announcements.append(EventType.INFORMATION_RECEIVED)
    submission = _submission(draft, [*earlier, *added])
    terms = Terms(door.actor.name, None, None, seen, minimal=False)
    known = await gather(connection, replace(inquire(submission, terms, door), identifiers=()))
    draft.listening = [*draft.listening, *known.listening]
    identity = identify(submission.request, known.members, door.rules.plans, submission.on)
    if identity.key != before.plan:
        identity = replace(identity, plan=before.plan, identified=False)
    case = eligibility(submission, identity, known, door.rules)
    ordered, wish = candidates(submission, case, known)
    draft.after = replace(
        draft.after, member_id=identity.member_id, service=submission.request.service
    )
    await settle(connection, draft, case, ordered, wish, submission, door)


def _submission(draft: Draft, beside: Sequence[tuple[str, dict[str, Any]]]) -> Submission:
    """The stored referral and all that came with it, as if it came in now."""
    received = draft.after.received_at
    on = local_date(received)
    named = {
        item["reference"] for item in draft.sent.get("supportingInfo", ()) if "reference" in item
    }
    extra = [{"reference": name} for name, _ in beside if name not in named]
    sent = {**draft.sent, "supportingInfo": [*draft.sent.get("supportingInfo", ()), *extra]}
    return Submission(
        referral_id=draft.after.id,
        service_request=sent,
        request=read_referral(sent, beside, on),
        stated=read_facts(sent, beside, on),
        received_at=received,
        fingerprint="",
    )
