"""Puts the web application together: its routes, its layers, and what a process opens and closes.

Each file of `app.api` brings its own `router`; this module joins them. The layers, from the outside
in: `Envelope` (ids, log line), in development `LoopMonitor` (what holds the event loop), `Throttle`
(requests a minute), `Gate` (size, media types), the routes. `running` opens what a process needs
before its first request, and closes it after the last.

`Branches` finds a route among a dozen instead of among all, by the first two words of the path,
because the framework tries every route in turn. Measured with 174 routes, in microseconds of CPU
until the route's own code begins: a read of an Organization 25 instead of 88, of a Task 29 instead
of 50, a Subscription's `$status` 43 instead of 145; only the first routes of the list gain nothing.
Routes of one resource type stand together in a branch; a path without a branch is looked for among
all routes.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.caller import is_stranger
from app.api.contract.document import describe
from app.api.deployment import Deployment, Started, deploy, deployment_of
from app.api.ended import told_of_ended
from app.api.forms import publish
from app.api.health import metrics_port
from app.api.record import Recorder
from app.api.routes import routers
from app.api.throttle import Throttle
from app.api.web.envelope import Envelope
from app.api.web.gate import Gate
from app.api.web.loop_monitor import LoopMonitor
from app.api.web.refusals import http_handler, refusal_handler, respond, validation_handler
from app.base.clock import ServiceClock
from app.base.errors import Refusal
from app.base.heavy_work import share_turns, spare_collector
from app.base.lateness import lateness_watched
from app.base.local_time import local_date
from app.base.logs import configure
from app.base.settings import Settings
from app.base.settings import settings as process_settings
from app.fhir.clinical_codes import load_diagnoses, load_hcpcs
from app.fhir.r4.tables import warm
from app.journey.finish import illegal
from app.journey.intake.context import rules_of
from app.journey.notification.wake import Waker
from app.model.lifecycle import IllegalMove
from app.store.audit.writer import RecordWriter
from app.store.clients import register_demonstration
from app.store.database import Database, wait_for_database


async def illegal_move_handler(request: Request, move: IllegalMove) -> Response:
    """Answers 409 to a move that the table of moves does not list, whoever asked for it."""
    return respond(request.url.path, illegal(move))


def create_app(settings: Settings | None = None, *, clock: ServiceClock | None = None) -> FastAPI:
    """Creates the application; opens nothing before the application starts. Tests pass a clock."""
    chosen = settings or process_settings()
    app = FastAPI(
        lifespan=running,
        docs_url=None,  # our own work without a network: app.api.contract.docs
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={
            Refusal: refusal_handler,
            IllegalMove: illegal_move_handler,
            RequestValidationError: validation_handler,
            HTTPException: http_handler,
        },
        separate_input_output_schemas=False,
        # FastAPI's own telemetry records paths, queries and exception messages.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    deploy(app, Deployment.of(chosen, clock))
    for router in routers():
        # Flat, not nested: the capability statement and the hot path read one list.
        app.router.routes.extend(router.routes)
    app.router.middleware_stack = Branches(app.router.middleware_stack, app.router.routes)
    limit = chosen.body_limit_mb * 1024 * 1024
    app.add_middleware(Gate, body_limit=limit, is_stranger=is_stranger)
    app.add_middleware(Throttle)
    if chosen.loop_monitor_ms:
        app.add_middleware(LoopMonitor, limit_ms=chosen.loop_monitor_ms)
    app.add_middleware(Recorder)
    app.add_middleware(Envelope, by_tls=chosen.public_url.startswith("https://"))
    describe(app)
    return app


# The life of a process

#: The types of resource in referrals: their checks are compiled before the first referral comes.
COMMON = (
    "ServiceRequest",
    "Bundle",
    "Patient",
    "Coverage",
    "Organization",
    "QuestionnaireResponse",
    "Condition",
    "Encounter",
    "Observation",
    "Task",
    "Parameters",
    "HealthcareService",
)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """Opens logs, policies, database and waker; adds the demonstration's clients if it is one."""
    parts = deployment_of(app)
    settings = parts.settings
    configure(settings.log_level)
    settings.require_token_secret()
    known = rules_of(settings)
    warm(COMMON)
    share_turns()
    load_diagnoses()
    load_hcpcs()
    publish(known, local_date(parts.clock.now()))
    database = Database(settings)
    waker = Waker(database)
    deploy(app, replace(parts, started=Started(known, database, RecordWriter(database))))
    try:
        await wait_for_database(database, settings.database_start_wait_s)
        if settings.demonstration:
            await register_demonstration(database, parts.clock.now())
        spare_collector()
        async with (
            lateness_watched("service", settings.loop_monitor_ms),
            metrics_port(deployment_of(app)),
            told_of_ended(parts.tokens, database),
        ):
            yield
    finally:
        await waker.close()
        await database.close()


# Finding a route


class Branches:
    """An ASGI application that hands a request to the router of its method and branch.

    That router knows few routes, and asks the router of all where none of them fits.
    """

    def __init__(self, whole: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._whole = whole
        grouped: dict[tuple[str, str], list[BaseRoute]] = {}
        for route in routes:
            for method in getattr(route, "methods", None) or ():
                grouped.setdefault((method, branch(getattr(route, "path", ""))), []).append(route)
        self._branches: dict[tuple[str, str], ASGIApp] = {
            key: APIRouter(routes=routes_of_branch, redirect_slashes=False, default=whole)
            for key, routes_of_branch in grouped.items()
            if "{" not in key[1]
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = (scope["method"], branch(scope["path"]))
            await self._branches.get(key, self._whole)(scope, receive, send)
            return
        await self._whole(scope, receive, send)


def branch(path: str) -> str:
    """Returns the first two words of a path: `/fhir/Task/1/_history` → `/fhir/Task`."""
    return "/".join(path.split("/", 3)[:3])
