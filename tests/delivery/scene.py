"""A database with endpoints and messages in it, and workers to deliver them."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.base.clock import ServiceClock
from app.base.ids import new_id
from app.base.settings import Settings
from app.journey.notification.secrets import Secret, Vault, new_secret
from app.model.messages import About, thin_payload
from app.workers.delivery import deliver_forever
from app.workers.pace import Pace
from tests.receiver import allowed

ROOT = Path(__file__).resolve().parents[2]
HOSPITAL, PLAN = "org-harbor-lantern", "HPSM"

_ENDPOINT = """
INSERT INTO webhook_endpoint (organization_id, id, url, event_types, plans, payload, status,
  secrets, headers, failing_since, created_at, updated_at)
VALUES ($1, $2, $3, '{}', '{}', $4, $5, $6, $7, $8, $9, $9)
"""
_MESSAGE = """
INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_DELIVERY = """
INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id, seq, state,
  attempts, next_attempt_at, created_at)
SELECT $1, $2, id, organization_id, $3, $4,
  CASE WHEN status = 'active' THEN 'pending' ELSE 'held' END, 0, $5, $5
FROM webhook_endpoint WHERE organization_id = $6
"""


class Scene:
    """`connection` is the test's own; `now` is the moved clock's."""

    def __init__(self, connection: Any, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings
        self.clock = ServiceClock()
        self.vault = Vault(settings)
        self._seq: dict[str, int] = {}

    def allow(self, *targets: str) -> None:
        self.settings = self.settings.model_copy(
            update={"webhook_allow_private": ",".join(map(allowed, targets))}
        )

    async def endpoint(
        self,
        url: str,
        *,
        organization: str = HOSPITAL,
        secrets: list[Secret] | None = None,
        headers: dict[str, str] | None = None,
        status: str = "active",
        payload: str = "thin",
        failing_since: datetime | None = None,
    ) -> str:
        id_ = new_id()
        await self.connection.execute(
            _ENDPOINT,
            organization,
            id_,
            url,
            payload,
            status,
            self.vault.seal_secrets(secrets or [Secret(new_secret())]),
            self.vault.seal_headers(headers or {}),
            failing_since,
            self.clock.now(),
        )
        return id_

    async def announce(
        self, referral: str, *, organization: str = HOSPITAL, plan: str = PLAN
    ) -> str:
        """The next message about a referral, for every endpoint of an organization."""
        seq = self._seq[referral] = self._seq.get(referral, 0) + 1
        id_, now = new_id(), self.clock.now()
        about = About(plan=plan, referral_id=referral, sequence=seq)
        body = thin_payload("referral.received", now, about, "http://here/fhir")
        async with self.connection.transaction():
            await self.connection.execute(
                _MESSAGE, plan, id_, referral, seq, "referral.received", body, now
            )
            await self.connection.execute(_DELIVERY, plan, id_, referral, seq, now, organization)
        return id_

    async def hint(self) -> None:
        await self.connection.execute("SELECT pg_notify('nwd_deliver', $1)", PLAN)

    async def deliveries(self) -> list[Any]:
        return await self.connection.fetch(
            "SELECT * FROM delivery ORDER BY endpoint_id, referral_id, seq"
        )

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.deliveries()]

    async def attempts(self) -> list[Any]:
        return await self.connection.fetch(
            "SELECT * FROM attempt ORDER BY message_id, endpoint_id, number"
        )

    async def one(self, table: str) -> Any:
        return await self.connection.fetchrow(f"SELECT * FROM {table}")

    async def until_states(self, *wanted: str, seconds: float = 15) -> None:
        """Returns when the deliveries, in order, have these states."""
        async with asyncio.timeout(seconds):
            while await self.states() != list(wanted):  # noqa: ASYNC110  another process writes
                await asyncio.sleep(0.02)

    async def until_attempts(self, wanted: int, seconds: float = 15) -> list[Any]:
        async with asyncio.timeout(seconds):
            while len(found := await self.attempts()) < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found

    def move(self, **by: float) -> None:
        """Moves the clock of test and workers to so much later than the real time."""
        self.clock.move(timedelta(**by))

    @asynccontextmanager
    async def worker(self, **pace: float):
        """A worker in this process, stopped gracefully at the end."""
        stop = asyncio.Event()
        quick = Pace(**{"poll_s": 0.1, "sweep_s": 0.1, "grace_s": 2.0, **pace})
        task = asyncio.create_task(
            deliver_forever(self.settings, stop=stop, clock=self.clock, pace=quick)
        )
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await task

    async def process(self, **pace: float) -> asyncio.subprocess.Process:
        """A worker in a process of its own, to be killed."""
        quick = {"poll_s": 0.1, **pace}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import asyncio\n"
            "from app.workers.delivery import deliver_forever\n"
            "from app.workers.pace import Pace\n"
            "from app.base.settings import Settings\n"
            "async def main():\n"
            f"    pace = Pace(**{quick!r})\n"
            "    await deliver_forever(Settings(), stop=asyncio.Event(), pace=pace)\n"
            "asyncio.run(main())\n",
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": self.settings.database_url,
                "MIGRATION_DATABASE_URL": self.settings.migration_database_url,
                "WEBHOOK_ALLOW_PRIVATE": self.settings.webhook_allow_private,
                "TOKEN_SECRET": self.settings.token_secret.get_secret_value(),
            },
        )


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)
