"""Event numbers: 1 to n, each given once and for ever, whatever fails, restarts or runs beside."""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from app.journey.notification.retry import SCHEDULE
from tests.delivery.scene import Scene
from tests.journeys.payloads import EXTRA, a_referral, visits_before
from tests.receiver import Reply
from tests.subscription.scene import (
    HOSPITAL,
    SERVICE_REQUEST,
    TASK,
    TIDEPOOL,
    abouts,
    numbers,
    only,
    until,
    value,
)


async def counted(subscribers, id_, by="hospital"):
    status = await subscribers.status(id_, by)
    return int(only(status["parameter"], "events-since-subscription-start"))


def arrived(subscribers, path="hook"):
    """Number → the ids and the focuses that it came with; one of each, or a number was reused."""
    found = defaultdict(set)
    for one in subscribers.receiver.at(path):
        if value(one.data, "type") == "event-notification":
            (number,), (about,) = numbers([one.data]), abouts([one.data])
            found[number].add((one.id, about))
    return found


async def is_in_trouble(subscribers, id_, wanted):
    status = await subscribers.status(id_)
    return (only(status["parameter"], "error") is not None) == wanted


async def recorded(service, attempts):
    return (await service.rows("SELECT count(*) FROM attempt"))[0][0] >= attempts


async def unnumbered(service):
    ((count,),) = await service.rows(
        "SELECT count(*) FROM delivery WHERE focus IS NOT NULL AND event_number IS NULL"
    )
    return count


async def test_a_failing_receiver_finds_the_error_in_the_status_and_nothing_missing(
    service, subscribers
):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        subscribers.receiver.answer = lambda _: Reply(503)
        await service.refer(a_referral("9100000XA"))
        await service.refer(a_referral("9100001XA"))
        await subscribers.told(2)
        await subscribers.active(id_)
        await until(lambda: is_in_trouble(subscribers, id_, True))
        assert await counted(subscribers, id_) == 6  # delivered or not
        assert "error" in await subscribers.read(id_)
        subscribers.receiver.answer = lambda _: Reply()
        service.later(seconds=10)
        await subscribers.receiver.until(lambda: len(arrived(subscribers)) == 6)
        await until(lambda: is_in_trouble(subscribers, id_, False))
    assert set(arrived(subscribers)) == {1, 2, 3, 4, 5, 6}
    assert all(len(each) == 1 for each in arrived(subscribers).values())
    assert "error" not in await subscribers.read(id_)


async def test_after_75_hours_it_is_in_error_and_a_new_handshake_brings_everything(
    service, subscribers
):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        subscribers.receiver.answer = lambda _: Reply(500)
        await service.refer(a_referral())
        for tried in range(1, 11):
            await subscribers.told(tried)
            await until(lambda least=tried: recorded(service, least))
            service.later(seconds=1.2 * SCHEDULE[min(tried, 9) - 1].total_seconds() + 1)
        await subscribers.active(id_, status="error")
        assert "Every attempt" in (await subscribers.read(id_))["error"]
        assert await counted(subscribers, id_) == 3
        subscribers.receiver.answer = lambda _: Reply()
        again = {**await subscribers.read(id_), "status": "requested"}
        assert (await subscribers.put(id_, again)).status_code == 200
        await subscribers.receiver.until(lambda: len(arrived(subscribers)) == 3)
    *_, handshake = subscribers.bundles(kind="handshake")
    assert value(handshake, "events-since-subscription-start") == "3"
    assert all(len(each) == 1 for each in arrived(subscribers).values())


async def test_410_is_an_error_that_holds_what_waits(service, subscribers):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        subscribers.receiver.answer = lambda _: Reply(410)
        await service.refer(a_referral())
        await subscribers.active(id_, status="error")
    concept = only((await subscribers.status(id_))["parameter"], "error")
    assert concept["coding"][0]["code"] == "error-response"
    assert {row[0] for row in await service.rows("SELECT state FROM delivery")} == {"held"}


