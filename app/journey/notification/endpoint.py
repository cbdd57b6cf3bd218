"""The endpoint in the API: the body that registers one, and the answer that shows one.

A secret is shown once. Header values and secrets are never given back. `targets.py` decides whether
a URL may be used.
"""

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from app.model.messages import EventType

_FIELD_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"  # RFC 9110 field-name
_RESERVED = re.compile(
    r"webhook-.*|host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade"
    r"|user-agent|accept-encoding|expect|date|cookie|proxy-.*",
    re.IGNORECASE,
)
_EXAMPLE = "https://hooks.harbor-lantern.example/referrals"
_ID = "01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"
_AT = "2026-03-02T20:05:06Z"


def _not_reserved(name: str) -> str:
    if _RESERVED.fullmatch(name):
        raise ValueError("the header is set by the service")
    return name


def _of_this_era(moment: datetime) -> datetime:
    """Limits a moment to 2000–3000: the ends of the calendar break in other time zones."""
    return min(max(moment, datetime(2000, 1, 1, tzinfo=UTC)), datetime(3000, 1, 1, tzinfo=UTC))


ShortText = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
PlanKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,32}$")]
HeaderName = Annotated[str, Field(pattern=_FIELD_NAME), AfterValidator(_not_reserved)]
HeaderValue = Annotated[str, Field(max_length=1024, pattern=r"^[\x20-\x7e]*$")]
Moment = Annotated[AwareDatetime, AfterValidator(_of_this_era)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


_URL = "Where messages are POSTed: https, a public host name, no user or fragment."
_LIMIT = "No more messages a minute, evenly spread. Null: as fast as you answer."
_HEADERS = "Headers to send along. Stored encrypted and never shown again."

Url = Annotated[str, Field(max_length=2048, description=_URL)]
Events = Annotated[
    list[EventType],
    Field(
        max_length=len(EventType),
        description="Only these types of event. Empty: all that you are a party to.",
    ),
]
Plans = Annotated[
    list[PlanKey],
    Field(max_length=64, description="Only referrals of these plans. Empty: all."),
]
PayloadChoice = Annotated[
    Literal["thin", "full"],
    Field(description="`thin`: ids, state, codes and links. `full`: the FHIR resources too."),
]
PerMinute = Annotated[int, Field(strict=True, ge=1, le=60_000)]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=16, description=_HEADERS)]


class _Left(Enum):
    """The mark of a field that a change leaves out; the mark is never stored."""

    OUT = "left out"


def _left_out() -> Any:
    return _Left.OUT


class EndpointChange(_Closed):
    """What an owner may change. What is left out stays as it is.

    Nothing has a default, nor an example: generated clients send both as if they had been asked to.
    """

    model_config = ConfigDict(json_schema_extra={"example": {}})

    url: Url = Field(default_factory=_left_out)
    description: ShortText | None = Field(default_factory=_left_out, description="Your own note.")
    event_types: Events = Field(default_factory=_left_out)
    plans: Plans = Field(default_factory=_left_out)
    payload: PayloadChoice = Field(default_factory=_left_out)
    max_per_minute: PerMinute | None = Field(default_factory=_left_out, description=_LIMIT)
    headers: Headers = Field(default_factory=_left_out)


class NewEndpoint(_Closed):
    """An endpoint to be registered."""

    url: Url = Field(examples=[_EXAMPLE])
    description: ShortText | None = Field(
        None, description="Your own note.", examples=["Transitions of care"]
    )
    event_types: Events = Field([], examples=[["referral.approved", "referral.denied"]])
    plans: Plans = Field([], examples=[["HPSM"]])
    payload: PayloadChoice = "thin"
    max_per_minute: PerMinute | None = Field(None, description=_LIMIT, examples=[600])
    headers: Headers = Field({}, examples=[{"X-Route": "intake"}])
    signature: Literal["symmetric", "asymmetric"] = Field(
        "symmetric",
        description="`symmetric`: HMAC-SHA256 with a shared secret (`v1`). `asymmetric`: ed25519, "
        "verified with a public key (`v1a`).",
    )
    send_test: StrictBool = Field(True, description="Send an `endpoint.test` message at once.")


