"""The whole service on a port of this machine, and callers who use it over real connections.

Nothing of it is replaced but the clock, which a test moves.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import orjson
import uvicorn

from app.api.deployment import deployment_of
from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.main import create_app
from app.store.database import Database, driver_url
from app.store.directory.load import load_resources
from app.store.tables.metadata import metadata
from app.workers.delivery import deliver_forever
from app.workers.pace import Pace
from tests.journeys.payloads import EXAMPLES, EXTRA, a_member
from tests.rosters import read_files

JSON = {"Content-Type": "application/fhir+json"}
#: What the directory is made of; it is loaded once and stays.
_KEPT = {
    "client",
    "organization",
    "member",
    "offer",
    "directory_version",
    "directory_index",
    "organization_npi",
}
#: What counts each request, whatever comes of it.
_COUNTING = {"quota_use", "asked_member", "audit_event", "audit_seal"}


class Server(uvicorn.Server):
    """Leaves the signals of the test run alone."""

    def capture_signals(self) -> Any:
        return nullcontext()


class Service:
    """A running service, its clock, its database, and a client for each caller."""

    def __init__(self, settings: Settings, app: Any, http: httpx.AsyncClient, store: Any) -> None:
        self.settings, self.app, self.http, self.store = settings, app, http, store
        self.clock: ServiceClock = deployment_of(app).clock
        self._tokens: dict[str, tuple[float, str]] = {}

    def at(self, moment: str) -> None:
        """It is this moment now (ISO 8601 with an offset)."""
        self.clock.move(datetime.fromisoformat(moment) - datetime.now(UTC))

    def later(self, **by: float) -> None:
        self.clock.move(self.clock.now() - datetime.now(UTC) + timedelta(**by))

    async def token(self, client: str) -> str:
        """A token from /oauth/token, asked for once in a test."""
        if client not in self._tokens:
            answer = await self.http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(client, f"demo-{client}"),
            )
            self._tokens[client] = time.monotonic(), answer.json()["access_token"]
        return self._tokens[client][1]

    def forget_old_tokens(self) -> None:
        """They live five minutes by the wall clock: longer than a test, shorter than a run."""
        since = time.monotonic() - 60
        self._tokens = {name: held for name, held in self._tokens.items() if held[0] > since}

    async def ask(
        self, client: str, method: str, path: str, body: Any = None, **more: Any
    ) -> httpx.Response:
        """One request by a client. `headers` and `params` as httpx takes them."""
        headers = {"Authorization": f"Bearer {await self.token(client)}", **more.pop("headers", {})}
        if body is not None:
            headers = {**JSON, **headers}
            more["content"] = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.http.request(method, path, headers=headers, **more)

    async def post(self, body: Any, by: str = "hospital", **headers: str) -> httpx.Response:
        """Posts a referral: a ServiceRequest, or a transaction Bundle."""
        tree = orjson.loads(body) if isinstance(body, bytes) else body
        path = "/fhir" if tree["resourceType"] == "Bundle" else "/fhir/ServiceRequest"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask(by, "POST", path, body, headers=named)

    async def refer(self, body: Any, by: str = "hospital", **headers: str) -> str:
        """The id of a referral that was taken."""
        answer = await self.post(body, by, **headers)
        assert answer.status_code in (200, 201), answer.text
        return id_of(answer)

    async def check(self, body: Any, by: str = "hospital", on: str | None = None) -> "Said":
        params = {"asOf": on} if on else {}
        answer = await self.ask(by, "POST", "/fhir/ServiceRequest/$check", body, params=params)
        assert answer.status_code == 200, answer.text
        return Said(answer.json())

    async def do(
        self, by: str, operation: str, referral: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """An operation on a referral: `approve`, `cancel` …"""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/fhir/ServiceRequest/{referral}/${operation}"
        return await self.ask(by, "POST", path, body, headers=named)

    async def read(self, kind: str, id_: str, by: str = "hospital") -> dict[str, Any]:
        answer = await self.ask(by, "GET", f"/fhir/{kind}/{id_}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def found(self, search: str, by: str = "hospital") -> list[dict[str, Any]]:
        """The matches of a search; a parameter that is not known is an error."""
        strict = {"Prefer": "handling=strict"}
        answer = await self.ask(by, "GET", f"/fhir/{search}", headers=strict)
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", ())]

    async def words(self, referral: str, by: str = "hospital") -> list[str]:
        """Our words on the referral's Task: the state, and the business status if any."""
        task = await self.read("Task", referral, by)
        return [coding["code"] for coding in task["businessStatus"]["coding"]]

    async def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database has, seen by its owner."""
        return [tuple(row) for row in await self.store.fetch(sql, *values)]

    async def history(self, referral: str) -> list[tuple[Any, ...]]:
        """(from, event, to, business status, actor) of every move, in order."""
        return await self.rows(
            "SELECT from_state, event, to_state, business_status, actor FROM referral_history"
            " WHERE referral_id = $1 ORDER BY seq",
            referral,
        )

    async def taken(self, offer: str) -> int:
        ((number,),) = await self.rows("SELECT taken FROM offer WHERE id = $1", offer)
        return number

    async def counts(self) -> dict[str, int]:
        """How many rows every table has, but those that a refusal adds to."""
        tables = [t.name for t in metadata.sorted_tables if t.name not in _COUNTING]
        union = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in tables)
        return dict(await self.rows(union))

    async def listen(self, receiver: Any, by: str, path: str, **more: Any) -> str:
        """Registers a webhook endpoint of the client's organization; returns its secret."""
        wanted = {"url": receiver.url(path), "send_test": False, **more}
        answer = await self.ask(
            by,
            "POST",
            "/v1/webhook-endpoints",
            wanted,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["secret"]

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """A delivery worker, until the end of the block."""
        stop = asyncio.Event()
        pace = Pace(poll_s=0.1, sweep_s=0.1, clocks_s=0.1, grace_s=2.0)
        worker = asyncio.create_task(
            deliver_forever(self.settings, stop=stop, clock=self.clock, pace=pace)
        )
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await worker

    async def empty(self) -> None:
        """Forgets every referral; network, roster and clients stay as loaded."""
        for table in reversed(metadata.sorted_tables):
            if table.name == "locator":
                await self.store.execute("DELETE FROM locator WHERE referral_id IS NOT NULL")
            elif table.name not in _KEPT:
                await self.store.execute(f'DELETE FROM "{table.name}"')
        await self.store.execute("UPDATE offer SET taken = 0")


class Said:
    """The answer of `$check`, by name."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parts = parameters["parameter"]

    def one(self, name: str, value: str = "valueCode") -> Any:
        return next((part[value] for part in self.parts if part["name"] == name), None)

    def codes(self, name: str) -> list[str]:
        concepts = (part["valueCodeableConcept"] for part in self.parts if part["name"] == name)
        return [concept["coding"][0]["code"] for concept in concepts]

    @property
    def outcome(self) -> str:
        return self.one("outcome")

    @property
    def missing(self) -> list[str]:
        named = (part["part"] for part in self.parts if part["name"] == "missing")
        return [parts[0]["valueString"] for parts in named]

    @property
    def performers(self) -> list[str]:
        return [
            part["valueReference"]["reference"]
            for part in self.parts
            if part["name"] == "performer"
        ]


def id_of(answer: httpx.Response) -> str:
    """The referral's id, whichever way it was posted."""
    body = answer.json()
    if body["resourceType"] == "ServiceRequest":
        return body["id"]
    places = (entry["response"]["location"] for entry in body["entry"])
    return next(place for place in places if "/ServiceRequest/" in place).split("/")[-3]


def issue(answer: httpx.Response) -> dict[str, Any]:
    (only,) = answer.json()["issue"]
    return only


async def furnish(
    settings: Settings, extra: Sequence[str] = EXTRA, more: Sequence[dict[str, Any]] = ()
) -> None:
    """Loads the demonstration's network and roster, and by default members enough for races."""
    members = [*(resource for cin in extra for resource in a_member(cin)), *more]
    database = Database(settings, size=1)
    async with database.begin() as connection:
        resources = read_files(EXAMPLES / "network.ndjson", EXAMPLES / "roster.ndjson")
        await load_resources(connection, [*resources, *members], datetime(2026, 11, 1, tzinfo=UTC))
    await database.close()


@asynccontextmanager
async def serving(settings: Settings, store: str = "") -> AsyncIterator[Service]:
    """The service on a free port, with the demonstration's clients. `store` is a URL to look into
    its database by, where the service's own is not the way.
    """
    # asyncio sends at once only where TCP is named; else every answer waits 40 ms (Nagle).
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        chosen = settings.model_copy(update={"demonstration": True, "public_url": url})
        app = create_app(chosen, clock=ServiceClock())
        config = uvicorn.Config(
            app, loop="none", http="httptools", ws="none", log_config=None, access_log=False
        )
        server = Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started and not running.done():  # noqa: ASYNC110  uvicorn's own way
                await asyncio.sleep(0.01)
            limits = httpx.Limits(max_connections=40, max_keepalive_connections=40)
            async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as http:
                seen = await asyncpg.connect(driver_url(store or settings.database_url))
                yield Service(chosen, app, http, seen)
                await seen.close()
        finally:
            server.should_exit = True
            await running
