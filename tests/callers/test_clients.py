"""A plan's staff register and keep clients; a client that is switched off is off everywhere."""

import asyncio
import json
import re
import time

import asyncpg
import httpx
import pytest

from app.base.errors import Stopped
from app.base.settings import CHECKOUT as ROOT
from app.base.settings import Settings
from app.commands import client as command
from app.commands.client import KeyOptions
from app.store.database import driver_url
from tests.callers.signer import claims, form, jwks, signed
from tests.faults.processes import process
from tests.journeys.service import furnish, serving
from tests.postgres import token
from tests.receiver import Receiver, Reply

JSON = {"Content-Type": "application/json"}
NEW = {"id": "ehr", "organization": "org-harbor-lantern"}


@pytest.fixture(scope="module")
def url(cluster) -> str:
    return cluster.create(token())


@pytest.fixture
def own_url(cluster) -> str:
    return cluster.create(token())


@pytest.fixture(scope="module")
async def service(url):
    settings = Settings(database_url=url, token_secret="callers " * 8)
    await furnish(settings)
    async with serving(settings) as service:
        yield service


@pytest.fixture(autouse=True)
async def _forgotten(service):
    """What a test registered is gone before the next."""
    yield
    await service.store.execute("DELETE FROM client WHERE NOT demonstration")


async def ask(service, method, path="", body=None, by="staff-hpsm"):
    return await service.ask(by, method, f"/v1/clients{path}", body, headers=JSON if body else {})


async def log_in(service, client, secret, **more):
    data = {"grant_type": "client_credentials", **more}
    return await service.http.post("/oauth/token", data=data, auth=(client, secret))


async def test_a_client_is_registered_read_and_logs_in(service):
    made = await ask(service, "POST", body={**NEW, "name": "Harbor Lantern's EHR"})
    assert made.status_code == 201, made.text
    body = made.json()
    assert made.headers["location"] == "/v1/clients/ehr"
    assert (body["purpose"], body["registered_by"], body["active"]) == ("TREAT", "HPSM", True)
    assert (await log_in(service, "ehr", body["secret"])).status_code == 200
    read = (await ask(service, "GET", "/ehr")).json()
    assert body["secret"] not in json.dumps(read)
    assert [(one["event"], one["by"]) for one in read["history"]] == [("register", "staff-hpsm")]
    again = await ask(service, "POST", body=NEW)
    assert (again.status_code, again.json()["issue"][0]["code"]) == (409, "duplicate")


async def test_a_client_of_the_plan_administers_benefits(service):
    made = await ask(service, "POST", body={**NEW, "organization": "plan-hpsm", "role": "staff"})
    assert made.json()["purpose"] == "HPAYMT"
    got = await log_in(service, "ehr", made.json()["secret"])
    assert "nwd/clients" in got.json()["scope"].split()


@pytest.mark.parametrize(
    ("wanted", "element"),
    [
        ({"organization": "org-nowhere"}, "organization"),
        ({"organization": "plan-hpsj"}, "organization"),
        ({"role": "staff"}, "role"),
        ({"role": "provider", "scopes": ["system/Task.rs"]}, "scopes"),
        ({"scopes": ["nwd/decide"]}, "scopes[0]"),
        ({"scopes": ["system/*.cruds"]}, "scopes[0]"),
        ({"scopes": ["system/Patient.u"]}, "scopes[0]"),
        ({"scopes": ["system/Task.read"]}, "scopes[0]"),
        ({"scopes": ["system/Task.sr"]}, "scopes[0]"),
        ({"id": "operator"}, "id"),
        ({"secret": False}, "secret"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": jwks(), "jwks_uri": "https://keys.example/set"}, "jwks_uri"),
        ({"jwks_uri": "http://keys.example/set"}, "jwks_uri"),
        ({"jwks_uri": "https://10.0.0.1/set"}, "jwks_uri"),
        ({"purpose": "MARKT"}, "purpose"),
        ({"id": "a b"}, "id"),
        ({"certificate": "short"}, "certificate"),
        ({"more": 1}, "more"),
    ],
)
async def test_what_may_not_be_registered_is_named(service, wanted, element):
    answer = await ask(service, "POST", body={**NEW, **wanted})
    assert answer.status_code == 422, answer.text
    assert element in [path for one in answer.json()["issue"] for path in one.get("expression", ())]


async def test_nobody_gives_away_more_than_their_token_has(service):
    narrow = await service.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials", "scope": "nwd/clients system/Task.rs"},
        auth=("staff-hpsm", "demo-staff-hpsm"),
    )
    headers = {"Authorization": f"Bearer {narrow.json()['access_token']}"}
    wanted = {**NEW, "organization": "plan-hpsm", "scopes": ["nwd/decide", "system/Task.r"]}
    answer = await service.http.post("/v1/clients", json=wanted, headers=headers)
    assert [one["expression"] for one in answer.json()["issue"]] == [["scopes[0]"]]


