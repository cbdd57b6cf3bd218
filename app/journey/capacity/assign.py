"""Who can take the member: which offers, in which order, and what the assignment is called.

PURE. Capacity never denies and never delays a decision; it moves the assignment alone (spec.md 5).
Taking the place itself, where two referrals compete, is `app.journey.capacity.places`.
"""

from collections.abc import Iterable, Sequence

from app.model.known import Assignment, NamedOffer, Offer, Placement, Wish


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
