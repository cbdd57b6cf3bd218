"""Reads the facts of one member at one date for the criteria: stated facts, and facts computed from
others.

Implements facts.md 2.2, 2.4 and 5. The sources were merged before (`app/fhir` and
`app.journey.eligibility.merge`); other modules decide what follows from a criterion.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from app.policy.counts import (
    Bounds,
    CountResult,
    ages,
    best_window,
    count,
    minus_months,
    resolve,
    within,
)
from app.policy.model import Criterion, Fact, Facts, FactValue, Span
from app.policy.schema import Count

if TYPE_CHECKING:
    from app.policy.finding import Finding

#: Fact → the facts from which it is derived where nobody stated it: `homeless` true makes
#: `unstable_living_environment` true.
DERIVED_FROM: Mapping[str, tuple[str, ...]] = {
    "lives_in_community": ("residence",),
    "nf_resident": ("residence",),
    "ccs": ("programs_enrolled",),
    "ccs_wcm": ("programs_enrolled",),
    "transitional_rent_authorized": ("current_authorizations",),
    "receiving_htns": ("current_authorizations",),
    "received_htns": ("receiving_htns", "current_authorizations"),
    "unstable_living_environment": ("homeless",),
    "racial_ethnic_disparity": ("race",),
    "postpartum_12m": ("pregnancy_end_date",),
}

#: Fact that is only ever computed → the fact that is asked for instead.
COMPUTED: Mapping[str, str] = {
    "receiving_ecm": "current_authorizations",
    "released_within_12m": "release_date",
}

#: Groups of the birth equity population (S002:L61).
BIRTH_EQUITY_GROUPS = frozenset({"black", "american-indian", "alaska-native", "pacific-islander"})
_COMMUNITY = frozenset({"home", "rcfe", "arf"})
_INSTITUTIONS = frozenset({"snf", "icf", "subacute"})


class Reading:
    """One member's facts at one date. A yes/no answer is True, False or None (unknown); no method
    raises an error.
    """

    __slots__ = (
        "_counts", "_rules", "_stays", "as_of", "ecm", "facts", "memo", "needless",
        "seldom", "values",
    )  # fmt: skip

    def __init__(
        self,
        facts: Facts,
        as_of: date,
        rules: Mapping[str, Count],
        needless: Collection[str] = (),
        seldom: Collection[str] = (),
    ) -> None:
        self.facts = facts
        self.values: Mapping[str, Fact] = facts.values
        self.as_of = as_of
        self.memo: dict[str, Criterion] = {}
        #: Returns the ECM finding on the same facts, for the criterion `ecm_eligible`.
        self.ecm: Callable[[], Finding] | None = None
        #: Facts that nobody is asked for, because they cannot concern the member.
        self.needless = frozenset(needless)
        #: Facts that hold for few members: asked for after the others.
        self.seldom = frozenset(seldom)
        self._rules = rules
        self._counts: dict[str, Bounds] = {}
        self._stays: list[CountResult] | None = None

    def value(self, name: str) -> FactValue | None:
        fact = self.values.get(name)
        return None if fact is None else fact.value

    def stated(self, name: str) -> bool | None:
        """Return the yes or no that a source stated; None: no source did."""
        value = self.value(name)
        return value if isinstance(value, bool) else None

    def boolean(self, name: str) -> bool | None:
        """Return a yes/no fact: as stated, else as derived from other facts."""
        if name == "postpartum_12m":
            return self._postpartum()
        value = self.stated(name)
        if value is None and (name in DERIVED_FROM or name in COMPUTED):
            return _DERIVATIONS[name](self)
        return value

    def codes(self, name: str) -> frozenset[str] | None:
        """Return a code, or a list of codes, as a set; None: unknown."""
        value = self.value(name)
        if isinstance(value, str):
            return frozenset((value,))
        listed = value - {"none"} if isinstance(value, frozenset) else None
        if name == "ji_conditions" and not listed and self._pregnant_or_postpartum():
            return frozenset({"pregnant-or-postpartum"})
        return listed

    def bounds(self, name: str) -> tuple[Decimal | int, Decimal | int | None]:
        """Return a number as lower and upper bound; an upper bound of None: no limit is known."""
        if name in self._rules:
            return self._count(name)
        if name == "age" and self.facts.birth is not None:
            return ages(self.facts.birth, self.as_of)
        value = self.value(name)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value, value
        return 0, None

    def _count(self, name: str) -> Bounds:
        known = self._counts.get(name)
        if known is None:
            rule, complete = self._rules[name], self.facts.events_complete
            known = self._counts[name] = count(rule, self._resolved(), self.as_of, complete)
        return known

    def _resolved(self) -> list[CountResult]:
        if self._stays is None:
            events = self.facts.events  # events after the as-of date are ignored
            past = (e for e in events if e.when is None or e.when.first <= self.as_of)
            self._stays = resolve(tuple(past))
        return self._stays

    def window(self, name: str) -> Span | None:
        """Return the months in which most events of a count were proved; None: its months are
        fixed, or no event was proved.
        """
        rule = self._rules.get(name)
        return None if rule is None else best_window(rule, self._resolved(), self.as_of)

    def within_12_months(self, name: str) -> bool | None:
        """Tell whether a date lies within the last 12 months; the same day a year ago does."""
        when = self.value(name)
        if not isinstance(when, Span):
            return None
        return within(when, minus_months(self.as_of, 12), self.as_of)

    def _postpartum(self) -> bool | None:
        dated = self.within_12_months("pregnancy_end_date")
        return self.stated("postpartum_12m") if dated is None else dated

    def _pregnant_or_postpartum(self) -> bool:
        return self.boolean("pregnant") is True or self._postpartum() is True

    def released(self) -> bool | None:
        dated = self.within_12_months("release_date")
        if dated is not None:
            return dated
        months = self.value("months_since_release")
        if isinstance(months, int) and not isinstance(months, bool):
            return months <= 12
        return None

    def has(self, name: str, code: str) -> bool | None:
        """Return True if the list has the code, False if a known list lacks it, else None."""
        codes = self.codes(name)
        return None if codes is None else code in codes


def _only_true(answer: bool | None) -> bool | None:
    """Turn False into None: this derivation can prove a fact, and never disproves a fact."""
    return True if answer else None


def _residence(reading: Reading, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    codes = reading.codes("residence")
    if not codes:
        return None
    return True if codes & yes else False if codes & no else None


def _birth_equity(reading: Reading) -> bool | None:
    races = reading.codes("race")
    return True if races is not None and races & BIRTH_EQUITY_GROUPS else None


_DERIVATIONS: Mapping[str, Callable[[Reading], bool | None]] = {
    "lives_in_community": lambda r: _residence(r, _COMMUNITY, _INSTITUTIONS),
    "nf_resident": lambda r: _residence(r, frozenset({"snf"}), frozenset()),
    "ccs": lambda r: _only_true(r.has("programs_enrolled", "ccs")),
    "ccs_wcm": lambda r: _only_true(r.has("programs_enrolled", "ccs-wcm")),
    "transitional_rent_authorized": lambda r: _only_true(r.has("current_authorizations", "TR")),
    "receiving_htns": lambda r: _only_true(r.has("current_authorizations", "HTNS")),
    "received_htns": lambda r: _only_true(r.boolean("receiving_htns")),
    "unstable_living_environment": lambda r: _only_true(r.boolean("homeless")),
    "racial_ethnic_disparity": _birth_equity,
    "receiving_ecm": lambda r: r.has("current_authorizations", "ECM"),
    "released_within_12m": Reading.released,
}
