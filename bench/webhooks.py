"""From the decision to the webhook: latency at a fixed rate, and deliveries per second."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from bench.bodies import referral
from bench.load import Connection, Measured, Wrong, path_of, request
from bench.scene import CLIENTS, Scene

#: Bare posts beside a worker's deliveries.
_BARE = 2_000

Moments = dict[str, tuple[float, float]]


class Webhooks:
    """Measures with a delivery worker in a process of its own."""

    def __init__(self, scene: Scene, seconds: float, number: Iterator[int]) -> None:
        self._scene = scene
        self._seconds = seconds
        self._number = number

    async def paced(self, rate: int) -> dict[str, Any]:
        """Referrals at a fixed rate, by client: from the answer to the receipt of its approval."""
        receiver = self._scene.receiver
        async with self._scene.delivering():
            await self._until_quiet(60)
            since = len(receiver.arrived)
            answered = await self._send_at(rate)
            await self._until_quiet(60)
        return {
            client: _latency(
                answered[client], receiver.first(since, "referral.approved", f"/{client}")
            )
            for client in CLIENTS
        }

    async def _send_at(self, rate: int) -> dict[str, Moments]:
        """Client → referral id → when its post began and was answered. Clients take turns."""
        answered: dict[str, Moments] = {client: {} for client in CLIENTS}
        bearers = {client: await self._scene.token(client) for client in CLIENTS}
        lines = [await Connection.open(self._scene.port) for _ in range(32)]
        free = list(lines)

        async def one(client: str) -> None:
            line = free.pop()
            answer = await line.send(
                request(
                    "POST",
                    "/fhir/ServiceRequest",
                    referral(next(self._number)),
                    Content_Type="application/fhir+json",
                    Authorization=bearers[client],
                )
            )
            free.append(line)
            if answer.status != 201:
                raise Wrong(f"{answer.status}: {answer.body[:400]!r}")
            id_ = path_of(answer.header("location") or "").rpartition("/")[2]
            answered[client][id_] = answer.began, answer.ended

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(max(10, int(rate * self._seconds))):
                await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                if free:  # a service that does not keep up is sent less, not more at once
                    group.create_task(one(list(CLIENTS)[number % len(CLIENTS)]))
        for line in lines:
            line.close()
        return answered

    async def sustained(self) -> dict[str, Any]:
        """A worker on what the posts have left to deliver, beside bare posts."""
        waiting = await self._scene.waiting()
        arrived = self._scene.receiver.arrived
        since = len(arrived)
        async with self._scene.delivering():
            await self._until_quiet(600)
        rate = waiting / (arrived[-1][0] - arrived[since][0])
        since, bare = len(arrived), min(waiting, _BARE)
        target = f"http://127.0.0.1:{self._scene.receiver.port}/bare"
        await (await self._scene.run("-m", "bench.bare_sender", target, str(bare))).ended()
        floor = bare / (arrived[-1][0] - arrived[since][0])
        return {"service": rate, "floor": floor, "ratio": rate / floor, "count": waiting}

    async def _until_quiet(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while await self._scene.waiting():  # noqa: ASYNC110  another process delivers
                await asyncio.sleep(0.1)


def _latency(answered: Moments, told: dict[str, float]) -> dict[str, float]:
    """Milliseconds from the start of the post, and from its answer, to the webhook's receipt."""
    missing = len(answered.keys() - told.keys())
    if missing:
        raise Wrong(f"{missing} of {len(answered)} approvals were never told")
    whole, after = Measured(1), Measured(1)
    for referral_id, (began, ended) in answered.items():
        whole.times.append(told[referral_id] - began)
        after.times.append(told[referral_id] - ended)
    return {
        "p50_ms": after.percentile(0.50),
        "p99_ms": after.percentile(0.99),
        "from_post_p50_ms": whole.percentile(0.50),
        "from_post_p99_ms": whole.percentile(0.99),
        "count": len(answered),
    }
