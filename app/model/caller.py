"""The caller of a request (client, organization, scopes), and the scopes that a client is granted.

A scope is one of three kinds: SMART v2 (`system/ServiceRequest.crs`), SMART v1 (`.read`, `.write`,
`.*`; `grant` translates them to v2), or one of the four scopes of plan staff. `Caller.may` tells
whether a caller may do a thing.

Source: SMART App Launch 2.2, "Scopes for requesting FHIR resources".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

#: The scopes of plan staff: to decide referrals, to load rosters, to keep the network, to register
#: clients.
DECIDE, ROSTER, NETWORK, CLIENTS = "nwd/decide", "nwd/roster", "nwd/network", "nwd/clients"

#: Why a client may ask: the codes of HL7 v3 PurposeOfUse (2.16.840.1.113883.5.8) that this service
#: registers. Treatment, treatment in an emergency, care management, coordination of care,
#: administration of benefits, operations of health care, public health.
PURPOSES = ("TREAT", "ETREAT", "CAREMGT", "COC", "HPAYMT", "HOPERAT", "PUBHLTH")


def usual_purpose(plan: str | None) -> str:
    """Returns the purpose of a client whose registration names none: a plan's own, or another."""
    return "TREAT" if plan is None else "HPAYMT"


#: No Consent that ends permits anything then.
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated client. `plan` is set when its organization is a plan.

    `purpose` is why it asks: a code of HL7 v3 PurposeOfUse, such as TREAT for treatment. `at` is
    when, by the service's clock: the member's Consents have their time.
    """

    client_id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]
    purpose: str = "TREAT"
    at: datetime = _NEVER

    def may(self, resource: str, letter: str) -> bool:
        """Tells whether a SMART v2 scope grants `letter` (c, r, u, d or s) on a resource type."""
        granted = _letters(self.scopes)
        return letter in granted.get(resource, "") or letter in granted.get("*", "")

    @property
    def staff(self) -> bool:
        """Tells whether the caller is plan staff.

        Staff see every referral of their plan, and every referral whose plan is not known yet.
        """
        return self.plan is not None and DECIDE in self.scopes

    @property
    def staff_plans(self) -> list[str]:
        """The plan keys that this caller sees as staff; empty for everybody else."""
        return [self.plan, UNASSIGNED] if self.staff and self.plan else []


@lru_cache(maxsize=256)
def _letters(scopes: frozenset[str]) -> Mapping[str, str]:
    """Maps each resource type, or `*`, onto the letters that scopes grant."""
    letters_by_type: dict[str, str] = {}
    for scope in scopes:
        level, _, rest = scope.partition("/")
        kind, _, letters = rest.partition(".")
        if level == "system":
            letters_by_type[kind] = letters_by_type.get(kind, "") + letters.split("?")[0]
    return letters_by_type


#: The reserved plan key of referrals whose plan is not known yet.
UNASSIGNED = "unassigned"


#: Scopes that are not about a FHIR resource type.
STAFF = frozenset({DECIDE, ROSTER, NETWORK, CLIENTS})

_LETTERS = "cruds"
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_FHIR = re.compile(r"^system/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|c?r?u?d?s?)$")


def grant(requested: str, granted: Iterable[str]) -> tuple[frozenset[str], list[str]]:
    """Grants the part of `requested` (space-separated; empty: everything) that is in `granted`.

    Returns the scopes in v2 for the token, and the words for the answer: a v1 word where the client
    asked for this word and got all of it. Drops unknown scopes, since common clients ask for more
    than exists.
    """
    held = sorted(set(granted))
    if not requested.strip():
        return frozenset(held), held
    scopes: set[str] = set()
    words: list[str] = []
    for wanted in dict.fromkeys(requested.split()):
        covered = [wanted] if wanted in STAFF and wanted in held else _within(wanted, held)
        scopes.update(covered)
        words.extend([wanted] if _is_fully_granted(wanted, covered) else covered)
    return frozenset(scopes), list(dict.fromkeys(words))


def _within(wanted: str, held: list[str]) -> list[str]:
    """Returns the part of a wanted scope that `held` covers, as one scope per resource type."""
    match = _FHIR.match(wanted)
    if match is None or not match[2]:
        return []
    letters = _V1.get(match[2], match[2])
    letters_by_type: dict[str, set[str]] = {}
    for scope in held:
        owned = _FHIR.match(scope)
        if owned is None:
            continue
        kind = _overlap(match[1], owned[1])
        if kind:
            letters_by_type.setdefault(kind, set()).update(set(letters) & set(owned[2]))
    return [
        f"system/{kind}.{_ordered(common)}"
        for kind, common in sorted(letters_by_type.items())
        if common
    ]


def _overlap(wanted: str, owned: str) -> str | None:
    if wanted == "*":
        return owned
    return wanted if owned in ("*", wanted) else None


def _ordered(letters: set[str]) -> str:
    return "".join(letter for letter in _LETTERS if letter in letters)


def _is_fully_granted(wanted: str, covered: list[str]) -> bool:
    match = _FHIR.match(wanted)
    return match is not None and covered == [f"system/{match[1]}.{_V1.get(match[2], match[2])}"]


def is_scope(text: str) -> bool:
    """Tells whether a client may be granted this: a SMART v2 system scope, or one of plan staff."""
    match = _FHIR.match(text)
    return text in STAFF or (match is not None and match[2] not in (*_V1, ""))
