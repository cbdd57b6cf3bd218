"""How much of a limited service our own authorizations have used up (facts.md 3.2).

PURE. What is authorized counts as used: the plan has given it away. What a limit counts, and over
how long, is policy data.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from app.model.known import Held
from app.model.record import Authorization
from app.policy.model import Fact, Facts
from app.policy.policy import Policy
from app.policy.schema import Limit
from app.policy.windows import minus_months

_ONE_DAY = timedelta(days=1)


def used_amounts(policy: Policy, held: Iterable[Held], on: date) -> dict[str, Decimal | int]:
    """The facts `cs_used_…` as our own authorizations of this plan state them; those of which
    nothing is authorized are left out. `held` may hold what other plans gave: it is not counted.
    """
    given = [item.authorization for item in held if item.plan == policy.plan]
    found: dict[str, Decimal | int] = {}
    for limit in policy.limits:
        data = limit.data
        of_service = [item for item in given if item.service in data.services]
        counted = _within(data, of_service, on)
        amount = sum(_amount(policy, item) for item in counted)
        if amount:
            found[data.used] = amount
    return found


def at_least(facts: Facts, used: Mapping[str, Decimal | int], source: str) -> Facts:
    """The facts with what our own authorizations prove to be used; more that is stated holds."""
    values, notes = dict(facts.values), list(facts.notes)
    for name, amount in used.items():
        before = values.get(name)
        if before is not None and isinstance(before.value, int | Decimal):
            if before.value >= amount:
                continue
            notes.append(f"{name}: {before.source} and {source} differ; the larger one holds")
        values[name] = Fact(amount, source)
    return Facts(values, facts.events, facts.events_complete, facts.birth, tuple(notes))


def _within(limit: Limit, given: Sequence[Authorization], on: date) -> list[Authorization]:
    if limit.over == "calendar-year":
        return [item for item in given if item.starts_on.year == on.year]
    if limit.over == "twelve-months":
        return [item for item in given if item.ends_on >= minus_months(on, 12)]
    return _in_a_row(given, on) if limit.over == "in-a-row" else list(given)


def _in_a_row(given: Sequence[Authorization], on: date) -> list[Authorization]:
    """Those that lead up to the day without a gap, and those that go on from it."""
    row, edge = [], on
    for item in sorted(given, key=lambda item: item.ends_on, reverse=True):
        if item.ends_on + _ONE_DAY < edge:
            break
        row.append(item)
        edge = min(edge, item.starts_on)
    return row


def _amount(policy: Policy, given: Authorization) -> Decimal | int:
    """The amount in the unit that the policy authorizes in; one given by times counts once."""
    term = policy.data.terms.get(given.service)
    unit = term.unit if term else None
    if unit == "time":
        return 1
    units = given.units or {}
    if unit is None or units.get("unit") != unit:
        return 0
    amount = Decimal(str(units.get("quantity", 0)))
    return int(amount) if amount == amount.to_integral_value() else amount
