"""What the stored world knows of a submission, as values: found by `gather`, read by every stage.

PURE: no stage that decides needs a database.
"""

from dataclasses import dataclass, field
from typing import Any

from app.model.notices import Listening
from app.model.offers import Offer
from app.model.record import Authorization


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a submission asks of the stored world."""

    organization_id: str
    client_id: str
    plans: tuple[str, ...]
    #: Plans whose referrals the caller sees as staff: what it does not see, none is based on.
    staff_plans: tuple[str, ...] = ()
    idempotency_key: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    cin: str | None = None
    service: str | None = None
    based_on: tuple[str, ...] = ()
    based_on_identifiers: tuple[tuple[str, str], ...] = ()
    organization_ids: tuple[str, ...] = ()
    npis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """A member as one plan's roster knows them."""

    plan: str
    id: str
    cin: str
    birth_date: str | None
    facts: Any


@dataclass(frozen=True, slots=True)
class Twin:
    """A referral that the same organization posted under the same identifier."""

    plan: str
    referral_id: str
    fingerprint: str
    locations: list[str] | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The first answer under an Idempotency-Key."""

    fingerprint: str
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """One authorization of the member, and the referral that it came from."""

    plan: str
    referral_id: str
    authorization: Authorization


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization of the network."""

    id: str
    npi: str | None
    plan: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """The stored world, as far as one submission is concerned."""

    replay: Replay | None = None
    twins: tuple[Twin, ...] = ()
    members: tuple[Member, ...] = ()
    authorizations: tuple[Held, ...] = ()
    offers: dict[str, list[Offer]] = field(default_factory=dict)
    organizations: tuple[Organization, ...] = ()
    based_on: frozenset[str] = frozenset()
    #: Active endpoints of the organizations that may be concerned.
    listening: tuple[Listening, ...] = ()

    def plan_organization(self, plan: str) -> str | None:
        """The Organization that is the plan, where the network has it."""
        return next((item.id for item in self.organizations if item.plan == plan), None)
