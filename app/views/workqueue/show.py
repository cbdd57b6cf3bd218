"""Shows the work queue: each waiting referral in words, with the next steps for staff.

A step is a link with a body to send. `app.model.lifecycle` knows the moves that a state allows; the
hint of a step says what its operation requires. PURE; `store.py` reads the rows and determines
their columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.fhir import placeholders
from app.fhir.r4 import codes
from app.model.caller import UNASSIGNED
from app.model.lifecycle import State
from app.model.messages import WHY_OFF
from app.model.notices import Asker
from app.model.record import Details
from app.policy.asking import arranged
from app.policy.model import DeterminationOutcome, Missing, Reason
from app.policy.readings import BearingReading
from app.store.database import Row
from app.store.reading.access import Visibility
from app.store.tables.referral import WAITING
from app.views.explanation import ShownReading
from app.views.member_name import one_line
from app.views.workqueue.behind import NOTHING, Behind
from app.views.workqueue.model import (
    AskFirst,
    Assignee,
    Counted,
    Counts,
    Item,
    Member,
    Notice,
    Question,
    Step,
    Waits,
    Why,
)
from app.views.workqueue.store import AGES
from app.views.workqueue.waiting import due_of_item, to_ask_by_phone, waits_in_words

#: Reasons of the rules to ask for facts or to leave the decision to a person: no reasons to deny.
_NO_DENIAL = frozenset(
    {"facts-missing", "population-missing", "member-unidentified", "review-required"}
    | {"population-met", "service-criteria-met", "partial-availability", "already-authorized"}
)
#: A Patient to fill in, to say who the member is.
_MEMBER = {
    "resourceType": "Patient",
    "identifier": [{"system": codes.CIN, "value": placeholders.NUMBER}],
    "birthDate": "1900-01-01",
}


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """The state of a referral, as far as its next steps depend on the state."""

    id: str
    plan: str
    state: State
    service: str | None
    member_id: str | None
    void_due: datetime | None
    details: Details
    declined_by: str | None = None
    asker: Asker = Asker.OFFICE

    @property
    def decidable(self) -> bool:
        """Tell whether member, plan and service are known: an approval needs all three."""
        return bool(self.service and self.member_id and self.plan != UNASSIGNED)


def steps(standing: QueueStanding, now: datetime, public_url: str) -> list[Step]:
    """List the next steps, the likeliest first, then the steps that are always possible."""
    fhir = f"{public_url}/fhir/ServiceRequest/{standing.id}"
    own = _pending(standing, now, fhir) if standing.state is State.PENDING else _placing(fhir)
    always = _always(fhir, f"{public_url}/v1", standing.id)
    cancel = _cancel(standing, fhir)
    return [cancel, *own, *always] if standing.declined_by else [*own, cancel, *always]


def identifying(referral: str, public_url: str) -> list[Step]:
    """List the steps while the plan is not known: above all, to identify the member."""
    ours, fhir = f"{public_url}/v1", f"{public_url}/fhir/ServiceRequest/{referral}"
    add = _post(
        "add-information",
        "Say whose member it is about",
        f"{fhir}/$add-information",
        _parameters(("resource", "resource", _MEMBER)),
        "Write the member's number and birth date as the member's card has them, or send the "
        "Coverage that names the plan. Then it is that plan's.",
    )
    return [add, *_in_hand(ours, referral), _read(fhir)]


def _pending(standing: QueueStanding, now: datetime, fhir: str) -> list[Step]:
    """List the steps of a pending referral: while information is asked for, first to add the
    information, else first to approve or deny.
    """
    decide = [_deny(standing, fhir)]
    if standing.decidable:
        against = standing.details.recommendation == DeterminationOutcome.DENIED.value
        decide.insert(1 if against else 0, _approve(standing, fhir))
    if standing.void_due is None:
        return [*decide, _ask(standing, fhir), _add(standing, fhir)]
    listed = [_add(standing, fhir), _ask(standing, fhir), *decide]
    if standing.void_due <= now:
        title = "Close it: the information never came"
        listed.insert(0, _post("void", title, f"{fhir}/$void"))
    return listed


def _approve(standing: QueueStanding, fhir: str) -> Step:
    if standing.details.recommendation != DeterminationOutcome.DENIED.value:
        hint = "Nothing need be sent. A `performer` chooses another than the engine would."
        return _post("approve", "Approve the referral", f"{fhir}/$approve", hint=hint)
    proposed = standing.details.exception_proposed
    return _post(
        "approve",
        "Confirm the exception that was proposed: send `If-Match` with the referral's ETag"
        if proposed
        else "Approve as an exception, against the recommendation of the rules",
        f"{fhir}/$approve",
        _parameters(
            ("reason", "valueCoding", _reason("exception-granted")),
            ("note", "valueString", placeholders.REASON),
        ),
        "Write your own reason into `note`: it is recorded.",
    )


def _deny(standing: QueueStanding, fhir: str) -> Step:
    stated = [r.code for r in standing.details.reasons if r.code and r.code not in _NO_DENIAL]
    otherwise = "no-population" if standing.service == "ECM" else "service-criteria-not-met"
    given = [
        ("reason", "valueCodeableConcept", {"coding": [_reason(code)]})
        for code in dict.fromkeys(stated or [otherwise])
    ]
    hint = "The member is told by a notice. Check that the `reason` is the true one."
    return _post("deny", "Deny the referral", f"{fhir}/$deny", _parameters(*given), hint)


def _ask(standing: QueueStanding, fhir: str) -> Step:
    facts = [m.fact for m in standing.details.missing if m.fact]
    asked = [("fact", "valueString", fact) for fact in facts]
    question = ("question", "valueString", placeholders.QUESTION)
    return _post(
        "request-information",
        "Ask the requester for information",
        f"{fhir}/$request-information",
        _parameters(*(asked or [question])),
        "The void clock starts (again). Add a `question` in your own words where you like.",
    )


def _add(standing: QueueStanding, fhir: str) -> Step:
    response: dict[str, Any] = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    questions = arranged(standing.details.missing, standing.details.asking)
    asked = [{"linkId": m.fact, "text": m.question} for m in questions.in_order if m.fact]
    title = "Add information that you were given, by phone for example"
    if standing.asker is not Asker.OFFICE:
        title = "Call, ask, and type in the answers"
    hint = (
        "Give each `item` of which you know it an `answer`, such as "
        '[{"valueBoolean": true}]. The rules are asked again at once.'
    )
    if asked:
        response["item"] = asked
    added = [response]
    if standing.member_id is None:
        added = [_MEMBER, response] if asked else [_MEMBER]
        hint = f"Write the member's number and birth date as the member's card has them. {hint}"
    if standing.asker is not Asker.OFFICE:
        hint = f"{to_ask_by_phone(questions)} {hint}".strip()
    return _post(
        "add-information",
        title,
        f"{fhir}/$add-information",
        _parameters(*(("resource", "resource", resource) for resource in added)),
        hint,
    )


def _placing(fhir: str) -> list[Step]:
    performer = {"reference": f"Organization/{placeholders.ID}"}
    return [
        _post(
            "assign",
            "Give it to a performer",
            f"{fhir}/$assign",
            _parameters(("performer", "valueReference", performer)),
            "Find organizations with room by GET /fhir/HealthcareService.",
        )
    ]


def _cancel(standing: QueueStanding, fhir: str) -> Step:
    declined = {"coding": [_reason("declined-by-member")]}
    hint = None
    if standing.declined_by:
        hint = (
            f"{standing.declined_by} says that the member does not want this service. Ask the "
            "member; if that is so, send this: nobody is denied for declining."
        )
    return _post(
        "cancel",
        "Take it back, on the member's word",
        f"{fhir}/$cancel",
        _parameters(("reason", "valueCodeableConcept", declined)),
        hint,
    )


def _always(fhir: str, ours: str, id_: str) -> list[Step]:
    return [
        *_in_hand(ours, id_),
        Step(
            name="timeline",
            title="Read what has happened so far",
            method="GET",
            href=f"{ours}/referrals/{id_}/timeline",
        ),
        _read(fhir),
    ]


def _in_hand(ours: str, id_: str) -> list[Step]:
    return [
        _post("claim", "Take it in hand", f"{ours}/work-queue/{id_}/claim"),
        _post("release", "Let go of it", f"{ours}/work-queue/{id_}/release"),
    ]


def _read(fhir: str) -> Step:
    return Step(name="read", title="Read the referral itself", method="GET", href=fhir)


def _post(
    name: str, title: str, href: str, send: dict[str, Any] | None = None, hint: str | None = None
) -> Step:
    return Step(name=name, title=title, method="POST", href=href, send=send, hint=hint)


def _parameters(*parts: tuple[str, str, Any]) -> dict[str, Any]:
    listed = [{"name": name, kind: value} for name, kind, value in parts]
    return {"resourceType": "Parameters", "parameter": listed}


def _reason(code: str) -> dict[str, str]:
    return codes.coding(codes.DETERMINATION_REASON, code, codes.REASONS)


# Items, notices and counts

_UNIDENTIFIED, _A_PERSON = "member-unidentified", "review-required"


def item(
    row: Row, now: datetime, public_url: str, seen: Visibility, behind: Behind = NOTHING
) -> Item:
    """Show one item to staff.

    A referral of another organization whose plan is not known shows no service, no reasons but
    `member-unidentified`, and no missing facts: staff see only enough to identify the member.
    """
    details, service = Details.from_json(row["details"]), row["service"]
    pending = row["state"] == State.PENDING
    if not seen.has(row["plan"], row["organization_id"]):
        known = tuple(each for each in details.reasons if each.code == _UNIDENTIFIED)
        details, service = Details(reasons=known), None
        next_steps = identifying(row["id"], public_url)
    else:
        next_steps = steps(_standing(row, details, behind), now, public_url)
    asked = arranged(details.missing, details.asking)
    return Item(
        referral=row["id"],
        plan=row["plan"],
        service=service,
        service_name=codes.SERVICES.get(service) if service else None,
        member=Member(cin=row["cin"], name=one_line(row["name"])),
        requester=row["requester"],
        urgent=row["urgent"],
        received=row["received_at"],
        due=row["decision_due"] if pending else None,
        due_in_words=due_of_item(row, now),
        overdue=pending and row["decision_due"] < now,
        information_due=row["void_due"] if pending else None,
        waits=Waits(row["business_status"]),
        waits_in_words=waits_in_words(row, details.recommendation, behind),
        readings=ShownReading.of(behind.readings),
        why=[_why(reason, behind.readings) for reason in details.reasons],
        recommendation=details.recommendation,
        questions=_questions(asked.in_order),
        ask_first=[
            AskFirst(
                population=each.population,
                population_name=codes.POPULATIONS.get(each.population or ""),
                all_of=_questions(each.all_of),
                one_of=_questions(each.one_of),
            )
            for each in asked.first
        ],
        assignee=Assignee(client=row["assignee"], since=row["claimed_at"])
        if row["assignee"]
        else None,
        next=next_steps,
    )


def notice(row: Row, public_url: str) -> Notice:
    """Show an organization whose endpoint is disabled; of the endpoint, only the id is shown."""
    waiting = f"{row['messages']} message" + ("" if row["messages"] == 1 else "s")
    why = f"its endpoint {WHY_OFF[row['disabled_reason']]}"
    return Notice(
        organization=row["organization_id"],
        organization_name=row["organization"],
        endpoint=row["id"],
        reason=row["disabled_reason"],
        since=row["updated_at"],
        messages=row["messages"],
        text=f"{row['organization']} is not told any more: {why}. {waiting} "
        "about referrals of your plan did not arrive. Call them.",
        deliveries=f"{public_url}/v1/deliveries?endpoint={row['id']}",
    )


def counted(row: Row, letters: int) -> Counts:
    """Show the counts that `store.counts` reads, and the number of letters to send."""
    overdue = Counted(what=Waits.OVERDUE, referrals=row["overdue"])
    return Counts(
        waiting=row["waiting"],
        overdue=row["overdue"],
        urgent=row["urgent"],
        by_reason=[*(Counted(what=word, referrals=row[word]) for word in WAITING), overdue],
        by_age=[Counted(what=word, referrals=row[word]) for word in AGES],
        letters_to_send=letters,
        undelivered_messages=row["undelivered_messages"],
    )


def _standing(row: Row, details: Details, behind: Behind) -> QueueStanding:
    return QueueStanding(
        row["id"],
        row["plan"],
        State(row["state"]),
        row["service"],
        row["member_id"],
        row["void_due"],
        details,
        behind.declined_by,
        behind.asker,
    )


def _questions(missing: Sequence[Missing]) -> list[Question]:
    return [Question(fact=m.fact, question=m.question) for m in missing]


def _why(reason: Reason, readings: Sequence[BearingReading]) -> Why:
    """Word a reason. Why a person must look at it, the readings of the plan's page say."""
    texts = [codes.REASONS.get(reason.code, reason.code), reason.text]
    if reason.code == _A_PERSON:
        texts += [each.text for each in readings if _A_PERSON in each.data.reasons]
    *before, last = [text for text in texts if text]
    return Why(code=reason.code, text=". ".join([*(each.rstrip(".") for each in before), last]))
