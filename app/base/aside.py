"""Heavy work leaves the event loop: one thread takes it, so that others go on being answered.

The size of a request is known on arrival (`app.api.web.gate`) or when a stored body is read, and
holds for the rest of that request. Small work stays where it is: a change of threads costs more
than it does.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from app.base.errors import refuse

#: Bytes of a body that are read, checked and decided within the loop.
SMALL = 64 * 1024
#: How long one piece of heavy work may take.
_LONGEST_S = 10.0
#: How often threads take turns: the loop waits no longer for its own.
_TURN_S = 0.001

P = ParamSpec("P")
T = TypeVar("T")

_heavy: ContextVar[bool] = ContextVar("heavy", default=False)
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="heavy")
_until = threading.local()


def share_turns() -> None:
    """For the start of a process that serves."""
    sys.setswitchinterval(_TURN_S)


def weigh(size: int) -> None:
    """From here on this request's work is heavy, if so many bytes are."""
    if size > SMALL:
        _heavy.set(True)


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, done in the other thread where this request is heavy."""
    if not _heavy.get():
        return work(*args, **kwargs)

    def within() -> T:
        _until.moment = time.monotonic() + _LONGEST_S
        return work(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(_THREAD, within)


def tick() -> None:
    """422 once heavy work has taken too long; called now and then by whatever is long."""
    if time.monotonic() > getattr(_until, "moment", float("inf")):
        raise too_costly()


def too_costly() -> Exception:
    """422: R4 allows it, and reading it would hold up everybody else."""
    said = "This takes too much work to read. Send fewer elements, or split it into several."
    return refuse(422, "too-costly", said)
