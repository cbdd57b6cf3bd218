"""Counting visits and stays: bounds, windows, and visits that were stays (facts.md 2.3)."""

from datetime import date
from itertools import permutations

import pytest

from app.policy.counts import count, resolve
from app.policy.model import CareEvent
from app.policy.schema import Count
from tests.rules.plan_data import count_of
from tests.rules.policy.asking import event, stays, visits

ON = date(2024, 3, 4)
ANY_6M = count_of("ed-visit", months=6, window="any", avoidable=True)
LAST_12M = count_of("ed-visit", months=12, avoidable=True)
UNPLANNED_6M = count_of("inpatient", "snf-short", months=6, unplanned=True)
ALL_STAYS = count_of("inpatient", months=12)
ALL_VISITS = count_of("ed-visit", months=12)


def bounds(rule: Count, events: list[CareEvent], complete: bool | None = True) -> object:
    return count(rule, resolve(tuple(events)), ON, complete)


@pytest.mark.parametrize(
    ("rule", "events", "expected"),
    [
        (LAST_12M, [], (0, 0)),
        (LAST_12M, visits("2023-03-04", "2024-03-04"), (2, 2)),
        (LAST_12M, visits("2023-03-03", "2024-03-05"), (0, 0)),
        (LAST_12M, visits("2023-06-01", avoidable=None), (0, 1)),
        (LAST_12M, visits("2023-06-01", avoidable=False), (0, 0)),
        (LAST_12M, [event("ed-visit", None, avoidable=True)], (0, 1)),
        (LAST_12M, visits("2023-03"), (0, 1)),
        (LAST_12M, visits("2023-07"), (1, 1)),
        (UNPLANNED_6M, stays("2023-09-04", "2023-09-03"), (1, 1)),
        (UNPLANNED_6M, [event("snf-short", "2024-01-01", unplanned=True)], (1, 1)),
        (ANY_6M, visits("2023-04-01", "2023-06-01", "2023-10-01"), (3, 3)),
        (ANY_6M, visits("2023-04-01", "2023-06-01", "2023-10-02"), (2, 2)),
        (ANY_6M, visits("2023-03-03", "2023-03-05"), (1, 1)),
        (ANY_6M, visits("2023-05", "2023-05", "2023-06"), (3, 3)),
        (ANY_6M, visits("2023-05", "2023-11"), (1, 2)),
        (ANY_6M, [*visits("2023-04-01"), event("ed-visit", None, avoidable=True)], (1, 2)),
    ],
)
def test_a_count_is_bounded(rule: Count, events: list[CareEvent], expected: object) -> None:
    assert bounds(rule, events) == expected


def test_an_open_list_has_no_upper_bound() -> None:
    assert bounds(LAST_12M, visits("2023-06-01"), None) == (1, None)
    assert bounds(LAST_12M, [], False) == (0, None)
    assert bounds(ANY_6M, visits("2023-06-01"), False) == (1, None)


@pytest.mark.parametrize(
    ("events", "visited", "stayed"),
    [
        # an admission of the same or the next day is the visit's, unless the visit says otherwise
        ([*visits("2024-01-10"), *stays("2024-01-10")], (0, 0), (1, 1)),
        ([*visits("2024-01-10"), *stays("2024-01-11")], (0, 0), (1, 1)),
        ([*visits("2024-01-10"), *stays("2024-01-12")], (1, 1), (1, 1)),
        ([*visits("2024-01-10", led_to_admission=False), *stays("2024-01-10")], (1, 1), (1, 1)),
        # without a stay in the list it is a stay of its own
        (visits("2024-01-10", led_to_admission=True), (0, 0), (1, 1)),
        # each stay takes at most one visit
        ([*visits("2024-01-10", "2024-01-10"), *stays("2024-01-10")], (1, 1), (1, 1)),
        ([*visits("2024-01-10", "2024-01-11"), *stays("2024-01-11", "2024-01-12")], (0, 0), (2, 2)),
        (
            [
                *visits("2024-01-10", led_to_admission=True),
                *visits("2024-01-10"),
                *stays("2024-01-10"),
            ],
            (1, 1),
            (1, 1),
        ),
        # a stay in a nursing facility is no admission
        ([*visits("2024-01-10"), event("snf-short", "2024-01-10")], (1, 1), (0, 0)),
        # what is not known to the day leaves it open
        ([*visits("2024-01"), *stays("2024-01-15")], (0, 1), (1, 1)),
        ([event("ed-visit", None, led_to_admission=True), *stays("2024-01-15")], (0, 0), (1, 2)),
        # a stay without a date is dated like no visit: it adds to its own upper bound only
        ([*visits("2024-01-10"), event("inpatient", None)], (1, 1), (0, 1)),
        (
            [*visits("2024-01-10", led_to_admission=True), event("inpatient", None)],
            (0, 0),
            (1, 2),
        ),
    ],
)
def test_a_visit_that_led_to_admission_counts_once_as_the_stay(
    events: list[CareEvent], visited: object, stayed: object
) -> None:
    assert bounds(ALL_VISITS, events) == visited
    assert bounds(ALL_STAYS, events) == stayed


def test_the_visit_completes_what_the_stay_does_not_say() -> None:
    visit = event("ed-visit", "2024-01-10", avoidable=True, reason="substance-use")
    [stay] = resolve((visit, event("inpatient", "2024-01-11")))
    assert (stay.avoidable, stay.unplanned, stay.reason) == (True, True, "substance-use")
    planned = event("inpatient", "2024-01-11", avoidable=False, unplanned=False, reason="other")
    [stay] = resolve((visit, planned))
    assert (stay.avoidable, stay.unplanned, stay.reason) == (False, False, "other")


def test_a_visit_is_the_same_days_unplanned_stay_however_the_list_is_ordered() -> None:
    visit = event("ed-visit", "2024-01-10", avoidable=True)
    same_day = [event("inpatient", "2024-01-10", unplanned=said) for said in (False, None, True)]
    for listed in permutations([visit, *same_day]):
        assert bounds(UNPLANNED_6M, list(listed)) == (2, 2)


def test_a_long_list_is_counted_in_time() -> None:
    many = visits(*[f"2023-{m:02d}-{d:02d}" for m in range(4, 13) for d in range(1, 29)] * 20)
    lower, upper = count(ANY_6M, resolve(tuple(many)), ON, True)
    assert lower == upper
    assert lower > 3000
