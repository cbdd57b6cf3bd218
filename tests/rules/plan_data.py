"""Plan data as files say it, so that a test states only what it is about."""

from collections.abc import Collection
from datetime import date
from typing import Any

from app.policy.deadlines import PlanClocks
from app.policy.schema import Clocks, Count, Switches


def plan_clocks(holidays: Collection[date] = (), **stated: Any) -> PlanClocks:
    """The clocks from 2026 on, but for what is stated."""
    data = {
        "decision_business_days": 5,
        "decision_calendar_days": 7,
        "urgent_hours": 72,
        "void_business_days": 5,
        "reminder_business_days_before": 2,
        "expiring_days_before": 30,
        "calendar": "CA_STATE_OFFICE",
        "citation": "E",
    }
    return PlanClocks(Clocks(**{**data, **stated}), holidays)


def count_of(*types: str, months: int, **stated: Any) -> Count:
    return Count(types=types, months=months, citation="E", **stated)


def switches(**stated: Any) -> Switches:
    """What takes effect by itself: the defaults of a file, but for what is stated."""
    return Switches(citation="E", **stated)
