"""From the decision to the webhook: latency at a fixed rate, and deliveries per second."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.bodies import referral
from bench.load import Connection, Measured, Wrong, path_of, request
from bench.scene import CLIENTS, Scene

#: Bare posts beside a worker's deliveries.
_BARE = 2_000
#: The client whose receiver hangs: the plan, which is told of every referral.
_HANGING = "staff-hpsm"

Moments = dict[str, tuple[float, float]]


class Webhooks:
    """Measures with a delivery worker in a process of its own."""

    def __init__(self, scene: Scene, seconds: float, number: Iterator[int]) -> None:
        self._scene = scene
        self._seconds = seconds
        self._number = number

    async def paced(self, rate: int) -> dict[str, Any]:
        """Referrals at a fixed rate, by client: from the answer to the receipt of its approval."""
        async with self._scene.delivering():
            await self._scene.quiet(60)
            since = len(self._scene.receiver.arrived)
            answered = await self._send_at(rate, self._seconds)
            await self._scene.quiet(60)
        told = self._told(since)
        if _missing(answered, told):
            raise Wrong(f"{_missing(answered, told)} approvals were never told")
        return {client: _latency(answered[client], told[client]) for client in CLIENTS}

    async def hanging(self, pairs: int, rate: int = 50) -> dict[str, Any]:
        """The plan's receiver answers and hangs, in turns: what the requesters notice of it.

        A turn is shorter than an attempt may take (20 s), so the one that hangs has all its share
        of the worker from beginning to end; after a timeout it would get one at a time.
        """
        endpoint = await self._scene.endpoint(_HANGING, [])
        seen: list[tuple[float, float]] = []
        async with self._scene.delivering():
            for _ in range(pairs):
                answers = await self._beside(rate, hangs=False)
                hangs = await self._beside(rate, hangs=True)
                seen.append((answers.percentile(0.95), hangs.percentile(0.95)))
        async with self._scene.database() as connection:
            await connection.execute("DELETE FROM webhook_endpoint WHERE id = $1", endpoint)
        return {"p95_ms": seen, "ratio": statistics.median(h / a for a, h in seen)}

    async def _beside(self, rate: int, *, hangs: bool) -> Measured:
        """From answer to approval of the requesters' referrals, in one turn."""
        receiver = self._scene.receiver
        receiver.hangs = f"/{_HANGING}" if hangs else ""
        since = len(receiver.arrived)
        answered = await self._send_at(rate, self._seconds / 5)
        async with asyncio.timeout(30):
            while _missing(answered, told := self._told(since)):  # noqa: ASYNC110  not ours to wake
                await asyncio.sleep(0.05)
        receiver.let_go()
        await self._scene.quiet(60)
        measured = Measured(1)
        for client, moments in answered.items():
            measured.times += [told[client][id_] - ended for id_, (_, ended) in moments.items()]
        return measured

    def _told(self, since: int) -> dict[str, dict[str, float]]:
        """Client → referral id → when its approval was received."""
        first = self._scene.receiver.first
        return {client: first(since, "referral.approved", f"/{client}") for client in CLIENTS}

    async def _send_at(self, rate: int, seconds: float) -> dict[str, Moments]:
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
            if answer.status == 503:  # a machine too busy for this rate
                return
            if answer.status != 201:
                raise Wrong(f"{answer.status}: {answer.body[:400]!r}")
            id_ = path_of(answer.header("location") or "").rpartition("/")[2]
            answered[client][id_] = answer.began, answer.ended

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(max(10, int(rate * seconds))):
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
            await self._scene.quiet(600)
        rate = waiting / (arrived[-1][0] - arrived[since][0])
        since, bare = len(arrived), min(waiting, _BARE)
        target = f"http://127.0.0.1:{self._scene.receiver.port}/bare"
        await self._scene.said("-m", "bench.bare_sender", target, str(bare))
        floor = bare / (arrived[-1][0] - arrived[since][0])
        return {"service": rate, "floor": floor, "ratio": rate / floor, "count": waiting}


def _missing(answered: dict[str, Moments], told: dict[str, dict[str, float]]) -> int:
    """How many referrals have been answered whose requester has not heard of the approval."""
    return sum(len(answered[client].keys() - told[client].keys()) for client in answered)


def _latency(answered: Moments, told: dict[str, float]) -> dict[str, float]:
    """Milliseconds from the start of the post, and from its answer, to the webhook's receipt."""
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
