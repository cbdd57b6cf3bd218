"""The token endpoint over a real database: who gets a token, and what the token opens."""

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import update

from app.api.deployment import deployment_of
from app.commands import client as command
from app.main import create_app
from app.store import clients as store
from app.store.clients import (
    DEMONSTRATION,
    NewClient,
    find,
    register,
    register_demonstration,
    rotate,
)
from app.store.database import Database
from app.store.tables.directory import client as clients
from app.store.tables.directory import organization
from tests.deployed import start
from tests.postgres import run

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
EHR = NewClient("ehr", "org-h", ["system/Task.rs"], "TREAT")
FORM = {"grant_type": "client_credentials"}


@pytest.fixture(autouse=True)
def _cheap_secrets(monkeypatch):
    """The cost of a secret is not what these tests are about."""
    monkeypatch.setattr(store, "_N", 16)


async def furnish(database):
    """The demonstration's clients, and one plan among their organizations."""
    async with database.begin() as connection:
        await run(
            connection,
            organization.insert().values(
                id="plan-hpsm", name="HPSM", plan="HPSM", active=True, version=1, updated_at=NOW
            ),
        )
        await register_demonstration(connection, NOW)


@pytest.fixture
async def app(database, database_settings):
    await furnish(database)
    app = create_app(database_settings)
    start(app, database)
    return app


@pytest.fixture
async def http(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


def secret(name: str) -> dict[str, str]:
    return {"client_id": name, "client_secret": f"demo-{name}"}


@pytest.mark.parametrize("name", DEMONSTRATION)
async def test_every_demonstration_client_gets_a_token_for_its_organization(app, http, name):
    answer = await http.post("/oauth/token", data={**FORM, **secret(name)})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 300)
    assert answer.headers["cache-control"] == "no-store"
    caller = deployment_of(app).tokens.verify(body["access_token"], time.time())
    assert (caller.organization_id, caller.scopes) == DEMONSTRATION[name]
    assert set(body["scope"].split()) == caller.scopes


async def test_a_client_of_a_plan_speaks_for_the_plan(app, http):
    staff = await http.post("/oauth/token", data={**FORM, **secret("staff-hpsm")})
    caller = deployment_of(app).tokens.verify(staff.json()["access_token"], time.time())
    assert (caller.plan, caller.staff) == ("HPSM", True)
    other = await http.post("/oauth/token", data={**FORM, **secret("hospital")})
    caller = deployment_of(app).tokens.verify(other.json()["access_token"], time.time())
    assert (caller.plan, caller.staff) == (None, False)


@pytest.mark.parametrize("credentials", ["hospital:demo-hospital", "hospital:demo%2Dhospital"])
async def test_the_secret_may_come_by_basic(http, credentials):
    header = "Basic " + base64.b64encode(credentials.encode()).decode()
    answer = await http.post("/oauth/token", data=FORM, headers={"Authorization": header})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ("launch/patient system/ServiceRequest.read", 200, "system/ServiceRequest.read"),
        ("system/ServiceRequest.cruds", 200, "system/ServiceRequest.crus"),
        ("", 200, None),
        ("nwd/decide", 400, None),
        ("everything", 400, None),
    ],
)
async def test_a_client_gets_what_it_asks_for_within_what_it_holds(http, asked, status, words):
    answer = await http.post("/oauth/token", data={**FORM, **secret("hospital"), "scope": asked})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"] == "invalid_scope"
    elif words:
        assert answer.json()["scope"] == words


@pytest.mark.parametrize(
    ("name", "word"),
    [("hospital", "demo-practice"), ("hospital", ""), ("nobody", "demo-nobody"), ("", "x")],
)
async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(http, name, word):
    answer = await http.post(
        "/oauth/token", data={**FORM, "client_id": name, "client_secret": word}
    )
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_client_that_is_switched_off_gets_no_token(database, http):
    async with database.begin() as connection:
        await run(connection, update(clients).values(active=False))
    answer = await http.post("/oauth/token", data={**FORM, **secret("hospital")})
    assert answer.status_code == 401


async def test_demonstration_clients_do_not_exist_in_production(database):
    await furnish(database)
    async with database.begin() as connection:
        assert await find(connection, "hospital", production=False)
        assert await find(connection, "hospital", production=True) is None


async def test_a_registered_client_is_known_in_production_and_its_secret_can_be_renewed(database):
    async with database.begin() as connection:
        _, first = await register(connection, EHR, NOW)
        assert await register(connection, EHR, NOW) == (False, None)
        found = await find(connection, "ehr", production=True)
        assert found is not None
        assert first not in found.secret_hashes[0]
        second = await rotate(connection, "ehr", NOW, timedelta(0))
        assert second not in (None, first)
        assert await rotate(connection, "nobody", NOW, timedelta(0)) is None


async def test_demonstration_clients_take_nobody_elses_place(database):
    async with database.begin() as connection:
        await register(connection, replace(EHR, id="hospital", organization_id="org-real"), NOW)
        await register_demonstration(connection, NOW)
        found = await find(connection, "hospital", production=True)
        assert found is not None
        assert found.organization_id == "org-real"


async def test_the_command_registers_and_renews(database, database_settings, monkeypatch, capsys):
    monkeypatch.setattr(command, "settings", lambda: database_settings)
    await furnish(database)
    assert await command.add("ehr", "plan-hpsm", "staff", None) == 0
    shown = capsys.readouterr()
    assert len(shown.out.strip()) == 43
    assert await command.add("ehr", "plan-hpsm", "staff", None) == 1
    assert await command.add("two", "org-nowhere", "staff", None) == 1
    assert await command.add("two", "plan-hpsm", "staff", ["system/Task.read"]) == 1
    assert await command.renew("ehr") == 0
    assert await command.renew("nobody") == 1


async def test_a_database_that_is_away_is_told_in_the_dialect_of_the_token_endpoint(
    database_settings,
):
    app = create_app(database_settings)
    away = database_settings.model_copy(update={"database_url": "postgresql://x@127.0.0.1:1/x"})
    start(app, Database(away))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.post("/oauth/token", data={**FORM, **secret("hospital")})
        ready = await http.get("/health/ready")
        live = await http.get("/health/live")
    await deployment_of(app).database.close()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "2"
    assert (ready.status_code, live.status_code) == (503, 200)
    assert ready.json()["issue"][0]["details"]["coding"][0]["code"] == "database"


async def test_readiness_names_a_schema_that_is_not_ours(app, http, bare_database):
    assert (await http.get("/health/ready")).status_code == 200
    settings = deployment_of(app).settings.model_copy(
        update={"database_url": bare_database, "migration_database_url": bare_database}
    )
    start(app, Database(settings))
    answer = await http.get("/health/ready")
    await deployment_of(app).database.close()
    assert answer.status_code == 503
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "migrations"
