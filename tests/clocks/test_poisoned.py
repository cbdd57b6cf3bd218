"""One referral whose clock cannot be fired stops no other clock, and is tried again later."""

import logging
from contextlib import asynccontextmanager

import pytest

from app.base.errors import Refusal
from app.base.logs import LogLine
from app.workers.clocks import ASIDE
from app.workers.quarantine import Quarantine
from tests.clocks.scene import strike
from tests.journeys.payloads import EXTRA, incomplete

PAST_DUE = "2026-12-05T00:00-08:00"
#: PostgreSQL refuses every change of one referral, with this SQLSTATE.
_REFUSING = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'poisoned row of 9100000XA' USING ERRCODE = '{code}'; END $$;
CREATE TRIGGER poison BEFORE UPDATE ON referral FOR EACH ROW WHEN (NEW.id = '{referral}')
EXECUTE FUNCTION poison()"""


@asynccontextmanager
async def refused_with(service, referral, code):
    await service.store.execute(_REFUSING.format(referral=referral, code=code))
    try:
        yield
    finally:
        await service.store.execute("DROP TRIGGER poison ON referral; DROP FUNCTION poison")


@asynccontextmanager
async def unreadable(service, referral, _code):
    """What is kept of it is no JSON any more."""
    kept = "UPDATE referral SET details = $2 WHERE id = $1"
    ((before,),) = await service.rows("SELECT details FROM referral WHERE id = $1", referral)
    await service.store.execute(kept, referral, "")
    try:
        yield
    finally:
        await service.store.execute(kept, referral, before)


def failures(caplog):
    form = LogLine()
    return [form.format(r) for r in caplog.records if r.levelno >= logging.ERROR]


async def all_but(service, poisoned, referrals):
    states = dict(await service.rows("SELECT id, state FROM referral"))
    assert states == {each: "pending" if each == poisoned else "void" for each in referrals}


#: A value that is refused; too long; a row that cannot be read from the disk; no room for it.
FAULTS = [
    (refused_with, "22012"),
    (refused_with, "57014"),
    (refused_with, "XX001"),
    (refused_with, "53100"),
    (unreadable, ""),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
async def test_one_that_fails_is_set_aside_and_the_others_are_fired(service, caplog, fault, code):
    referrals = []
    for cin in EXTRA[:3]:
        referrals.append(await service.refer(incomplete(cin)))
        service.later(minutes=1)
    poisoned, aside = referrals[0], Quarantine(ASIDE)  # the first due
    service.at(PAST_DUE)
    async with fault(service, poisoned, code):
        assert (await strike(service, aside=aside)).left == 1
        await all_but(service, poisoned, referrals)
        service.later(minutes=4)
        assert (await strike(service, aside=aside)).left == 0  # not looked at again so soon
        (said,) = failures(caplog)
    assert poisoned in said
    assert "9100000XA" not in said
    service.later(minutes=2)
    await strike(service, aside=aside)
    await all_but(service, None, referrals)


async def test_a_plan_whose_alarms_cannot_be_looked_up_holds_up_no_other(service, caplog):
    """A row that nobody can read: every look at its plan's referrals fails."""
    first = await service.refer(incomplete(EXTRA[0]))
    other = await service.refer(incomplete("9000012XA", plan="HPSJ"))
    ((plan,),) = await service.rows("SELECT plan FROM referral WHERE id = $1", other)
    assert plan == "HPSJ"
    service.at(PAST_DUE)
    await service.store.execute(
        "CREATE POLICY poison ON referral AS RESTRICTIVE"
        f" USING (1 / (CASE WHEN id = '{other}' THEN 0 ELSE 1 END) = 1)"
    )
    try:
        await strike(service)
    finally:
        await service.store.execute("DROP POLICY poison ON referral")
    await all_but(service, other, [first, other])
    (said,) = failures(caplog)
    assert "HPSJ" in said
    await strike(service)
    await all_but(service, None, [first, other])


async def test_a_database_that_is_away_is_waited_for_and_nothing_is_set_aside(service):
    referral = await service.refer(incomplete())
    service.at(PAST_DUE)
    aside = Quarantine(ASIDE)
    away = service.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/x"})
    whole, service.settings = service.settings, away
    try:
        with pytest.raises(Refusal):
            await strike(service, aside=aside)
    finally:
        service.settings = whole
    assert aside.still(service.clock.now()) == set()
    await strike(service, aside=aside)
    await all_but(service, None, [referral])
