"""What the database has, read at once, and what must be so of it whatever happened."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from app.model.lifecycle import MOVES, BusinessStatus, Event, Party, State, is_legal, next_state
from tests.life.world import CLIENTS
from tests.service.scene import balanced
from tests.service.test_races import free_beside_waiting
from tests.service.test_table import EXPECTED, PLACED

#: Told to the requester and the plan; everything else to all parties.
NOT_THE_PERFORMERS = {
    "referral.information_requested",
    "referral.information_received",
    "referral.overdue",
    "service.declined",
}

Row = dict[str, Any]


@dataclass
class Snapshot:
    """Rows by referral. `told` are messages, each with the organizations it goes to."""

    at: datetime
    referrals: dict[str, Row] = field(default_factory=dict)
    history: dict[str, list[Row]] = field(default_factory=dict)
    told: dict[str, list[Row]] = field(default_factory=dict)
    parties: dict[str, list[Row]] = field(default_factory=dict)
    tasks: dict[str, list[Row]] = field(default_factory=dict)
    requests: dict[str, list[Row]] = field(default_factory=dict)
    authorizations: dict[str, Row] = field(default_factory=dict)
    offers: dict[str, Row] = field(default_factory=dict)

    def service_task(self, referral: str) -> Row | None:
        """The service Task of whoever has the referral."""
        found = [
            task
            for task in self.tasks.get(referral, ())
            if task["kind"] == "service" and task["status"] not in ("rejected", "cancelled")
        ]
        return found[-1] if found else None

    def members(self, referral: str) -> set[str]:
        """The organizations that see a referral, but for its plan's: as spec.md 5 has them."""
        row = self.referrals[referral]
        asked, performer = row["asked_performer_id"], row["performer_id"]
        if performer is None and not any(
            task["kind"] == "service" for task in self.tasks[referral]
        ):
            performer = asked
        return {row["organization_id"], *([performer] if performer else [])}


_MESSAGES = """SELECT m.referral_id, m.seq, m.id, m.event_type, m.occurred_at,
  array_remove(array_agg(d.organization_id ORDER BY d.organization_id), NULL) AS organizations
FROM message m LEFT JOIN delivery d ON d.plan = m.plan AND d.message_id = m.id
WHERE m.referral_id IN (SELECT id FROM referral)
GROUP BY m.plan, m.id, m.referral_id ORDER BY m.seq"""
_BY_REFERRAL = {
    "history": "SELECT * FROM referral_history ORDER BY seq",
    "told": _MESSAGES,
    "parties": "SELECT * FROM party ORDER BY since, role",
    "tasks": "SELECT * FROM task ORDER BY id",
    "requests": "SELECT * FROM information_request ORDER BY seq",
}


async def look(service: Any) -> Snapshot:
    """Everything as it is now."""
    seen = Snapshot(service.clock.now())
    for row in await service.store.fetch("SELECT * FROM referral ORDER BY created_at, id"):
        status = row["business_status"] and BusinessStatus(row["business_status"])
        words = {"state": State(row["state"]), "business_status": status}
        seen.referrals[row["id"]] = {**row, **words}
    for name, sql in _BY_REFERRAL.items():
        found: dict[str, list[Row]] = {id_: [] for id_ in seen.referrals}
        for row in await service.store.fetch(sql):
            found[row["referral_id"]].append(dict(row))
        setattr(seen, name, found)
    for row in await service.store.fetch("SELECT * FROM service_authorization"):
        seen.authorizations[row["referral_id"]] = dict(row)
    for row in await service.store.fetch("SELECT * FROM offer"):
        seen.offers[row["id"]] = dict(row)
    return seen


def history_is_the_state(seen: Snapshot) -> None:
    """Without gaps, each row a move of the table by somebody who may, and the last is the state."""
    for id_, row in seen.referrals.items():
        state: State | None = None
        status: BusinessStatus | None = None
        rows = seen.history[id_]
        assert [each["seq"] for each in rows] == list(range(1, row["moves"] + 1))
        for each in rows:
            event = Event(each["event"])
            assert each["from_state"] == state, each
            assert is_legal(state, event, status), (state, status, event)
            assert each["to_state"] == next_state(state, event, status), each
            assert _actors(each, row) & MOVES[event].by, each
            state = State(each["to_state"])
            status = each["business_status"] and BusinessStatus(each["business_status"])
        assert (state, status) == (row["state"], row["business_status"])
        assert [each["at"] for each in rows] == sorted(each["at"] for each in rows)


def _actors(move: Row, referral: Row) -> set[Party]:
    """What whoever made a move could have been."""
    if move["actor"] in ("rules", "clock"):
        return {Party(move["actor"])}
    organization = CLIENTS[move["actor"]]
    found = {Party.REQUESTER} if organization == referral["organization_id"] else set()
    return found | ({Party.STAFF} if organization == "plan-hpsm" else {Party.PERFORMER})


def told_exactly_once(seen: Snapshot) -> None:
    """The messages are those of the moves, in their order, and of the clocks that fired."""
    for id_, row in seen.referrals.items():
        messages = seen.told[id_]
        assert [each["seq"] for each in messages] == list(range(1, row["announced"] + 1))
        types = [each["event_type"] for each in messages]
        of_moves, of_clocks = _announced(seen.history[id_]), _rung(seen, id_)
        assert Counter(types) == Counter(of_moves) + of_clocks, (id_, types)
        remaining = iter(types)
        assert all(kind in remaining for kind in of_moves), (types, of_moves)


def _announced(moves: list[Row]) -> list[str]:
    found: list[str] = []
    begun = False
    for move in moves:
        row = EXPECTED[Event(move["event"])]
        if row.message and not (row.message == "service.started" and begun):
            found.append(row.message)
        if row.places:
            found += PLACED[move["business_status"]]
        begun = (begun or row.message == "service.started") and not row.places
    return found


