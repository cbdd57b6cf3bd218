"""Models of the timeline in the API: the life of one referral, for the parties to the referral."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_AT = "2026-11-20T17:00:02Z"
_DUE = "2026-11-30T07:59:59Z"


class Kind(StrEnum):
    """What sort of thing happened. The order is that of things that happen at one moment."""

    RECEIVED = "received"
    DETERMINATION = "determination"
    MOVE = "move"
    REMINDER = "reminder"
    AUTHORIZATION = "authorization"
    LETTER = "letter"
    MESSAGE = "message"


class Mark(StrEnum):
    """How far a stage is."""

    DONE = "done"
    NO = "no"
    WAITING = "waiting"
    ATTENTION = "attention"
    AHEAD = "ahead"
    STOPPED = "stopped"


class Running(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    OVERDUE = "overdue"
    MET = "met"
    LATE = "late"
    STOPPED = "stopped"
    RAN_OUT = "ran-out"


class Entry(BaseModel):
    """Something that happened, in a sentence."""

    at: datetime = Field(examples=[_AT])
    kind: Kind = Field(examples=["received"])
    title: str = Field(examples=["Received"])
    text: str = Field(examples=["Harbor Lantern Hospital (fictional) sent the referral."])
    by: str | None = Field(
        description="The organization that did it; `the rules` and `the clock` act by themselves.",
        examples=["Harbor Lantern Hospital (fictional)"],
    )
    details: list[str] = Field(
        [], description="Reasons, questions, who was reached.", examples=[[]]
    )
    explanation: str | None = Field(
        None,
        description="With `detail=full`, what the rules said: every criterion, in plain words.",
        examples=[None],
    )


class Stage(BaseModel):
    """One of the five stages of the journey."""

    name: str = Field(examples=["intake"])
    mark: Mark = Field(examples=["done"])
    text: str = Field(examples=["Received Fri 20 Nov 2026, 9:00 am"])


class Clock(BaseModel):
    """Something that is due."""

    name: str = Field(examples=["decision"])
    title: str = Field(examples=["The plan decides"])
    began: datetime = Field(examples=[_AT])
    due: datetime = Field(examples=[_DUE])
    ended: datetime | None = Field(
        description="When it stopped; null while it runs.", examples=[None]
    )
    state: Running = Field(examples=["running"])
    in_words: str = Field(examples=["due in 5 days"])


class Timeline(BaseModel):
    """Where the referral stands, and how it came there."""

    referral: str = Field(examples=[_ID])
    plan: str = Field(examples=["HPSM"])
    plan_name: str | None = Field(examples=["Health Plan of San Mateo"])
    service: str | None = Field(examples=["ECM"])
    service_name: str | None = Field(examples=["Enhanced Care Management"])
    cin: str | None = Field(description="The member's number.", examples=["9000003XA"])
    requester: str = Field(examples=["Harbor Lantern Hospital (fictional)"])
    performer: str | None = Field(
        description="Who gives the service.", examples=["Tidepool Care (fictional)"]
    )
    urgent: bool = Field(examples=[False])
    received: datetime = Field(examples=[_AT])
    state: str = Field(examples=["pending"])
    business_status: str | None = Field(examples=["in-review"])
    now: str = Field(
        description="Where it stands, in words.", examples=["Pending: a person must look at it"]
    )
    stages: list[Stage]
    clocks: list[Clock]
    entries: list[Entry] = Field(description="What happened, the oldest first.")
