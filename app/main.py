"""The web application: what it is made of, and in which order.

Each part of the journey brings its own `router`; this module only puts them together. The order of
the layers: `Envelope` (ids, log line) around `Gate` (size, media types) around the routes.
"""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.api.contract.document import describe
from app.api.deployment import Deployment, deploy
from app.api.routes import routers
from app.api.stranger import is_stranger
from app.api.web.branches import Branches
from app.api.web.envelope import Envelope
from app.api.web.gate import Gate
from app.api.web.refusals import http_handler, refusal_handler, respond, validation_handler
from app.base.clock import Clock
from app.base.errors import Refusal
from app.base.settings import Settings
from app.base.settings import settings as process_settings
from app.journey.finish import illegal
from app.lifespan import running
from app.model.lifecycle import IllegalMove


async def illegal_move_handler(request: Request, move: IllegalMove) -> Response:
    """A move that the table does not list is 409, whoever asked for it."""
    return respond(request.url.path, illegal(move))


def create_app(settings: Settings | None = None, *, clock: Clock | None = None) -> FastAPI:
    """The application. The clock is handed in by tests; nothing is opened before it starts."""
    chosen = settings or process_settings()
    app = FastAPI(
        lifespan=running,
        docs_url=None,  # ours work without a network: app.api.contract.docs
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
    app.add_middleware(Envelope)
    describe(app)
    return app
