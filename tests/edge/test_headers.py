"""Every answer of every route has the headers that keep browsers and caches from harm."""

import re

import httpx
import pytest

from app.base.settings import Settings
from app.main import create_app

#: What needs no token and says nothing of anybody may be kept.
KEPT = {"/docs/{name}", "/openapi.json", "/fhir/metadata"}


def application(url: str = "http://127.0.0.1:8000"):
    return create_app(Settings(database_url="postgresql://nowhere/none", public_url=url))


APP = application()
ROUTES = sorted(
    {(method, route.path) for route in APP.routes for method in getattr(route, "methods", ())}
)


def caller_of(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_has_them_once(method, path):
    async with caller_of(APP) as client:
        address = re.sub(r"\{[^}]*\}", "docs.js", path)
        answer = await client.request(method, address)
    headers = answer.headers
    for name in ("content-security-policy", "x-content-type-options", "referrer-policy",
                 "cache-control", "x-request-id"):  # fmt: skip
        assert len(headers.get_list(name)) == 1, name
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store" or path in KEPT
    assert "strict-transport-security" not in headers
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/health/live", "/nowhere", "/docs", "/fhir/Task"])
async def test_behind_tls_browsers_come_by_tls(path):
    async with caller_of(application("https://referrals.example")) as client:
        answer = await client.get(path)
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
