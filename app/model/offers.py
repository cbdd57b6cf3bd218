"""Offers of the network, the wish of a referrer, and the placement that came of both. PURE."""

from dataclasses import dataclass
from enum import StrEnum


class Assignment(StrEnum):
    """What became of the wish for a performer."""

    ASSIGNED = "assigned"
    ALTERNATE = "alternate"
    WAITLISTED = "waitlisted"
    UNASSIGNED = "unassigned"


#: Statuses under which an offer takes referrals, whatever its numbers say of the other two.
TAKING = frozenset({"capacity", "additional-assessment-required"})


ASSESSMENT = "additional-assessment-required"


@dataclass(frozen=True, slots=True)
class NamedOffer:
    """One organization's offer of a service, by each of its names; `status`: whom it takes."""

    id: str
    organization_id: str
    npi: str
    status: str


@dataclass(frozen=True, slots=True)
class Offer(NamedOffer):
    """An offer under one plan with whom it serves; `taken` counts all places taken."""

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
    """The performers that the referrer asked for, by whichever name they were given."""

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
    """The answer to "who has room?": the assignment, and the offer it is with."""

    assignment: Assignment
    offer: NamedOffer | None = None

    @property
    def performer_id(self) -> str | None:
        """The organization that has the member now; None while the member waits."""
        placed = self.assignment in (Assignment.ASSIGNED, Assignment.ALTERNATE)
        return self.offer.organization_id if self.offer and placed else None

    @property
    def needs_assessment(self) -> bool:
        return self.offer is not None and self.offer.status == ASSESSMENT
