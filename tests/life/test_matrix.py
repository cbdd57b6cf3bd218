"""docs/moves.md cell by cell, against the running service: every situation, every party, by
operation, by PUT and by PATCH of a Task. What is allowed is done; what is not is refused with
nothing written.
"""

import pytest

from app.model.moves import SITUATIONS
from tests.journeys.payloads import EXTRA, a_referral, hopeless, incomplete
from tests.life.acts import ACTS, Act, answer_to, asking, changes_nothing
from tests.life.snapshot import look, told_exactly_once
from tests.life.world import CLIENT_OF

#: Requester, the performer that has it or was asked for, strangers, staff of the plan and of
#: another.
WAYS = {
    "in-review": ["hopeless"],
    "information-needed": ["incomplete"],
    "assigned": ["clear"],
    "alternate": ["clear", "performer rejected"],
    "waitlisted": ["clear"],
    "unassigned": ["clear", "performer rejected", "performer rejected"],
    "accepted": ["clear", "performer accepted"],
    "on-hold": ["clear", "performer accepted", "performer on-hold"],
    "in-service": ["clear", "performer accepted", "performer in-progress"],
    "completed": ["clear", "performer accepted", "performer completed"],
    "unfulfilled": ["clear", "performer accepted", "performer failed"],
    "denied": ["hopeless", "staff deny"],
    "void": ["incomplete", "time", "staff void"],
    "cancelled": ["clear", "staff cancel"],
}
MADE = {"clear": a_referral, "hopeless": hopeless, "incomplete": incomplete}
#: A referral is never seen without a business status while it is pending: it is reviewed or asked
#: about in the transaction of its receipt.
SEEN = [(state, status) for state, status in SITUATIONS if (status or state) in WAYS]


class Situation:
    """Referrals in one situation, as many as are used up; each is another member's."""

    def __init__(self, world, state, status):
        self.world, self.state, self.status = world, state, status
        self._members = iter(EXTRA)

    async def begin(self):
        """Nobody is there; there is room for all, unless they wait for it."""
        await self.world.begin()
        room = 0 if self.status == "waitlisted" else len(EXTRA)
        await self.world.service.store.execute("UPDATE offer SET places = taken_outside + $1", room)

    async def new(self):
        """(referral, snapshot)"""
        referral = None
        for step in WAYS[self.status or self.state]:
            referral = await self._go(step, referral) or referral
        seen = await look(self.world.service)
        row = seen.referrals[referral]
        assert (row["state"], row["business_status"]) == (self.state, self.status)
        return referral, seen

    async def _go(self, step, referral):
        service = self.world.service
        if step in MADE:
            return await service.refer(MADE[step](next(self._members), asks_for="org-tidepool"))
        if step == "time":
            return service.later(days=30)
        who, what = step.split()
        seen = await look(service)
        client, act = "staff-hpsm", Act("operation", what, "")
        if who == "performer":
            has = seen.referrals[referral]["performer_id"]
            client, act = CLIENT_OF[has], Act("PUT", "service", what)
        answer = await (await asking(self.world, client, act, referral, seen))()
        assert answer.status_code == 200, answer.text
        return None


def everybody(act, row):
    """The requester, who has the referral or was asked for, staff, and strangers."""
    performer = CLIENT_OF[row["performer_id"] or row["asked_performer_id"]]
    others = ["staff-hpsj"] if act.way == "operation" else []
    return ["hospital", performer, "staff-hpsm", "practice", *others]


async def walk(world, state, status):
    """Every act of everybody. Returns how many were done, and how many refused."""
    situation = Situation(world, state, status)
    await situation.begin()
    referral, seen = await situation.new()
    counts = await world.service.counts()
    done = refused = 0
    for act in ACTS:
        if act.on == "service" and not seen.service_task(referral):
            continue
        for client in everybody(act, seen.referrals[referral]):
            expected = answer_to(client, act, referral, seen)
            moves = expected == 200 and not changes_nothing(client, act, referral, seen)
            ask = await asking(world, client, act, referral, seen)
            if moves:
                assert await world.service.counts() == counts, str(act)
            answer = await ask()
            assert answer.status_code == expected, (client, str(act), answer.text)
            if moves:
                told_exactly_once(await look(world.service))
                referral, seen = await situation.new()
                counts = await world.service.counts()
                done += 1
            else:
                refused += 1
        assert await world.service.counts() == counts, str(act)
    return done, refused


@pytest.mark.parametrize(("state", "status"), SEEN, ids=[str(b or a) for a, b in SEEN])
def test_every_act_of_every_party_is_as_the_table_says(world, state, status):
    done, refused = world.run(walk(world, state, status))
    assert refused > 50
    assert (done == 0) == (state in ("denied", "void", "cancelled"))


def test_every_situation_is_tried():
    assert {status or state for state, status in SITUATIONS} - set(WAYS) == {None, "pending"}
