"""Log lines: JSON, one line per event, with a fixed set of fields.

An exception is logged as its class and its frames. Its message is never logged: the message may
quote a payload (pydantic and the database driver do so).
"""

import logging
import sys
import time
import traceback
from typing import Any

import orjson

from app.base.settings import CHECKOUT

#: Frames of this service's own code begin with this path; other frames say little about a failure.
_OURS = str(CHECKOUT / "app")

#: The fields that a line may carry beside time, level, logger and message.
FIELDS = (
    "request_id",
    "correlation_id",
    "method",
    "route",
    "status",
    "ms",
    "cpu_ms",
    "client",
    "peer",
    "plan",
    "loop",
    "alarm",
    "referral_id",
    "message_id",
    "endpoint_id",
    "attempt",
    "count",
    "limit",
    "error",
)


class LogLine(logging.Formatter):
    """Writes the allowed fields of a record as JSON, and drops the rest."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = vars(record)
        line |= {name: given[name] for name in FIELDS if given.get(name) is not None}
        if record.exc_info:
            error = record.exc_info[1]
            line["exc_info"] = frames(error) if error else []
        return orjson.dumps(line, default=str).decode()


def frames(error: BaseException) -> list[str]:
    """List the classes of an error and of its causes, without messages. Each class is followed by
    its frames in our code and its last frame; the list ends after some 40 lines.
    """
    shown: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(shown) < 40:
        shown.append(type(seen).__qualname__)
        *steps, last = traceback.extract_tb(seen.__traceback__) or [None]
        ours = [step for step in steps if step and step.filename.startswith(_OURS)]
        shown.extend(
            f"  {step.filename}:{step.lineno} {step.name}" for step in [*ours, last] if step
        )
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return shown


def configure(level: str) -> None:
    """Make every logger of this process write JSON lines to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LogLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # No line shows these values, and each costs a look-up per line (logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - nor the caller, by the same chapter
    # app.api.web.envelope writes the access line; the line of uvicorn would carry the query.
    logging.getLogger("uvicorn.access").disabled = True
    # At INFO these loggers write whole statements and whole addresses.
    for name in ("sqlalchemy", "alembic", "asyncio", "httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