class Endpoint(BaseModel):
    """A registered endpoint."""

    id: str = Field(examples=[_ID])
    url: str = Field(examples=[_EXAMPLE])
    description: str | None = Field(examples=["Transitions of care"])
    event_types: list[str] = Field(description="Empty: all.", examples=[["referral.approved"]])
    plans: list[str] = Field(description="Empty: all.", examples=[[]])
    payload: Literal["thin", "full"] = Field(examples=["thin"])
    max_per_minute: int | None = Field(description="Null: as fast as it answers.", examples=[None])
    header_names: list[str] = Field(
        description="The headers sent along, without their values.", examples=[["X-Route"]]
    )
    status: Literal["active", "disabled"] = Field(examples=["active"])
    disabled_reason: str | None = Field(
        description="`owner`, `gone` (410), `failing` (five days) or `blocked-target`.",
        examples=[None],
    )
    failing_since: datetime | None = Field(
        description="Since when every attempt failed.", examples=[None]
    )
    paused_until: datetime | None = Field(
        description="Nothing is sent before: it asked for time, or was away.", examples=[None]
    )
    public_key: str | None = Field(
        description="What an asymmetric signature is verified with (`whpk_…`).", examples=[None]
    )
    old_secret_expires_at: datetime | None = Field(
        description="Until then the secret before the last rotation signs too.", examples=[None]
    )
    created_at: datetime = Field(examples=[_AT])
    updated_at: datetime = Field(examples=[_AT])


class EndpointWithSecret(Endpoint):
    """An endpoint with its new secret: shown this once."""

    secret: str | None = Field(
        description="`whsec_…`: keep it; it is not shown again. Null where the signature is "
        "asymmetric: pin `public_key` instead.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class Rotation(_Closed):
    """How to rotate a secret."""

    overlap_hours: float = Field(
        24,
        ge=0,
        le=168,
        description="How long the old secret signs beside the new one. 0: it ends now.",
    )


class Recovery(_Closed):
    """What to send again."""

    since: Moment = Field(
        description="Messages written at or after this moment.", examples=["2026-03-01T00:00:00Z"]
    )
    include_delivered: StrictBool = Field(
        False, description="Also what was delivered: for a receiver that lost its data."
    )


class Recovered(BaseModel):
    """How many messages will be sent again."""

    messages: int = Field(examples=[12])


class Delivery(BaseModel):
    """A message as it stands with an endpoint."""

    message_id: str = Field(description="The `webhook-id`.", examples=[_ID])
    event_type: str = Field(examples=["referral.approved"])
    plan: str = Field(examples=["HPSM"])
    referral_id: str | None = Field(
        description="Null for a test message.", examples=["01934f3a-0000-7a3e-9b77-0f1f0a5a2c11"]
    )
    sequence: int = Field(description="Order within the referral.", examples=[2])
    state: Literal["pending", "delivered", "dead", "held"] = Field(
        description="`held`: the endpoint is disabled. `dead`: every attempt failed; redeliver it."
    )
    attempts: int = Field(examples=[1])
    occurred_at: datetime = Field(examples=[_AT])
    next_attempt_at: datetime | None = Field(
        description="While pending: not before then.", examples=[None]
    )
    delivered_at: datetime | None = Field(examples=[_AT])


class Deliveries(BaseModel):
    """A page of messages, newest first."""

    messages: list[Delivery]
    next: str | None = Field(
        description="Pass it as `before` for the next page; null at the end.", examples=[None]
    )


class Attempt(BaseModel):
    """One try."""

    number: int = Field(examples=[1])
    at: datetime = Field(examples=[_AT])
    status: int | None = Field(
        description="The HTTP status; null when there was no answer.", examples=[503]
    )
    error: str | None = Field(
        description="`timeout`, `dns_error`, `tls_error`, `connection_refused`, `connection_error` "
        "or `blocked`.",
        examples=[None],
    )
    duration_ms: int = Field(examples=[31])
    response: str | None = Field(
        description="The first part of the answer, of which only a server's usual words are "
        "kept; nothing where payloads are full.",
        examples=["try later"],
    )
    manual: bool = Field(description="Asked for by a person.", examples=[False])


class AttemptList(BaseModel):
    """The tries of one message, in order. A number may be missing: that try was cut off."""

    attempts: list[Attempt]


class Statistics(BaseModel):
    """How an endpoint is doing."""

    pending: int = Field(examples=[0])
    held: int = Field(examples=[0])
    dead: int = Field(examples=[0])
    delivered: int = Field(examples=[1204])
    oldest_waiting: datetime | None = Field(
        description="When the oldest message that is pending or held was written.", examples=[None]
    )
    last_delivered_at: datetime | None = Field(examples=[_AT])


class TestSent(BaseModel):
    """The test message that is on its way."""

    message_id: str = Field(description="Its `webhook-id`.", examples=[_ID])
