"""What can be asked of the service about a referral, by anybody, and what must be answered."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from app.base.local_time import LOCAL
from app.model.lifecycle import UNDER_WAY, Event, Party
from app.model.moves import ON_REFERRAL_TASK, ON_SERVICE_TASK, Verdict, event_meant, judge
from app.policy.deadlines import last_day
from app.policy.schema import Length
from tests.journeys.payloads import because, parameters, responses, to, visits_before
from tests.life.snapshot import Row, Snapshot
from tests.life.world import CLIENTS, World

ANSWERS = {Verdict.ALLOWED: 200, Verdict.CONFLICT: 409, Verdict.FORBIDDEN: 403}
NOT_FOUND = 404
_WHY = {"text": "As agreed.", **because("exception-granted")["valueCodeableConcept"]}
_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class Act:
    """One thing to do: an operation, or a status of a Task. `way` is operation, PUT or PATCH."""

    way: str
    on: str  # referral | service: whose Task; or the operation's own name
    wanted: str

    def __str__(self) -> str:
        return f"{self.way} {self.on} {self.wanted}"


STAFF_ONLY = ("approve", "deny", "void", "request-information", "assign")
OPERATIONS = [
    *(Act("operation", name, "") for name in STAFF_ONLY if name != "assign"),
    *(Act("operation", "assign", name) for name in ("org-tidepool", "org-foghorn")),
    *(Act("operation", name, "") for name in ("add-information", "cancel")),
]
TASKS = [
    Act(way, on, wanted)
    for way in ("PUT", "PATCH")
    for on, statuses in (("referral", ON_REFERRAL_TASK), ("service", ON_SERVICE_TASK))
    for wanted in (*statuses, "note")
]
ACTS = OPERATIONS + TASKS


def event_of(act: Act, row: Row) -> Event | None:
    """The move that an act asks for, as the referral stands."""
    if act.way == "operation":
        return Event(act.on)
    if act.wanted == "note":
        return Event.ANNOTATE
    wanted = ON_REFERRAL_TASK if act.on == "referral" else ON_SERVICE_TASK
    return event_meant(wanted, act.wanted, row["state"], row["business_status"])


def parties_of(client: str, row: Row, seen: Snapshot) -> set[Party]:
    """What a client is to a referral; nothing for a stranger."""
    organization = CLIENTS[client]
    found = {
        Party.REQUESTER: organization == row["organization_id"],
        Party.PERFORMER: organization == row["performer_id"],
        Party.STAFF: organization == "plan-hpsm",
    }
    parties = {party for party, holds in found.items() if holds}
    if not parties and organization in seen.members(row["id"]):
        return {Party.ASKED}
    return parties


def answer_to(client: str, act: Act, referral: str, seen: Snapshot) -> int:
    """The status that the table of moves, and what goes with a move, demand."""
    if changes_nothing(client, act, referral, seen):
        return 200
    row = seen.referrals[referral]
    parties = parties_of(client, row, seen)
    if act.way == "operation" and act.on in STAFF_ONLY and not client.startswith("staff"):
        return 403
    if not parties:
        return NOT_FOUND
    if act.on == "referral":
        parties -= {Party.PERFORMER}
    if act.on == "service":
        parties &= {Party.PERFORMER}
    event = event_of(act, row)
    assert event is not None
    verdict = judge(parties or {Party.ASKED}, row["state"], row["business_status"], event)
    if verdict is Verdict.ALLOWED and not _possible(event, act, row, seen):
        verdict = Verdict.CONFLICT
    return ANSWERS[verdict]


def _possible(event: Event, act: Act, row: Row, seen: Snapshot) -> bool:
    """What a move needs beside its place in the table."""
    if event is Event.VOID:
        waits = row["business_status"] == "information-needed"
        return waits and row["void_due"] < seen.at
    if event is Event.APPROVE:
        return not _overlaps(row, seen)
    if event is Event.CANCEL:
        return not _begun(row, seen)
    if event is Event.ASSIGN:
        if act.wanted == row["performer_id"]:
            return False
        offer = next(o for o in seen.offers.values() if _is(o, act.wanted))
        room = offer["capacity_status"] in ("capacity", "additional-assessment-required")
        room = room and offer["taken"] + offer["taken_outside"] < offer["places"]
        return room or row["business_status"] not in UNDER_WAY
    return True


def _begun(row: Row, seen: Snapshot) -> bool:
    """Whether whoever has the referral now has begun the service."""
    begun = False
    for move in seen.history[row["id"]]:
        if move["event"] in ("start", "resume"):
            begun = True
        elif move["event"] == "assign":
            begun = False
    return begun


def _is(offer: Row, organization: str) -> bool:
    return (offer["organization_id"], offer["service"]) == (organization, "ECM")


def _overlaps(row: Row, seen: Snapshot) -> bool:
    """Whether the member holds an authorization of the service that would run beside this one."""
    held = {
        id_: each
        for id_, each in seen.authorizations.items()
        if each["status"] == "open" and each["cin"] == row["cin"]
    }
    previous = held.pop(row["based_on"], None)
    first = seen.at.astimezone(LOCAL).date()
    first = max(first, previous["ends_on"] + timedelta(days=1)) if previous else first
    last = last_day(first, Length(months=6 if previous else 12))
    return any(first <= each["ends_on"] and each["starts_on"] <= last for each in held.values())


def changes_nothing(client: str, act: Act, referral: str, seen: Snapshot) -> bool:
    """A Task that is written with the status that it has: to whoever sees it, as if it was read."""
    own = next(task for task in seen.tasks[referral] if task["kind"] == "referral")
    task = own if act.on == "referral" else seen.service_task(referral)
    same = act.way != "operation" and task is not None and task["status"] == act.wanted
    return same and bool(parties_of(client, seen.referrals[referral], seen))


def legal(seen: Snapshot) -> list[tuple[str, Act, str]]:
    """(referral, act, client): everything that must be done when asked."""
    return [
        (referral, act, client)
        for referral in seen.referrals
        for act in ACTS
        if act.on != "service" or seen.service_task(referral)
        for client in CLIENTS
        if answer_to(client, act, referral, seen) == 200
        and not changes_nothing(client, act, referral, seen)
    ]


Asking = Callable[[], Any]


async def asking(world: World, client: str, act: Act, referral: str, seen: Snapshot) -> Asking:
    """The request, made on the version that was seen: to be sent once, or again."""
    row = seen.referrals[referral]
    if act.way == "operation":
        body = _operation(act, world)
        tag = f'W/"{row["version"]}"'
        return lambda: world.service.do(client, act.on, referral, body, If_Match=tag)
    task = referral if act.on == "referral" else str((seen.service_task(referral) or {})["id"])
    ((stored, version),) = await world.service.rows(
        "SELECT body, version FROM resource_version WHERE referral_id = $1 AND type = 'Task'"
        " AND id = $2 ORDER BY version DESC LIMIT 1",
        referral,
        task,
    )
    current = orjson.loads(stored)
    changed = _changed(current, act, row)
    headers = {"If-Match": f'W/"{version}"'}
    body = changed
    if act.way == "PATCH":
        headers["Content-Type"] = _PATCH
        body = [
            {"op": "add", "path": f"/{name}", "value": value}
            for name, value in changed.items()
            if name == "status" or current.get(name) != value
        ]
    return lambda: world.ask(client, act.way, f"/fhir/Task/{task}", body, headers=headers)


def _operation(act: Act, world: World) -> Any:
    match act.on:
        case "approve":
            return parameters(reason=because("exception-granted"), note="As agreed.")
        case "deny":
            return parameters(reason=because("no-population"))
        case "request-information":
            return parameters(question="Who lives with the member?")
        case "add-information":
            visits = visits_before(world.now)
            return parameters(resource={"resource": responses({}, visits)})
        case "assign":
            return parameters(performer=to(f"Organization/{act.wanted}"))
    return None


def _changed(task: Row, act: Act, row: Row) -> Row:
    if act.wanted == "note":
        notes = [*task.get("note", []), {"text": f"Noted at {row['version']}."}]
        return {**task, "note": notes}
    why = _WHY if act.on == "referral" else {"text": f"As agreed: {act.wanted}."}
    if act.wanted in ("cancelled", "entered-in-error"):
        why = {"text": "The member moved away."}
    return {**task, "status": act.wanted, "statusReason": why}
