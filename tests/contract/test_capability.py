"""The capability statement claims what is routed, and nothing else."""

import re
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from app.api.capability import KEY, fhir, statement
from app.base.settings import Settings
from app.main import create_app

SETTINGS = Settings(
    database_url="postgresql://nowhere/none", public_url="https://referrals.example"
)
APP = create_app(SETTINGS)
ROUTES = [route for route in APP.routes if isinstance(route, APIRoute)]
FOUND = statement(ROUTES, SETTINGS)
REST = FOUND["rest"][0]
RESOURCES = {resource["type"]: resource for resource in REST["resource"]}


def codes(kind: str) -> set[str]:
    return {one["code"] for one in RESOURCES[kind]["interaction"]}


def test_every_fhir_route_says_what_it_is():
    silent = {
        route.path
        for route in ROUTES
        if route.path.startswith("/fhir") and KEY not in (route.openapi_extra or {})
    }
    assert silent == {"/fhir/metadata", "/fhir/.well-known/smart-configuration"}


def test_it_is_r4_in_json_behind_smart():
    assert (FOUND["fhirVersion"], FOUND["kind"], REST["mode"]) == ("4.0.1", "instance", "server")
    assert "json" in FOUND["format"]
    assert REST["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    token = REST["security"]["extension"][0]["extension"][0]
    assert token == {"url": "token", "valueUri": "https://referrals.example/oauth/token"}
    assert FOUND["implementation"]["url"] == "https://referrals.example/fhir"


def test_a_referral_can_be_created_read_and_searched():
    assert {"create", "read", "vread", "history-instance", "search-type"} <= codes("ServiceRequest")
    assert RESOURCES["ServiceRequest"]["conditionalCreate"] is True
    assert {"code": "transaction"} in REST["interaction"]
    assert "check" in {one["name"] for one in RESOURCES["ServiceRequest"]["operation"]}


@pytest.mark.parametrize("kind", RESOURCES)
def test_search_parameters_are_claimed_where_there_is_a_search(kind):
    resource = RESOURCES[kind]
    assert ("searchParam" in resource) == ("search-type" in codes(kind))
    names = [one["name"] for one in resource.get("searchParam", [])]
    assert names == sorted(set(names))


def test_conditions_are_claimed_where_they_are_honoured():
    told = {
        kind: (
            found.get("conditionalRead"),
            found.get("updateCreate"),
            "conditionalCreate" in found,
        )
        for kind, found in RESOURCES.items()
    }
    assert told["ServiceRequest"] == ("not-match", False, True)
    assert told["Task"] == ("not-match", False, False)
    assert told["Patient"] == ("not-match", True, False)
    # Its numbers change without a new version, so that it is always sent.
    assert told["HealthcareService"] == (None, True, False)
    assert told["Questionnaire"] == ("not-match", None, False)
    assert {kind for kind, (_, creates, _) in told.items() if creates} == {
        "Coverage", "HealthcareService", "Organization", "Patient", "QuestionnaireResponse",
    }  # fmt: skip


def test_what_a_search_may_include_is_claimed():
    assert "Task:focus" in RESOURCES["Task"]["searchInclude"]
    assert "searchInclude" not in RESOURCES["ClaimResponse"]
    assert {
        "Task:focus",
        "ClaimResponse:referral",
        "Communication:based-on",
        "QuestionnaireResponse:based-on",
        "Provenance:target",
    } <= set(RESOURCES["ServiceRequest"]["searchRevInclude"])
    assert RESOURCES["Task"]["searchRevInclude"] == ["Task:part-of"]
    assert "searchRevInclude" not in RESOURCES["ClaimResponse"]


def test_a_search_parameter_of_ours_is_defined_and_one_of_r4_is_not():
    told = {one["name"]: one for one in RESOURCES["HealthcareService"]["searchParam"]}
    assert told["has-room"] == {
        "name": "has-room",
        "definition": "https://nowrongdoor.example/fhir/SearchParameter/HealthcareService-has-room",
        "type": "token",
        "documentation": told["has-room"]["documentation"],
    }
    assert "places" in told["has-room"]["documentation"]
    assert told["service-type"] == {"name": "service-type", "type": "token"}
    ours = {one["name"] for one in told.values() if "definition" in one}
    assert ours == {"county", "has-room", "plan", "population", "service"}


def test_an_operation_of_ours_and_one_of_others_are_named_by_their_definitions():
    app = create_app(SETTINGS)

    async def nothing() -> None:
        return None

    for number, (kind, name) in enumerate([("Claim", "submit"), ("ServiceRequest", "approve")]):
        app.add_api_route(f"/x{number}", nothing, openapi_extra=fhir(kind, operation=name))
    found = statement([route for route in app.routes if isinstance(route, APIRoute)], SETTINGS)
    named = {
        one["definition"]
        for resource in found["rest"][0]["resource"]
        for one in resource.get("operation", [])
    }
    assert "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-submit" in named
    assert "https://nowrongdoor.example/fhir/OperationDefinition/approve" in named


#: How each interaction is asked for, of a resource that is not there.
ASKED = {
    "create": ("POST", ""),
    "update": ("PUT", "/x"),
    "patch": ("PATCH", "/x"),
    "delete": ("DELETE", "/x"),
    "read": ("GET", "/x"),
    "vread": ("GET", "/x/_history/1"),
    "history-instance": ("GET", "/x/_history"),
    "search-type": ("GET", ""),
}


@pytest.mark.parametrize("kind", [*RESOURCES, "Binary"])
async def test_what_is_claimed_of_a_type_is_served_and_nothing_else(service_url, tokens, kind):
    headers = {"Authorization": f"Bearer {tokens.of('staff-hpsm')}"}
    async with httpx.AsyncClient(base_url=service_url, headers=headers) as client:
        served = set()
        for code, (method, path) in ASKED.items():
            answer = await client.request(method, f"/fhir/{kind}{path}")
            nothing = answer.status_code == 404 and "nothing at this path" in answer.text
            if answer.status_code != 405 and not nothing:
                served.add(code)
    assert served == (codes(kind) if kind in RESOURCES else set())


async def test_it_is_served_to_everybody_and_once_per_version():
    transport = httpx.ASGITransport(APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        first = await http.get("/fhir/metadata")
        again = await http.get("/fhir/metadata", headers={"If-None-Match": first.headers["etag"]})
    assert first.json() == FOUND
    assert first.headers["content-type"] == "application/fhir+json"
    assert (again.status_code, again.content) == (304, b"")


#: Type → what Gravity's coordination platform SHALL do, met and not met, as docs/sdohcc.md says.
GRAVITY = {
    cells[1].strip(): tuple(set(re.findall(r"`([^`]+)`", cell)) for cell in cells[2:4])
    for line in Path("docs/sdohcc.md").read_text().splitlines()
    if len(cells := line.split("|")) == 6 and re.fullmatch(r" [A-Z][A-Za-z]+ ", cells[1])
}


def claimed(kind: str) -> set[str]:
    resource = RESOURCES.get(kind, {})
    parameters = {one["name"] for one in resource.get("searchParam", ())}
    told = {one["code"] for one in resource.get("interaction", ())}
    return told | parameters | set(resource.get("searchInclude", ()))


@pytest.mark.parametrize("kind", GRAVITY)
def test_what_gravity_asks_is_met_and_not_met_as_the_page_says(kind):
    met, unmet = GRAVITY[kind]
    assert met <= claimed(kind)
    assert not unmet & claimed(kind)


def test_the_role_is_claimed_once_all_of_it_is_met():
    assert len(GRAVITY) == 20
    assert sum(len(met) + len(unmet) for met, unmet in GRAVITY.values()) == 91
    assert any(unmet for _, unmet in GRAVITY.values())
    assert not any("sdoh-clinicalcare" in one for one in FOUND["instantiates"])