async def test_numbers_go_on_where_a_stopped_worker_left_them(service, subscribers):
    id_ = await subscribers.subscribe()
    for number, cin in enumerate(EXTRA[:3], 1):
        async with service.delivering():
            await subscribers.active(id_)
            await service.refer(a_referral(cin))
            await subscribers.told(3 * number)
    assert numbers(subscribers.bundles()) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_events_are_caught_up_by_number(service, subscribers):
    """Asked for before the worker came to them, they have the numbers that they keep."""
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
    await service.refer(a_referral("9100000XA"))
    await service.refer(a_referral("9100001XA"))
    early = await subscribers.events(id_)
    assert numbers([early]) == [1, 2, 3, 4, 5, 6]
    part = await subscribers.events(id_, eventsSinceNumber=2, eventsUntilNumber=4)
    assert numbers([part]) == [2, 3, 4]
    assert value(part, "events-since-subscription-start") == "6"
    assert numbers([await subscribers.events(id_, eventsSinceNumber=7)]) == []
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "eventsSinceNumber", "valueString": "5"},
            {"name": "eventsUntilNumber", "valueString": "9"},
            {"name": "content", "valueCode": "empty"},
        ],
    }
    path = f"/fhir/Subscription/{id_}/$events"
    posted = await service.ask("hospital", "POST", path, body)
    assert numbers([posted.json()]) == [5, 6]
    async with service.delivering():
        await subscribers.told(6)
    kept = {number: about for each in (early,) for number, about in zip_events(each)}
    assert {n: about for n, each in arrived(subscribers).items() for _, about in each} == kept


def zip_events(bundle):
    return zip(numbers([bundle]), abouts([bundle]), strict=True)


@pytest.mark.parametrize("word", ["-1", "1.5", "x", "", "99999999999", "٣"])
async def test_what_is_no_number_is_refused(service, subscribers, word):
    id_ = await subscribers.subscribe()
    path = f"/fhir/Subscription/{id_}/$events"
    got = await service.ask("hospital", "GET", path, params={"eventsSinceNumber": word})
    assert got.status_code == 400
    said = [{"name": "eventsSinceNumber", "valueString": word or " "}]
    body = {"resourceType": "Parameters", "parameter": said}
    assert (await service.ask("hospital", "POST", path, body)).status_code == 400


async def test_the_statuses_of_all_or_of_some(service, subscribers):
    subscribers.receiver.answer = lambda got: Reply(500 if got.path == "/bad" else 204)
    good = await subscribers.subscribe()
    bad = await subscribers.subscribe(path="bad", content="empty")
    async with service.delivering():
        await subscribers.active(good)
        await subscribers.active(bad, status="error")
    await service.refer(a_referral())
    path = "/fhir/Subscription/$status"

    async def ids(params=None, body=None):
        answer = await service.ask("hospital", "POST" if body else "GET", path, body, params=params)
        assert answer.status_code == 200, answer.text
        return {entry["resource"]["id"] for entry in answer.json().get("entry", ())}

    assert await ids() == {good, bad}
    assert await ids({"id": good}) == {good}
    assert await ids({"id": [good, bad], "status": "error"}) == {bad}
    said = [{"name": "id", "valueId": bad}, {"name": "status", "valueCode": "active"}]
    assert await ids(body={"resourceType": "Parameters", "parameter": said}) == set()
    assert await ids(body={"resourceType": "Parameters", "parameter": said[:1]}) == {bad}
    # At the instance both are ignored.
    one = await service.ask("hospital", "POST", f"/fhir/Subscription/{good}/$status")
    assert one.json()["total"] == 1
    odd = await service.ask(
        "hospital", "GET", f"/fhir/Subscription/{good}/$status", params={"status": "error"}
    )
    assert odd.json()["total"] == 1


async def test_a_heartbeat_comes_only_where_asked_for_and_only_in_silence(service, subscribers):
    asked = await subscribers.subscribe(heartbeat=60, path="asked")
    silent = await subscribers.subscribe(path="silent")
    async with service.delivering():
        await subscribers.active(asked, silent)
        for beat in (1, 2):
            service.later(seconds=61)
            await subscribers.told(beat, "asked", kind="heartbeat")
        service.later(seconds=50)
        await service.refer(a_referral())
        await subscribers.told(3, "asked")
        await subscribers.told(3, "silent")
        service.later(seconds=50)  # 100 s after the heartbeat, 50 s after an event
        await service.do("hospital", "cancel", (await referrals(service))[0])
        await subscribers.told(4, "asked")
    beats = subscribers.bundles("asked", "heartbeat")
    assert [value(each, "events-since-subscription-start") for each in beats] == ["0", "0"]
    assert subscribers.bundles("silent", "heartbeat") == []


