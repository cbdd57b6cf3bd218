"""What the name of a criterion means to a person: `ed_avoidable_in_any_6m >= 5` in plain words.

Words come from the dictionary's questions and the policy's own counts and names. Which criteria are
worth telling is `explain.py`.
"""

import re
from functools import lru_cache

from app.policy.dictionary import Dictionary
from app.policy.library import Library
from app.policy.policy import Policy
from app.policy.schema import Count

_COMPARED = re.compile(r"([a-z0-9_ +]+) (<=|>=|==|!=|<|>) (\d+(?:\.\d+)?)")
_SIZE = re.compile(r"n\(([a-z0-9_]+)\) (<=|>=|==|!=|<|>) (\d+)")
_AMONG = re.compile(r"([a-z0-9_]+) (?:== \"([^\"]*)\"|in \[([^\]]*)\])")
_OPERATORS = {
    ">=": "{n} or more",
    "<=": "{n} or fewer",
    ">": "more than {n}",
    "<": "fewer than {n}",
    "==": "exactly {n}",
    "!=": "other than {n}",
}
_EVENTS = {
    "ed-visit": "emergency visits",
    "inpatient": "hospital stays",
    "snf-short": "short nursing-facility stays",
}
#: Questions that lean on the one before them on the form, and computed facts that nobody is asked.
_ALONE = {
    "dmc_ods": "Does the member meet access criteria for, or receive, services of the Drug "
    "Medi-Cal Organized Delivery System?",
    "dmc": "Does the member meet access criteria for, or receive, services of the Drug Medi-Cal "
    "program?",
    "ccs_wcm": "Is the member in the CCS Whole Child Model?",
    "able_to_live_in_alf": "Can the member live in an assisted living facility safely?",
    "able_to_live_at_home": "Can the member live at home safely?",
    "ji_facility": "From which kind of correctional facility?",
    "likely_success": "Is the member a likely candidate to move out successfully?",
    "unable_self_manage": "Is the member unable to manage the complex need alone?",
    "receiving_ecm": "Does the member receive Enhanced Care Management?",
    "released_within_12m": "Was the member released within the last 12 months?",
    "former_foster_youth": "Is the member a former foster youth?",
    "adult": "Is the member an adult (21 or older)?",
    "child": "Is the member under 21?",
    "plan gate": "What the plan asks for before any Community Support",
    "ecm_eligible": "Would the member qualify for Enhanced Care Management?",
    "all of": "All of these",
    "any of": "One of these",
    "criteria": "The criteria",
}


class Phrases:
    """The words of one policy at one date; without a policy, those of the dictionary alone."""

    def __init__(self, dictionary: Dictionary, policy: Policy | None) -> None:
        self.dictionary = dictionary
        self.policy = policy
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """A criterion's name in words; a name that nobody explains is given as it is."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._find(name)
        return known

    def _find(self, name: str) -> str:
        if name in _ALONE:
            return _ALONE[name]
        if name in self.dictionary:
            return self.question(name)
        for pattern, words in (
            (_SIZE, self._size),
            (_AMONG, self._among),
            (_COMPARED, self._compared),
        ):
            if found := pattern.fullmatch(name):
                return words(found)
        return self._named(name)

    def question(self, fact: str) -> str:
        """The question that asks for a fact, without its explanations."""
        if fact in _ALONE:
            return _ALONE[fact]
        asked = self.dictionary.question(fact)
        question, mark, _ = asked.partition("?")
        return question + mark

    def _size(self, found: re.Match[str]) -> str:
        return f"{self.question(found[1])} {_amount(found[2], found[3])}"

    def _among(self, found: re.Match[str]) -> str:
        codes = found[2] if found[2] is not None else found[3]
        among = codes.replace("-", " ").replace("_", " ")
        return f"{self.question(found[1])} Looked for: {among}"

    def _compared(self, found: re.Match[str]) -> str:
        terms = found[1].split(" + ")
        if terms == ["age"]:
            return f"Age: {_amount(found[2], found[3])} years"
        first, *others = (self._term(term) for term in terms)
        words = " plus ".join([first, *(other[:1].lower() + other[1:] for other in others)])
        between = " " if words.endswith("?") else ": "
        return f"{words}{between}{_amount(found[2], found[3])}"

    def _term(self, term: str) -> str:
        count = self.policy.data.counts.get(term) if self.policy else None
        return self.question(term) if count is None else count_in_words(count)

    def _named(self, name: str) -> str:
        kind, _, rest = name.partition(": ")
        if kind == "excluded":
            return f"Excluded ({rest})"
        if kind == "within limit":
            return f"Within the limit ({rest})"
        data = self.policy.data if self.policy else None
        service, offered = name.removesuffix(" offered"), name.endswith(" offered")
        if data and offered and service in data.services:
            return f"{data.services[service].name.en} is offered here"
        if data and name in data.populations:
            return f"{data.populations[name].name.en} ({name})"
        if data and name in data.services:
            return f"Criteria of {data.services[name].name.en}"
        words = name.replace("_", " ")
        return words[:1].upper() + words[1:]


def count_in_words(count: Count) -> str:
    """`Avoidable emergency visits in any 6 months of the last 12`."""
    which = ["avoidable"] if count.avoidable else []
    which += ["unplanned"] if count.unplanned else []
    events = " or ".join(_EVENTS[kind] for kind in count.types)
    reasons = " or ".join(reason.replace("-", " ") for reason in count.reasons)
    because = f" for {reasons}" if reasons else ""
    window = f"in the last {count.months} months"
    if count.window == "any":
        window = f"in any {count.months} months of the last {count.looking_back}"
    words = " ".join([*which, events])
    return f"{words[0].upper()}{words[1:]}{because} {window}"


def _amount(operator: str, number: str) -> str:
    return _OPERATORS[operator].format(n=number)


@lru_cache(maxsize=64)
def phrases(library: Library, version: str | None) -> Phrases:
    """The words of one policy version."""
    return Phrases(library.dictionary, library.version(version) if version else None)
