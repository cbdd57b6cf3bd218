"""The service as the process that a deployment runs, to be killed; its log to be read."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
SECRET = "faults " * 8


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """`python -m app serve` on a port of its own, or another command; `log` is all that it has
    said. `code`: the folder with the code.
    """

    def __init__(
        self,
        url: str,
        log: Path,
        port: int = 0,
        command: str = "serve",
        code: Path = ROOT,
        **settings: Any,
    ) -> None:
        self._code = code
        self.port = port or free_port()
        self.log = log
        self.command = command
        self.base = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "MIGRATION_DATABASE_URL": "",
            "PORT": str(self.port),
            "PUBLIC_URL": self.base,
            "TOKEN_SECRET": SECRET,
            "REQUESTS_PER_MINUTE": "0",
            "DEMONSTRATION": "true",
            **{name.upper(): str(value) for name, value in settings.items()},
        }

    async def begin(self) -> None:
        with self.log.open("ab") as said:
            self.child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "app",
                self.command,
                cwd=self._code,
                env=self._environment,
                stdout=said,
                stderr=said,
            )

    async def answering(self, seconds: float = 60) -> None:
        """Returns when it is alive; what it said, when it ended instead."""
        async with asyncio.timeout(seconds), httpx.AsyncClient(base_url=self.base) as http:
            while self.child.returncode is None:
                try:
                    if (await http.get("/health/live")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        raise AssertionError(self.log.read_text())

    async def kill(self) -> None:
        """As the kernel does it when memory is short."""
        self.child.send_signal(signal.SIGKILL)
        await self.child.wait()

    async def end(self) -> None:
        if self.child.returncode is None:
            self.child.terminate()
            await self.child.wait()


@asynccontextmanager
async def process(url: str, log: Path, **settings: Any) -> AsyncIterator[Process]:
    """A running service process, ended with the block."""
    running = Process(url, log, **settings)
    await running.begin()
    try:
        yield running
    finally:
        await running.end()


async def token(base: str, client: str) -> dict[str, str]:
    """The headers of an authenticated request."""
    async with httpx.AsyncClient(base_url=base) as http:
        answer = await http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(client, f"demo-{client}"),
        )
    answer.raise_for_status()
    word = answer.json()["access_token"]
    return {"Authorization": f"Bearer {word}", "Content-Type": "application/fhir+json"}
