"""Models of the deliveries in the API: each message with its recipient and the state of its
delivery, and letters to recipients without an endpoint.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

_ID = "01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"
_AT = "2026-11-20T18:00:02Z"


class Outcome(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    FAILING = "failing"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"


class Channel(StrEnum):
    """What the recipient registered."""

    WEBHOOK = "webhook"
    SUBSCRIPTION = "subscription"


class Try(BaseModel):
    """One attempt."""

    number: int = Field(examples=[1])
    at: datetime = Field(examples=[_AT])
    status: int | None = Field(
        description="The HTTP status; null when there was no answer.", examples=[503]
    )
    error: str | None = Field(
        description="Where there was no answer: its class, as in the endpoint's attempts.",
        examples=[None],
    )
    duration_ms: int = Field(examples=[31])
    manual: bool = Field(description="Asked for by a person.", examples=[False])


class Told(BaseModel):
    """One message to one endpoint."""

    message_id: str = Field(description="The `webhook-id`.", examples=[_ID])
    event_type: str = Field(examples=["referral.approved"])
    meaning: str = Field(examples=["The plan approved the referral; an authorization exists."])
    occurred_at: datetime = Field(examples=[_AT])
    plan: str = Field(examples=["HPSM"])
    referral: str | None = Field(description="Null: about no referral.", examples=[_ID])
    sequence: int = Field(description="Order within the referral.", examples=[2])
    organization: str = Field(description="The recipient's id.", examples=["org-tidepool"])
    organization_name: str = Field(examples=["Tidepool Care Management (fictional)"])
    kind: Channel = Field(examples=["webhook"])
    endpoint: str = Field(
        description="The id of the webhook endpoint or Subscription.", examples=[_ID]
    )
    event_number: int | None = Field(
        description="Its number among a Subscription's events.", examples=[None]
    )
    state: Outcome = Field(
        description="`failing`: tried, and tried again. `held`: until the endpoint is enabled, or "
        "the Subscription active. `dead`: given up after the last attempt.",
        examples=["delivered"],
    )
    in_words: str = Field(examples=["Delivered at the first attempt."])
    attempts: int = Field(description="Begun so far.", examples=[1])
    tries: list[Try] = Field(description="The latest ten, in order.")
    next_attempt_at: datetime | None = Field(
        description="While it waits: not before then.", examples=[None]
    )
    delivered_at: datetime | None = Field(examples=[_AT])
    redeliver: str | None = Field(
        description="POST here to send it again: your own, once it is dead.", examples=[None]
    )


class LetterTold(BaseModel):
    """An outcome that is told on paper, because no endpoint hears of it."""

    outcome: str = Field(examples=["denied"])
    recipient: str = Field(description="requesting, servicing or member.", examples=["member"])
    organization_name: str | None = Field(examples=[None])
    status: str = Field(description="to-send, sent or skipped.", examples=["to-send"])
    medium: str | None = Field(
        description="How it was sent: mail, fax, phone or hand.", examples=[None]
    )
    sent_at: datetime | None = Field(examples=[None])
    reason: str | None = Field(description="Why it was skipped.", examples=[None])


class DeliveriesPage(BaseModel):
    """One page, newest first."""

    deliveries: list[Told]
    letters: list[LetterTold] = Field(
        description="Of the referral asked about, while you are party to it."
    )
    next: str | None = Field(
        description="The next page; null on the last.",
        examples=["http://127.0.0.1:8000/v1/deliveries?limit=50&cursor=AbC"],
    )
