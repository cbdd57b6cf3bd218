"""What our own authorizations say is used up of a limited service (facts.md 3.2, 7)."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.journey.eligibility.check import at_least, used_amounts
from app.model.known import HeldAuthorization
from app.model.record import Authorization
from app.policy.model import Facts
from tests.rules.policy.asking import LIBRARY, facts

ON = date(2026, 3, 4)


def given(
    service: str, first: str, last: str, quantity: Any = None, unit: str = "d", plan: str = "HPSJ"
) -> HeldAuthorization:
    units = None if quantity is None else {"quantity": quantity, "unit": unit}
    days = date.fromisoformat(first), date.fromisoformat(last)
    return HeldAuthorization(
        plan, f"{service}-{first}", Authorization("n", service, None, *days, units)
    )


HOUSING = given("HD", "2023-01-01", "2023-06-30", 1, "time")
HOME = given("EAA", "2022-05-01", "2023-04-30", 7000.5, "USD")


@pytest.mark.parametrize(
    ("held", "used"),
    [
        ([], {}),
        ([given("ECM", "2025-01-01", "2026-12-31")], {}),
        ([HOUSING], {"cs_used_hd_times": 1}),
        ([HOUSING, given("HD", "2024-01-01", "2024-06-30")], {"cs_used_hd_times": 2}),
        ([given("HD", "2023-01-01", "2023-06-30", plan="HPSM")], {}),
        ([HOME], {"cs_used_eaa_usd": Decimal("7000.5")}),
        ([HOME, given("EAA", "2024-05-01", "2025-04-30", 400, "d")], {"cs_used_eaa_usd": 7000.5}),
        ([given("RESP", "2026-01-01", "2026-12-31", 100, "h")], {"cs_used_resp_hours_year": 100}),
        ([given("RESP", "2025-12-31", "2026-12-30", 100, "h")], {}),
        (
            [given("MTM", "2025-12-10", "2026-03-03", 12, "wk")],
            {"cs_used_mtm_weeks": 12},
        ),
        ([given("MTM", "2025-12-09", "2026-03-02", 12, "wk")], {}),
        (
            [
                given("RC", "2025-12-01", "2026-01-15", 46),
                given("RC", "2026-01-16", "2026-03-10", 44),
            ],
            {"cs_used_rc_days": 90, "cs_used_room_days_12m": 90},
        ),
        (
            [
                given("RC", "2025-12-01", "2026-01-14", 45),
                given("RC", "2026-01-16", "2026-03-10", 44),
            ],
            {"cs_used_rc_days": 44, "cs_used_room_days_12m": 89},
        ),
        (
            [given("STPHH", "2025-01-01", "2025-03-03", 60)],
            {"cs_used_stphh_days": 60},
        ),
    ],
)
def test_what_is_authorized_is_used(held: list[HeldAuthorization], used: dict[str, Any]) -> None:
    policy = LIBRARY.policy("HPSJ", ON)
    assert policy is not None
    assert used_amounts(policy, held, ON) == used


@pytest.mark.parametrize(
    ("stated", "value", "noted"),
    [({}, 1, False), ({"cs_used_hd_times": 0}, 1, True), ({"cs_used_hd_times": 2}, 2, False)],
)
def test_more_that_is_stated_holds(stated: dict[str, Any], value: int, noted: bool) -> None:
    known: Facts = at_least(facts(stated), {"cs_used_hd_times": 1}, "authorizations")
    assert known.values["cs_used_hd_times"].value == value
    assert bool(known.notes) is noted
