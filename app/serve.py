"""`python -m app serve`: runs one process of the service until INT or TERM, then ends in order."""

import asyncio
import signal
import socket
import sys

import uvicorn

from app.api.web.connection import limited
from app.base.logs import configure
from app.base.settings import Settings, settings
from app.main import create_app
from app.store.database import until_it_answers
from app.store.schema import require_own_login

#: The time that requests under way have to end.
_GRACE_S = 10


def serve() -> int:
    """Serves on HOST and PORT. Returns the exit status; a sentence names the obstacle.

    Raises `DatabaseAway` if the database does not answer in time, `WrongSettings` without a secret
    to sign tokens.
    """
    chosen = settings()
    if not chosen.database_url:
        return _fail("Set DATABASE_URL; or use `make run`, which brings its own PostgreSQL.")
    chosen.require_token_secret()
    for name, port in (("PORT", chosen.port), ("METRICS_PORT", chosen.metrics_port)):
        if port and _is_taken(chosen.host, port):
            return _fail(f"Port {port} is in use. Choose another one with {name}=….")
    configure(chosen.log_level)
    asyncio.run(_ready_to_serve(chosen))
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn ends in good order, then raises the signal again, which is no failure.
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(configuration(chosen))
    server.run()
    return 0 if server.started else 1


async def _ready_to_serve(chosen: Settings) -> None:
    await until_it_answers(chosen)
    await require_own_login(chosen)


def configuration(chosen: Settings) -> uvicorn.Config:
    """Configures uvicorn: our own log lines instead of its access log, no `Server` header."""
    return uvicorn.Config(
        create_app(chosen),
        host=chosen.host,
        port=chosen.port,
        loop="uvloop",
        http=limited(chosen.connection_limit),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1
