"""Models of the correspondence for plan staff: outcome, recipient, channel, links to the letter."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.fhir.placeholders import NOTE, OwnNote
from app.store.reading.cursor import PageFilters, page_cursor, page_limit

LetterStatus = Literal["to-send", "waiting", "sent", "skipped", "failed"]
#: What a caller may ask for: one status, or `unsent`.
AskedStatus = Literal["to-send", "waiting", "sent", "skipped", "failed", "unsent"]
LetterOutcome = Literal["approved", "denied", "void", "information-needed", "cancelled"]
How = Literal["mail", "fax", "phone", "hand"]

_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_REFERRAL = "01a20ac2-14f0-7f11-8d02-5d4e03f1c7aa"
_BASE = "http://127.0.0.1:8000"


class CorrespondenceFilters(PageFilters):
    """What is asked for: all that are given must hold."""

    plan: str | None = Field(
        None, description="Only this plan: yours, or `unassigned`.", pattern=r"^[A-Za-z0-9-]{1,32}$"
    )
    status: AskedStatus | None = Field(
        None,
        description="Only these. `unsent`: what you have to send, `to-send` and `failed` together. "
        "A letter is due when it is written: the oldest comes first.",
    )
    outcome: LetterOutcome | None = Field(None, description="Only these.")
    referral: str | None = Field(
        None, description="Only those of this referral.", pattern=r"^[A-Za-z0-9.-]{1,64}$"
    )
    limit: int = page_limit("Letters")
    cursor: str | None = page_cursor()


class Links(BaseModel):
    """Where to go from here."""

    self: str = Field(examples=[f"{_BASE}/v1/correspondence/{_ID}"])
    letter: str | None = Field(
        description="The letter as a page to print; null where nobody is written to.",
        examples=[f"{_BASE}/v1/correspondence/{_ID}/letter"],
    )
    pdf: str | None = Field(
        description="The letter as a PDF.",
        examples=[f"{_BASE}/v1/correspondence/{_ID}/letter.pdf"],
    )
    mark_sent: str | None = Field(
        description="POST here when the letter is sent; null when nothing is left to send.",
        examples=[f"{_BASE}/v1/correspondence/{_ID}/sent"],
    )
    release: str | None = Field(
        None,
        description="POST here to release a letter that waits; null for every other.",
        examples=[None],
    )
    communication: str = Field(examples=[f"{_BASE}/fhir/Communication/{_ID}"])
    referral: str = Field(examples=[f"{_BASE}/fhir/ServiceRequest/{_REFERRAL}"])


class LetterMember(BaseModel):
    """Whom a letter is about."""

    cin: str | None = Field(description="The member's number.", examples=["9000001XA"])
    name: str | None = Field(
        description="As the roster has it, else as the referral states it.",
        examples=["Adela Samplewood"],
    )


class Correspondence(BaseModel):
    """One outcome told to one recipient."""

    id: str = Field(description="The Communication's id.", examples=[_ID])
    plan: str = Field(examples=["HPSM"])
    referral: str = Field(examples=[_REFERRAL])
    member: LetterMember | None = Field(None, description="Whom it is about.")
    service: str | None = Field(None, examples=["ECM"])
    service_name: str | None = Field(None, examples=["Enhanced Care Management"])
    answer_by: datetime | None = Field(
        None,
        description="Until when the reader may answer; null for all but a request for information.",
        examples=[None],
    )
    reminder: bool = Field(
        False, description="A request for information that is sent a second time.", examples=[False]
    )
    outcome: LetterOutcome = Field(examples=["denied"])
    recipient: Literal["requesting", "servicing", "member"] = Field(examples=["member"])
    organization: str | None = Field(
        description="The organization's id; null where a person or an office is written to.",
        examples=[None],
    )
    organization_name: str | None = Field(examples=[None])
    status: LetterStatus = Field(
        description="`to-send`: a letter waits to be sent. `waiting`: it waits for a person's "
        "release, see `reason`. `failed`: the endpoint never took the message, so send the letter. "
        "`skipped`: nobody to tell, see `reason`.",
        examples=["to-send"],
    )
    reason: str | None = Field(description="Why it was skipped, or waits.", examples=[None])
    created: datetime = Field(examples=["2026-11-20T18:00:02Z"])
    sent: datetime | None = Field(examples=[None])
    how: Literal["endpoint", "mail", "fax", "phone", "hand"] | None = Field(
        description="How it was told.", examples=[None]
    )
    sent_by: str | None = Field(description="The client that marked it as sent.", examples=[None])
    note: str | None = Field(examples=[None])
    released: datetime | None = Field(
        None,
        description="Since when it may go to an address that the referral alone states.",
        examples=[None],
    )
    released_by: str | None = Field(
        None, description="The client that released it.", examples=[None]
    )
    release_note: str | None = Field(None, description="Why it may.", examples=[None])
    links: Links


class Outbox(BaseModel):
    """A page, the oldest first."""

    items: list[Correspondence]
    next: str | None = Field(
        description="The page after this one.",
        examples=[f"{_BASE}/v1/correspondence?status=to-send&limit=50&cursor=AbCd"],
    )


class Sent(BaseModel):
    """How a letter was sent."""

    model_config = ConfigDict(extra="forbid")

    how: How = Field(examples=["mail"])
    note: OwnNote | None = Field(
        None,
        description="Anything to remember: for the plan's staff alone, and never printed.",
        examples=[NOTE],
    )


class Release(BaseModel):
    """Why a letter may go to an address that the referral alone states."""

    model_config = ConfigDict(extra="forbid")

    note: OwnNote = Field(
        description="How you know that the address is the member's: for the plan's staff alone.",
        examples=[NOTE],
    )
