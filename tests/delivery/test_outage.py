"""A receiver is away for half an hour, workers are killed: nobody misses or mistakes a message."""

import asyncio
import os
import random
import sys
from datetime import timedelta

import pytest

from app.base.clock import _FRESH_S
from tests.delivery.outage import MINUTES, STORIES, STRANGERS, Outage, referrals_for, story

_MOVES = {
    "approved": ["receive", "approve"],
    "incomplete": ["receive", "request-information"],
}


@pytest.fixture
def seed():
    """Where and whom the kills hit; `OUTAGE_SEED` repeats a run."""
    chosen = int(os.environ.get("OUTAGE_SEED") or random.randrange(10**6))
    sys.stdout.write(f"OUTAGE_SEED={chosen}\n")  # pytest shows it with a failure
    return chosen


@pytest.mark.timeout(300)  # ten seconds on two cores that nobody else uses
async def test_half_an_hour_away_and_nobody_misses_a_message(own_postgres, tmp_path, seed):
    outage = Outage(own_postgres, tmp_path, referrals_for(400), seed)
    await through(outage)


@pytest.mark.timeout(300)
async def test_the_same_with_postgresql_restarted_twice(own_postgres, tmp_path, seed):
    outage = Outage(own_postgres, tmp_path, referrals_for(400), seed)
    third = outage.referrals // 3
    await through(outage, restarts=[third, 2 * third])


@pytest.mark.outage
@pytest.mark.timeout(900)
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
async def test_ten_thousand_messages(own_postgres, tmp_path, seed, restarted):
    outage = Outage(own_postgres, tmp_path, referrals_for(10_000), seed)
    third = outage.referrals // 3
    await through(outage, (15, 5), [third, 2 * third] if restarted else [])


async def through(outage, kills=(4, 2), restarts=()):
    """The whole of it, then what must hold. `kills` while the receiver is away, and afterwards."""
    healthy, away = outage.healthy.received, outage.away.received
    few, some = outage.referrals // 10, outage.referrals
    async with outage.running():
        async with asyncio.TaskGroup() as happening:
            happening.create_task(outage.write())
            happening.create_task(outage.kill(kills[0], lambda: len(healthy), few, 3 * some))
            happening.create_task(outage.restart(restarts))
        assert away == []
        await asyncio.sleep(_FRESH_S)  # real time: by then every process has seen the clock
        async with outage.away, asyncio.TaskGroup() as happening:
            happening.create_task(outage.recover())
            happening.create_task(outage.kill(kills[1], lambda: len(away), few, some))
    assert outage.kills == sum(kills)
    await everything_is_written(outage)
    everybody_is_told(outage)


async def everything_is_written(outage):
    """Referrals, their histories and their messages: each once, none half."""
    kept = dict(await outage.rows(
        "SELECT referral_id, array_agg(event ORDER BY seq) FROM referral_history GROUP BY 1"
    ))  # fmt: skip
    assert kept == {id_: _MOVES[story(number)] for number, id_ in outage.ids.items()}
    said = dict(await outage.rows(
        "SELECT referral_id, array_agg(event_type ORDER BY seq) FROM message GROUP BY 1"
    ))  # fmt: skip
    assert said == {
        id_: [kind for kind, _ in STORIES[story(number)]] for number, id_ in outage.ids.items()
    }
    ((away,),) = await outage.rows(
        "SELECT min(delivered_at) - (SELECT min(occurred_at) FROM message)"
        " FROM delivery WHERE organization_id = 'org-harbor-lantern'"
    )
    assert away >= timedelta(minutes=MINUTES)
    refused = "SELECT count(*) > 0 FROM attempt WHERE error = 'connection_refused'"
    assert await outage.rows(refused) == [(True,)]
    assert await outage.rows("SELECT DISTINCT state FROM delivery") == [("delivered",)]


def everybody_is_told(outage):
    """Every party hears every message, in order, under one id; nobody else hears anything."""
    told, expected = outage.told(), outage.expected()
    assert told.keys() == expected.keys()
    assert not told.keys() & set(STRANGERS)
    for endpoint, referrals in expected.items():
        heard = {}
        for one in told[endpoint]:
            data = one.data["data"]
            messages = heard.setdefault(data["referral_id"], {})
            first = messages.setdefault(one.id, one)
            assert one.body == first.body
        order = {
            id_: [(each.data["data"]["sequence"], each.data["type"]) for each in messages.values()]
            for id_, messages in heard.items()
        }
        assert order == {id_: list(enumerate(kinds, 1)) for id_, kinds in referrals.items()}
