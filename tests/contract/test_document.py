"""The committed contract is what the code does, and every operation of it is fit to be read."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator

from app.api.contract import document
from app.api.contract.document import TAGS
from app.api.contract.responses import errors
from app.base.settings import VERSION, Settings
from app.main import create_app

APP = create_app(Settings(database_url="postgresql://nowhere/none"))
DOCUMENT = APP.openapi()


def resolved(value):
    """The document's references to responses and examples, followed; those to schemas stay."""
    if isinstance(value, list):
        return [resolved(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind, _, name = str(value.get("$ref", "")).removeprefix("#/components/").partition("/")
    if kind in ("responses", "examples"):
        return resolved(DOCUMENT["components"][kind][name])
    return {key: resolved(one) for key, one in value.items()}


OPERATIONS = {
    f"{method.upper()} {path}": resolved(operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())


def test_the_committed_document_is_what_the_code_does():
    assert document.main(APP, check=True) == 0, f"mend it with: {document.MEND}"


def test_a_document_that_is_out_of_date_names_the_command_that_mends_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(document, "PATH", tmp_path / "openapi.json")
    assert document.main(APP, check=True) == 1
    assert "python -m app openapi" in capsys.readouterr().err
    assert document.main(APP, check=False) == 0
    assert document.main(APP, check=True) == 0


def test_the_document_says_what_it_is():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == VERSION
    assert f'version = "{VERSION}"' in Path("pyproject.toml").read_text()
    assert {"contact", "description", "summary", "title"} <= set(DOCUMENT["info"])


def test_every_route_is_in_the_document():
    hidden = {"/docs", "/docs/{name}", "/openapi.json"}
    assert {route.path_format for route in APP.routes} - set(DOCUMENT["paths"]) == hidden


def test_operation_ids_are_unique_words():
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", one) for one in ids)


@every_operation
def test_an_operation_is_described_and_belongs_to_somebody(operation):
    assert operation["summary"]
    assert len(operation["description"]) > 20 or operation["description"].endswith(".")
    assert set(operation["tags"]) <= {tag["name"] for tag in TAGS}
    assert len(operation["tags"]) == 1


@every_operation
def test_an_operation_documents_success_and_failure_with_examples(operation):
    responses = operation["responses"]
    assert any(status < "400" for status in responses)
    assert any(status >= "400" for status in responses)
    for status, response in responses.items():
        assert response["description"]
        for content in response.get("content", {}).values():
            assert content.get("examples") or content.get("example"), status


@every_operation
def test_a_request_body_has_an_example(operation):
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content.get("examples") or "example" in content


@every_operation
def test_failures_are_operation_outcomes_but_for_the_token_endpoint(operation):
    if operation["operationId"] in ("requestToken", "introspectToken"):
        return
    for status, response in operation["responses"].items():
        if status >= "400":
            schema = response["content"]["application/fhir+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/OperationOutcome"}


def test_a_route_lists_no_failure_that_the_contract_adds_by_itself():
    """But for its own answers under such a status, as those of the token endpoint."""
    listed = [
        f"{method} {route.path}: {status}"
        for route in APP.routes
        for method in getattr(route, "methods", ())
        if (operation := OPERATIONS.get(f"{method} {route.path}"))
        for status in document.failures_of_kind(route.path, operation)
        if route.responses.get(status) == errors(status)[status]
    ]
    assert listed == []


@every_operation
def test_a_guarded_operation_documents_its_refusals(operation):
    if operation.get("security"):
        assert {"401", "503"} <= set(operation["responses"])
    if "requestBody" in operation:
        assert {"408", "413", "415"} <= set(operation["responses"])


def shown() -> list[tuple[str, dict, object]]:
    """Every example of every body, with its schema."""
    found = []
    for name, operation in OPERATIONS.items():
        bodies = [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for where, body in bodies:
            for content in body.get("content", {}).values():
                values = [one["value"] for one in content.get("examples", {}).values()]
                values += [content["example"]] if "example" in content else []
                found += [(f"{name} {where}", content["schema"], value) for value in values]
    return found


@cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"components": DOCUMENT["components"], **json.loads(schema)})


def test_every_example_fits_its_schema():
    for where, schema, value in shown():
        faults = list(validator(json.dumps(schema)).iter_errors(value))
        assert not faults, f"{where}: {faults[0].instance_path} {faults[0].message[:200]}"


def test_every_example_file_is_used():
    text = json.dumps(DOCUMENT)
    stems = [path.stem for path in Path("openapi/examples").glob("*.json")]
    assert [stem for stem in stems if f'"{stem}"' not in text] == []


def test_guarded_operations_name_the_one_security_scheme():
    scheme = DOCUMENT["components"]["securitySchemes"]["client"]
    assert scheme["flows"]["clientCredentials"]["tokenUrl"] == "/oauth/token"
    used = {name for o in OPERATIONS.values() for one in o.get("security", []) for name in one}
    assert used == {"client"}


def test_only_what_needs_no_token_is_open():
    open_ones = {name for name, operation in OPERATIONS.items() if not operation.get("security")}
    assert open_ones == {
        "POST /oauth/token",
        "POST /oauth/introspect",
        "GET /fhir/.well-known/smart-configuration",
        "GET /fhir/metadata",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
    }
