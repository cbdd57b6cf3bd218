"""The floor: the least that a web service with a database does for a post, a read and a search.

Starlette, orjson and asyncpg on the database and with the server settings of the service; no
token, no check, no rule. `python -m bench.floor PORT DATABASE_URL` serves it.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils import uuid7

POOL = 12  # as the service has by default
_SETTINGS = {"jit": "off", "plan_cache_mode": "force_generic_plan"}  # as the service's

Prepare = Callable[[Starlette, asyncpg.Pool], Awaitable[None]]

SCHEMA = """
CREATE TABLE floor_resource (plan text, id text, patient text NOT NULL, status text NOT NULL,
    updated_at timestamptz NOT NULL, body bytea NOT NULL, PRIMARY KEY (plan, id));
CREATE INDEX ON floor_resource (plan, patient, status);
CREATE TABLE floor_history (plan text, id text, seq int, event text NOT NULL,
    at timestamptz NOT NULL, reason text NOT NULL, PRIMARY KEY (plan, id, seq));
CREATE TABLE floor_message (plan text, id text, resource text NOT NULL,
    at timestamptz NOT NULL, body bytea NOT NULL, PRIMARY KEY (plan, id));
GRANT ALL ON floor_resource, floor_history, floor_message TO PUBLIC;
"""
_RESOURCE = "INSERT INTO floor_resource VALUES ($1, $2, $3, 'active', now(), $4)"
_HISTORY = "INSERT INTO floor_history VALUES ($1, $2, 1, 'approve', now(), $3)"
_MESSAGE = "INSERT INTO floor_message VALUES ($1, $2, $3, now(), $4)"
_READ = "SELECT body FROM floor_resource WHERE plan = $1 AND id = $2"
_SEARCH = """SELECT body FROM floor_resource
WHERE plan = $1 AND patient = $2 AND status = $3 ORDER BY id LIMIT 5"""

PLAN = "HPSM"


async def _post(request: Request) -> Response:
    sent = orjson.loads(await request.body())
    sent["id"] = resource = str(uuid7())
    patient = sent["contained"][0]["identifier"][0]["value"]
    body = orjson.dumps(sent)
    message = orjson.dumps({"type": "floor", "data": {"id": resource, "text": "x" * 400}})
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute(_RESOURCE, PLAN, resource, patient, body)
        await connection.execute(_HISTORY, PLAN, resource, "x" * 200)
        await connection.execute(_MESSAGE, PLAN, str(uuid7()), resource, message)
    location = {"Location": f"/floor/{resource}"}
    return Response(body, 201, location, media_type="application/fhir+json")


async def _read(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection:
        body = await connection.fetchval(_READ, PLAN, request.path_params["id"])
    return Response(body, media_type="application/fhir+json")


async def _search(request: Request) -> Response:
    asked = request.query_params
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(_SEARCH, PLAN, asked["patient"], asked["status"])
    entries = [{"resource": orjson.Fragment(row[0])} for row in rows]
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return Response(orjson.dumps(bundle), media_type="application/fhir+json")


def serve(routes: list[Route], prepare: Prepare | None = None) -> None:
    """Serves on the port that the command line names, with a pool on the database that it names
    next. `prepare` is given the application and its pool before the first request.
    """

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            sys.argv[2], min_size=POOL, max_size=POOL, server_settings=_SETTINGS,
            max_cacheable_statement_size=0,
        ) as pool:  # fmt: skip
            app.state.pool = pool
            if prepare:
                await prepare(app, pool)
            yield

    uvicorn.run(
        Starlette(routes=routes, lifespan=running), port=int(sys.argv[1]), loop="uvloop",
        http="httptools", ws="none", log_config=None, access_log=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    serve(
        [
            Route("/floor", _post, methods=["POST"]),
            Route("/floor", _search),
            Route("/floor/{id}", _read),
        ]
    )
