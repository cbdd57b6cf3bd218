"""What a receiver gets, whatever happens to it, to us or to the database."""

import asyncio
import signal
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from app.journey.notification.retry import SCHEDULE
from app.journey.notification.secrets import Secret, new_secret
from app.journey.notification.wake import Waker
from app.store.database import Database
from tests.receiver import Receiver, Reply


async def test_a_message_arrives_signed_and_is_recorded(scene, receiver):
    secret = new_secret()
    await scene.endpoint(receiver.url(), secrets=[Secret(secret)], headers={"X-Route": "intake"})
    message = await scene.announce("r1")
    async with scene.worker():
        (got,) = await receiver.count(1)
        await scene.until_states("delivered")
    assert Webhook(secret).verify(got.body, got.headers)["type"] == "referral.received"
    assert got.id == message
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-route"] == "intake"
    assert got.body == (await scene.one("message"))["body"]
    attempt = await scene.one("attempt")
    assert (attempt["number"], attempt["status"], attempt["manual"]) == (1, 204, False)


@pytest.mark.parametrize(
    "target",
    [
        "/hook/%28a%29?sig=Ab%2Fcd%2B1%3D%3D&p=%27x%27&t=%7E",
        "/a%2fb/%7e/../c//d/.?x=a+b%20c&y='z'&&=&%C3%A9=%c3%a9",
        "/(a);b=c,d/@:!$*?/?&=?",
    ],
)
async def test_a_url_is_sent_byte_for_byte_as_registered(scene, receiver, target):
    await scene.endpoint(receiver.url(target.removeprefix("/")))
    await scene.announce("r1")
    async with scene.worker():
        (got,) = await receiver.count(1)
        await scene.until_states("delivered")
    assert got.target == target


async def test_a_success_with_long_and_many_headers_is_one(scene, receiver):
    many = {f"X-{number}": "a" for number in range(300)}
    receiver.answer = lambda _: Reply(200, {"Set-Cookie": "a" * 20_000, **many})
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    async with scene.worker():
        await scene.until_states("delivered")
    assert (await scene.one("attempt"))["status"] == 200


async def test_both_secrets_sign_while_a_rotation_overlaps(scene, receiver):
    new, old, gone = new_secret(), new_secret(), new_secret()
    later = (scene.clock.now() + timedelta(hours=1)).isoformat()
    before = (scene.clock.now() - timedelta(hours=1)).isoformat()
    await scene.endpoint(
        receiver.url(), secrets=[Secret(new), Secret(old, later), Secret(gone, before)]
    )
    await scene.announce("r1")
    async with scene.worker():
        (got,) = await receiver.count(1)
    assert Webhook(new).verify(got.body, got.headers) == Webhook(old).verify(got.body, got.headers)
    assert len(got.headers["webhook-signature"].split(" ")) == 2


async def test_a_stream_arrives_in_order_and_a_failing_one_holds_up_no_other(scene, receiver):
    await scene.endpoint(receiver.url())
    for _ in range(5):
        await scene.announce("good")
        await scene.announce("bad")
    receiver.answer = lambda got: Reply(500 if got.data["data"]["referral_id"] == "bad" else 200)
    async with scene.worker():
        await scene.until_states(*["pending"] * 5, *["delivered"] * 5)
    good = [got for got in receiver.received if got.data["data"]["referral_id"] == "good"]
    assert [got.data["data"]["sequence"] for got in good] == [1, 2, 3, 4, 5]
    assert len(receiver.received) == 6  # the failing stream stopped at its first message


async def test_a_failed_message_is_tried_again_with_the_same_id_and_then_the_rest(scene, receiver):
    await scene.endpoint(receiver.url())
    first, second = await scene.announce("r1"), await scene.announce("r1")
    receiver.answer = lambda _: Reply(503, body=b"for 90000001A later")
    async with scene.worker():
        await scene.until_attempts(1)
        receiver.answer = lambda _: Reply()
        scene.move(seconds=7)
        await scene.until_states("delivered", "delivered")
    assert [got.id for got in receiver.received] == [first, first, second]
    assert receiver.received[0].body == receiver.received[1].body
    attempts = [(a["status"], a["response"]) for a in await scene.attempts()][:2]
    assert attempts == [(503, "for … later"), (204, None)]


