"""A PostgreSQL that leaves nothing behind, for tests and checks.

As a command it lends one to another command, as DATABASE_URL:

    python -m demo.throwaway [--programs /usr/lib/postgresql/15/bin] COMMAND...
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.place import (
    NEW_PREFIX,
    THROWAWAY_PREFIX,
    PostgresProblem,
    server_account,
    temporary_folders,
    throwaway_home,
)
from demo.postgres import EmbeddedPostgres, held
from demo.process import stop_server_of
from demo.signals import ended_by_signals


@contextmanager
def throwaway(programs: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL; it and its data are gone at the end."""
    with home() as folder:
        server = EmbeddedPostgres(folder, durable=False, programs=programs)
        server.start()
        yield server


@contextmanager
def home() -> Iterator[Path]:
    """A folder for a server that some process starts later; both are gone at the end.

    Clears up first what runs that were killed have left.
    """
    clear_abandoned()
    new = throwaway_home(server_account())
    with held(new):  # held before it has the name under which the abandoned are sought
        folder = new.rename(new.with_name(new.name.replace(NEW_PREFIX, THROWAWAY_PREFIX)))
        try:
            yield folder
        finally:
            _remove(folder)


def clear_abandoned() -> None:
    """Stops the servers and removes the folders of our runs that no longer live."""
    for base in temporary_folders():
        for folder in base.glob(THROWAWAY_PREFIX + "*"):
            try:
                if folder.lstat().st_uid == os.geteuid():
                    with held(folder):
                        _remove(folder)
            except (PostgresProblem, OSError):
                continue  # in use, or removed by another run just now


def _remove(folder: Path) -> None:
    """Stops the server and removes the folder, which this process holds.

    Its lock goes last, when it no longer has the name: who clears up meanwhile would else hold a
    new lock in it, and remove what is being removed.
    """
    for data in folder.glob("data-*"):
        stop_server_of(data, immediately=True)
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(part)
    shutil.rmtree(
        folder.rename(folder.with_name(folder.name.replace(THROWAWAY_PREFIX, NEW_PREFIX)))
    )


def main() -> int:
    """Runs the command given, with the URL of a throwaway PostgreSQL in its environment."""
    parser = argparse.ArgumentParser(prog="python -m demo.throwaway")
    parser.add_argument("--programs", type=Path, help="the folder of another PostgreSQL's programs")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    with ended_by_signals(), throwaway(given.programs) as server:
        environment = os.environ | {"DATABASE_URL": server.url}
        if given.programs:
            environment["POSTGRES_PROGRAMS"] = str(given.programs)
        # Not `with`: it would wait for a command that a signal in between kept us from ending.
        command = subprocess.Popen(given.command, env=environment)
        try:
            return command.wait()
        finally:
            command.terminate()  # no more than a word to one that has ended
            command.wait()


if __name__ == "__main__":
    sys.exit(main())
