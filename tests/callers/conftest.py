"""The service over a real database, with a client that logs in with keys of its own."""

import json

import httpx
import pytest

from app.api.deployment import deployment_of
from app.main import create_app
from app.store import clients as store
from app.store.clients import NewClient, PublicKeys, register
from tests.callers.signer import jwks
from tests.callers.test_door import NOW, furnish
from tests.deployed import start


@pytest.fixture
async def http(database, database_settings, monkeypatch):
    """The service with a client `ehr`, which has two keys and no secret."""
    monkeypatch.setattr(store, "_N", 16)
    await furnish(database)
    keys = PublicKeys(json.dumps(jwks()))
    new = NewClient("ehr", "plan-hpsm", ["system/Task.rs"], "HPAYMT", keys=keys, with_secret=False)
    await register(database, new, NOW)
    app = create_app(database_settings)
    start(app, database)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        http.url = deployment_of(app).settings.token_url
        http.tokens = deployment_of(app).tokens
        yield http