async def test_retry_after_is_honoured_and_429_pauses_the_endpoint(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    receiver.answer = lambda _: Reply(429, {"Retry-After": "3600"})
    async with scene.worker():
        await scene.until_attempts(1)
        receiver.answer = lambda _: Reply()
        await scene.announce("r2")
        scene.move(seconds=3000)
        await scene.endpoint(receiver.url("other"), organization="org-tidepool")
        await scene.announce("r3", organization="org-tidepool")
        await receiver.until(lambda: receiver.at("other"))
        assert len(receiver.at("hook")) == 1
        scene.move(seconds=3605)
        await scene.until_states("delivered", "delivered", "delivered")


async def test_the_schedule_ends_after_75_hours_and_the_message_is_kept(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    receiver.answer = lambda _: Reply(500)
    waited = timedelta()
    async with scene.worker():
        for number in range(1, 11):
            await scene.until_attempts(number)
            assert await scene.states() == (["pending"] if number < 10 else ["dead"])
            waited += 1.2 * SCHEDULE[min(number, 9) - 1]
            scene.move(seconds=waited.total_seconds())
        await scene.announce("r1")
        receiver.answer = lambda _: Reply()
        await scene.until_states("dead", "delivered")
    assert len({got.id for got in receiver.received[:10]}) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(scene, receiver, status):
    await scene.endpoint(receiver.url("first"))
    await scene.announce("r1")
    receiver.answer = lambda _: Reply(status, {"Location": receiver.url("second")})
    async with scene.worker():
        await scene.until_attempts(1)
    assert await scene.states() == ["pending"]
    assert [got.path for got in receiver.received] == ["/first"]


async def test_gone_disables_the_endpoint_and_holds_what_waits(scene, receiver):
    await scene.endpoint(receiver.url())
    for referral in ("r1", "r1", "r2"):
        await scene.announce(referral)
    receiver.answer = lambda _: Reply(410)
    async with scene.worker(per_endpoint=1):
        await scene.until_states("held", "held", "held")
        await scene.announce("r3")
        await scene.until_states("held", "held", "held", "held")
    endpoint = await scene.one("webhook_endpoint")
    assert (endpoint["status"], endpoint["disabled_reason"]) == ("disabled", "gone")
    assert len(receiver.received) == 1


async def test_five_days_of_nothing_but_failures_disable_an_endpoint(scene, receiver):
    await scene.endpoint(
        receiver.url(), failing_since=scene.clock.now() - timedelta(days=5, minutes=1)
    )
    await scene.announce("r1")
    receiver.answer = lambda _: Reply(500)
    async with scene.worker():
        await scene.until_states("held")
    assert (await scene.one("webhook_endpoint"))["disabled_reason"] == "failing"


async def test_a_success_ends_the_failing_time(scene, receiver):
    await scene.endpoint(receiver.url(), failing_since=scene.clock.now() - timedelta(days=4))
    await scene.announce("r1")
    async with scene.worker():
        await scene.until_states("delivered")
    assert (await scene.one("webhook_endpoint"))["failing_since"] is None


async def test_a_row_held_for_an_active_endpoint_is_sent_after_all(scene, receiver):
    endpoint = await scene.endpoint(receiver.url(), status="disabled")
    await scene.announce("r1")
    await scene.connection.execute(
        "UPDATE webhook_endpoint SET status = 'active' WHERE id = $1", endpoint
    )
    async with scene.worker():
        await scene.until_states("delivered")


async def test_a_private_address_is_blocked_and_uses_up_no_try(scene, receiver):
    scene.allow()
    await scene.endpoint(f"https://127.0.0.1:{receiver.port}/hook")
    await scene.announce("r1")
    async with scene.worker():
        await scene.until_states("held")
    assert (await scene.one("webhook_endpoint"))["disabled_reason"] == "blocked-target"
    delivery = await scene.one("delivery")
    assert delivery["attempts"] == delivery["round_start"] == 1
    assert (await scene.one("attempt"))["error"] == "blocked"
    assert receiver.received == []


async def test_a_worker_killed_between_sending_and_recording_loses_nothing(scene, receiver):
    await scene.endpoint(receiver.url())
    message = await scene.announce("r1")
    answered = asyncio.Event()
    receiver.answer = lambda _: Reply(until=answered)
    process = await scene.process(lease_s=0.7)
    await receiver.count(1, seconds=30)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    answered.set()
    receiver.answer = lambda _: Reply()
    assert await scene.states() == ["pending"]
    async with scene.worker():
        await scene.until_states("delivered")
    assert [got.id for got in receiver.received] == [message, message]
    delivery = await scene.one("delivery")
    assert delivery["attempts"] - delivery["round_start"] == 1  # the lost try does not count


async def test_a_late_result_changes_nothing_that_a_newer_attempt_decided(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    held = asyncio.Event()
    replies = [Reply(500, until=held), Reply(204)]
    receiver.answer = lambda _: replies[min(len(receiver.received), 2) - 1]
    async with scene.worker(lease_s=0.3):
        await receiver.count(1)
        async with scene.worker(lease_s=60):
            await scene.until_states("delivered")
        held.set()
        await scene.until_attempts(2)
    assert await scene.states() == ["delivered"]
    assert [a["status"] for a in await scene.attempts()] == [500, 204]


async def test_two_workers_share_the_work_and_send_nothing_twice(scene, receiver):
    for _ in range(3):
        await scene.endpoint(receiver.url())
    for n in range(120):
        await scene.announce(f"r{n % 40}")
    async with scene.worker(), scene.worker():
        await scene.until_states(*["delivered"] * 360, seconds=30)
    sent = [(got.id, got.headers["webhook-signature"]) for got in receiver.received]
    assert len(receiver.received) == 360
    assert len(set(sent)) == 360


async def test_a_hanging_receiver_holds_up_no_other(scene, receiver):
    held = asyncio.Event()
    async with Receiver() as hanging:
        hanging.answer = lambda _: Reply(until=held)
        scene.allow(receiver.target, hanging.target)
        await scene.endpoint(hanging.url())
        await scene.endpoint(receiver.url(), organization="org-tidepool")
        for n in range(40):
            await scene.announce(f"slow{n}")
        async with scene.worker(total_s=600, lease_s=900):  # no attempt ends by itself
            await hanging.count(8)
            for n in range(20):
                await scene.announce(f"quick{n}", organization="org-tidepool")
                await scene.hint()
                await receiver.count(n + 1)
            assert len(hanging.received) == 8  # its share, kept all the while, and no more
            held.set()


async def test_a_timeout_is_tried_again_under_the_same_id(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    held = asyncio.Event()
    receiver.answer = lambda _: Reply(until=held)
    async with scene.worker(total_s=0.2):
        (attempt,) = await scene.until_attempts(1)
        held.set()
        assert (attempt["status"], attempt["error"]) == (None, "timeout")
        receiver.answer = lambda _: Reply()
        scene.move(seconds=7)
        await scene.until_states("delivered")
    assert receiver.received[0].id == receiver.received[1].id


async def test_a_stopped_worker_gives_back_what_it_could_not_finish(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    held = asyncio.Event()
    receiver.answer = lambda _: Reply(until=held)
    async with scene.worker(grace_s=0.1):
        await receiver.count(1)
    delivery = await scene.one("delivery")
    assert (delivery["state"], delivery["lease_until"]) == ("pending", None)
    held.set()
    receiver.answer = lambda _: Reply()
    async with scene.worker():
        await scene.until_states("delivered")


async def test_a_stopped_worker_finishes_what_is_under_way(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.announce("r1")
    receiver.answer = lambda _: Reply(wait=0.3)
    async with scene.worker():
        await receiver.count(1)
    assert await scene.states() == ["delivered"]


async def test_a_worker_outlives_the_loss_of_its_connections(scene, receiver, worker_pool):
    await worker_pool.close()  # its connections would be lost too, to the next test's surprise
    await scene.endpoint(receiver.url())
    async with scene.worker():
        for n in range(4):
            await scene.announce(f"r{n}")
            await scene.connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await scene.until_states(*["delivered"] * (n + 1))
    assert {got.data["data"]["referral_id"] for got in receiver.received} == {
        "r0",
        "r1",
        "r2",
        "r3",
    }


async def test_a_hint_is_heard_at_once_and_a_missed_one_is_made_good_by_the_poll(scene, receiver):
    await scene.endpoint(receiver.url())
    database = Database(scene.settings, size=1)
    waker = Waker(database)
    async with scene.worker(poll_s=30):
        await scene.announce("r1")
        waker.hint("HPSM")
        await receiver.count(1, seconds=2)
        await scene.announce("r2")
        waker.hint()
        await receiver.count(2, seconds=2)
    await waker.close()
    await database.close()
    await scene.announce("r3")
    async with scene.worker(poll_s=0.1):
        await receiver.count(3, seconds=2)


async def test_a_hint_never_fails_without_a_database(scene, caplog):
    nowhere = scene.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/x"})
    waker = Waker(Database(nowhere, size=1))
    waker.hint()
    async with asyncio.timeout(10):
        while not caplog.records:  # noqa: ASYNC110  the waker's task writes
            await asyncio.sleep(0.01)
    (said,) = caplog.records
    assert (said.message, said.error) == ("hint not sent", "DatabaseLost")
    waker.hint()
    assert not waker._task.done()  # it goes on, and tries the next hint
    await waker.close()
    waker.hint()
    await waker.close()


async def test_a_rate_holds_over_all_workers_and_over_time(scene, receiver):
    await scene.endpoint(receiver.url())
    await scene.connection.execute("UPDATE webhook_endpoint SET max_per_minute = 2")
    await scene.endpoint(receiver.url("other"), organization="org-tidepool")
    for n in range(5):
        await scene.announce(f"r{n}")
    async with scene.worker(), scene.worker():
        for sent, seconds in ((1, 0), (2, 31), (3, 62)):
            scene.move(seconds=seconds)
            await receiver.until(lambda sent=sent: len(receiver.at("hook")) >= sent)
            # The workers look at the same plan again, several times, and leave the rest alone.
            for _ in range(3):
                before = len(receiver.at("other"))
                await scene.announce("other", organization="org-tidepool")
                await receiver.until(lambda b=before: len(receiver.at("other")) > b)
            assert len(receiver.at("hook")) == sent


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_an_endpoint_that_is_away_costs_the_others_of_its_messages_no_try(
    scene, receiver, status
):
    await scene.endpoint(receiver.url())
    for n in range(20):
        await scene.announce(f"r{n}")
    receiver.answer = lambda _: Reply(status)
    async with scene.worker(per_endpoint=2):
        await scene.until_attempts(2)
        assert (await scene.one("webhook_endpoint"))["paused_until"] is not None
        receiver.answer = lambda _: Reply()
        scene.move(seconds=70)
        await scene.until_states(*["delivered"] * 20)
    assert len(receiver.received) == 22
