"""Errors that answer a request: an HTTP status, FHIR issues, and the elements at fault.

Any module may raise `Refusal`; one handler (`app.fhir.outcome`) turns a `Refusal` into an
`OperationOutcome`. The texts here never carry a value of a payload: they name elements and say
what the sender can do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: a FHIR issue code, a sentence that says what to do, and the element at fault.

    `diagnostics` names elements, and never carries a value of the payload. `expression` is empty
    where the whole body is at fault.
    """

    code: str
    diagnostics: str
    expression: str = ""
    detail_code: str | None = None
    severity: str = "error"


@dataclass(eq=False)
class Refusal(Exception):
    """Stops a request. `status` is the HTTP status; the answer carries `headers`."""

    status: int
    issues: Sequence[Issue]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status}: " + "; ".join(issue.code for issue in self.issues)


class Stopped(Exception):
    """Stops a process that cannot start or go on. The message says what to do, without secrets."""


def refuse(
    status: int,
    code: str,
    diagnostics: str,
    expression: str = "",
    **headers: str,
) -> Refusal:
    """Make a refusal with one issue. Header names have underscores here (`Retry_After="2"`)."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(status, (Issue(code, diagnostics, expression),), names)


def not_found(what: str) -> Refusal:
    """Make a 404. A thing that the caller may not see gets the same 404 as a thing that does not
    exist, so that the caller learns nothing from the answer.
    """
    return refuse(404, "not-found", f"No {what} with this id is known to you.")


def unavailable() -> Refusal:
    """Make a 503: the database cannot be reached; the caller may send the same request again."""
    return refuse(
        503,
        "transient",
        "The service cannot reach its database just now. Nothing was stored; send the same "
        "request again.",
        Retry_After="2",
    )


def too_costly() -> Refusal:
    """Make a 400: a statement reached its time limit. The database works, so that the same request
    would take as long again.
    """
    return refuse(
        400,
        "too-costly",
        "The database stopped this request at its time limit. Nothing was stored. Sending the same "
        "again would take as long: ask for less, or tell us its X-Request-ID.",
    )


def is_too_costly(refusal: Refusal) -> bool:
    """Tell whether the time limit of a statement stopped the request."""
    return refusal.issues[0].code == "too-costly"


def busy(seconds: int = 1) -> Refusal:
    """Make a 409 with Retry-After: another request is working on the same thing."""
    return refuse(
        409,
        "lock-error",
        "Another request is working on the same thing. Send this one again in a moment.",
        Retry_After=str(seconds),
    )
