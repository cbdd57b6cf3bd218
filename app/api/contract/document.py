"""The OpenAPI document: generated from the routes, committed, and compared by a check.

A route states what only the route knows; this module adds, once, what holds for every operation of
a kind: a token, media types, size, the ids of a request. `TAGS` are the headings of the contract,
one for each group of users; a route names one of them in its `tags`. `python -m app openapi`
writes the document.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.contract.breaking import breaks, may_break
from app.api.contract.responses import errors
from app.api.contract.share import compose, plain, share
from app.api.contract.webhooks import add_webhooks
from app.base.settings import CHECKOUT, VERSION

PATH = CHECKOUT / "openapi" / "openapi.json"
RELEASED = PATH.parent / "released"
MEND = "python -m app openapi"

_DESCRIPTION = """\
One service takes every referral for Medi-Cal Enhanced Care Management (ECM) and Community Supports,
decides it by the plan's own published rules, keeps the authorization that follows, and tells
everybody who must know.

**No wrong door**: every readable referral is accepted. Not eligible, incomplete or unknown is a
*state* of the referral, never an HTTP error.

FHIR R4 JSON is under `/fhir`, everything else under `/v1`. Errors are `OperationOutcome`, all
faults of a payload at once; the token endpoint alone answers errors in the form of RFC 6749.
HEAD is answered wherever GET is, with the same headers.

