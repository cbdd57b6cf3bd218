"""Each interaction asks for its own letter of its own type, and for no other."""

import time

import httpx
import pytest

from app.api.deployment import deployment_of
from app.main import create_app
from app.model.caller import DECIDE, STAFF, Caller
from tests.callers.test_door import furnish
from tests.deployed import start

LETTERS = {
    "create": "c",
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "update": "u",
    "patch": "u",
    "delete": "d",
    "search-type": "s",
}
#: Operations ask for the letter of what they do; decisions for the plan staff's own scope.
OPERATIONS = {
    "check": "c",
    "capacity": "u",
    "status": "r",
    "events": "r",
    "add-information": "u",
    "cancel": "u",
    **dict.fromkeys(("approve", "deny", "void", "request-information", "assign"), DECIDE),
}
#: What asks for the roles of plan staff first: they are asked with a token that has those.
OPEN = {"/fhir/metadata", "/fhir/.well-known/smart-configuration"}


def interactions():
    """(method, path, type, letter) of every FHIR route of the service."""
    for route in create_app().routes:
        about = (getattr(route, "openapi_extra", None) or {}).get("x-fhir", {})
        word = about.get("interaction") or about.get("operation")
        if word == "transaction" or not route.path.startswith("/fhir") or route.path in OPEN:
            continue
        letter = LETTERS.get(word) or OPERATIONS[word]
        for kind in about.get("types") or [about["type"]]:
            path = route.path.replace("{kind:carried}", kind).replace("{version}", "1")
            for method in route.methods - {"HEAD"}:
                yield method, path.replace("{id}", "nothing"), kind, letter


MATRIX = sorted(set(interactions()))


def scopes_around(kind: str, needed: str) -> tuple[set[str], set[str]]:
    """Every scope but the one that is needed; and that one alone, beside those of plan staff."""
    if needed in STAFF:
        return {"system/*.cruds", *STAFF - {needed}}, {needed}
    rest = "".join(one for one in "cruds" if one != needed)
    others = "system/Task.cruds" if kind != "Task" else "system/ServiceRequest.cruds"
    return {f"system/{kind}.{rest}", others, *STAFF}, {f"system/{kind}.{needed}", *STAFF}


@pytest.fixture
async def asks(database, database_settings):
    """Asks with a token of the plan's staff that has these scopes on resources."""
    await furnish(database)
    app = create_app(database_settings)
    start(app, database)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:

        async def ask(method, path, *scopes, **more):
            holder = Caller("staff-hpsm", "plan-hpsm", "HPSM", frozenset(scopes))
            token = deployment_of(app).tokens.issue(holder, time.time())
            headers = {"Authorization": f"Bearer {token}", "If-Match": 'W/"1"'}
            if method in ("POST", "PUT", "PATCH") and not more:
                form = path.endswith("_search")
                kind = "json-patch+json" if method == "PATCH" else "fhir+json"
                headers["Content-Type"] = f"application/{'x-www-form-urlencoded' if form else kind}"
                type_ = "Parameters" if "$" in path else path.split("/")[2]
                resource = b'{"resourceType": "%s", "id": "nothing"}' % type_.encode()
                patch = b'[{"op": "replace", "path": "/status", "value": "accepted"}]'
                more["content"] = b"" if form else patch if method == "PATCH" else resource
            return await http.request(method, path, headers=headers, **more)

        yield ask


def test_the_matrix_has_every_kind_of_interaction():
    assert {letter for *_, letter in MATRIX} == {*"cruds", DECIDE}
    assert len(MATRIX) > 100


async def test_every_interaction_is_refused_without_its_letter_and_let_through_with_it(asks):
    wrong = []
    for method, path, kind, needed in MATRIX:
        short, enough = scopes_around(kind, needed)
        named = needed if needed in STAFF else f"system/{kind}.{needed}"
        refused = await asks(method, path, *short)
        challenge = refused.headers.get("www-authenticate", "")
        if refused.status_code != 403 or f'scope="{named}"' not in challenge:
            wrong.append(("let through", method, path, needed, refused.status_code))
        taken = await asks(method, path, *enough)
        if taken.status_code in (401, 403) or taken.status_code >= 500:
            wrong.append(("refused", method, path, needed, taken.text[:200]))
    assert wrong == [], wrong


@pytest.mark.parametrize("scopes", [["system/Task.cruds"], ["system/ServiceRequest.ruds"]])
async def test_a_transaction_is_asked_entry_by_entry(asks, scopes):
    entry = {
        "resource": {"resourceType": "ServiceRequest"},
        "request": {"method": "POST", "url": "ServiceRequest"},
    }
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    answer = await asks("POST", "/fhir", *scopes, json=bundle)
    assert answer.status_code == 403
    assert 'scope="system/ServiceRequest.c"' in answer.headers["www-authenticate"]


async def test_a_transaction_needs_the_scope_of_what_comes_along(asks):
    nobody = {"subject": {"display": "somebody"}}
    sent = (
        {"resourceType": "ServiceRequest", "intent": "order", "status": "active", **nobody},
        {"resourceType": "Condition", **nobody},
    )
    entries = [
        {
            "fullUrl": f"urn:uuid:0000000{number}-0000-4000-8000-000000000000",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for number, resource in enumerate(sent)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await asks("POST", "/fhir", "system/ServiceRequest.c", json=bundle)
    assert answer.status_code == 403, answer.text
    assert 'scope="system/Condition.c"' in answer.headers["www-authenticate"]


async def test_discovery_is_read_by_anybody_from_any_origin(asks):
    for accept in ("application/fhir+xml", "text/html", "*/*"):
        headers = {"Accept": accept, "Origin": "https://app.example"}
        answer = await asks("GET", "/fhir/.well-known/smart-configuration")
        assert answer.headers["access-control-allow-origin"] == "*", headers
        said = answer.json()
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert "client-confidential-asymmetric" in said["capabilities"]
