"""Handlers of every error that a request can raise; they answer in the form that the path uses.

Code that raises an error gives its text (`app.base.errors`). No answer repeats what a caller sent:
FastAPI's own validation errors carry the input, so their texts are written here without the input.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from app.base.errors import Issue, Refusal, refuse
from app.fhir.outcome import FHIR_JSON, operation_outcome
from app.fhir.r4.strict_json import MAX_FAULTS

#: Where clients log in, and errors have the form of RFC 6749.
LOGIN_PATHS = ("/oauth/token", "/oauth/introspect")


#: A name that an error may repeat: none with three digits in a row, as numbers of persons have.
_NAME = re.compile(r"(?!.*[0-9]{3})[A-Za-z_][A-Za-z0-9_.\-:]{0,63}")


def respond(path: str, refusal: Refusal) -> Response:
    """The answer of a refusal: RFC 6749 JSON where clients log in, OperationOutcome elsewhere."""
    headers: Mapping[str, str] = dict(refusal.headers)
    if path in LOGIN_PATHS:
        body = orjson.dumps(token_error(refusal))
        return Response(body, refusal.status, headers, media_type="application/json")
    body = orjson.dumps(operation_outcome(refusal.issues))
    return Response(body, refusal.status, headers, media_type=FHIR_JSON)


def token_error(refusal: Refusal) -> dict[str, str]:
    """The JSON of RFC 6749 5.2. The first issue's `detail_code` is the OAuth code, where given."""
    first = refusal.issues[0]
    known = "temporarily_unavailable" if refusal.status >= 500 else "invalid_request"
    return {"error": first.detail_code or known, "error_description": first.diagnostics}


async def refusal_handler(request: Request, error: Refusal) -> Response:
    """Answers a refusal of our own code.

    404 becomes 405 for `$check` or `_search` read with GET: such a word is no id.
    """
    named = request.url.path.rpartition("/")[2].startswith(("$", "_"))
    not_taken = wrong_method(request.scope) if named and error.status == 404 else None
    return respond(request.url.path, not_taken or error)


async def http_handler(request: Request, error: HTTPException) -> Response:
    """Answers what the framework refuses: unknown paths, wrong methods, unreadable bodies."""
    if error.status_code == 404:
        text = "There is nothing at this path. GET /fhir/metadata lists what there is."
        return respond(request.url.path, refuse(404, "not-found", text))
    if error.status_code == 405:
        return respond(request.url.path, _refuse_method(allowed_methods(request.scope)))
    text = "The request could not be read. Check its body and its headers."
    code = "too-long" if error.status_code == 413 else "structure"
    return respond(request.url.path, refuse(error.status_code, code, text))


def wrong_method(scope: Scope) -> Refusal | None:
    """The 405 of a path that does not take this method; None if the path does, or is unknown."""
    allowed = allowed_methods(scope)
    return _refuse_method(allowed) if allowed and scope["method"] not in allowed else None


def _refuse_method(methods: Iterable[str]) -> Refusal:
    allowed = ", ".join(methods)
    return refuse(405, "not-supported", f"This path takes {allowed}.", Allow=allowed)


def allowed_methods(scope: Scope) -> list[str]:
    """The methods of all routes at this path: one route knows only its own methods.

    A path that a route spells out (`$check`, `_search`) is no id: routes with `{id}` do not count.
    """
    by_spelling: dict[bool, set[str]] = {}
    for route in scope["app"].routes:
        match, _ = route.matches(dict(scope))
        if match is not Match.NONE:
            spelled_out = getattr(route, "path", "") == scope["path"]
            by_spelling.setdefault(spelled_out, set()).update(getattr(route, "methods", None) or ())
    methods = by_spelling.get(True) or by_spelling.get(False, set())
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def validation_handler(request: Request, error: RequestValidationError) -> Response:
    """Answers parameters and `/v1` bodies that do not fit: 400 for parameters, 422 for a body.

    A body that is not JSON is 400.
    """
    faults = error.errors()
    issues = [_fault(fault) for fault in faults[:MAX_FAULTS]]
    of_body = all(
        fault["loc"][:1] == ("body",) and fault["type"] != "json_invalid" for fault in faults
    )
    return respond(request.url.path, Refusal(422 if of_body else 400, issues))


def _fault(fault: Mapping[str, Any]) -> Issue:
    where, *names = (str(part) for part in fault["loc"])
    if fault["type"] == "json_invalid":
        return Issue("structure", "The body is not JSON. Send one JSON object in UTF-8.")
    path = ".".join(_shown(name) for name in names)
    code = "required" if fault["type"] == "missing" else "value"
    text = f"{where.capitalize()} {path or 'content'}: {_sentence(fault)}"
    return Issue(code, text, path if where == "body" else "")


def _shown(name: str) -> str:
    """A name of the path as an error repeats it: an index, or a name that a field could have."""
    return name if _NAME.fullmatch(name) or re.fullmatch("[0-9]{1,6}", name) else "…"


def _sentence(fault: Mapping[str, Any]) -> str:
    """The message of pydantic, except where a validator of ours may have quoted the value."""
    if fault["type"] == "missing":
        return "is required."
    if fault["type"] == "extra_forbidden":
        return "is not known here. Leave it out."
    if fault["type"] in ("value_error", "assertion_error"):
        return "does not have an accepted value."
    return f"{fault['msg']}."
