"""Log lines: JSON, one line per event, with a fixed set of fields.

An exception is logged as its class and its frames. Its message is never logged: the message may
quote a payload (pydantic and the database driver do so).
"""

import logging
import sys
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

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
    "plan",
    "loop",
    "alarm",
    "referral_id",
    "message_id",
    "endpoint_id",
    "attempt",
    "count",
    "error",
    "exc_info",
)

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LogLine(OrjsonFormatter):
    """Keeps the allowed fields and drops the rest."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        kept = {name: log_data[name] for name in FIELDS if log_data.get(name) is not None}
        head = {name: log_data.get(name) for name in ("time", "level", "logger", "message")}
        return {**head, **kept}

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{moment}.{int(record.msecs):03d}Z"

    def formatException(self, ei: _ExcInfo) -> list[str]:  # type: ignore[override]  # noqa: N802
        return frames(ei[1]) if ei[1] else []


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
    renamed: Mapping[str, str] = {"asctime": "time", "levelname": "level", "name": "logger"}
    handler.setFormatter(
        LogLine("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=dict(renamed))
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # No line shows these values, and each costs a look-up per line (logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # app.api.web.envelope writes the access line; the line of uvicorn would carry the query.
    logging.getLogger("uvicorn.access").disabled = True
    # At INFO these loggers write whole statements and whole addresses.
    for name in ("sqlalchemy", "alembic", "asyncio", "httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
