"""Who can take the member, in which order, and what the assignment is called."""

import pytest

from app.journey.capacity.assign import (
    assignment_to,
    placement_now,
    placement_waiting,
    preference,
    serving,
)
from app.model.known import Assignment, Offer, Placement, Wish

NOBODY = Wish()


def offer(name: str, free: int = 5, status: str = "capacity", **more) -> Offer:
    """An offer of ECM in San Mateo; `more` is what the case is about."""
    values = {
        "id": f"offer-{name}",
        "organization_id": f"org-{name}",
        "npi": f"9{name}",
        "service": "ECM",
        "counties": frozenset({"san_mateo"}),
        "populations": frozenset({"POF1A", "POF2"}),
        "places": 10,
        "taken": 10 - free,
        "status": status,
    }
    return Offer(**{**values, **more})


def asks(*names: str) -> Wish:
    return Wish(organization_ids=frozenset(f"org-{name}" for name in names))


SERVING = {
    "all agree": ({}, True),
    "another service": ({"service": "RC"}, False),
    "another county": ({"counties": frozenset({"merced"})}, False),
    "none of the met populations": ({"populations": frozenset({"POF9"})}, False),
    "every population": ({"populations": frozenset()}, True),
    "withdrawn": ({"active": False}, False),
    "full": ({"taken": 10}, True),
    "takes nobody now": ({"status": "no-capacity"}, True),
}


@pytest.mark.parametrize(("more", "serves"), SERVING.values(), ids=SERVING)
def test_an_offer_serves_the_member(more, serves):
    found = serving(
        [offer("a", **more)], service="ECM", county="san_mateo", populations=["POF2", "POF3"]
    )
    assert bool(found) == serves


def test_without_a_known_population_an_offer_is_not_ruled_out():
    assert serving([offer("a")], service="ECM", county="san_mateo", populations=[])


def test_without_a_county_nobody_serves():
    assert not serving([offer("a")], service="ECM", county=None, populations=[])


@pytest.mark.parametrize(
    ("status", "free", "takes"),
    [
        ("capacity", 1, True),
        ("capacity", 0, False),
        ("capacity", -2, False),
        ("additional-assessment-required", 1, True),
        ("no-capacity", 5, False),
        ("waitlist", 5, False),
    ],
)
def test_an_offer_can_take_somebody(status, free, takes):
    assert offer("a", free, status).can_take == takes


ORDERS = {
    "most free places": ([("a", 1), ("b", 3)], NOBODY, NOBODY, "ba"),
    "then NPI": ([("b", 3), ("a", 3)], NOBODY, NOBODY, "ab"),
    "who knows the member": ([("a", 5), ("b", 1)], NOBODY, asks("b"), "ba"),
    "who was asked for": ([("a", 5), ("b", 1), ("c", 2)], asks("c"), asks("b"), "cba"),
}


@pytest.mark.parametrize(("offers", "wish", "known", "order"), ORDERS.values(), ids=ORDERS)
def test_offers_are_tried_in_order(offers, wish, known, order):
    found = preference([offer(name, free) for name, free in offers], wish, known)
    assert "".join(each.npi[1:] for each in found) == order


ROOM, FULL = ("a", 1, "capacity"), ("a", 0, "capacity")
OTHER, OTHER_FULL = ("b", 2, "capacity"), ("b", 0, "capacity")
CLOSED, LISTING = ("a", 0, "no-capacity"), ("b", 0, "waitlist")
PLACES = {
    "nobody asked for": ([ROOM], NOBODY, "assigned", "a"),
    "asked for and has room": ([ROOM], asks("a"), "assigned", "a"),
    "asked for and full": ([FULL, OTHER], asks("a"), "alternate", "b"),
    "asked for and not in the network": ([OTHER], asks("x"), "alternate", "b"),
    "all full": ([FULL, OTHER_FULL], asks("b"), "waitlisted", "b"),
    "all full, nobody asked for": ([FULL, LISTING], NOBODY, "waitlisted", "a"),
    "rather a list than none": ([CLOSED, LISTING], NOBODY, "waitlisted", "b"),
    "no list at all": ([CLOSED], NOBODY, "waitlisted", "a"),
    "nobody offers it": ([], asks("a"), "unassigned", None),
}


@pytest.mark.parametrize(("offers", "wish", "assignment", "with_whom"), PLACES.values(), ids=PLACES)
def test_a_member_is_placed(offers, wish, assignment, with_whom):
    ordered = preference([offer(*each) for each in offers], wish, NOBODY)
    found = placement_now(ordered, wish)
    assert found.assignment == assignment
    assert (found.offer.npi[1:] if found.offer else None) == with_whom


@pytest.mark.parametrize(
    "wish",
    [
        asks("a"),
        Wish(offer_ids=frozenset({"offer-a"})),
        Wish(npis=frozenset({"9a"})),
    ],
)
def test_a_performer_may_be_asked_for_by_any_of_its_names(wish):
    assert assignment_to(offer("a"), wish) is Assignment.ASSIGNED
    assert assignment_to(offer("b"), wish) is Assignment.ALTERNATE


def test_the_assignment_says_when_an_assessment_comes_first():
    assert placement_now([offer("a", 1, "additional-assessment-required")], NOBODY).needs_assessment
    assert not placement_now([offer("a")], NOBODY).needs_assessment
    assert not placement_waiting([], NOBODY).needs_assessment
    assert placement_waiting([], NOBODY) == Placement(Assignment.UNASSIGNED)