async def test_other_plans_and_other_callers_know_nothing_of_it(service):
    await ask(service, "POST", body=NEW)
    for method, path in (
        ("GET", "/ehr"),
        ("POST", "/ehr/switch-off"),
        ("POST", "/ehr/switch-on"),
        ("GET", "/hospital"),
    ):
        answer = await ask(service, method, path, by="staff-hpsj")
        assert answer.status_code == 404, (method, path)
    for id_ in ("ehr", "staff-hpsm"):
        path = f"/v1/clients/{id_}/rotate-secret"
        answer = await service.ask("staff-hpsj", "POST", path, b"{}", headers=JSON)
        assert answer.status_code == 404
    listed = (await ask(service, "GET", by="staff-hpsj")).json()["items"]
    assert [one["id"] for one in listed] == ["staff-hpsj"]
    assert (await ask(service, "GET", by="hospital")).status_code == 403
    assert (await ask(service, "GET", "/ehr", by="hospital")).status_code == 403


async def test_the_list_comes_in_pages(service):
    for number in range(3):
        await ask(service, "POST", body={**NEW, "id": f"ehr-{number}"})
    seen, path = [], "?limit=2"
    while path:
        page = (await ask(service, "GET", path)).json()
        seen += [one["id"] for one in page["items"]]
        path = page["next"] and page["next"].partition("/v1/clients")[2]
    assert seen == ["staff-hpsm", "ehr-0", "ehr-1", "ehr-2"]


async def test_an_old_secret_is_good_until_the_overlap_ends(service):
    first = (await ask(service, "POST", body=NEW)).json()["secret"]
    turned = await ask(service, "POST", "/ehr/rotate-secret", {"overlap_hours": 1})
    second = turned.json()["secret"]
    assert turned.json()["old_secret_expires"]
    assert [(await log_in(service, "ehr", one)).status_code for one in (first, second)] == [200] * 2
    await service.store.execute(
        "UPDATE client SET previous_secret_until = now() - interval '1s' WHERE id = 'ehr'"
    )
    assert [(await log_in(service, "ehr", one)).status_code for one in (first, second)] == [
        401,
        200,
    ]
    third = await ask(service, "POST", "/ehr/rotate-secret", {"overlap_hours": 0})
    assert (await log_in(service, "ehr", second)).status_code == 401
    assert (await log_in(service, "ehr", third.json()["secret"])).status_code == 200


async def test_a_client_logs_in_with_the_keys_that_it_publishes(service):
    async with Receiver() as publisher:
        publisher.answer = lambda _: Reply(200, body=json.dumps(jwks()).encode())
        with_keys = {**NEW, "secret": False}
        await ask(service, "POST", body={**with_keys, "jwks": jwks()})
        url = f"{service.http.base_url}".rstrip("/") + "/oauth/token"
        assert (
            await service.http.post("/oauth/token", data=form(signed(claims("ehr", url))))
        ).status_code == 200
        # published where this deployment may not look: known by nobody, in time
        await service.store.execute(
            "UPDATE client SET jwks = NULL, jwks_uri = $1 WHERE id = 'ehr'", publisher.url()
        )
        began = time.perf_counter()
        answer = await service.http.post("/oauth/token", data=form(signed(claims("ehr", url))))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert time.perf_counter() - began < 3
        assert publisher.received == []


@pytest.mark.parametrize("header", ["", "address"])
async def test_the_header_may_name_the_registered_address_alone(own_url, header):
    async with Receiver() as publisher:
        publisher.answer = lambda _: Reply(200, body=json.dumps(jwks()).encode())
        settings = Settings(
            database_url=own_url,
            token_secret="callers " * 8,
            webhook_allow_private=f"org-harbor-lantern={publisher.target}",
        )
        await furnish(settings)
        async with serving(settings) as service:
            made = await ask(service, "POST", body={**NEW, "jwks_uri": publisher.url()})
            assert made.status_code == 201, made.text
            url = f"{service.http.base_url}".rstrip("/") + "/oauth/token"
            named = {"jku": publisher.url()} if header else {}
            good = form(signed(claims("ehr", url), **named))
            assert (await service.http.post("/oauth/token", data=good)).status_code == 200
            wrong = form(signed(claims("ehr", url), jku=publisher.url("other")))
            assert (await service.http.post("/oauth/token", data=wrong)).status_code == 401
            assert {one.path for one in publisher.received} == {"/hook"}


async def test_the_service_hands_no_client_to_another_organization(service):
    await ask(service, "POST", body=NEW)
    connection = await asyncpg.connect(driver_url(service.settings.database_url))
    try:
        await connection.execute("SET ROLE nwd_service")
        await connection.execute("UPDATE client SET active = true WHERE id = 'ehr'")
        for statement in (
            "UPDATE client SET organization_id = 'plan-hpsm' WHERE id = 'ehr'",
            "UPDATE client SET plan = 'HPSJ' WHERE id = 'ehr'",
            "DELETE FROM client WHERE id = 'ehr'",
            "UPDATE client_history SET actor = 'nobody'",
            "DELETE FROM client_history",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_page_for_developers_does_what_it_says(service, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "clients.md").read_text()
    make_key, log_in_with_it = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(make_key, {})
    made = json.loads((tmp_path / "jwks.json").read_text())
    assert (await ask(service, "POST", body={**NEW, "jwks": made})).status_code == 201
    names: dict = {}
    exec(log_in_with_it, names)
    base = str(service.http.base_url).rstrip("/")
    token = await asyncio.to_thread(names["access_token"], base, "ehr")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await service.http.get("/fhir/Task", headers=headers)).status_code == 200


