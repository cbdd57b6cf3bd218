"""`OperationOutcome`: the errors and notices of `app.base.errors` as FHIR says them."""

from collections.abc import Iterable
from typing import Any

from app.base.errors import Issue
from app.fhir import codes

FHIR_JSON = "application/fhir+json"


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The resource. `details.text` and `diagnostics` agree: clients show one or the other."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}


def _issue(issue: Issue) -> dict[str, Any]:
    details: dict[str, Any] = {"text": issue.diagnostics}
    if issue.detail_code:
        details = {"coding": [{"system": codes.ISSUE_DETAIL, "code": issue.detail_code}], **details}
    shown: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "details": details,
        "diagnostics": issue.diagnostics,
    }
    if issue.expression:
        shown["expression"] = [issue.expression]
    return shown
