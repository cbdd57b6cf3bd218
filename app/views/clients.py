"""Models of clients, for the plan's staff who register and keep them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.store.reading.cursor import PageFilters, page_cursor, page_limit

PREFIX = "/v1/clients"
_BASE = "http://127.0.0.1:8000"
_KEY = {
    "kty": "EC",
    "crv": "P-384",
    "kid": "2026",
    "use": "sig",
    "x": "hyzBHKQIEt79aNU8qRKTmPQHWXl-qJdCw9d3b1zwWvE4FU6hG45B99mvUPqmrraq",
    "y": "FpR4Ul7pCVHfEDccToA-NQo7xxSJ3fHPBNv0Vtg8145QaIOo9WgBRqop6ix_InDR",
}
ClientPurpose = Literal["TREAT", "ETREAT", "CAREMGT", "COC", "HPAYMT", "HOPERAT", "PUBHLTH"]


class ClientFilters(PageFilters):
    """A page of clients."""

    limit: int = page_limit("Clients")
    cursor: str | None = page_cursor()


class ClientKeys(BaseModel):
    """By what a client proves who it is, besides or instead of a secret."""

    model_config = ConfigDict(extra="forbid")

    jwks: dict[str, Any] | None = Field(
        None,
        description="Its public keys (RFC 7517): RSA of 2048 bits or more, or P-384, each with "
        "`kid`. Not together with `jwks_uri`.",
        examples=[{"keys": [_KEY]}],
    )
    jwks_uri: str | None = Field(
        None,
        description="Where it publishes its public keys, an https:// address. A key that is new "
        "there is known here within an hour, or with the first assertion that names it.",
        max_length=2048,
        examples=[None],
    )
    certificate: str | None = Field(
        None,
        description="SHA-256 of its TLS certificate, base64url (RFC 8705 `x5t#S256`). Where the "
        "operator has switched mutual TLS on, it logs in with that certificate and its tokens are "
        "good with it alone.",
        pattern=r"^[A-Za-z0-9_-]{43}$",
        examples=[None],
    )


class ClientRegistration(ClientKeys):
    """A new client."""

    id: str = Field(
        description="Its client_id.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        examples=["harbor-lantern-ehr"],
    )
    name: str | None = Field(
        None,
        description="By which people know it.",
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        examples=["Harbor Lantern's EHR"],
    )
    organization: str = Field(
        description="The id of the Organization that it acts for, for good.",
        pattern=r"^[A-Za-z0-9.-]{1,64}$",
        examples=["org-harbor-lantern"],
    )
    role: Literal["requester", "provider", "staff"] | None = Field(
        None,
        description="The scopes of a role; `staff` for the plan's own organization alone. Without "
        "role and scopes: a requester.",
        examples=["requester"],
    )
    scopes: list[str] | None = Field(
        None,
        description="Instead of a role: SMART v2 scopes within those of a provider; for the plan's "
        "own organization within those of your token.",
        min_length=1,
        max_length=100,
        examples=[None],
    )
    purpose: ClientPurpose | None = Field(
        None,
        description="Why it asks (HL7 v3 PurposeOfUse). Left out: `HPAYMT` for the plan's own, "
        "else `TREAT`.",
        examples=["TREAT"],
    )
    secret: bool | None = Field(
        None,
        strict=True,
        description="Whether it gets a secret. Left out: where it has neither key nor certificate.",
        examples=[False],
    )


class SecretRotation(BaseModel):
    """How to replace a client's secret."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(
        24,
        strict=True,
        ge=0,
        le=168,
        description="How long the old secret is good beside the new one. 0: it ends now, and with "
        "it the tokens in use.",
    )


class ClientChange(BaseModel):
    """Something that was done to a client."""

    event: Literal["register", "rotate", "keys", "switch-off", "switch-on"]
    by: str = Field(
        description="The client that did it; `operator`: at the command line.",
        examples=["hpsm-nurses"],
    )
    at: datetime = Field(examples=["2026-11-20T18:00:02Z"])


class RegisteredClient(BaseModel):
    """A client that may ask for tokens; its secret is never shown again."""

    id: str = Field(examples=["harbor-lantern-ehr"])
    name: str | None = Field(examples=["Harbor Lantern's EHR"])
    organization: str = Field(examples=["org-harbor-lantern"])
    registered_by: str | None = Field(
        description="The plan whose staff registered it; null: the operator.", examples=["HPSM"]
    )
    purpose: ClientPurpose = Field(examples=["TREAT"])
    scopes: list[str] = Field(examples=[["system/ServiceRequest.crus", "system/Task.crus"]])
    active: bool = Field(description="False: it is switched off.", examples=[True])
    created: datetime = Field(examples=["2026-11-20T18:00:02Z"])
    has_secret: bool = Field(examples=[False])
    old_secret_expires: datetime | None = Field(
        description="Until when the secret before is good, too.", examples=[None]
    )
    jwks: dict[str, Any] | None = Field(examples=[{"keys": [_KEY]}])
    jwks_uri: str | None = Field(examples=[None])
    certificate: str | None = Field(examples=[None])


class RegisteredClientInFull(RegisteredClient):
    """A client with what was done to it."""

    history: list[ClientChange] = Field(description="The newest first, at most 50.")


class RegisteredClientWithSecret(RegisteredClient):
    """A client with its new secret, this once."""

    secret: str | None = Field(
        description="Shown this once; null where it has none.", examples=[None]
    )


class RegisteredClients(BaseModel):
    """A page, the oldest first."""

    items: list[RegisteredClient]
    next: str | None = Field(
        description="The page after this one.",
        examples=[f"{_BASE}{PREFIX}?limit=50&cursor=AbCd"],
    )
