"""`Prefer`: what a caller would like of an answer (RFC 7240; FHIR R4, RESTful API 3.1.0.1.7).

`return` shapes the answer to a write, `handling` says what becomes of a search parameter that is
not known. Other preferences, and words that no one knows, are passed over.
"""

import orjson
from fastapi import Request, Response

from app.base.errors import Issue
from app.fhir.outcome import FHIR_JSON, operation_outcome

APPLIED = "Preference-Applied"
_DONE = "Done. The resource as it now is can be read at its address."


def preferences(request: Request) -> dict[str, str]:
    """Name → value, both in lower case; of one that is given twice, the first."""
    found: dict[str, str] = {}
    for part in ",".join(request.headers.getlist("prefer")).replace(";", ",").split(","):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"').lower())
    return found


def is_strict(request: Request) -> bool:
    """`handling=strict`: what is not understood is an error rather than ignored."""
    return preferences(request).get("handling") == "strict"


def as_preferred(request: Request, written: Response) -> Response:
    """The answer to a write with the body that was asked for: the resource unless told otherwise.

    Status, ETag, Last-Modified and Location are the same in any case.
    """
    wanted = preferences(request).get("return")
    if wanted == "representation":
        written.headers[APPLIED] = "return=representation"
        return written
    if wanted == "minimal":
        body, media, applied = b"", None, "return=minimal"
    elif wanted == "operationoutcome":
        told = operation_outcome([Issue("informational", _DONE, severity="information")])
        body, media, applied = orjson.dumps(told), FHIR_JSON, "return=OperationOutcome"
    else:
        return written
    kept = {
        name: value
        for name, value in written.headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(body, written.status_code, {**kept, APPLIED: applied}, media_type=media)
