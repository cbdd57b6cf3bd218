"""The processes of a data folder: found and stopped, whichever process started them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds a server gets to end its sessions, and again to end at once.
_PATIENCE_S = 30.0

_PROC = Path("/proc")


def server_of(data: Path) -> int | None:
    """The number of the process that serves this folder; None when there is none.

    A server that was killed leaves its note, `postmaster.pid`; by now the number in it may belong
    to another process, or to a dead one that nobody collects (a container without an init).
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):  # ValueError: killed while it wrote
        return None
    return pid if pid > 0 and _serves(pid, data) else None


def stop_server_of(data: Path, *, immediately: bool = False) -> bool:
    """Ends the sessions and stops the server; False when it would not.

    `immediately`: as a power cut would, without a word to the sessions.
    """
    for ending in [signal.SIGQUIT] if immediately else [signal.SIGINT, signal.SIGQUIT]:
        pid = server_of(data)
        if pid is None:
            return True
        os.kill(pid, ending)
        if _becomes(lambda: server_of(data) is None):
            return True
    return False


def clear_up(data: Path, socket: Path) -> None:
    """Removes what a killed server left and the next one would trip over.

    First its sessions must have noticed and ended: two servers must never write one folder.
    """
    if not _PROC.joinpath("self/cwd").exists():
        return  # no Linux: PostgreSQL's own checks decide
    if _becomes(lambda: not any(_works_in(process, data) for process in _PROC.glob("[0-9]*"))):
        for left in (data / "postmaster.pid", *socket.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)


def _becomes(wanted: Callable[[], bool]) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while not wanted():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _serves(pid: int, data: Path) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not _PROC.joinpath("self/cwd").exists():  # no Linux: believe the note
        return True
    return _works_in(_PROC / str(pid), data)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").samefile(folder)
    except OSError:  # ended meanwhile, or another user's
        return False
