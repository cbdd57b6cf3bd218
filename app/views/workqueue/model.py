"""Models of the work queue for plan staff, and the query parameters of `/v1/work-queue`.

An item says which referral waits, why, until when, and what staff can do about it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from app.store.reading.cursor import PageFilters, page_cursor, page_limit
from app.views.explanation import ShownReading

_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_AT = "2026-11-20T17:00:02Z"
_DUE = "2026-11-30T07:59:59Z"


class Waits(StrEnum):
    """Why a referral is in the queue."""

    IN_REVIEW = "in-review"
    INFORMATION_NEEDED = "information-needed"
    UNASSIGNED = "unassigned"
    WAITLISTED = "waitlisted"
    OVERDUE = "overdue"


class Held(StrEnum):
    """Whose items to show."""

    ME = "me"
    NONE = "none"
    ANYONE = "anyone"


class Step(BaseModel):
    """What can be done now: send `send`, as it stands or changed, by `method` to `href`."""

    name: str = Field(description="The operation.", examples=["approve"])
    title: str = Field(description="What it does.", examples=["Approve the referral"])
    method: str = Field(examples=["POST"])
    href: str = Field(examples=[f"http://127.0.0.1:8000/fhir/ServiceRequest/{_ID}/$approve"])
    send: dict[str, Any] | None = Field(
        None,
        description="The body to send. Null: send none.",
        examples=[None],
    )
    hint: str | None = Field(
        None,
        description="What to fill in or to think of before sending it.",
        examples=["Nothing need be sent; `performer` chooses another than the engine would."],
    )


class Why(BaseModel):
    """A reason of the determination."""

    code: str = Field(examples=["review-required"])
    text: str = Field(examples=["A person has to decide"])


class Question(BaseModel):
    """Something that nobody has said yet."""

    fact: str = Field(description="`linkId` of the answer; empty for a question in words.")
    question: str = Field(examples=["Is the member experiencing homelessness?"])


class AskFirst(BaseModel):
    """Questions that decide together: all of `all_of`, and one of `one_of` where there are any."""

    population: str | None = Field(
        description="The population of focus that they decide; null for a Community Support.",
        examples=["POF1A"],
    )
    population_name: str | None = Field(examples=["Adults Experiencing Homelessness"])
    all_of: list[Question]
    one_of: list[Question] = Field(examples=[[]])


class Member(BaseModel):
    """Whom it is about, as far as is known."""

    cin: str | None = Field(examples=["9000003XA"])
    name: str | None = Field(examples=["Ana Ejemplo"])


class Assignee(BaseModel):
    """Who has it in hand."""

    client: str = Field(examples=["staff-hpsm"])
    since: datetime = Field(examples=[_AT])


class Item(BaseModel):
    """One referral that waits for a person or a clock."""

    referral: str = Field(description="The referral's id.", examples=[_ID])
    plan: str = Field(description="`unassigned`: not known yet.", examples=["HPSM"])
    service: str | None = Field(examples=["ECM"])
    service_name: str | None = Field(examples=["Enhanced Care Management"])
    member: Member
    requester: str = Field(
        description="Who referred.", examples=["Harbor Lantern Hospital (fictional)"]
    )
    urgent: bool = Field(description="On the 72-hour track.", examples=[False])
    received: datetime = Field(examples=[_AT])
    due: datetime | None = Field(
        description="When the plan's decision is due; null once it is made.", examples=[_DUE]
    )
    due_in_words: str = Field(examples=["due in 4 days"])
    overdue: bool = Field(examples=[False])
    information_due: datetime | None = Field(
        description="While information is asked for: when it becomes void without it.",
        examples=[None],
    )
    waits: Waits = Field(description="What it waits for.", examples=["in-review"])
    waits_in_words: str = Field(examples=["A person must decide. The rules recommend to approve."])
    readings: list[ShownReading] = Field(
        [],
        description="How ambiguous statements of the plan's page are read in this case, those to "
        "read before deciding first.",
    )
    why: list[Why] = Field(description="The reasons of the rules, or of the last move.")
    recommendation: str | None = Field(
        description="What the rules would do: approved, denied or pending.", examples=["approved"]
    )
    questions: list[Question] = Field(
        description="What is missing, in the order of asking.", examples=[[]]
    )
    ask_first: list[AskFirst] = Field(
        [],
        description="Of `questions`, what to ask first: any one of these groups is enough. Empty "
        "where all are to be asked.",
    )
    assignee: Assignee | None = Field(description="Null: nobody has claimed it.")
    next: list[Step] = Field(description="What you can do now.")


class Explained(Item):
    """One item, with what the rules looked at."""

    explanation: str | None = Field(
        description="The last determination in plain words, with its sources.",
        examples=["The rules approve this. As of 2026-11-20 (policy HPSM/2026-01-01), because:"],
    )


class Counted(BaseModel):
    """How many."""

    what: str = Field(examples=["in-review"])
    referrals: int = Field(examples=[4])


class Counts(BaseModel):
    """The whole queue of the plan, whatever was filtered."""

    waiting: int = Field(description="Referrals in the queue.", examples=[7])
    overdue: int = Field(description="Pending after their due date.", examples=[1])
    urgent: int = Field(description="Of those waiting, urgent ones.", examples=[2])
    by_reason: list[Counted] = Field(
        description="By what they wait for. Overdue ones are counted under their reason, too."
    )
    by_age: list[Counted] = Field(description="By days since receipt.")
    letters_to_send: int = Field(
        description="Letters that wait for somebody to send or release them.", examples=[3]
    )
    undelivered_messages: int = Field(
        description="Messages given up after the last attempt.", examples=[0]
    )


class Notice(BaseModel):
    """Somebody who is not told any more, though messages about this plan's referrals wait."""

    organization: str = Field(examples=["org-tidepool"])
    organization_name: str = Field(examples=["Tidepool Care Management (fictional)"])
    endpoint: str = Field(
        description="The id of the webhook endpoint or Subscription.", examples=[_ID]
    )
    reason: str = Field(
        description="`gone` (it answered 410), `failing` (for five days) or `blocked-target`.",
        examples=["gone"],
    )
    since: datetime = Field(examples=[_AT])
    messages: int = Field(description="How many wait, or were given up.", examples=[3])
    text: str = Field(
        examples=["Tidepool Care Management (fictional) is not told any more: …. Call them."]
    )
    deliveries: str = Field(
        description="Which messages these are.",
        examples=[f"http://127.0.0.1:8000/v1/deliveries?endpoint={_ID}"],
    )


class Queue(BaseModel):
    """One page of the work queue."""

    items: list[Item]
    notices: list[Notice] = Field(
        description="Organizations whose endpoint was disabled, until they enable it again."
    )
    counts: Counts
    next: str | None = Field(
        description="The next page; null on the last.",
        examples=["http://127.0.0.1:8000/v1/work-queue?cursor=AbC"],
    )


def _written_out(given: object) -> object:
    """Refuse a bare number, which pydantic would read as seconds since 1970. Raises ValueError."""
    if isinstance(given, str) and "-" not in given[1:]:
        raise ValueError("expected a date and time with its zone")
    return given


def _of_this_era(moment: datetime) -> datetime:
    """Move a moment into the years 2000 to 3000: a moment at the ends of the calendar would raise
    an error when its time zone changes.
    """
    return min(max(moment, datetime(2000, 1, 1, tzinfo=UTC)), datetime(3000, 1, 1, tzinfo=UTC))


class WorkQueueFilters(PageFilters):
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
