"""The notation of the policy files: what it means, and what is refused."""

import itertools
from datetime import date

import pytest

from app.policy.expression import ExpressionFault, parse
from app.policy.policy import Compiler
from app.policy.reading import Reading
from tests.rules.policy.asking import DICTIONARY, facts

COMPILER = Compiler(DICTIONARY, frozenset({"ed_avoidable_12m"}), {"twice": ("homeless", "E")})
VALUES = (True, False, None)


def read(text: str, **stated: object) -> bool | None:
    known = {name: value for name, value in stated.items() if value is not None}
    return COMPILER.compile(text, "E").read(Reading(facts(known), date(2024, 3, 4), {})).result


@pytest.mark.parametrize(("a", "b"), list(itertools.product(VALUES, VALUES)))
def test_and_or_not_have_three_values(a: bool | None, b: bool | None) -> None:
    both = False if False in (a, b) else True if (a, b) == (True, True) else None
    either = True if True in (a, b) else False if (a, b) == (False, False) else None
    assert read("homeless and pregnant", homeless=a, pregnant=b) is both
    assert read("homeless or pregnant", homeless=a, pregnant=b) is either
    assert read("not homeless", homeless=a) is (None if a is None else not a)
    assert read("homeless is not true", homeless=a) is (a is not True)
    assert read("homeless is not false", homeless=a) is (a is not False)


@pytest.mark.parametrize(
    ("text", "stated", "answer"),
    [
        ("homeless or pregnant and smhs", {"homeless": True}, True),
        ("(homeless or pregnant) and smhs", {"homeless": True, "smhs": False}, False),
        ('ji_status == "released"', {"ji_status": "released"}, True),
        ('ji_status != "released"', {"ji_status": "released"}, False),
        ('residence in ["icf", "subacute"]', {"residence": "icf"}, True),
        ('race in ["black", "white"]', {"race": ["asian", "white"]}, True),
        ("n(complex_social_factors) >= 1", {"complex_social_factors": ["food"]}, True),
        ("n(complex_social_factors) >= 1", {"complex_social_factors": []}, False),
        ("n(complex_social_factors) >= 1", {}, None),
        ("nf_days + rc_days >= 60", {"nf_days": 60}, True),
        ("nf_days + rc_days >= 60", {"nf_days": 59}, None),
        ("nf_days + rc_days >= 60", {"nf_days": 30, "rc_days": 29}, False),
        ("asthma_control_test_score <= 19", {"asthma_control_test_score": 19}, True),
        ("asthma_control_test_score <= 19", {"asthma_control_test_score": 20}, False),
        ("asthma_control_test_score <= 19", {}, None),
        ("cs_used_hd_times == 1", {}, None),
        ("twice and twice", {"homeless": True}, True),
    ],
)
def test_a_criterion_reads_as_written(
    text: str, stated: dict[str, object], answer: bool | None
) -> None:
    assert read(text, **stated) is answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "homeless and",
        "homeless pregnant",
        "(homeless",
        "and homeless",
        "homeless = 1",
        "nf_days >= many",
        "nf_days + rc_days",
        "n(race)",
        "homeless is true",
        "homeless is not maybe",
        'residence in "icf"',
        "residence in [icf]",
        "Homeless",
        "__import__('os')",
    ],
)
def test_what_cannot_be_read_is_a_fault(text: str) -> None:
    with pytest.raises(ExpressionFault):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "homelss",
        "nf_days",
        "homeless >= 1",
        'ji_status == "free"',
        'homeless == "yes"',
        "n(homeless) >= 1",
        "release_date",
    ],
)
def test_what_cannot_be_meant_is_a_fault(text: str) -> None:
    with pytest.raises(ExpressionFault):
        COMPILER.compile(text, "E")


def test_a_name_may_not_be_defined_by_itself() -> None:
    circular = Compiler(DICTIONARY, frozenset(), {"a": ("b", "E"), "b": ("a", "E")})
    with pytest.raises(ExpressionFault, match="itself"):
        circular.compile("a", "E")
