"""The service as anybody meets it: a process of its own on a port, with the demonstration's data.

For the tests that look from outside: the contract, a browser, other people's clients.
"""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.base.settings import Settings
from tests.journeys.service import furnish

ROOT = Path(__file__).parents[1]
#: Long enough for a start on a busy machine.
_PATIENCE_S = 60


@contextmanager
def served(database_url: str, log: Path) -> Iterator[str]:
    """`python -m app serve` on a free port, network and roster loaded; yields its URL."""
    asyncio.run(furnish(Settings(database_url=database_url)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    told = {
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "PUBLIC_URL": url,
        "DEMONSTRATION": "true",
        "TOKEN_SECRET": "from outside " * 4,
        "REQUESTS_PER_MINUTE": "0",  # tests/limits: here all clients send as fast as they can
    }
    with log.open("wb") as lines:
        service = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            cwd=ROOT,
            env={**os.environ, **told},
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(url, service, log)
            yield url
        finally:
            service.terminate()
            service.wait(30)


def _wait(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        assert service.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"The service did not become ready: {log.read_text()}")


class Tokens:
    """Access tokens of the demonstration's clients, renewed before they end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, tuple[float, str]] = {}

    def of(self, client: str) -> str:
        until, token = self._known.get(client, (0.0, ""))
        if time.monotonic() > until:
            token = self._ask(client)
            self._known[client] = (time.monotonic() + 200, token)
        return token

    def _ask(self, client: str) -> str:
        form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
        basic = base64.b64encode(f"{client}:demo-{client}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        request = urllib.request.Request(f"{self._url}/oauth/token", form, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["access_token"]
