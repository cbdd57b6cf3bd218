"""The failures of an operation, documented once: status, when, and an example of the answer.

`responses=errors(400, 404)` on a route lists the failures that only the route knows.
`app.api.contract.document` adds the failures of every operation of a kind (401, 406, 413 …), so a
route lists none of them. A handler alone decides which errors it raises; schemathesis compares
them with the contract.
"""

from typing import Any

from app.base.errors import Issue
from app.fhir.outcome import FHIR_JSON, operation_outcome

_FAILURES: dict[int, tuple[str, Issue]] = {
    400: (
        "Not readable, or against base FHIR R4. Every fault is named at once.",
        Issue(
            "structure",
            "`subject` is a Reference: send an object with `reference` or `identifier`.",
            "ServiceRequest.subject",
        ),
    ),
    401: (
        "No access token, or one that has expired or is not ours.",
        Issue("expired", "The access token has expired. Ask for a new one at /oauth/token."),
    ),
    403: (
        "The token's scopes do not reach this far.",
        Issue(
            "forbidden",
            "This needs the scope nwd/decide, which your token does not carry.",
        ),
    ),
    404: (
        "Unknown, or not yours to see: the two are never told apart.",
        Issue("not-found", "No ServiceRequest with this id is known to you."),
    ),
    405: ("The path does not take this method.", Issue("not-supported", "This path takes GET.")),
    406: (
        "The answer is JSON, and `Accept` or `_format` excludes it.",
        Issue(
            "not-supported", "Answers are JSON. Accept application/fhir+json or application/json."
        ),
    ),
    408: (
        "The body did not arrive in time.",
        Issue("timeout", "The body stopped arriving. Send the request again."),
    ),
    409: (
        "Not possible in the present state, a duplicate, or busy (then with `Retry-After`).",
        Issue("conflict", "The referral is denied; nothing but a new referral follows."),
    ),
    410: ("It was deleted.", Issue("deleted", "This resource was deleted.")),
    412: (
        "`If-Match` names another version, or a condition matches several.",
        Issue("conflict", "The resource has changed since. Read it again, then repeat."),
    ),
    413: (
        "The body is larger than the limit.",
        Issue("too-long", "The body is larger than 5 MB. Send large documents by reference."),
    ),
    414: (
        "The path and its query are longer than 8 KB.",
        Issue("too-long", "The URL is too long. Search with POST to `_search` instead."),
    ),
    415: (
        "The body is of a media type, charset or encoding that is not taken here.",
        Issue("not-supported", "Send application/fhir+json in UTF-8."),
    ),
    422: (
        "Against a rule of this service; or an `Idempotency-Key` used again with another body.",
        Issue(
            "code-invalid",
            "No such service. GET /v1/catalog lists the services and their codes.",
            "ServiceRequest.code.coding[0].code",
        ),
    ),
    428: (
        "`If-Match` is required here.",
        Issue("conflict", 'Send the version you have read: `If-Match: W/"3"`.'),
    ),
    429: (
        "Too many requests, or questions, in a time; `Retry-After` says when to come back.",
        Issue(
            "throttled",
            "These are more than 6000 requests in a minute. Nothing was done; send this one again "
            "when Retry-After says.",
        ),
    ),
    431: (
        "The headers are larger than the limit.",
        Issue("too-long", "The headers are too large."),
    ),
    503: (
        "The database is away; `Retry-After` says when to come back. Nothing was stored.",
        Issue(
            "transient",
            "The service cannot reach its database just now. "
            "Nothing was stored; send the same request again.",
        ),
    ),
}

_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "The scheme, and what is wrong with the token"},
    403: {"WWW-Authenticate": "The scope that is missing"},
    405: {"Allow": "The methods that the path takes"},
    429: {
        "Retry-After": "Seconds to wait",
        "RateLimit-Policy": "Your quota: requests (`q`) in seconds (`w`)",
        "RateLimit": "What is left of it (`r`), and the seconds until all of it is there (`t`)",
    },
    503: {"Retry-After": "Seconds to wait"},
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route: an `OperationOutcome` with an example for each status."""
    return {status: _failure(status) for status in sorted(statuses)}


def _failure(status: int) -> dict[str, Any]:
    description, issue = _FAILURES[status]
    documented: dict[str, Any] = {
        "description": description,
        "content": {
            FHIR_JSON: {
                "schema": {"$ref": "#/components/schemas/OperationOutcome"},
                "example": operation_outcome([issue]),
            }
        },
    }
    if status in _HEADERS:
        documented["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in _HEADERS[status].items()
        }
    return documented
