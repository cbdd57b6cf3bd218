"""Random parties, moves, clocks, crashes and repeats against the running service, and what must
hold after every step.
"""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faults.wire import CUT_AFTER, CUT_BEFORE
from tests.journeys.payloads import (
    EXTRA,
    a_referral,
    hopeless,
    incomplete,
    parameters,
    unique,
    visits_before,
)
from tests.journeys.service import id_of
from tests.life import snapshot
from tests.life.acts import ACTS, Act, answer_to, asking, changes_nothing, event_of, legal
from tests.life.snapshot import Snapshot, look
from tests.life.world import CLIENT_OF, CLIENTS, OFFERS, World

MEMBERS = EXTRA[:5]
REFERRERS = ("hospital", "practice", "ecm-provider")
#: How far time goes at once: within clocks of hours and days, over them, and over a term.
STEPS = [
    timedelta(hours=7),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=5),
    timedelta(days=9),
    timedelta(days=120),
    timedelta(days=340),
]
#: How far a life goes: two terms of an authorization.
END = timedelta(days=800)
#: At most so many referrals, so that each has a life.
MOST = 8

Picks = tuple[int, int, int]
Chosen = tuple[str, Act, str]
#: Which of so many: taken modulo their number, so that what is drawn does not hang on who was
#: faster.
PICK = st.integers(0, 2**16)
#: What is answered to a move on an old version: it has moved on, it is with another, or it is not
#: the caller's to see any more.
STALE = (412, 409, 404)
FAULTS = st.sampled_from([CUT_BEFORE, CUT_AFTER, "refused"])


