"""Writes `OperationOutcome` from issues (`app.base.errors`), and the HTTP headers of FHIR answers.

Headers: the version shown, entity tags, and that answers are not cached.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from app.base.errors import Issue
from app.fhir.r4 import codes

FHIR_JSON = "application/fhir+json"


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The resource; `details.text` equals `diagnostics`, because clients show one or the other."""
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


#: Answers carry members' data: no cache may keep them.
NO_STORE = {"Cache-Control": "no-store"}


def version_headers(version: int, at: datetime) -> dict[str, str]:
    """Headers that name the version an answer shows, and when that version was stored."""
    return {
        **NO_STORE,
        "ETag": f'W/"{version}"',
        "Last-Modified": format_datetime(at.astimezone(UTC), usegmt=True),
    }


_TAG = re.compile(r'(?:W/)?"([^"]*)"|(?:W/)?([0-9]+)|(\*)')


def tags(header: str) -> Iterator[str]:
    """Read the entity tags of a list (RFC 9110 8.8.3), without `W/` and quotes; `*` stays `*`.

    A comma inside quotes is part of the tag. Empty elements, and elements that are no tags, are
    skipped. Quotes around a number may be missing.
    """
    for element in re.findall(r'(?:"[^"]*"|[^",])+', header):
        if match := _TAG.fullmatch(element.strip()):
            yield match[1] if match[1] is not None else match[2] or match[3]


def is_known(header: str | None, tag: str) -> bool:
    """Whether an `If-None-Match` header names this tag, by weak comparison, or is `*`."""
    if header is None:
        return False
    known = set(tags(header))
    return "*" in known or next(tags(tag)) in known
