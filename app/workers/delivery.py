"""Delivers messages: claims, commits, sends with no transaction open, records; until it is stopped.

Any number of workers may run, on any machine. A worker has four loops: the first listens for hints;
the second claims what is due (at a hint, after a record, and at least every `poll_s`); the third
records results in groups; the fourth sweeps. `pace.py` says how much and how often. A worker that
is killed at any moment loses nothing: its leases end, and another worker sends the same deliveries
under the same webhook-id. `retry.py` has the rules. The clocks (`app.workers.clocks`), the
seals of the record (`app.workers.sealing`) and the keeper of Subscriptions
(`app.workers.subscriptions`) run in the same process.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.journey.notification.claim import Claim, claim, plans_waiting, release, sweep
from app.journey.notification.deliver import Sender, open_session
from app.journey.notification.record import Result, record
from app.journey.notification.retry import SHORTEST_ASIDE, Delivered, outcome, set_aside
from app.journey.notification.secrets import Vault
from app.journey.notification.subscription_content import attach_full_payload, prepare
from app.journey.notification.targets import Guard
from app.model.caller import UNASSIGNED
from app.store.database import Database, opened
from app.store.database_errors import DATABASE_ERRORS, report
from app.workers.clocks import run_clocks
from app.workers.metrics import attempted
from app.workers.pace import Hints, Pace, Room
from app.workers.quarantine import Quarantine, split_on_failure
from app.workers.sealing import run_sealing
from app.workers.subscriptions import keep_subscriptions

_log = logging.getLogger(__name__)

#: Connections of one worker process: its loops and the keeper use one each, with some to spare; the
#: clocks and the seals have their own.
_POOL, _CLOCKS = 8, 2
#: A queue's statistics are always wrong: the table is full one minute and empty the next. So the
#: database plans with index probes only.
_PROBES = {
    f"enable_{way}": "off"
    for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "sort")
}


async def deliver_forever(
    settings: Settings,
    *,
    stop: asyncio.Event,
    clock: ServiceClock | None = None,
    pace: Pace | None = None,
) -> None:
    """Delivers until `stop` is set; then finishes its claims or hands them back, and returns."""
    # Name lookups run in threads: a few slow names must not hold up the others.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, "lookup"))
    guard = Guard.of(settings)
    pace, clock = pace or Pace(), clock or ServiceClock.of(settings)
    async with (
        opened(settings, size=_POOL, name="worker", planner=_PROBES) as database,
        opened(settings, size=_CLOCKS, name="clocks") as clocks,
        open_session(guard, pace.total_s) as session,
    ):
        sender = Sender(session, guard, Vault(settings))
        worker = Worker(settings, database, sender, clock, pace)
        database.on_due = clocks.on_due = worker.wake
        beside = [
            asyncio.create_task(
                run_clocks(settings, clocks, clock, stop=stop, every=pace.clocks_s)
            ),
            asyncio.create_task(run_sealing(clocks, clock, stop=stop)),
            asyncio.create_task(
                keep_subscriptions(
                    database, sender, clock, settings.fhir_base, stop=stop, every=pace.poll_s
                )
            ),
        ]
        for task in beside:
            task.add_done_callback(lambda _: stop.set())
        try:
            await worker.run(stop)
        finally:
            stop.set()
            await asyncio.gather(*beside)


class Worker:
    """The deliveries of one process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        sender: Sender,
        clock: ServiceClock,
        pace: Pace,
    ) -> None:
        named = [plan.strip() for plan in settings.plans.split(",") if plan.strip()]
        self._plans = [*named, UNASSIGNED] if named else []
        self._fhir_base = settings.fhir_base
        self._sender = sender
        self._clock = clock
        self._pace = pace
        self._database = database
        self._settings = settings
        self._hints = Hints(self._plans, pace.poll_s)
        self._sending: dict[Claim, asyncio.Task[None]] = {}
        self._room = Room(pace)
        self._plans_with_more: set[str] = set()
        self._results: list[Result] = []
        self._new_results = asyncio.Event()
        self._claim_quarantine = Quarantine(SHORTEST_ASIDE)
        self._sweep_quarantine = Quarantine(SHORTEST_ASIDE)

    def wake(self) -> None:
        """Takes the hint that this process has made deliveries due itself: by a clock."""
        self._hints.wake("")

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop`; raises the unexpected error of a loop, and so the process restarts."""
        listening, claiming, sweeping, recording = loops = [
            asyncio.create_task(self._keep_running(loop), name=loop.__name__)
            for loop in (self._listen, self._claim, self._sweep, self._record)
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait({stopping, *loops}, return_when=asyncio.FIRST_COMPLETED)
            await _cancel(listening, claiming, sweeping)
            if self._sending:
                await asyncio.wait(self._sending.values(), timeout=self._pace.grace_s)
            await _cancel(stopping, recording)
            await self._finish()
            for task in ended:
                task.result()
        finally:
            await _cancel(stopping, *loops, *self._sending.values())

    async def _keep_running(self, loop: Any) -> None:
        """Runs a loop; restarts it after errors of the database, with growing pauses."""
        pause = 0.1
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await loop()
            except DATABASE_ERRORS as error:
                lasted = asyncio.get_running_loop().time() - began
                pause = 0.1 if lasted > self._pace.longest_backoff_s else pause
                report(_log, error, loop=loop.__name__)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  not a secret
                pause = min(2 * pause, self._pace.longest_backoff_s)

    # --- claims ---

    async def _listen(self) -> None:
        if not self._settings.listen_url:  # a pooler passes no notifications on: the poll finds all
            await asyncio.Event().wait()
        await self._hints.listen(self._settings)

    async def _claim(self) -> None:
        while True:
            for plan in await self._hints.plans(self._database):
                await self._claim_quarantine.unless(self._claim_plan, plan, self._clock.now())
            await self._hints.wait()

    async def _sweep(self) -> None:
        while True:
            plans = self._plans or await plans_waiting(self._database)
            for plan in plans:
                await self._sweep_quarantine.unless(self._sweep_plan, plan, self._clock.now())
            await asyncio.sleep(self._pace.sweep_s)

    async def _sweep_plan(self, plan: str) -> None:
        await sweep(self._database, plan, self._clock.now())

    async def _claim_plan(self, plan: str) -> None:
        room = self._room.free()
        if room <= 0:
            self._plans_with_more.add(plan)
            return
        now = self._clock.now()
        claims = await claim(
            self._database,
            plan,
            now=now,
            lease_until=now + timedelta(seconds=self._pace.lease_s),
            limit=room,
            per_endpoint=self._pace.per_endpoint,
            shares=self._room.shares(),
        )
        for ready in await split_on_failure(claims, self._prepare, self._set_aside):
            for each in ready:
                self._start_sending(each)
        if any(self._room.full(each) for each in claims) or len(claims) == room:
            self._plans_with_more.add(plan)

    async def _prepare(self, claims: Sequence[Claim]) -> list[Claim]:
        """Gives the claims of one plan the bodies to send."""
        if not claims:
            return []
        plan = claims[0].plan
        made = await prepare(self._database, plan, claims, self._fhir_base, self._clock.now())
        return await attach_full_payload(
            self._database, plan, made, self._fhir_base, self._clock.now()
        )

    async def _set_aside(self, claimed: Claim, error: Exception) -> None:
        """Gives a claim back for a while: its secret cannot be opened, its row is bad, or a bug."""
        about = {"plan": claimed.plan, "message_id": claimed.message_id}
        _log.error("set aside", extra={**about, "error": type(error).__name__}, exc_info=error)
        await self._hand_back(claimed, set_aside(claimed.number))

    # --- sending ---

    def _start_sending(self, claimed: Claim) -> None:
        self._sending[claimed] = asyncio.create_task(self._send(claimed))
        self._room.begin(claimed)

    async def _send(self, claimed: Claim) -> None:
        at = self._clock.now()
        try:
            sent = await self._sender.send(claimed, at)
        except Exception as error:  # noqa: BLE001  any error: the others are still sent
            await self._set_aside(claimed, error)
            self._end(claimed)
            return
        now = self._clock.now()
        attempted(sent.answer.status, sent.answer.error, sent.duration_ms)
        after = outcome(sent.answer, claimed.tried, now, random.random())  # noqa: S311  jitter
        self._room.answered(claimed, isinstance(after, Delivered), sent.duration_ms)
        self._results.append(
            Result(
                claim=claimed,
                outcome=after,
                at=at,
                now=now,
                duration_ms=sent.duration_ms,
                status=sent.answer.status,
                error=sent.answer.error,
                response=sent.response,
            )
        )
        self._new_results.set()

    def _end(self, claimed: Claim) -> None:
        """Ends the worker's hold on a delivery, and frees its room."""
        self._room.end(claimed)
        del self._sending[claimed]

    async def _hand_back(self, claimed: Claim, wait: timedelta = timedelta(0)) -> None:
        try:
            await release(self._database, claimed, self._clock.now() + wait)
        except DATABASE_ERRORS:
            _log.warning("lease left to end", extra={"message_id": claimed.message_id})

    # --- records ---

    async def _record(self) -> None:
        while True:
            await self._new_results.wait()
            if 2 * len(self._results) < len(self._sending):
                await asyncio.sleep(self._pace.gather_s)
            self._new_results.clear()
            while self._results:
                await self._record_plan(self._results[0].claim.plan)

    async def _record_plan(self, plan: str) -> None:
        """Records all results of one plan in one statement.

        Keeps the results while the database is lost, and tries again. A delivery whose result
        cannot be recorded is sent again later; its receiver knows the webhook-id.
        """
        batch = [result for result in self._results if result.claim.plan == plan]
        try:
            await split_on_failure(batch, self._write, self._set_result_aside)
        except DATABASE_ERRORS:
            self._new_results.set()
            raise

    async def _write(self, batch: Sequence[Result]) -> None:
        plan = batch[0].claim.plan
        more = await record(self._database, plan, batch)
        self._end_results(batch)
        waiting, self._plans_with_more = self._plans_with_more, set()
        if more:
            waiting.add(plan)
        if waiting:
            self._hints.wake(*waiting)

    async def _set_result_aside(self, result: Result, error: Exception) -> None:
        await self._set_aside(result.claim, error)
        self._end_results([result])

    def _end_results(self, batch: Sequence[Result]) -> None:
        over = {id(result) for result in batch}
        self._results = [result for result in self._results if id(result) not in over]
        for result in batch:
            self._end(result.claim)

    # --- the end ---

    async def _finish(self) -> None:
        """Records the results, hands back claims without one; leases cover what fails here."""
        unfinished = [claimed for claimed, task in self._sending.items() if not task.done()]
        await _cancel(*(self._sending[claimed] for claimed in unfinished))
        for claimed in unfinished:
            await self._hand_back(claimed)
        try:
            while self._results:
                await self._record_plan(self._results[0].claim.plan)
        except DATABASE_ERRORS as error:
            _log.warning("results not recorded", extra={"error": type(error).__name__})


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
