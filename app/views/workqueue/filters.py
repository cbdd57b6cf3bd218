"""What of the queue is asked for: the query parameters of `/v1/work-queue`."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from app.store.reading.cursor import PageFilters, page_cursor, page_limit
from app.views.workqueue.model import Held, Waits


def _written_out(given: object) -> object:
    """A bare number is no moment here, though it could be read as seconds."""
    if isinstance(given, str) and "-" not in given[1:]:
        raise ValueError("expected a date and time with its zone")
    return given


def _of_this_era(moment: datetime) -> datetime:
    """Moments at the ends of the calendar do not survive a change of time zone."""
    return min(max(moment, datetime(2000, 1, 1, tzinfo=UTC)), datetime(3000, 1, 1, tzinfo=UTC))


class Filters(PageFilters):
    """All that are given must hold."""

    plan: str | None = Field(
        None, description="Only this plan: yours, or `unassigned`.", pattern=r"^[A-Za-z0-9-]{1,32}$"
    )
    waits: Waits | None = Field(None, description="Only what waits for this.")
    urgent: bool | None = Field(None, description="Only urgent ones, or only the others.")
    assignee: Held = Field(
        Held.ANYONE, description="`me`: yours. `none`: what nobody has claimed yet."
    )
    due_before: (
        Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_of_this_era)] | None
    ) = Field(
        None,
        description="Decisions due before this moment, with its time zone.",
        examples=["2026-11-30T08:00:00Z"],
    )
    limit: int = page_limit("Items")
    cursor: str | None = page_cursor()
