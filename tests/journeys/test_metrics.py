"""What operations see of the delivering, and what nobody sees in it."""

import asyncio
import os
import signal
import socket
import sys

from prometheus_client.parser import text_string_to_metric_families

from app.base.clock import ServiceClock
from app.store.database import Database
from app.views.figures import DeliveryMetrics
from tests.deployed import change
from tests.journeys.payloads import a_referral
from tests.outside import ROOT
from tests.receiver import Reply


async def figures(service):
    change(service.app, figures=DeliveryMetrics())  # what was remembered is another test's
    return read((await service.http.get("/metrics")).text)


def read(text):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_waits_what_was_tried_and_who_is_disabled(service, receiver):
    await service.listen(receiver, "hospital", "well")
    await service.listen(receiver, "ecm-provider", "gone")
    await service.listen(receiver, "staff-hpsm", "ill")
    answers = {"/well": 204, "/gone": 410, "/ill": 500}
    receiver.answer = lambda got: Reply(answers[got.path])
    await service.refer(a_referral(asks_for="org-tidepool"))
    service.later(minutes=2)
    seen = await figures(service)
    assert seen["nwd_deliveries", "pending"] == 9
    assert 120 <= seen["nwd_delivery_oldest_waiting_seconds",] < 180
    async with service.delivering():
        await receiver.until(lambda: len(receiver.at("well")) == 3)
        while (seen := await figures(service))["nwd_deliveries", "pending"] > 3:
            pass
    assert seen["nwd_delivery_figures_up",] == 1
    assert seen["nwd_deliveries", "held"] == 3
    assert seen["nwd_delivery_attempts_recent", "2xx"] == 3
    assert seen["nwd_delivery_attempts_recent", "4xx"] == 1
    assert seen["nwd_delivery_attempts_recent", "5xx"] == 1
    assert seen["nwd_endpoints_disabled", "webhook", "gone"] == 1
    assert seen["nwd_delivery_attempts_total", "5xx"] >= 1
    await service.store.execute("UPDATE delivery SET state = 'dead' WHERE state = 'pending'")
    service.later(minutes=10)
    seen = await figures(service)
    assert (seen["nwd_deliveries", "dead"], seen["nwd_deliveries", "pending"]) == (3, 0)
    assert seen["nwd_delivery_attempts_recent", "2xx"] == 0
    assert seen["nwd_delivery_oldest_waiting_seconds",] == 0


async def test_no_label_says_who_or_where(service, receiver):
    await service.listen(receiver, "hospital", "a-secret-path")
    referral = await service.refer(a_referral("9000003XA"))
    async with service.delivering():
        await receiver.count(3)
    text = (await service.http.get("/metrics")).text
    for hidden in (referral, "9000003XA", "org-harbor-lantern", "secret-path", receiver.target):
        assert hidden not in text


async def test_the_other_metrics_are_there_without_a_database(service):
    nowhere = service.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/x"})
    database = Database(nowhere, size=1)
    seen = read((await DeliveryMetrics().text(database, ServiceClock())).decode())
    await database.close()
    assert seen == {("nwd_delivery_figures_up",): 0}


async def test_a_worker_shows_its_own_on_its_port(service):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "deliver", cwd=ROOT,
        env={**os.environ, "DATABASE_URL": service.settings.database_url,
             "TOKEN_SECRET": service.settings.token_secret.get_secret_value(),
             "WORKER_METRICS_PORT": str(port)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            text = (await reader.read()).decode()
            writer.close()
    finally:
        worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await worker.wait() == 0
    assert "nwd_delivery_attempt_seconds_count 0.0" in text
