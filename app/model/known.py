"""The stored data that concern a submission, as values: `gather` reads them, every stage uses them.

PURE: so no stage that decides needs a database. Among the values are the offers of the network,
the wish of a referrer for a performer, and the placement that results from offers and wish.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.model.notices import Listening
from app.model.record import Authorization


class Assignment(StrEnum):
    """The result of the search for a performer."""

    ASSIGNED = "assigned"
    ALTERNATE = "alternate"
    WAITLISTED = "waitlisted"
    UNASSIGNED = "unassigned"


#: Statuses under which an offer takes referrals; under another one it takes none, even with places.
TAKING = frozenset({"capacity", "additional-assessment-required"})
ASSESSMENT = "additional-assessment-required"


@dataclass(frozen=True, slots=True)
class NamedOffer:
    """An offer of a service with its names (id, organization, NPI) and its capacity status."""

    id: str
    organization_id: str
    npi: str
    status: str


@dataclass(frozen=True, slots=True)
class Offer(NamedOffer):
    """An offer under one plan: the people it serves, and its places; `taken` counts all taken."""

    service: str
    counties: frozenset[str]
    populations: frozenset[str]
    places: int
    taken: int
    active: bool = True

    @property
    def free(self) -> int:
        return self.places - self.taken

    @property
    def can_take(self) -> bool:
        return self.status in TAKING and self.free > 0


@dataclass(frozen=True, slots=True)
class Wish:
    """The performers that the referrer asked for, by offer id, organization id or NPI."""

    offer_ids: frozenset[str] = frozenset()
    organization_ids: frozenset[str] = frozenset()
    npis: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.offer_ids or self.organization_ids or self.npis)

    def names(self, offer: NamedOffer) -> bool:
        return (
            offer.id in self.offer_ids
            or offer.organization_id in self.organization_ids
            or offer.npi in self.npis
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """The answer to the question who has room: the assignment, and its offer.

    `proposed`: the answer is by the numbers that were read; the statement that writes the referral
    takes the place, or waits for one.
    """

    assignment: Assignment
    offer: NamedOffer | None = None
    proposed: bool = False

    @property
    def performer_id(self) -> str | None:
        """The organization that has the member now; None while the member waits."""
        placed = self.assignment in (Assignment.ASSIGNED, Assignment.ALTERNATE)
        return self.offer.organization_id if self.offer and placed else None

    @property
    def needs_assessment(self) -> bool:
        return self.offer is not None and self.offer.status == ASSESSMENT


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The keys by which the stored data about a submission are looked up."""

    organization_id: str
    client_id: str
    plans: tuple[str, ...]
    #: Plans whose referrals the caller sees as staff; `based_on` may name only visible referrals.
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
class KnownMember:
    """A member in the roster of one plan; `facts` as stored (`app.policy.stored_form`), so that
    they are read of the member alone who is identified.
    """

    plan: str
    id: str
    birth_date: str | None
    families: Sequence[str]
    facts: str


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier referral of the caller's organization with an identifier of this submission."""

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
class HeldAuthorization:
    """One authorization of the member, and the referral that the authorization came from."""

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
    """Stored data that concern one submission."""

    replay: Replay | None = None
    twins: tuple[Twin, ...] = ()
    members: tuple[KnownMember, ...] = ()
    authorizations: tuple[HeldAuthorization, ...] = ()
    offers: dict[str, list[Offer]] = field(default_factory=dict)
    organizations: tuple[Organization, ...] = ()
    based_on: frozenset[str] = frozenset()
    #: Active endpoints of the organizations that the submission may concern.
    listening: tuple[Listening, ...] = ()

    def plan_organization(self, plan: str) -> str | None:
        """Returns the id of the Organization that is the plan; None if the network lacks it."""
        return next((item.id for item in self.organizations if item.plan == plan), None)