To try it here: *Authorize* with a client (`make run` prints the demonstration's), then *Execute*.
"""
_REF = re.compile(r'"#/components/schemas/([A-Za-z]+)"')
_FRAMEWORK = ("HTTPValidationError", "ValidationError")
#: The examples stand in the schema: /docs would send an example of the parameter itself as the
#: caller's value, and so put an invented conversation, or an old version, on what staff do.
_IDS: dict[str, dict[str, Any]] = {
    "RequestId": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Your id of this request, echoed; a new one is made where there is none, or "
        "where it looks like the number of a person.",
        "schema": {"type": "string", "examples": ["1b2a6f0e-6c1c-4a6e-9a55-1f3a2f5a7c11"]},
    },
    "CorrelationId": {
        "name": "X-Correlation-ID",
        "in": "header",
        "description": "Your id of the conversation, echoed, kept, and put on what is announced.",
        "schema": {"type": "string", "examples": ["discharge-2026-11-20-0007"]},
    },
}
#: Headers that some operations read; the statuses of an operation (304, 412) tell which.
_CONDITIONS: dict[str, dict[str, Any]] = {
    "If-Match": {
        "description": "The version that you have read.",
        "schema": {"type": "string", "examples": ['W/"1"']},
    },
    "If-None-Match": {"description": "The version that you have: 304 while it is current."},
    "If-None-Exist": {"description": "A search: nothing is created where it finds one."},
    "Idempotency-Key": {"description": "Your key of this request: a repeat has the same answer."},
}
_PREFERENCES = {
    "write": "`return=minimal` leaves the body of the answer out, `return=OperationOutcome` puts "
    "one in its place, `return=representation` is the default.",
    "transaction": "`return=representation` puts the resources into the entries of the answer.",
    "search-type": "`handling=strict`: a parameter that is not known is refused, not ignored.",
}
_METHODS = ("get", "post", "put", "patch", "delete")


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` return the finished document, generated at the first call."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = generate(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def generate(app: FastAPI) -> dict[str, Any]:
    """Generates the document, as a dictionary."""
    document = get_openapi(
        title="No Wrong Door",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Referrals for Enhanced Care Management and Community Supports, decided and told",
        description=_DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        servers=[{"url": "/", "description": "This server"}],
        contact={"name": "No Wrong Door", "url": "https://nowrongdoor.example"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    components = document.setdefault("components", {})
    components["parameters"] = _IDS
    plain(document)
    add_webhooks(document)
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                _complete(path, item[method])
                _exemplify(item[method], components.get("schemas", {}))
    _fill_schemas(document)
    share(document)
    return document


def failures_of_kind(path: str, operation: Mapping[str, Any]) -> list[int]:
    """The failures of every operation of this kind; routes list none of these statuses."""
    statuses = [414, 431]
    if operation.get("security"):
        statuses += [401, 429, 503]
    if path.startswith(("/fhir", "/v1")) and "smart-configuration" not in path:
        statuses.append(406)
    if "requestBody" in operation:
        statuses += [408, 413, 415]
    return statuses


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Adds the answers and headers of every operation of this kind; keeps what the route states."""
    responses = operation["responses"]
    if _is_framework(responses.get("422")):
        del responses["422"]
    for response in responses.values():
        _drop_guess(response.get("content", {}))
    for status, documented in errors(*failures_of_kind(path, operation)).items():
        responses.setdefault(str(status), documented)
    operation["responses"] = dict(sorted(responses.items()))
    operation.setdefault("security", [])  # an open operation is marked as open
    references = [{"$ref": f"#/components/parameters/{name}"} for name in _IDS]
    given = operation.get("parameters", [])
    named = {parameter.get("name") for parameter in given}
    listed = [header for header in _conditions(operation) if header["name"] not in named]
    operation["parameters"] = [*given, *listed, *references]


def _conditions(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The conditional headers of an operation, and its `Prefer` header."""
    statuses, about = operation["responses"].keys(), operation.get("x-fhir", {})
    intake = about.get("interaction") == "transaction" or about.get("conditional")
    names = ["Idempotency-Key", "If-None-Exist"] if intake else []
    if "304" in statuses:
        names.append("If-None-Match")
    if "412" in statuses and not intake:
        names.append("If-Match")
    listed = [
        {
            "name": name,
            "in": "header",
            # A FHIR operation (`$approve`) demands `If-Match` in one situation at most.
            "required": name == "If-Match" and "428" in statuses and "operation" not in about,
            "schema": {"type": "string"},
            **_CONDITIONS[name],
        }
        for name in names
    ]
    kind = about.get("interaction")
    description = _PREFERENCES.get("write" if kind in ("create", "update", "patch") else str(kind))
    return [*listed, *([_prefer(description)] if description else [])]


def _prefer(description: str) -> dict[str, Any]:
    return {
        "name": "Prefer",
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
    }


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Composes the missing examples of bodies of our own schemas, from the examples of fields."""
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        content = body.get("content", {}).get("application/json", {})
        ours = _REF.search(orjson.dumps(content.get("schema", {})).decode())
        if ours and ours[1] in schemas and not content.keys() & {"example", "examples"}:
            content["example"] = compose(content["schema"], schemas)


def _is_framework(response: dict[str, Any] | None) -> bool:
    """Whether a response is the 422 that FastAPI documents, and this service never sends."""
    return response is not None and any(name in str(response) for name in _FRAMEWORK)


def _drop_guess(content: dict[str, Any]) -> None:
    """Removes the JSON of any shape that FastAPI adds beside the content that the route states."""
    if len(content) > 1 and content.get("application/json") == {"schema": {}}:
        del content["application/json"]


def _fill_schemas(document: dict[str, Any]) -> None:
    """Adds the schemas of the FHIR types that the document refers to, and no other."""
    # Imported here: the element tables are large, and a service needs them for the contract only.
    from app.api.contract.schemas import resource_schemas  # noqa: PLC0415

    schemas = document["components"].setdefault("schemas", {})
    for name in _FRAMEWORK:
        schemas.pop(name, None)
    named = set(_REF.findall(orjson.dumps(document).decode()))
    schemas |= resource_schemas(sorted(named - set(schemas)))
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def text(app: FastAPI) -> str:
    """The text of the document, as committed."""
    return orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2).decode() + "\n"


def main(app: FastAPI, *, check: bool) -> int:
    """Writes the document, or with `check` compares the committed one. Returns the exit status."""
    made = text(app)
    if not check:
        PATH.parent.mkdir(parents=True, exist_ok=True)
        PATH.write_text(made, "utf-8")
        return 0
    if PATH.exists() and PATH.read_text("utf-8") == made:
        return _check_released(app)
    sys.stderr.write(f"openapi/openapi.json is not what the code does. Mend it with: {MEND}\n")
    return 1


def _check_released(app: FastAPI) -> int:
    """Returns 1 where a client of the last release would break and the version does not tell."""
    kept = sorted(RELEASED.glob("*.json"), key=lambda one: [int(n) for n in one.stem.split(".")])
    if not kept or may_break(kept[-1].stem, VERSION):
        return 0
    broken = breaks(orjson.loads(kept[-1].read_bytes()), app.openapi())
    for one in broken:
        sys.stderr.write(f"This breaks clients of {kept[-1].stem}: {one}\n")
    if broken:
        sys.stderr.write("Keep it, or move the version: docs/versioning.md\n")
    return 1 if broken else 0


TAGS: list[dict[str, str]] = [
    {
        "name": "Referrals",
        "description": "Hospitals, practices, community organizations and EHRs: ask first, refer, "
        "follow, add information, take back.",
    },
    {
        "name": "Providers",
        "description": "ECM and Community Supports providers: what was sent to you; accept, "
        "decline, start, complete; publish capacity.",
    },
    {
        "name": "Plan staff",
        "description": "Decide what the rules leave to a person: approve, deny, ask for "
        "information, assign; see why the rules said what they said; the work queue and letters.",
    },
    {
        "name": "Directory",
        "description": "Organizations, offers, members, questionnaires, the catalog of services.",
    },
    {
        "name": "Notifications",
        "description": "Webhook endpoints, messages and attempts; FHIR Subscriptions.",
    },
    {
        "name": "Access",
        "description": "Tokens, discovery, and what this server can do.",
    },
    {
        "name": "Operations",
        "description": "Health, metrics and reports, for those who run the service.",
    },
]
