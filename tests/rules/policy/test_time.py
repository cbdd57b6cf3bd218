"""Ages and windows: every threshold, both sides (facts.md 2.2, 2.3, 2.4)."""

from datetime import date

import pytest

from app.policy.counts import completed_years, minus_months, within
from app.policy.criteria import list_sources
from app.policy.model import Facts
from app.policy.reading import Reading
from tests.policies.vectors import span
from tests.rules.policy.asking import LIBRARY, facts


@pytest.mark.parametrize(
    ("day", "months", "earlier"),
    [
        ("2024-08-31", 6, "2024-02-29"),
        ("2023-08-31", 6, "2023-02-28"),
        ("2024-03-04", 12, "2023-03-04"),
        ("2024-02-29", 12, "2023-02-28"),
        ("2024-01-31", 1, "2023-12-31"),
        ("2024-05-31", 6, "2023-11-30"),
        ("0001-03-01", 12, "0001-01-01"),
    ],
)
def test_months_back_end_on_the_same_day_or_the_months_last(
    day: str, months: int, earlier: str
) -> None:
    assert minus_months(date.fromisoformat(day), months) == date.fromisoformat(earlier)


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        ("2023-03-04", True),
        ("2023-03-03", False),
        ("2024-03-04", True),
        ("2024-03-05", False),
        ("2023-06", True),
        ("2023-03", None),
        ("2024-03", None),
        ("2023", None),
        ("2022", False),
    ],
)
def test_both_ends_of_a_window_belong_to_it(when: str, answer: bool | None) -> None:
    assert within(span(when), date(2023, 3, 4), date(2024, 3, 4)) is answer


@pytest.mark.parametrize(
    ("birth", "on", "age"),
    [
        ("2003-03-04", "2024-03-04", 21),
        ("2003-03-05", "2024-03-04", 20),
        ("2004-02-29", "2025-02-28", 20),
        ("2004-02-29", "2025-03-01", 21),
        ("2004-02-29", "2024-02-29", 20),
    ],
)
def test_the_birthday_itself_completes_the_year(birth: str, on: str, age: int) -> None:
    assert completed_years(date.fromisoformat(birth), date.fromisoformat(on)) == age


def _adult(birth: str | None, on: str, stated: dict[str, object] | None = None) -> bool | None:
    policy = LIBRARY.policy("HPSM", date.fromisoformat(on))
    assert policy is not None
    reading = Reading(facts(dict(stated or {}), birth), date.fromisoformat(on), policy.data.counts)
    node = policy.populations[0].adults.children[0]
    return node.read(reading).result


@pytest.mark.parametrize(
    ("birth", "answer"),
    [
        ("2003-03-04", True),
        ("2003-03-05", False),
        ("2003-02", True),
        ("2003-03", None),
        ("2003-04", False),
        ("2003", None),
        ("2002", True),
        ("2004", False),
        (None, None),
    ],
)
def test_a_partial_birth_date_answers_when_every_day_of_it_agrees(
    birth: str | None, answer: bool | None
) -> None:
    assert _adult(birth, "2024-03-04") is answer


def test_a_stated_age_counts_only_without_a_birth_date() -> None:
    assert _adult(None, "2024-03-04", {"age": 30}) is True
    assert _adult(None, "2024-03-04", {"age": 20}) is False
    assert _adult("2010-01-01", "2024-03-04", {"age": 30}) is False


@pytest.mark.parametrize(
    ("stated", "answer"),
    [
        ({"release_date": "2023-03-04"}, True),
        ({"release_date": "2023-03-03"}, False),
        ({"release_date": "2024-03-05"}, False),
        ({"release_date": "2023-03"}, None),
        ({"months_since_release": 12}, True),
        ({"months_since_release": 13}, False),
        ({"release_date": "2023-03-03", "months_since_release": 3}, False),
        ({}, None),
    ],
)
def test_released_within_twelve_months(stated: dict[str, object], answer: bool | None) -> None:
    reading = Reading(facts(stated), date(2024, 3, 4), {})
    assert reading.boolean("released_within_12m") is answer


