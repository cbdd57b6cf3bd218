"""The service as it is started: a process on a port, until it is told to stop."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import httpx

BODY = b"x" * (6 * 1024 * 1024)
FHIR = "application/fhir+json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def start(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "serve",
        env={"PATH": os.environ["PATH"], "TOKEN_SECRET": "t" * 32, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@asynccontextmanager
async def serving(url: str):
    """A running service, its base address, and afterwards what it wrote."""
    port = free_port()
    process = await start(DATABASE_URL=url, PORT=str(port))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            async with asyncio.timeout(60):
                while process.returncode is None:
                    try:
                        await http.get("/health/live")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
            yield http, process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_service_starts_answers_and_ends_in_good_order(database_url):
    async with serving(database_url) as (http, process, port):
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        assert "server" not in ready.headers
        large = await http.post(
            "/fhir/ServiceRequest", content=BODY, headers={"Content-Type": FHIR}
        )
        assert (large.status_code, large.json()["issue"][0]["code"]) == (413, "too-long")
        slash = await http.post("/fhir/", content=b"{}", headers={"Content-Type": FHIR})
        assert slash.status_code == 401
        busy = await start(DATABASE_URL=database_url, PORT=str(port))
        said = (await busy.communicate())[1].decode()
        assert busy.returncode == 1
        assert said == f"Port {port} is in use. Choose another one with PORT=….\n"
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        lines = out.decode().splitlines()
        assert process.returncode == 0
        assert any('"route":"/health/ready"' in line for line in lines)
        assert all(line.startswith('{"time":') for line in lines)


async def test_a_database_that_is_away_at_start_is_named_in_a_sentence():
    process = await start(
        DATABASE_URL="postgresql://app:hidden@127.0.0.1:1/nwd",
        PORT=str(free_port()),
        DATABASE_START_WAIT_S="0.2",
    )
    said = (await asyncio.wait_for(process.communicate(), 30))[1].decode()
    assert process.returncode == 1
    assert said.startswith("The database did not answer within 0.2 s.")
    assert "hidden" not in said


async def test_a_service_without_a_database_says_what_to_set():
    process = await start(PORT=str(free_port()))
    said = (await process.communicate())[1].decode()
    assert process.returncode == 1
    assert "DATABASE_URL" in said
