"""Heavy work leaves the event loop: a single thread does it, so that other requests are answered.

A request is heavy if its body, or a stored body that it reads, has more than `SMALL` bytes. The
size is known on arrival (`app.api.web.gate`) or when the stored body is read; the mark holds for
the rest of the request. Small work stays in the event loop: a change of threads costs more than
the work. The garbage collector is such work too, which a long-lived process can mostly spare.
"""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from app.base.errors import refuse

#: A body of at most so many bytes is read, checked and decided within the event loop.
SMALL = 64 * 1024
#: The longest time that one piece of heavy work may take, in seconds.
_LONGEST_S = 10.0
#: Seconds after which Python lets another thread run: the event loop waits no longer for its turn.
_TURN_S = 0.001
#: The allocations before a pass of the garbage collector. A referral makes some thousand objects,
#: which all die with its request, nearly all without the collector; a delivery a hundred.
_COLLECT_AFTER = (50_000, 20, 20)

P = ParamSpec("P")
T = TypeVar("T")

_heavy: ContextVar[bool] = ContextVar("heavy", default=False)
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="heavy")
_deadline = threading.local()


def share_turns() -> None:
    """Let threads change every millisecond; a process that serves calls this once at its start."""
    sys.setswitchinterval(_TURN_S)


def spare_collector() -> None:
    """Let the garbage collector pass seldom, and never over what lives now.

    A process that lives long calls this once, when all that stays is loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def mark_if_heavy(size: int) -> None:
    """Mark the current request as heavy where `size`, in bytes, is more than `SMALL`."""
    if size > SMALL:
        _heavy.set(True)


async def to_thread_if_heavy(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` and return its result: in the thread for heavy work where the request is marked as
    heavy, else at once. That thread runs one piece of work at a time, each for 10 seconds at most.
    """
    if not _heavy.get():
        return work(*args, **kwargs)

    def run_until_deadline() -> T:
        _deadline.at = time.monotonic() + _LONGEST_S
        return work(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(_THREAD, run_until_deadline)


def check_time_limit() -> None:
    """Raise 422 (`too-costly`) once heavy work has run too long. Long loops call this."""
    if time.monotonic() > getattr(_deadline, "at", float("inf")):
        raise too_costly()


def too_costly() -> Exception:
    """Make a 422: R4 allows this body, but reading the body would hold up every other request."""
    text = "This takes too much work to read. Send fewer elements, or split it into several."
    return refuse(422, "too-costly", text)
