"""`make run`: the whole service on this machine, and one referral through all five stages.

Starts the database (its own, or the one at DATABASE_URL), the service, the delivery worker and a
webhook receiver; stays up until Ctrl-C, which stops everything it started. Nothing of it is for
production.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_urlsafe

import httpx
from rich.console import Console
from rich.markup import escape

from app.base.errors import Stopped
from app.base.settings import Settings, WrongSettings, read_settings
from app.commands.migrate import upgrade_when_it_answers
from app.store.clients import DEMONSTRATION
from app.store.directory.load import load
from demo.journey import show
from demo.place import PostgresProblem
from demo.postgres import EmbeddedPostgres
from demo.receiver import Receiver
from demo.referral import DATA
from demo.signals import Ended, ended_by_signals

CHECKOUT = Path(__file__).resolve().parents[1]
#: Long enough for a first start on a busy machine.
_START_S = 60.0


class CannotRun(Stopped):
    """The demonstration cannot start; the message says why and what to do."""


def main() -> int:
    """Runs until it is told to stop; 0 then, 1 with a sentence when it cannot run."""
    # A terminal has its own width; what goes to a file or a pipe is not cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    try:
        with ended_by_signals(), ExitStack() as started:
            _run(console, started)
    except (Stopped, PostgresProblem, WrongSettings) as problem:
        console.print(f"[bold red]make run:[/] {escape(str(problem))}")
        return 1
    except Ended:
        console.print("Stopped: service, worker, receiver and database.")
    return 0


def _run(console: Console, started: ExitStack) -> None:
    if os.environ.get("ENVIRONMENT") == "production":
        raise CannotRun("ENVIRONMENT=production: the demonstration is not for production.")
    began = time.monotonic()
    make = os.getppid() if os.environ.get("MAKELEVEL") else None
    os.environ["PORT"] = os.environ.get("PORT") or "8000"
    port = _free_port(read_settings().port)
    url, kept = _database(console, started)
    receiver = Receiver()
    started.callback(receiver.close)
    settings = _environment(url, port, receiver, kept)
    console.print(
        "Bringing the database up to date, loading the demonstration network and roster …"
    )
    asyncio.run(upgrade_when_it_answers(settings.migration_database_url or url, settings))
    asyncio.run(load([DATA / "network.ndjson", DATA / "roster.ndjson"], settings, console.print))
    logs = _log_folder(started)
    service = started.enter_context(_process("serve", logs))
    worker = started.enter_context(_process("deliver", logs))
    base = f"http://127.0.0.1:{port}"
    _wait_until_ready(base, service, logs)
    console.print(f"Up in {time.monotonic() - began:.1f} s.\n")
    show(console, base, receiver, settings)
    _stay_up({"service": service, "delivery worker": worker}, logs, make)


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CannotRun(
                f"port {port} is taken by another program. Stop it, or choose another: "
                f"PORT={port + 1} make run"
            ) from None
    return port


def _database(console: Console, started: ExitStack) -> tuple[str, Path]:
    """The database, and the folder of what is kept as long as it is."""
    given = os.environ.get("DATABASE_URL")
    if given:
        return given, _log_folder(started)
    console.print("Starting PostgreSQL (its own, kept between runs) …")
    own = started.enter_context(EmbeddedPostgres.of_checkout(CHECKOUT))
    return own.url, own.home


def _secret(kept: Path) -> str:
    """A random `TOKEN_SECRET`, made at the first start and kept for the later ones."""
    file = kept / "token-secret"
    if not file.exists() or len(file.read_text()) < 32:
        file.touch(mode=0o600)
        file.write_text(token_urlsafe(48))
    return file.read_text()


def _environment(url: str, port: int, receiver: Receiver, kept: Path) -> Settings:
    os.environ.update(
        TOKEN_SECRET=os.environ.get("TOKEN_SECRET") or _secret(kept),
        DATABASE_URL=url,
        PORT=str(port),
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        DEMONSTRATION="true",
        # A fictional number: the plan's page names the team and no number.
        PLAN_MEMBER_PHONES=os.environ.get("PLAN_MEMBER_PHONES") or "HPSM=650-555-0190",
        LOOP_MONITOR_MS=os.environ.get("LOOP_MONITOR_MS") or "20",
        WEBHOOK_ALLOW_PRIVATE=",".join(
            f"{organization}=127.0.0.1:{receiver.port}"
            for organization, _ in DEMONSTRATION.values()
        ),
    )
    return read_settings()


def _log_folder(started: ExitStack) -> Path:
    folder = CHECKOUT / ".run"
    try:
        folder.mkdir(mode=0o755, exist_ok=True)
        (folder / "serve.log").open("ab").close()
    except OSError:  # a read-only checkout, or one in which another user ran before
        return Path(started.enter_context(tempfile.TemporaryDirectory(prefix="nwd-logs-")))
    return folder


@contextmanager
def _process(command: str, logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One process of the service, stopped in order at the end, and at once if we are killed."""
    with (logs / f"{command}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.attached", command],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,  # never written to: it ends when we do, however we end
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone: we stop it, in order
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(base: str, service: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if service.poll() is not None:
            raise CannotRun(
                f"the service ended at once; its last words are in {logs / 'serve.log'}"
            )
        try:
            if httpx.get(f"{base}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise CannotRun(f"the service is not ready after {_START_S:.0f} s; see {logs / 'serve.log'}")


def _stay_up(processes: dict[str, subprocess.Popen[bytes]], logs: Path, make: int | None) -> None:
    while make in (None, os.getppid()):
        for name, process in processes.items():
            if process.poll() is not None:
                raise CannotRun(f"the {name} has ended; its last words are in {logs}")
        time.sleep(0.5)
    raise Ended  # make was killed, and can no longer tell us to stop
