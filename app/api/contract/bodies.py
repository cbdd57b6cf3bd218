"""FHIR bodies in the contract: `openapi_extra=fhir_body(…)`, `responses={201: fhir_response(…)}`.

Handlers read the raw body themselves; these functions describe the body. Examples are files of
`openapi/examples/`, named here by their stem. `bundle_of` makes the example of a search, or of a
history, from the example of one resource.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from app.base.settings import CHECKOUT
from app.fhir.outcome import FHIR_JSON
from app.store.reading.values import Described

EXAMPLES = CHECKOUT / "openapi" / "examples"

_VERSIONED = {
    "ETag": 'The version: `W/"3"`',
    "Last-Modified": "When this version was stored",
}
_CREATED = {"Location": "Where this version can be read", **_VERSIONED}


def fhir_body(
    resource: str | Sequence[str],
    examples: Sequence[str] = (),
    *,
    required: bool = True,
) -> dict[str, Any]:
    """The `requestBody` of an operation that takes one of these resource types."""
    shown = _shown(examples) or {"example": {"resourceType": _first(resource)}}
    content = {"schema": _schema(resource), **shown}
    types = {FHIR_JSON: content, "application/json": content}
    return {"requestBody": {"required": required, "content": types}}


def patch_body(examples: Sequence[str] = ()) -> dict[str, Any]:
    """The `requestBody` of a JSON Patch (RFC 6902)."""
    step = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string", "pattern": "^(/.*)?$"},
            "from": {"type": "string"},
            "value": {},
        },
    }
    shown = _shown(examples) or {
        "example": [{"op": "replace", "path": "/status", "value": "accepted"}]
    }
    content = {"schema": {"type": "array", "items": step}, **shown}
    return {"requestBody": {"required": True, "content": {"application/json-patch+json": content}}}


#: Parameters that may be given once; a repeat of any other parameter is one more condition.
_ONCE = frozenset(
    {"_count", "_sort", "_total", "_summary", "_elements", "_cursor", "_since", "_at"}
)
#: The most conditions of one request: see app.store.reading.query.
_CONDITIONS = 10


def in_query(parameters: Described) -> list[dict[str, Any]]:
    """The `parameters` of an operation, all in its query string."""
    listed: list[dict[str, Any]] = []
    for name, (schema, description) in parameters.items():
        taken = _repeated(name, schema)
        how = {"style": "form", "explode": True} if taken.get("type") == "array" else {}
        listed.append(
            {"name": name, "in": "query", "description": description, "schema": taken, **how}
        )
    return listed


#: A Java client made of the contract has a variable of this name of its own where it writes a form,
#: and would not compile. The form takes the parameter all the same.
_NAMED_BY_GENERATORS = frozenset({"entity"})


def search_body(parameters: Described, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The form of `POST …/_search`, with the parameters of the query. `asked`: an example."""
    properties = {
        name: {**_repeated(name, schema), "description": description}
        for name, (schema, description) in parameters.items()
        if name not in _NAMED_BY_GENERATORS
    }
    # Open: an unknown parameter is ignored with a warning.
    schema = {"type": "object", "properties": properties}
    content = {"application/x-www-form-urlencoded": {"schema": schema, "example": {**asked}}}
    return {"requestBody": {"required": False, "content": content}}


def _repeated(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: an array where the parameter may repeat.

    Example: `authored=ge2026-11-01&authored=lt2026-12-01`.
    """
    if name in _ONCE or schema.get("type") != "string":
        return schema
    return {"type": "array", "maxItems": _CONDITIONS, "items": schema}


def fhir_response(
    resource: str | Sequence[str],
    examples: Sequence[str] = (),
    description: str = "The resource as it now is.",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One entry of `responses=`. `headers`: name → meaning; see `versioned` and
    `created_headers`.
    """
    documented: dict[str, Any] = {
        "description": description,
        "content": {FHIR_JSON: {"schema": _schema(resource), **_shown(examples)}},
    }
    if headers:
        documented["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in headers.items()
        }
    return documented


def versioned() -> dict[str, str]:
    """The headers of a resource that has versions."""
    return dict(_VERSIONED)


def created_headers() -> dict[str, str]:
    """The headers of a resource that the request created."""
    return dict(_CREATED)


@cache
def example(stem: str) -> Any:
    """One example file, or the Bundle that holds it (`searchset-of-task`, `history-of-task`).

    A missing file stops the generation of the contract, not the service.
    """
    for kind in (SEARCHSET_OF, HISTORY_OF):
        if stem.startswith(kind) and (held := example(stem.removeprefix(kind))):
            return bundle_of(held, kind)
    path = EXAMPLES / f"{stem}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _shown(stems: Sequence[str]) -> dict[str, Any]:
    values = {stem: {"summary": _title(stem), "value": example(stem)} for stem in stems}
    return {"examples": values} if values else {}


def _title(stem: str) -> str:
    return stem.replace("-", " ").capitalize()


def _first(resource: str | Sequence[str]) -> str:
    return resource if isinstance(resource, str) else resource[0]


def _schema(resource: str | Sequence[str]) -> dict[str, Any]:
    names = [resource] if isinstance(resource, str) else list(resource)
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return references[0] if len(references) == 1 else {"anyOf": references}


#: Prefixes of the names of examples that are Bundles.
SEARCHSET_OF, HISTORY_OF = "searchset-of-", "history-of-"
_BASE = "https://referrals.example/fhir"
_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_CURSOR = (
    "BqE9ysOBO5BPtdup9AklqVsxNzk1MTk0MDAyMTY2NDUyLCIwMWEyMGFjMi0xNjExLTczMGEtOTA5Ny04NzA5YjU3ODdkZj"
    "UiXQ"
)


def bundle_of(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    """A Bundle with one resource: the first page of a search, or a history of one version."""
    held = resource if "id" in resource else {"resourceType": "", "id": _ID, **resource}
    where = f"{held['resourceType']}/{held['id']}"
    entry: dict[str, Any] = {"fullUrl": f"{_BASE}/{where}", "resource": held}
    if kind == SEARCHSET_OF:
        asked = f"{_BASE}/{held['resourceType']}?_count=1"
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [
                {"relation": "self", "url": asked},
                {"relation": "next", "url": f"{asked}&_cursor={_CURSOR}"},
            ],
            "entry": [{**entry, "search": {"mode": "match"}}],
        }
    entry["request"] = {"method": "POST", "url": held["resourceType"]}
    entry["response"] = {"status": "201", "etag": 'W/"1"'}
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": 1,
        "link": [{"relation": "self", "url": f"{_BASE}/{where}/_history"}],
        "entry": [entry],
    }
