"""How much a worker sends to one endpoint at once: more where answers are quick and successes."""

import asyncio

import pytest

from tests.receiver import Receiver, Reply

SHARES = {"per_endpoint": 2, "per_quick_endpoint": 6}


async def then_hang(scene, receiver, **pace):
    """Has one message answered, holds all later ones, and returns how many then are under way.

    That others are served meanwhile shows that the worker has looked again and sends no more.
    """
    held = asyncio.Event()
    first = receiver.answer
    async with Receiver() as other:
        scene.allow(receiver.target, other.target)
        await scene.endpoint(receiver.url())
        await scene.endpoint(other.url(), organization="org-tidepool")
        await scene.announce("first")
        async with scene.worker(total_s=600, lease_s=900, **SHARES, **pace):
            await scene.until_attempts(1)
            receiver.answer = lambda _: Reply(until=held)
            for n in range(20):
                await scene.announce(f"r{n}")
            scene.move(seconds=70)
            await receiver.until(lambda: len(receiver.received) > 1)
            for n in range(20):
                await scene.announce(f"other{n}", organization="org-tidepool")
                await scene.hint()
                await other.count(n + 1)
            under_way = len(receiver.received) - 1
            receiver.answer = first
            held.set()
    return under_way


async def test_an_endpoint_that_answers_quickly_is_sent_more_at_once(scene, receiver):
    assert await then_hang(scene, receiver, quick_s=60) == 6


async def test_one_that_answers_slowly_keeps_the_smaller_share(scene, receiver):
    receiver.answer = lambda _: Reply(wait=0.1)
    assert await then_hang(scene, receiver, quick_s=0.05) == 2


@pytest.mark.parametrize("status", [500, 503])
async def test_one_that_fails_quickly_is_sent_one_at_a_time(scene, receiver, status):
    receiver.answer = lambda _: Reply(status)
    assert await then_hang(scene, receiver, quick_s=60) == 1