@pytest.mark.parametrize(
    ("stated", "answer"),
    [
        ({"pregnancy_end_date": "2023-03-04"}, True),
        ({"pregnancy_end_date": "2023-03-03", "postpartum_12m": True}, False),
        ({"postpartum_12m": True}, True),
        ({"postpartum_12m": False}, False),
        ({}, None),
    ],
)
def test_postpartum_goes_by_the_date_where_there_is_one(
    stated: dict[str, object], answer: bool | None
) -> None:
    assert Reading(facts(stated), date(2024, 3, 4), {}).boolean("postpartum_12m") is answer


@pytest.mark.parametrize(
    ("name", "stated", "answer"),
    [
        ("lives_in_community", {"residence": "rcfe"}, True),
        ("lives_in_community", {"residence": "snf"}, False),
        ("lives_in_community", {"residence": "shelter"}, None),
        ("lives_in_community", {"residence": "snf", "lives_in_community": True}, True),
        ("nf_resident", {"residence": "snf"}, True),
        ("nf_resident", {"residence": "home"}, None),
        ("ccs", {"programs_enrolled": ["ccs"]}, True),
        ("ccs", {"programs_enrolled": []}, None),
        ("ccs_wcm", {"programs_enrolled": ["ccs-wcm"]}, True),
        ("transitional_rent_authorized", {"current_authorizations": ["TR"]}, True),
        ("receiving_ecm", {"current_authorizations": ["ECM"]}, True),
        ("receiving_ecm", {"current_authorizations": []}, False),
        ("receiving_ecm", {}, None),
        ("receiving_htns", {"current_authorizations": ["HTNS"]}, True),
        ("received_htns", {"current_authorizations": ["HTNS"]}, True),
        ("received_htns", {"receiving_htns": False}, None),
        ("unstable_living_environment", {"homeless": True}, True),
        ("unstable_living_environment", {"homeless": False}, None),
        ("racial_ethnic_disparity", {"race": ["black"]}, True),
        ("racial_ethnic_disparity", {"race": ["white"]}, None),
        ("racial_ethnic_disparity", {"race": ["white"], "racial_ethnic_disparity": True}, True),
    ],
)
def test_a_fact_may_follow_from_another(
    name: str, stated: dict[str, object], answer: bool | None
) -> None:
    assert Reading(facts(stated), date(2024, 3, 4), {}).boolean(name) is answer


def test_pregnancy_is_a_condition_of_those_leaving_a_facility() -> None:
    on = date(2024, 3, 4)
    assert Reading(facts({"pregnant": True, "ji_conditions": []}), on, {}).codes("ji_conditions")
    assert Reading(facts({"pregnant": False}), on, {}).codes("ji_conditions") is None
    assert Reading(Facts(), on, {}).codes("ji_conditions") is None


@pytest.mark.parametrize(
    ("stated", "detail"),
    [
        ({"pregnant": True}, "pregnant: yes (test)"),
        ({"pregnant": True, "ji_conditions": []}, "pregnant: yes (test)"),
        ({"pregnant": False, "postpartum_12m": True}, "postpartum_12m: yes (test)"),
        ({"pregnancy_end_date": "2024-01-05"}, "pregnancy_end_date: 2024-01-05 (test)"),
        ({"pregnant": True, "ji_conditions": ["sud"]}, "ji_conditions: sud (test)"),
        ({"ji_conditions": []}, "ji_conditions: none (test)"),
        ({}, "not stated"),
    ],
)
def test_a_condition_tells_what_made_it_so(stated: dict[str, object], detail: str) -> None:
    reading = Reading(facts(stated), date(2024, 3, 4), {})
    assert list_sources(reading, "ji_conditions") == detail
