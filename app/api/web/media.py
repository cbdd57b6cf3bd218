"""Media types of each part of the API, `Prefer`, and dates in query parameters.

The functions on media types are pure functions of a few strings. A date is read only in the form
`2024-03-04`. `Prefer` states what a caller would like of an answer (RFC 7240; FHIR R4, RESTful API
3.1.0.1.7): `return` shapes the answer to a write, `handling` decides whether an unknown search
parameter is an error. Other preferences, and unknown values, are ignored.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

import orjson
from fastapi import Request, Response
from pydantic import BeforeValidator

from app.base.errors import Issue, Refusal, refuse
from app.fhir.outcome import FHIR_JSON, operation_outcome

FHIR = ("application/fhir+json", "application/json")
#: The type of `/v1` bodies, which the framework reads.
JSON = ("application/json",)
_PATCH = ("application/json-patch+json",)
FORM = ("application/x-www-form-urlencoded",)

_ANY = {"*/*", "application/*"}
#: Letters and reports have other forms beside JSON: their handlers read `Accept` themselves.
_READABLE = {"text/html", "text/*", "text/csv", "application/pdf"}
_FORMATS = {"json", "text/json", "application/json", "application/fhir+json"}
_NONE: Mapping[str, str] = {}
_REFUSED = re.compile(r"^q=0(\.0*)?$")


def taken(method: str, path: str) -> tuple[str, ...]:
    """The media types that a path takes as request body; the first is recommended."""
    if path.startswith("/oauth/") or (path.startswith("/fhir/") and path.endswith("/_search")):
        return FORM
    if path.startswith("/fhir"):
        return _PATCH if method == "PATCH" else FHIR
    return JSON


def check_content(method: str, path: str, content_type: str) -> None:
    """Raises 415 unless the body has a media type that its path takes, in UTF-8."""
    media, *parameters = (part.strip().lower() for part in content_type.split(";"))
    types = taken(method, path)
    if media not in types:
        raise _unsupported(types, {"Accept_Patch": ", ".join(types)} if types == _PATCH else {})
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise _unsupported(types)
        if _other_version(parameter):
            raise refuse(415, "not-supported", "Send FHIR R4 (fhirVersion=4.0).")


def _unsupported(types: Sequence[str], headers: Mapping[str, str] = _NONE) -> Refusal:
    """The 415 with the types taken; for a PATCH also in `Accept-Patch` (RFC 5789 2.2)."""
    return refuse(415, "not-supported", f"Send {' or '.join(types)} in UTF-8.", **headers)


def is_gzip(content_encoding: str) -> bool | None:
    """Whether a body is compressed with gzip; None for an encoding that is not taken."""
    codings = [word.strip().lower() for word in content_encoding.split(",")]
    applied = [word for word in codings if word not in ("", "identity")]
    if not applied:
        return False
    return True if applied in (["gzip"], ["x-gzip"]) else None


def wrong_encoding() -> Refusal:
    """The 415 with the encodings taken in `Accept-Encoding` (RFC 9110 12.5.3)."""
    text = "Send the body plain, or with `Content-Encoding: gzip`."
    return refuse(415, "not-supported", text, Accept_Encoding="gzip, identity")


def check_accept(path: str, accept: str, formats: Sequence[str]) -> None:
    """Raises 406 where the caller excludes JSON. `_format` (FHIR) overrides `Accept`."""
    if path.startswith("/fhir"):
        if path.endswith("/.well-known/smart-configuration"):
            return  # always JSON, whatever Accept says (SMART App Launch 2.2)
        if formats:
            # `+` in a query means a space: many callers do not escape it.
            if all(_bare(word).replace(" ", "+") not in _FORMATS for word in formats):
                raise _unacceptable()
            return
        wanted = _ANY | set(FHIR)
    elif path.startswith("/v1"):
        wanted = _ANY | set(FHIR) | _READABLE
    else:
        return
    ranges = _ranges(accept)
    if ranges and not any(good for media, good in ranges if media in wanted):
        raise _unacceptable()


def _ranges(accept: str) -> list[tuple[str, bool]]:
    """The media ranges of an Accept header, and whether each is wanted (q above 0)."""
    ranges: list[tuple[str, bool]] = []
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if "/" in media:
            refused = any(
                _REFUSED.match(p.replace(" ", "")) or _other_version(p) for p in parameters
            )
            ranges.append((media, not refused))
    return ranges


def _other_version(parameter: str) -> bool:
    """Whether a media type's parameter names a FHIR version but R4 (RESTful API, 3.1.0.1.9)."""
    name, _, value = parameter.replace(" ", "").partition("=")
    return name == "fhirversion" and value.strip('"') not in ("4.0", "4.0.1")


def _bare(word: str) -> str:
    return word.partition(";")[0].strip().lower()


def _unacceptable() -> Refusal:
    text = "Answers are JSON. Accept application/fhir+json or application/json."
    return refuse(406, "not-supported", text)


def prefers(accept: str, media: str) -> bool:
    """Whether `accept` names `media` with a weight not below JSON's (RFC 9110 12.5.1)."""
    weights = {name: weight for name, weight in map(_weighed, accept.split(",")) if name}
    wanted = weights.get(media, 0.0)
    json = max(weights.get(name, 0.0) for name in FHIR)
    return wanted > 0 and wanted >= json


def _weighed(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            known = re.fullmatch(r"[01](\.[0-9]{0,3})?", value.strip())
            return media, float(value) if known else 0.0
    return media, 1.0


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _strict_date(value: object) -> object:
    """Refuses a text other than `2024-03-04`: pydantic reads a number as seconds since 1970."""
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("expected a date such as 2024-03-04")
    return value


#: A date in a query parameter, or None.
Day = Annotated[date | None, BeforeValidator(_strict_date)]


APPLIED = "Preference-Applied"
_DONE = "Done. The resource as it now is can be read at its address."


def preferences(request: Request) -> dict[str, str]:
    """Name → value of each preference, in lower case; the first value of a repeated name counts."""
    preferred: dict[str, str] = {}
    for part in ",".join(request.headers.getlist("prefer")).replace(";", ",").split(","):
        name, _, value = part.partition("=")
        preferred.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return preferred


def is_strict(request: Request) -> bool:
    """Whether `handling=strict` is sent: an unknown parameter is then an error, not ignored."""
    return preferences(request).get("handling") == "strict"


def as_preferred(request: Request, written: Response) -> Response:
    """The answer to a write with the body that `Prefer: return` asks for; default: the resource.

    `Prefer` changes neither status nor ETag, Last-Modified and Location.
    """
    wanted = preferences(request).get("return")
    if wanted == "representation":
        written.headers[APPLIED] = "return=representation"
        return written
    if wanted == "minimal":
        body, media, applied = b"", None, "return=minimal"
    elif wanted == "operationoutcome":
        outcome = operation_outcome([Issue("informational", _DONE, severity="information")])
        body, media, applied = orjson.dumps(outcome), FHIR_JSON, "return=OperationOutcome"
    else:
        return written
    kept = {
        name: value
        for name, value in written.headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(body, written.status_code, {**kept, APPLIED: applied}, media_type=media)
