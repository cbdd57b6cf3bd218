"""Which Coverage holds on a date, and the facts that it gives (facts.md 1.3).

PURE. Who wins when roster and payload differ is left to `merge`.
"""

from collections.abc import Container, Sequence
from datetime import date

from app.policy.model import Fact, FactValue
from app.policy.stated import CoverageTerms

#: What a Coverage without a `delegate` class says.
NOT_DELEGATED = "none"

_RANK = {True: 2, None: 1, False: 0}


def choose_coverage(
    terms: Sequence[CoverageTerms], as_of: date, plans: Container[str] | None = None
) -> CoverageTerms | None:
    """The Coverage that counts: one in force before one that may be, before one that is not.

    One without a plan code, or of none of `plans` where those are given, counts as no Coverage
    (spec.md 4). Of several alike the one that ends last holds, then the first.
    """
    known = [t for t in terms if t.plan and (plans is None or t.plan in plans)]
    if len(known) < 2:
        return known[0] if known else None
    return max(known, key=lambda t: (_RANK[t.covers(as_of)], t.last or date.max))


def coverage_facts(terms: CoverageTerms, as_of: date) -> dict[str, Fact]:
    """`coverage_active`, `line_of_business` and `delegated_to`, as far as they are known."""
    stated: dict[str, FactValue | None] = {
        "coverage_active": terms.covers(as_of),
        "line_of_business": terms.line_of_business,
        "delegated_to": terms.delegate or NOT_DELEGATED,
    }
    return {name: Fact(v, terms.source) for name, v in stated.items() if v is not None}
