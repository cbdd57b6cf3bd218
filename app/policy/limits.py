"""Limits of Community Supports: how much is used, how much is asked for (facts.md 7).

A limit only ever stops what would otherwise be approved; how much an approval covers is the
authorization's affair (`terms` of the policy).
"""

from decimal import Decimal

from app.policy.details import NOT_STATED
from app.policy.model import Criterion
from app.policy.policy import PolicyLimit
from app.policy.reading import Reading


def within_limit(limit: PolicyLimit, reading: Reading) -> Criterion:
    """True while the limit is not reached; unknown where only the exception is not known.

    Unknown use reaches no limit. An unknown request reaches it only when nothing is left.
    """
    data = limit.data
    used, requested = _number(reading, data.used), _number(reading, data.requested)
    facts = (data.used,) if data.requested is None else (data.used, data.requested)
    name = f"within limit: {limit.name}"
    detail = _detail(used, requested, data.most, data.note)
    if used is None or not _over(used, requested, data.most):
        return Criterion(name, True, data.citation, detail, facts)
    if limit.unless is None:
        return Criterion(name, False, data.citation, detail, facts)
    excepted = limit.unless.read(reading)
    return Criterion(name, excepted.result, data.citation, detail, facts, (excepted,))


def _over(used: Decimal | int, requested: Decimal | int | None, most: int) -> bool:
    return used >= most if requested is None else used + requested > most


def _number(reading: Reading, name: str | None) -> Decimal | int | None:
    value = None if name is None else reading.value(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return value


def _detail(
    used: Decimal | int | None, requested: Decimal | int | None, most: int, note: str
) -> str:
    parts = [f"used {NOT_STATED if used is None else used}"]
    if requested is not None:
        parts.append(f"requested {requested}")
    return ", ".join([*parts, f"at most {most}", *([note] if note else [])])