async def test_the_operator_keeps_every_client(service, url, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "settings", lambda: service.settings)
    good, bad = tmp_path / "jwks.json", tmp_path / "bad.json"
    good.write_text(json.dumps(jwks()))
    bad.write_text("{}")
    assert (
        await command.add("ehr", "org-harbor-lantern", "requester", None, KeyOptions(jwks=good))
        == 0
    )
    assert capsys.readouterr().out == ""  # no secret
    at = f"{service.http.base_url}".rstrip("/") + "/oauth/token"

    async def status() -> int:
        answer = await service.http.post("/oauth/token", data=form(signed(claims("ehr", at))))
        return answer.status_code

    assert await status() == 200
    assert await command.switch("ehr", on=False) == 0
    assert await status() == 401
    assert await command.list_all() == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("ehr\t"))
    assert line.split("\t")[1:5] == ["off", "org-harbor-lantern", "TREAT", "keys"]
    assert await command.switch("ehr", on=True) == 0
    assert await status() == 200
    assert await command.replace_client_keys("ehr", KeyOptions()) == 0
    assert await status() == 401
    assert await command.renew("ehr", 24) == 0
    secret = capsys.readouterr().out.strip()
    assert (await log_in(service, "ehr", secret)).status_code == 200
    for wrong in (
        KeyOptions(jwks=bad),
        KeyOptions(jwks=tmp_path / "none"),
        KeyOptions(jwks_uri="http://keys.example"),
        KeyOptions(certificate=bad),
    ):
        with pytest.raises(Stopped):
            await command.replace_client_keys("ehr", wrong)
    assert await command.renew("ehr", 200) == 1
    assert await command.add("operator", "org-harbor-lantern", "requester", None) == 1
    for nobody in (
        command.switch("nobody", on=True),
        command.renew("nobody"),
        command.replace_client_keys("nobody", KeyOptions()),
    ):
        assert await nobody == 1
    rows = await service.rows(
        "SELECT event, actor FROM client_history WHERE client_id = 'ehr' ORDER BY id DESC LIMIT 5"
    )
    events = [event for event, _ in reversed(rows)]
    assert events == ["register", "switch-off", "switch-on", "keys", "rotate"]
    assert {actor for _, actor in rows} == {"operator"}


# Two processes


@pytest.fixture
async def two(own_url, tmp_path):
    await furnish(Settings(database_url=own_url, token_secret="t" * 32))
    async with process(own_url, tmp_path / "one", public_url="http://test") as one:
        await one.answering()
        async with process(own_url, tmp_path / "two", public_url="http://test") as two:
            await two.answering()
            async with (
                httpx.AsyncClient(base_url=one.base, timeout=30) as first,
                httpx.AsyncClient(base_url=two.base, timeout=30) as second,
            ):
                yield first, second


async def staff_of(http) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await token_of(http, 'staff-hpsm', 'demo-staff-hpsm'))}"}


async def token_of(http, client, secret) -> str:
    data = {"grant_type": "client_credentials"}
    answer = await http.post("/oauth/token", data=data, auth=(client, secret))
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


@pytest.mark.timeout(180)
async def test_what_ends_ends_in_every_process_within_seconds(two):
    first, second = two
    staff = await staff_of(first)
    made = await first.post(
        "/v1/clients", json={**NEW, "jwks": jwks(), "secret": True}, headers=staff
    )
    secret = made.json()["secret"]

    async def ended(token: str, http) -> bool:
        answer = await http.get("/fhir/Task", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (200, 401)
        return answer.status_code == 401

    # an assertion is good once, whichever process is asked
    sent = form(signed(claims("ehr", "http://test/oauth/token")))
    answers = await asyncio.gather(
        *(http.post("/oauth/token", data=sent) for http in (first, second, first, second))
    )
    assert sorted(one.status_code for one in answers) == [200, 401, 401, 401]

    for path, body in (
        ("rotate-secret", {"overlap_hours": 0}),
        ("keys", {"jwks": jwks()}),
        ("switch-off", None),
    ):
        token = await token_of(second, "ehr", secret)
        for http in two:
            assert not await ended(token, http)
        method = "PUT" if path == "keys" else "POST"
        done = await first.request(method, f"/v1/clients/ehr/{path}", json=body, headers=staff)
        assert done.status_code == 200, done.text
        began = time.monotonic()
        for http in two:
            while not await ended(token, http):
                assert time.monotonic() - began < 5
                await asyncio.sleep(0.05)
        secret = done.json().get("secret", secret)
    off = await second.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=("ehr", secret)
    )
    assert off.status_code == 401
    on = await second.post("/v1/clients/ehr/switch-on", headers=staff)
    assert on.json()["active"]
    assert not await ended(await token_of(first, "ehr", secret), second)
