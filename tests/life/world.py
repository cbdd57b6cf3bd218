"""A small world of its own for the machine: the service over a wire that can be cut, a receiver
for everybody's webhooks, the workers, the clock; and a loop to run them on, for hypothesis is
synchronous.
"""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from app.base.settings import Settings
from app.store.clients import PROVIDER, hash_secret
from app.store.database import driver_url
from app.store.database_errors import DATABASE_ERRORS
from app.workers.delivery import deliver_forever
from app.workers.pace import Pace
from tests.clocks.scene import strike
from tests.faults.wire import CUT_BEFORE, PASS, Wire
from tests.journeys.service import Service, furnish, serving
from tests.postgres import Cluster, token
from tests.receiver import Receiver, Reply

START = "2026-11-20T10:00-08:00"
TIDEPOOL, FOGHORN = "offer-tidepool-ecm", "offer-foghorn-ecm"
OFFERS = {TIDEPOOL: "org-tidepool", FOGHORN: "org-foghorn"}
#: Client → its organization. Foghorn's is ours, so that every performer can be played.
CLIENTS = {
    "hospital": "org-harbor-lantern",
    "practice": "org-cypress-bend",
    "ecm-provider": "org-tidepool",
    "foghorn": "org-foghorn",
    "cs-provider": "org-redwood-slope",
    "staff-hpsm": "plan-hpsm",
    "staff-hpsj": "plan-hpsj",
}
CLIENT_OF = {organization: client for client, organization in CLIENTS.items()}
#: Places that our approvals may take at the beginning; few, so that people wait.
PLACES = {TIDEPOOL: 2, FOGHORN: 1}

#: Refuses any change of a referral when it is committed, while the trigger is switched on.
_REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '53100'; END $$;
CREATE CONSTRAINT TRIGGER refuses AFTER INSERT OR UPDATE ON referral
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE referral DISABLE TRIGGER refuses;
"""
_POOL = 2
_QUICK = {"poll_s": 0.05, "sweep_s": 0.05, "clocks_s": 30.0, "grace_s": 2.0, "lease_s": 30.0}


class World:
    """Use as a context manager. `run` does something in it."""

    service: Service
    receiver: Receiver
    wire: Wire

    def __init__(self, cluster: Cluster) -> None:
        self._url = cluster.create(token())
        self._loop = asyncio.new_event_loop()
        self._ending = AsyncExitStack()
        self.hurt = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def __enter__(self) -> "World":
        self.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._ending.aclose())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _open(self) -> None:
        folder = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="life-")))
        self.receiver = await self._ending.enter_async_context(Receiver())
        self.wire = await self._ending.enter_async_context(Wire(self._url, folder))
        settings = Settings(
            database_url=self._url,
            database_pool_size=_POOL,
            token_secret="life " * 10,
            webhook_allow_private=self.receiver.allowed,
            log_level="WARNING",
        )
        await furnish(settings)
        await self._introduce_foghorn()
        through = settings.model_copy(update={"database_url": self.wire.url})
        self.service = await self._ending.enter_async_context(serving(through, store=self._url))
        await self.service.store.execute(_REFUSING)
        for client in CLIENTS:
            await self.service.listen(self.receiver, client, client)
        keep = "CREATE TABLE kept_endpoint AS SELECT * FROM webhook_endpoint"
        await self.service.store.execute(keep)

    async def _introduce_foghorn(self) -> None:
        connection = await asyncpg.connect(driver_url(self._url))
        await connection.execute(
            "INSERT INTO client (id, organization_id, secret_hash, scopes, active, demonstration,"
            " created_at) VALUES ('foghorn', 'org-foghorn', $1, $2, true, false, now())",
            hash_secret("demo-foghorn"),
            sorted(PROVIDER),
        )
        await connection.close()

    async def begin(self) -> None:
        """It is the first morning: nobody was referred, everybody listens."""
        service = self.service
        if self.hurt:
            await self.heal()
        await service.empty()
        await service.store.execute("INSERT INTO webhook_endpoint SELECT * FROM kept_endpoint")
        service.at(START)
        for offer, places in PLACES.items():
            await service.store.execute(
                "UPDATE offer SET places = taken_outside + $2, capacity_status = 'capacity'"
                " WHERE id = $1",
                offer,
                places,
            )
        self.receiver.received.clear()
        self.receiver.answer = lambda _: Reply()
        service.forget_old_tokens()
        for client in CLIENTS:  # now: the database may be away later
            await service.token(client)

    async def ask(self, client: str, method: str, path: str, *more: Any, **named: Any) -> Any:
        return await self.service.ask(client, method, path, *more, **named)

    @property
    def now(self) -> datetime:
        return self.service.clock.now().astimezone(UTC)

    def cut(self, how: str, *, after: int = 0) -> None:
        """The connections are lost at a COMMIT to come: the next, or so many later."""
        self.hurt = True
        self.wire.at_commit, self.wire.let_pass = how, after

    async def heal(self) -> None:
        """The database is there again; a lost connection is noticed by the first who uses it."""
        self.wire.at_commit, self.wire.let_pass = PASS, 0
        well = 0
        for _ in range(40):
            answer = await self.ask("hospital", "GET", "/fhir/Task/x")
            well = 0 if answer.status_code == 503 else well + 1
            if well > _POOL:
                self.hurt = False
                return
        raise AssertionError("the service does not recover")

    @asynccontextmanager
    async def refusing(self) -> Any:
        """The database refuses every commit that touches a referral."""
        store = self.service.store
        await store.execute("ALTER TABLE referral ENABLE TRIGGER refuses")
        try:
            yield
        finally:
            await store.execute("ALTER TABLE referral DISABLE TRIGGER refuses")

    async def strike(self, workers: int = 1) -> None:
        """The clocks look, by so many workers at once, until nothing is left for a next look."""
        swept = await strike(self.service, workers=workers)
        while swept.left:
            swept = await strike(self.service)

    async def strike_and_die(self, after: int) -> None:
        """The clocks look, and their process is gone after so many commits."""
        self.cut(CUT_BEFORE, after=after)
        try:
            await strike(self.service)
        except DATABASE_ERRORS:
            pass  # the process ends, and somebody starts another
        finally:
            await self.heal()

    async def deliver(self) -> None:
        """A worker sends until nothing is due; its clocks look first, and find more to say."""
        await self.strike()
        async with self._worker(), asyncio.timeout(30):
            while await self.waiting():  # noqa: ASYNC110  the worker is at work
                await asyncio.sleep(0.01)

    async def deliver_and_die(self) -> None:
        """A worker has sent something, and is gone before it can note that."""
        held = asyncio.Event()
        self.receiver.answer = lambda _: Reply(until=held)
        before = len(self.receiver.received)
        async with self._worker() as worker:
            await self.receiver.until(lambda: len(self.receiver.received) > before)
            worker.cancel()
            await asyncio.wait([worker])
        held.set()
        self.receiver.answer = lambda _: Reply()
        self.service.later(minutes=1)  # the lease of what it held ends

    async def waiting(self) -> bool:
        """Whether anything is to be sent."""
        return bool(await self.service.rows("SELECT 1 FROM delivery WHERE state = 'pending'"))

    @asynccontextmanager
    async def _worker(self) -> Any:
        stop = asyncio.Event()
        work = deliver_forever(
            self.service.settings, stop=stop, clock=self.service.clock, pace=Pace(**_QUICK)
        )
        worker = asyncio.create_task(work)
        try:
            yield worker
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.wait([worker])
            if not worker.cancelled():
                worker.result()
