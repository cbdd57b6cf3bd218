"""INT, TERM and HUP end a command in order: what it started is stopped on the way out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(SystemExit):
    """The command was told to end; the exit status is the shell's for that signal."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within it the first of the signals raises Ended; the clean-up is not disturbed by more."""

    def end(number: int, _frame: FrameType | None) -> None:
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise Ended(128 + number)

    before = {each: signal.signal(each, end) for each in _ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