class Life(RuleBasedStateMachine):
    """`world` is shared by all lives; each begins with nobody referred."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.passed = timedelta(0)
        self.complete = False  # the clocks have just looked at everything
        self.touched: set[str] = set()
        world.run(world.begin())
        self.seen: Snapshot = world.run(look(world.service))
        self.before = self.seen

    # --- referring ---

    @rule(
        by=st.sampled_from(REFERRERS),
        member=st.sampled_from(MEMBERS),
        kind=st.sampled_from(["clear", "clear", "incomplete", "hopeless"]),
        urgent=st.booleans(),
        asks_for=st.sampled_from([None, *OFFERS.values()]),
    )
    def refer(self, by: str, member: str, kind: str, urgent: bool, asks_for: str | None) -> None:
        more = {"priority": "urgent"} if urgent else {}
        self._refer(by, self._payload(member, kind, asks_for=asks_for, **more))

    @rule(pick=PICK, by=st.sampled_from(REFERRERS))
    def reauthorize(self, pick: int, by: str) -> None:
        held = [id_ for id_ in self.seen.referrals if id_ in self.seen.authorizations]
        if held:
            row = self.seen.referrals[held[pick % len(held)]]
            on = [{"reference": f"ServiceRequest/{row['id']}"}]
            self._refer(by, self._payload(row["cin"], "clear", basedOn=on))

    def _payload(self, member: str, kind: str, **more: Any) -> dict[str, Any]:
        if kind == "clear":
            return a_referral(member, visits=visits_before(self.world.now), **more)
        return (incomplete if kind == "incomplete" else hopeless)(member, **more)

    def _refer(self, by: str, body: dict[str, Any]) -> None:
        """Referred, and twice more: by the same key, and by the same identifier."""
        if len(self.seen.referrals) >= MOST:
            return
        body["identifier"] = [{"system": "https://referrer.example/ids", "value": unique()}]
        key = unique()
        answer = self._do(self.world.service.post(body, by, Idempotency_Key=key))
        assert answer.status_code == 201, answer.text
        self.touched.add(id_of(answer))
        self._unmoved(self.world.service.post(body, by, Idempotency_Key=key), 201)
        self._unmoved(self.world.service.post(body, by), 200)

    # --- moving ---

    @rule(picks=st.lists(st.tuples(PICK, PICK, PICK), min_size=1, max_size=4))
    def what_is_allowed(self, picks: list[Picks]) -> None:
        """Whoever may do something does it; asked once more on the old version, nothing happens."""
        for pick in picks:
            chosen = self._allowed(pick)
            if chosen is None:
                return
            ask = self._asking(chosen)
            self._moved(chosen, ask)
            self._unmoved(ask(), *STALE)
            self.all_is_well()

    @rule(pick=PICK, client=st.sampled_from(sorted(CLIENTS)), act=st.sampled_from(ACTS))
    def anything_by_anybody(self, pick: int, client: str, act: Act) -> None:
        known = list(self.seen.referrals)
        if not known:
            return
        referral = known[pick % len(known)]
        if act.on == "service" and not self.seen.service_task(referral):
            return
        expected = answer_to(client, act, referral, self.seen)
        chosen = (referral, act, client)
        idle = changes_nothing(client, act, referral, self.seen)
        if expected == 200 and not idle:
            self._moved(chosen, self._asking(chosen))
        else:
            self._unmoved(self._asking(chosen)(), expected)

    @rule(picks=st.lists(st.tuples(PICK, PICK, PICK), min_size=2, max_size=4))
    def several_at_once(self, picks: list[Picks]) -> None:
        """Everybody acts on what they see; who comes first is heard, the others are told."""
        found = [chosen for pick in picks if (chosen := self._allowed(pick))]
        asks = [self._asking(chosen) for chosen in found]
        if not asks:
            return
        answers = self.world.run(_together(asks))
        self._changed()
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {200, 404, 409, 412}, statuses
        assert 200 in statuses, [answer.text for answer in answers]
        self.touched.update(referral for referral, _, _ in found)

    # --- places ---

    @rule(
        offer=st.sampled_from(sorted(OFFERS)),
        places=st.integers(0, 3),
        status=st.sampled_from(["capacity", "no-capacity", "additional-assessment-required"]),
    )
    def capacity(self, offer: str, places: int, status: str) -> None:
        outside = self.seen.offers[offer]["taken_outside"]
        stated = parameters(places={"valueInteger": outside + places}, status={"valueCode": status})
        path = f"/fhir/HealthcareService/{offer}/$capacity"
        client = CLIENT_OF[OFFERS[offer]]
        answer = self._do(self.world.ask(client, "POST", path, stated))
        assert answer.status_code == 200, answer.text

    # --- time ---

    @rule(by=st.sampled_from(STEPS))
    def time_passes(self, by: timedelta) -> None:
        if self.passed + by <= END:
            self.passed += by
            self.world.service.later(seconds=by.total_seconds())
            self._changed()

    @rule(workers=st.integers(1, 2))
    def clocks_look(self, workers: int) -> None:
        self._do(self.world.strike(workers))
        self.complete = True

    @rule(commits=st.integers(0, 4))
    def clocks_die(self, commits: int) -> None:
        """Their process is lost in the middle; what was not done is done by the next."""
        self._do(self.world.strike_and_die(commits))

    # --- faults ---

    @rule(pick=st.tuples(PICK, PICK, PICK), how=FAULTS)
    def a_move_that_is_cut_off(self, pick: Picks, how: str) -> None:
        chosen = self._allowed(pick)
        if chosen is None:
            return
        ask = self._asking(chosen)
        if how == CUT_AFTER:
            assert self._do(self._cut(ask, how)).status_code == 503
            self._unmoved(ask(), *STALE)  # it was done
        else:
            self._unmoved(self._cut(ask, how), 503)
            self._moved(chosen, ask)
        self.touched.add(chosen[0])

    @rule(member=st.sampled_from(MEMBERS), how=FAULTS)
    def a_referral_that_is_cut_off(self, member: str, how: str) -> None:
        if len(self.seen.referrals) >= MOST:
            return
        body, key = self._payload(member, "clear"), unique()

        def post() -> Any:
            return self.world.service.post(body, "hospital", Idempotency_Key=key)

        if how == CUT_AFTER:
            assert self._do(self._cut(post, how)).status_code == 503
            self._unmoved(post(), 201)
        else:
            self._unmoved(self._cut(post, how), 503)
            assert self._do(post()).status_code == 201

    async def _cut(self, ask: Any, how: str) -> Any:
        if how == "refused":
            async with self.world.refusing():
                return await ask()
        self.world.cut(how)
        try:
            return await ask()
        finally:
            await self.world.heal()

    # --- messages ---

    @rule()
    def messages_are_delivered(self) -> None:
        self._do(self.world.deliver())
        self._everything_has_arrived()

    @rule()
    def a_worker_dies_sending(self) -> None:
        if self.world.run(self.world.waiting()):
            self._do(self.world.deliver_and_die())

    def _everything_has_arrived(self) -> None:
        """All that was announced, to whom it is for, in the order of each referral."""
        wanted = {
            (message["id"], organization)
            for messages in self.seen.told.values()
            for message in messages
            for organization in message["organizations"]
        }
        order: dict[tuple[str, str], list[int]] = {}
        had = set()
        for got in self.world.receiver.received:
            organization = CLIENTS[got.path.strip("/")]
            data = got.data["data"]
            if "referral_id" not in data:
                continue  # about an offer
            if (got.id, organization) not in had:
                key = (organization, data["referral_id"])
                order.setdefault(key, []).append(data["sequence"])
            had.add((got.id, organization))
        assert had == wanted, had ^ wanted
        assert all(numbers == sorted(numbers) for numbers in order.values())

    # --- what must hold ---

    @invariant()
    def all_is_well(self) -> None:
        before, seen = self.before, self.seen
        snapshot.history_is_the_state(seen)
        snapshot.parties_are_who_they_should_be(seen)
        snapshot.told_exactly_once(seen)
        snapshot.the_right_parties_are_told(before, seen)
        snapshot.one_open_authorization(seen)
        snapshot.clocks_fire_in_time(seen)
        self.world.run(snapshot.places_balance(self.world.service, seen))
        if self.complete:
            snapshot.nothing_is_due(seen)
        for referral in sorted(self.touched):
            self.world.run(self._as_it_is_read(referral))
        self.before, self.complete, self.touched = seen, False, set()

    async def _as_it_is_read(self, referral: str) -> None:
        """Its requester reads what is so, in every version."""
        row = self.seen.referrals[referral]
        by = CLIENT_OF[row["organization_id"]]
        service = self.world.service
        words = [word for word in (row["state"], row["business_status"]) if word]
        assert await service.words(referral, by) == words
        request = await service.read("ServiceRequest", referral, by)
        assert request["meta"]["versionId"] == str(row["version"])
        closed = row["business_status"] in ("completed", "unfulfilled")
        statuses = {"completed"} if closed else {"active"}
        if row["state"] in ("denied", "void", "cancelled"):
            statuses = {"revoked", "entered-in-error"}
        assert request["status"] in statuses
        history = await self.world.ask(by, "GET", f"/fhir/ServiceRequest/{referral}/_history")
        assert history.json()["total"] == row["version"]

    def teardown(self) -> None:
        self.world.run(self.world.deliver())
        self._changed()
        self._everything_has_arrived()

    # --- helpers ---

    def _do(self, work: Any) -> Any:
        answer = self.world.run(work)
        self._changed()
        return answer

    def _changed(self) -> None:
        self.seen = self.world.run(look(self.world.service))

    def _unmoved(self, work: Any, *statuses: int) -> None:
        """It is answered so, and nothing was written."""
        counts = self.world.run(self.world.service.counts())
        answer = self.world.run(work)
        assert answer.status_code in statuses, answer.text
        assert self.world.run(self.world.service.counts()) == counts

    def _allowed(self, pick: Picks) -> Chosen | None:
        """A referral, then a move that somebody may make, then a way to make it."""
        found = legal(self.seen)
        if not found:
            return None
        referrals = list(dict.fromkeys(id_ for id_, _, _ in found))
        referral = referrals[pick[0] % len(referrals)]
        ways: dict[str, list[Chosen]] = {}
        for chosen in found:
            if chosen[0] == referral:
                event = event_of(chosen[1], self.seen.referrals[referral])
                ways.setdefault(str(event), []).append(chosen)
        event = sorted(ways)[pick[1] % len(ways)]
        return ways[event][pick[2] % len(ways[event])]

    def _asking(self, chosen: Chosen) -> Any:
        referral, act, client = chosen
        row = self.seen.referrals[referral]
        number = list(self.seen.referrals).index(referral)
        note(f"  {client}: {act} of referral {number}, {row['state']} {row['business_status']}")
        return self.world.run(asking(self.world, client, act, referral, self.seen))

    def _moved(self, chosen: Chosen, ask: Any) -> None:
        answer = self._do(ask())
        assert answer.status_code == 200, (chosen, answer.text)
        self.touched.add(chosen[0])


async def _together(asks: list[Any]) -> list[Any]:
    return await asyncio.gather(*(ask() for ask in asks))
