"""Capacity: which offers can take the member, in which order, and how the assignment is called.

PURE. Capacity never denies and never delays a decision; it changes the assignment alone (spec.md
5). `app.journey.capacity.places` takes the place, for which referrals may compete.
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
    """Lists the offers that serve this member: service, county and, for ECM, a met population."""
    return [
        offer
        for offer in offers
        if offer.active
        and offer.service == service
        and county in offer.counties
        and (not offer.populations or not populations or offer.populations & set(populations))
    ]


def preference(offers: Iterable[Offer], wish: Wish, known: Wish) -> list[Offer]:
    """Sorts offers into the order in which they are tried.

    First the performer asked for (`wish`); then performers that know the member already (`known`:
    the current ECM performer, the stated general practitioner); then by most free places; then by
    NPI (spec.md 5).
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


def placement_now(ordered: Sequence[Offer], wish: Wish) -> Placement:
    """Names the placement by the present numbers; `ordered` comes from `preference`."""
    taking = next((offer for offer in ordered if offer.can_take), None)
    if taking is not None:
        return Placement(assignment_to(taking, wish), taking)
    return placement_waiting(ordered, wish)


def assignment_to(offer: NamedOffer, wish: Wish) -> Assignment:
    """Names the assignment to `offer`: `ALTERNATE` if another performer was asked for."""
    return Assignment.ASSIGNED if not wish or wish.names(offer) else Assignment.ALTERNATE


def placement_waiting(ordered: Sequence[Offer], wish: Wish) -> Placement:
    """Places the member on a waiting list, when no offer has a free place.

    The member waits with the performer asked for, else with the first offer that is not
    `no-capacity`, else with the first offer. `UNASSIGNED` without offers.
    """
    if not ordered:
        return Placement(Assignment.UNASSIGNED)
    asked = [offer for offer in ordered if wish.names(offer)]
    open_ended = [offer for offer in ordered if offer.status != "no-capacity"]
    return Placement(Assignment.WAITLISTED, (asked or open_ended or list(ordered))[0])