def _rung(seen: Snapshot, referral: str) -> Counter[str]:
    """What the clocks have announced of a referral, beside its moves: each at most once."""
    row, authorization = seen.referrals[referral], seen.authorizations.get(referral, {})
    reminders = sum(each["attempts"] - 1 for each in seen.requests[referral])
    return +Counter(
        {
            "referral.information_requested": reminders,
            "referral.overdue": int(row["overdue_told_at"] is not None),
            "authorization.expiring": int(authorization.get("expiring_told_at") is not None),
            "authorization.expired": int(authorization.get("expired_told_at") is not None),
        }
    )


def the_right_parties_are_told(before: Snapshot, seen: Snapshot) -> None:
    """What is new is for whoever is party to the referral at that moment, and the plan."""
    for id_, messages in seen.told.items():
        returned = _returned(before, seen, id_)
        for message in messages[len(before.told.get(id_, ())) :]:
            at = message["occurred_at"]
            told = {
                party["organization_id"]
                for party in seen.parties[id_]
                if party["since"] <= at and (party["until"] is None or party["until"] > at)
            }
            if message["event_type"] in NOT_THE_PERFORMERS:
                told = {seen.referrals[id_]["organization_id"]}
            named = set(message["organizations"])
            assert len(message["organizations"]) == len(named)
            assert (told - returned) | {"plan-hpsm"} <= named <= told | {"plan-hpsm"}, message


def _returned(before: Snapshot, seen: Snapshot, referral: str) -> set[str]:
    """Who became a party again in the midst of several moves: since when is not kept."""
    if len(seen.history[referral]) - len(before.history.get(referral, ())) < 2:
        return set()
    gone = {each["organization_id"] for each in before.parties.get(referral, ()) if each["until"]}
    return gone & {each["organization_id"] for each in seen.parties[referral] if not each["until"]}


def parties_are_who_they_should_be(seen: Snapshot) -> None:
    for id_ in seen.referrals:
        now = {each["organization_id"] for each in seen.parties[id_] if each["until"] is None}
        assert now == seen.members(id_), (seen.referrals[id_], seen.parties[id_])


async def places_balance(service: Any, seen: Snapshot) -> None:
    """As many places are taken as are held, none is free beside somebody who waits for it."""
    assert await balanced(service)
    over = {id_ for id_, each in seen.authorizations.items() if each["expired_told_at"] is None}
    waiting = {row["offer_id"] for id_, row in seen.referrals.items() if id_ in over}
    free = {id_ for (id_,) in await free_beside_waiting(service)}
    assert not free & waiting
    for id_, row in seen.referrals.items():
        holds = row["holds_place"]
        assert not holds or row["performer_id"] == seen.offers[row["offer_id"]]["organization_id"]
        assert not holds or seen.authorizations[id_]["expired_told_at"] is None


def one_open_authorization(seen: Snapshot) -> None:
    """Of a member and a service no two authorizations hold on the same day."""
    periods: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for id_, row in seen.referrals.items():
        authorization = seen.authorizations.get(id_)
        assert (authorization is not None) == any(
            each["event"] == "approve" for each in seen.history[id_]
        )
        if authorization is None:
            continue
        ended = row["state"] == "cancelled" or row["business_status"] == "unfulfilled"
        assert authorization["status"] == ("ended" if ended else "open")
        assert authorization["performer_id"] == row["performer_id"]
        if not ended:
            key = (authorization["cin"], authorization["service"])
            periods.setdefault(key, []).append(
                (authorization["starts_on"], authorization["ends_on"])
            )
    for spans in periods.values():
        spans.sort()
        for (_, ends), (starts, _) in pairwise(spans):
            assert ends < starts, spans


def clocks_fire_in_time(seen: Snapshot) -> None:
    """Never early, never on a referral that is complete or decided."""
    for id_, row in seen.referrals.items():
        moves, asked = seen.history[id_], seen.requests[id_]
        for before, move in pairwise(moves):
            if move["event"] == "void":
                request = next(each for each in reversed(asked) if each["asked_at"] < move["at"])
                assert before["business_status"] == "information-needed"
                assert move["at"] > request["void_due"]
                assert request["answered_at"] is None
                assert request["attempts"] >= 1
        for each in asked:
            assert each["reminded_at"] is None or each["reminded_at"] >= each["remind_at"]
            ended = each["ended_at"] or seen.at
            assert each["reminded_at"] is None or each["reminded_at"] <= ended
            assert each["attempts"] == 1 + (each["reminded_at"] is not None)
        decided = next((m["at"] for m in moves if m["to_state"] != "pending"), seen.at)
        overdue = row["overdue_told_at"]
        assert overdue is None or row["decision_due"] < overdue <= decided
    for each in seen.authorizations.values():
        expiring, expired = each["expiring_told_at"], each["expired_told_at"]
        assert expiring is None or 0 <= (each["ends_on"] - expiring.date()).days <= 30
        assert expired is None or expired.date() > each["ends_on"]


def nothing_is_due(seen: Snapshot) -> None:
    """After the clocks have looked at everything."""
    for id_, row in seen.referrals.items():
        if row["state"] == "pending":
            assert row["overdue_told_at"] or row["decision_due"] >= seen.at, row
            assert row["void_due"] is None or row["void_due"] >= seen.at, row
        for each in seen.requests[id_]:
            late = each["remind_at"] and each["remind_at"] < seen.at and each["ended_at"] is None
            assert each["reminded_at"] or not late, each
    for each in seen.authorizations.values():
        over = each["status"] == "open" and each["ends_on"] < seen.at.date()
        assert each["expired_told_at"] or not over, each
