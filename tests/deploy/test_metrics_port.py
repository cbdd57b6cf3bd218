"""The metrics are on a port of their own, which the public does not reach."""

import asyncio

import httpx
import pytest

from app.main import create_app
from tests.deploy.test_deploy import in_production
from tests.edge.test_server import free_port
from tests.faults.conftest import ending, settings_for
from tests.journeys.service import furnish, serving

__all__ = ["ending"]


@pytest.fixture
async def shown(fresh_database, ending):
    """A service, and the address of its metrics."""
    port = free_port()
    await furnish(settings_for(fresh_database))
    settings = settings_for(fresh_database, metrics_port=port)
    return await ending.enter_async_context(serving(settings)), port


async def test_the_metrics_are_there_and_nothing_else(shown):
    service, port = shown
    assert (await service.http.get("/metrics")).status_code == 404
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        told = await http.get("/metrics")
        assert told.status_code == 200
        assert told.headers["content-type"].startswith("text/plain")
        assert 'nwd_requests_total{method="GET",route="/metrics",status="404"}' in told.text
        assert "nwd_delivery_figures_up 1.0" in told.text
        for path in ("/", "/fhir/metadata", "/health/live"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/metrics")).status_code == 404


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /metrics HTTP/1.1\r\n" + b"x" * 9000])
async def test_who_sends_no_request_costs_nothing(shown, sent):
    _, port = shown
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_production_shows_none_on_the_public_port():
    app = create_app(in_production(metrics_port="0"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get("/metrics")).status_code == 404
