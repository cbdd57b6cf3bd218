"""One fault of a payload: FHIR issue code, the element at fault, what to do.

Readers collect faults and return them, so that a sender gets all of them in one answer. Which HTTP
status a list of faults becomes is left to the routes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`diagnostics` names elements and says what to do; it never carries a value of the payload."""

    code: str
    expression: str
    diagnostics: str
    severity: str = "error"
    detail_code: str | None = None
