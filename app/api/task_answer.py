"""What every change by resource shares: the version it is made on, its writing, its answer."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from app.api.deployment import deployment
from app.base.errors import refuse
from app.fhir.headers import version_headers
from app.fhir.outcome import FHIR_JSON
from app.fhir.r4.strict_json import dumps
from app.store.referral.changes import Changes
from app.store.tables.referral import resource_version


def check_size(request: Request, kept: Mapping[str, Any] | None) -> None:
    """422 where what a caller adds makes a resource larger than any body may be: it would grow by
    every change, and be read whole each time.
    """
    settings = deployment(request).settings
    if kept is not None and len(dumps(kept)) > settings.body_limit_mb * 1024 * 1024:
        kind = kept["resourceType"]
        said = (
            f"With this the {kind} would be larger than {settings.body_limit_mb} MB. Nothing was "
            "kept. Add less, and send large documents by reference."
        )
        raise refuse(422, "too-long", said, kind)


def task_answer(
    changes: Changes, task_id: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The Task as the change leaves it, with its ETag."""
    rows = changes.rows[resource_version]
    body = next(row["body"] for row in rows if (row["type"], row["id"]) == ("Task", task_id))
    after = changes.after
    said = {
        **version_headers(after.version, after.updated_at),
        **(headers or {}),
    }
    return Response(body, status, said, media_type=FHIR_JSON)


def required_version(request: Request) -> str:
    """`If-Match`; 428 without: nobody moves what they have not read."""
    header = request.headers.get("if-match")
    if header is None:
        said = 'Send the version you have read: `If-Match: W/"3"`.'
        raise refuse(428, "conflict", said)
    return header
