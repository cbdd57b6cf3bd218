"""Who can take the member: which offers, in which order, and what the assignment is called.

PURE. Capacity never denies and never delays a decision; it moves the assignment alone (spec.md 5).
Taking the place itself, where two referrals compete, is `app.capacity.places`.
"""

from collections.abc import Iterable, Sequence
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


def serving(
    offers: Iterable[Offer],
    *,
    service: str,
    county: str | None,
    populations: Sequence[str],
) -> list[Offer]:
    """The offers that serve this member at all: service, county and, for ECM, a met population."""
    return [
        offer
        for offer in offers
        if offer.active
        and offer.service == service
        and county in offer.counties
        and (not offer.populations or not populations or offer.populations & set(populations))
    ]


def preference(offers: Iterable[Offer], wish: Wish, known: Wish) -> list[Offer]:
    """The order in which offers are tried.

    The performer asked for; then whoever knows the member already (current ECM performer, stated
    general practitioner); then most free places; then NPI (spec.md 5).
    """
    return sorted(
        offers,
        key=lambda offer: (
            not wish.names(offer),
            not known.names(offer),
            -offer.free,
            offer.npi,
            offer.id,
        ),
    )


def place(ordered: Sequence[Offer], wish: Wish) -> Placement:
    """The placement as the numbers stand; `ordered` comes from `preference`."""
    taking = next((offer for offer in ordered if offer.can_take), None)
    if taking is not None:
        return Placement(named(taking, wish), taking)
    return waiting(ordered, wish)


def named(offer: NamedOffer, wish: Wish) -> Assignment:
    """What an assignment to `offer` is called, given what was asked for."""
    return Assignment.ASSIGNED if not wish or wish.names(offer) else Assignment.ALTERNATE


def waiting(ordered: Sequence[Offer], wish: Wish) -> Placement:
    """Nobody has room: wait with the performer asked for, else with the best placed."""
    if not ordered:
        return Placement(Assignment.UNASSIGNED)
    asked = [offer for offer in ordered if wish.names(offer)]
    open_ended = [offer for offer in ordered if offer.status != "no-capacity"]
    return Placement(Assignment.WAITLISTED, (asked or open_ended or list(ordered))[0])
