"""Starts and stops a PostgreSQL of our own, on a local socket only.

Its data outlive a run (`EmbeddedPostgres.of_checkout`) or do not (throwaway.py). A run that was
killed leaves a server behind: the next start on the same folder stops it first.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.place import (
    PostgresProblem,
    checkout_home,
    own_folder,
    program_folder,
    runs,
    server_account,
)
from demo.process import clear_up, server_of, stop_server_of

#: The database's owner, as whom migrations run.
OWNER = "nwd"

#: Sized for two cores that the service and its clients share.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
    # The log names no member: no DETAIL of an error, no statement, no parameter.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}

#: For data that nobody will miss after a power cut. A killed server loses nothing all the same:
#: `synchronous_commit` stays on.
_CARELESS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """One cluster in one folder, `home`. As a context manager it also keeps others off that folder.

    `durable` decides whether a committed referral survives a power cut; `programs` names the
    folder of another PostgreSQL's programs (15 or newer) in place of the wheel's.
    """

    def __init__(self, home: Path, *, durable: bool = True, programs: Path | None = None) -> None:
        self.home = home
        self._account = server_account()
        self._programs = programs or program_folder(self._account)
        if not runs(self._programs, self._account):
            raise PostgresProblem(f"There is no PostgreSQL to run in {programs}.")
        self._durable = durable
        self._server = home / "server"  # socket and log
        self._data = home / f"data-{self._major()}"  # another major version cannot read it
        self._exit = ExitStack()

    @classmethod
    def of_checkout(cls, checkout: Path) -> Self:
        """The database that `make run` keeps for this checkout."""
        return cls(checkout_home(checkout, server_account()))

    @property
    def url(self) -> str:
        """The owner's connection, for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://{OWNER}@/postgres?host={self._server}&port=5432"

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            begun.enter_context(held(self.home))
            begun.callback(self.stop)
            self.start()
            self._exit = begun.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def start(self) -> None:
        """Starts the server and returns when it takes connections.

        Raises PostgresProblem with the end of the server's own log when it does not start.
        """
        self.stop()
        if not self._server.exists():
            self._make(self._server)
        if not self._data.exists():
            self._create_cluster()
        clear_up(self._data, self._server)
        if self._begin().returncode != 0:
            raise PostgresProblem(f"The embedded PostgreSQL did not start:\n{self._log()}")

    def stop(self, *, immediately: bool = False) -> None:
        """Stops the server, whichever process started it, and ends its sessions. Harmless twice.

        `immediately`: as a power cut would, without a word to the sessions.
        """
        if not stop_server_of(self._data, immediately=immediately):
            raise PostgresProblem(f"The PostgreSQL on {self._data} does not stop: end it by hand.")

    @property
    def running(self) -> bool:
        """Whether a server works on the data."""
        return server_of(self._data) is not None

    def _create_cluster(self) -> None:
        """A new cluster: complete, or not there."""
        new = self.home / "data.new"
        if new.exists():
            shutil.rmtree(new)
        self._make(new)
        how = [] if self._durable else ["--no-sync"]
        done = self._run(
            "initdb", "-D", new, "-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", *how
        )
        if done.returncode != 0:
            raise PostgresProblem(f"The embedded PostgreSQL was not created:\n{done.stderr}")
        new.rename(self._data)

    def _make(self, folder: Path) -> None:
        """A folder that only the server's account may enter."""
        own_folder(folder, 0o700)
        if self._account.uid is not None and self._account.gid is not None:
            os.chown(folder, self._account.uid, self._account.gid)

    def _begin(self) -> subprocess.CompletedProcess[str]:
        settings = _SETTINGS if self._durable else _SETTINGS | _CARELESS
        settings = settings | {"unix_socket_directories": str(self._server)}
        told = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        log = self._server / "log"
        return self._run(
            "pg_ctl", "start", "-w", "-t", "60", "-D", self._data, "-l", log, "-o", told
        )

    def _log(self) -> str:
        log = self._server / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def _major(self) -> str:
        """`18` from `postgres (PostgreSQL) 18.6`."""
        return self._run("postgres", "--version").stdout.split()[2].partition(".")[0]

    def _run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=self.home,
            env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            umask=0o077,
            **self._account.run_as,
        )


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Keeps the folder for this process; the system lets go of it however the process ends.

    Raises PostgresProblem when another process has it.
    """
    with (home / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PostgresProblem(
                "Another `make run` of this checkout is using its database: stop that one first."
            ) from error
        yield
