"""The shape of `OIDC_ISSUERS`: whose tokens are taken besides ours, and what they may do here."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

_Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ActsFor(_Closed):
    """Whom a caller acts for: an organization of the network, and the plan that it is, if any."""

    organization: str = Field(pattern=r"^[A-Za-z0-9.-]{1,64}$")
    plan: str | None = None
    purpose: str | None = None


class OutsideIssuer(_Closed):
    """An issuer of access tokens (OpenID Connect Discovery 1.0), and what its claims mean here."""

    #: A short word for it: its callers are `<name>:<client>` in history and logs.
    name: str = Field(pattern=r"^[a-z0-9-]{1,20}$")
    issuer: str = Field(pattern=r"^https?://[^\s?#]{1,400}$")
    #: What `aud` must be, or contain.
    audience: _Text
    #: The claim that names the caller's organization, and what its values mean.
    organization_claim: _Text = "organization"
    organizations: dict[_Text, ActsFor] = Field(min_length=1)
    #: The claim that names the client.
    client_claim: _Text = "azp"
    #: The claim with the scopes (a text or a list), and the most that it may grant.
    scope_claim: _Text = "scope"
    scopes: list[_Text] = Field(min_length=1, max_length=100)


_ISSUERS = TypeAdapter(list[OutsideIssuer])


def read_issuers(text: str) -> Sequence[OutsideIssuer]:
    """Reads the setting: a JSON list; empty is none. Raises `ValueError`, without quoting."""
    try:
        issuers = _ISSUERS.validate_json(text) if text.strip() else []
    except ValueError:
        raise ValueError("write a JSON list of issuers, as deploy/env.example shows") from None
    if len({one.issuer for one in issuers}) < len(issuers):
        raise ValueError("name each issuer once")
    return issuers
