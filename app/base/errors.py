"""The error family: an HTTP status, one or more FHIR issues, and where to look in the payload.

Anything may raise `Refusal`; one handler (`app.fhir.outcome`) turns it into an `OperationOutcome`.
No text here ever carries a value of a payload: it names elements and says what to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: FHIR issue code, a sentence that says what to do, the element at fault.

    `diagnostics` names elements, and never carries a value of the payload. `expression` is empty
    where the fault is of the whole body.
    """

    code: str
    diagnostics: str
    expression: str = ""
    detail_code: str | None = None
    severity: str = "error"


@dataclass(eq=False)
class Refusal(Exception):
    """Stops a request. `status` is HTTP's; `headers` go out with the answer."""

    status: int
    issues: Sequence[Issue]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status}: " + "; ".join(issue.code for issue in self.issues)


class Stopped(Exception):
    """A process cannot start or go on. The message says what to do, and holds no secret."""


def refuse(
    status: int,
    code: str,
    diagnostics: str,
    expression: str = "",
    **headers: str,
) -> Refusal:
    """One-issue refusal. Header names are written with underscores (`Retry_After="2"`)."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(status, (Issue(code, diagnostics, expression),), names)


def not_found(what: str) -> Refusal:
    """404, also for what is not the caller's to see: the two are never told apart."""
    return refuse(404, "not-found", f"No {what} with this id is known to you.")


def unavailable() -> Refusal:
    """503: the database is away; the caller may simply repeat."""
    return refuse(
        503,
        "transient",
        "The service cannot reach its database just now. Nothing was stored; send the same "
        "request again.",
        Retry_After="2",
    )


def too_costly() -> Refusal:
    """400: a statement took longer than it may. The database is there, and would do so again."""
    return refuse(
        400,
        "too-costly",
        "The database stopped this request at its time limit. Nothing was stored. Sending the same "
        "again would take as long: ask for less, or tell us its X-Request-ID.",
    )


def is_too_costly(refusal: Refusal) -> bool:
    """Whether a statement's time limit is what stopped it."""
    return refusal.issues[0].code == "too-costly"


def busy(seconds: int = 1) -> Refusal:
    """409 with Retry-After: the same thing is being done by another request."""
    return refuse(
        409,
        "lock-error",
        "Another request is working on the same thing. Send this one again in a moment.",
        Retry_After=str(seconds),
    )