async def referrals(service):
    return [row[0] for row in await service.rows("SELECT id FROM referral")]


async def test_a_hanging_handshake_holds_up_no_other(service, subscribers):
    until = asyncio.Event()
    subscribers.receiver.answer = lambda got: Reply(until=until if got.path == "/hangs" else None)
    hangs = [await subscribers.subscribe(path="hangs") for _ in range(3)]
    async with service.delivering():
        await subscribers.receiver.until(lambda: len(subscribers.receiver.at("hangs")) == 3)
        await subscribers.active(await subscribers.subscribe())
        assert (await subscribers.read(hangs[0]))["status"] == "requested"
        until.set()
        await subscribers.active(*hangs)


async def test_workers_killed_at_any_moment_leave_no_gap(service, subscribers):
    service.clock.move(timedelta(0))  # the killed processes read the real clock
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
    subscribers.receiver.answer = lambda _: Reply(wait=0.05)
    scene = Scene(service.store, service.settings)
    workers = [await scene.process(per_endpoint=3) for _ in range(2)]
    try:
        visits = visits_before(datetime.now(UTC))
        for cin in EXTRA[:8]:
            await service.refer(a_referral(cin, visits=visits))
        for worker, after in zip(workers, (3, 9), strict=True):
            await subscribers.told(after, seconds=60)  # a process takes its time to begin
            worker.kill()
            await worker.wait()
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    service.later(seconds=120)  # what they held is free again
    async with service.delivering():
        await subscribers.receiver.until(lambda: len(arrived(subscribers)) == 24)
    found = arrived(subscribers)
    assert set(found) == set(range(1, 25))
    assert all(len(each) == 1 for each in found.values())  # repeats have the same id
    assert await counted(subscribers, id_) == 24
    in_order(subscribers)


def in_order(subscribers, path="hook"):
    """What is heard of first about a referral has the lower number, and comes first."""
    first = {}
    for bundle in subscribers.bundles(path):
        (number,), (about,) = numbers([bundle]), abouts([bundle])
        first.setdefault(about, {}).setdefault(number, None)
    for heard in first.values():
        assert list(heard) == sorted(heard)


@pytest.mark.parametrize("seed", range(3))
async def test_numbers_have_no_gap_under_parallel_moves(service, subscribers, seed):
    """Moves, refusals, workers and `$events`, all at once and in another order with each seed."""
    chance = random.Random(seed)
    followers = {
        await subscribers.subscribe(path="hook"): ("hook", "hospital"),
        await subscribers.subscribe(
            f"Task?requester={HOSPITAL}", by="ecm-provider", path="performer", topic=TASK
        ): ("performer", "ecm-provider"),
        await subscribers.subscribe(
            f"ServiceRequest?requester={HOSPITAL}", by="staff-hpsm", path="plan",
            topic=SERVICE_REQUEST, content="full-resource",
        ): ("plan", "staff-hpsm"),
    }  # fmt: skip

    async def a_journey(cin):
        referral = await service.refer(a_referral(cin, asks_for=chance.choice([TIDEPOOL, None])))
        await asyncio.sleep(chance.random() / 20)
        for _ in range(chance.randrange(3)):
            await service.do(chance.choice(["hospital", "staff-hpsm"]), "cancel", referral)

    async def reading():
        for _ in range(6):
            id_, (_, by) = chance.choice(list(followers.items()))
            await subscribers.events(id_, by)
            await asyncio.sleep(chance.random() / 20)

    async with service.delivering(), service.delivering():
        for id_, (_, by) in followers.items():
            await subscribers.active(id_, by=by)
        subscribers.receiver.answer = lambda _: Reply(chance.choice([204, 204, 503]))
        await asyncio.gather(*(a_journey(cin) for cin in EXTRA[:8]), reading(), reading())
        subscribers.receiver.answer = lambda _: Reply()
        async with asyncio.timeout(30):
            while await service.rows("SELECT 1 FROM delivery WHERE state <> 'delivered'"):
                service.later(seconds=10)
                await asyncio.sleep(0.1)

    for id_, (path, by) in followers.items():
        found = arrived(subscribers, path)
        total = await counted(subscribers, id_, by)
        assert set(found) == set(range(1, total + 1)), path
        assert all(len(each) == 1 for each in found.values())
        assert numbers([await subscribers.events(id_, by)]) == list(range(1, total + 1))
    assert await unnumbered(service) == 0
