"""The caller of a request: a client, its organization, and what it was granted.

Scopes as words: what may be asked for, and what of it a client is granted.

SMART v2 (`system/ServiceRequest.crs`), SMART v1 (`.read`, `.write`, `.*`, translated) and the
three scopes of plan staff. Whether a caller may do a thing is `model.Caller.may`.

Source: SMART App Launch 2.2, "Scopes for requesting FHIR resources".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

#: Plan staff: decide referrals, load rosters, keep the network.
DECIDE, ROSTER, NETWORK = "nwd/decide", "nwd/roster", "nwd/network"


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated client. `plan` is set when its organization is a plan."""

    client_id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]

    def may(self, resource: str, letter: str) -> bool:
        """Whether a SMART v2 scope grants `letter` (c, r, u, d or s) on a resource type."""
        for scope in self.scopes:
            level, _, rest = scope.partition("/")
            kind, _, letters = rest.partition(".")
            if level == "system" and kind in ("*", resource) and letter in letters.split("?")[0]:
                return True
        return False

    @property
    def staff(self) -> bool:
        """Plan staff see every referral of their plan, and those whose plan is not known yet."""
        return self.plan is not None and DECIDE in self.scopes

    @property
    def staff_plans(self) -> list[str]:
        """The plan keys this caller sees as staff; empty for everybody else."""
        return [self.plan, UNASSIGNED] if self.staff and self.plan else []


#: The reserved plan key of referrals whose plan is not known yet.
UNASSIGNED = "unassigned"


#: Scopes that are not about a FHIR resource type.
STAFF = frozenset({DECIDE, ROSTER, NETWORK})

_LETTERS = "cruds"
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_FHIR = re.compile(r"^system/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|c?r?u?d?s?)$")


def grant(requested: str, granted: Iterable[str]) -> tuple[frozenset[str], list[str]]:
    """What of `requested` (space-separated, empty: everything) lies within `granted`.

    Returns the scopes in v2 for the token, and the words to answer with: v1 where v1 was asked for
    and wholly granted. Unknown scopes are dropped, since common clients ask for more than exists.
    """
    held = sorted(set(granted))
    if not requested.strip():
        return frozenset(held), held
    scopes: set[str] = set()
    words: list[str] = []
    for wanted in dict.fromkeys(requested.split()):
        found = [wanted] if wanted in STAFF and wanted in held else _within(wanted, held)
        scopes.update(found)
        words.extend([wanted] if _is_whole(wanted, found) else found)
    return frozenset(scopes), list(dict.fromkeys(words))


def _within(wanted: str, held: list[str]) -> list[str]:
    """The part of one FHIR scope that the held ones cover, one scope per resource type."""
    match = _FHIR.match(wanted)
    if match is None or not match[2]:
        return []
    letters = _V1.get(match[2], match[2])
    found: dict[str, set[str]] = {}
    for scope in held:
        owned = _FHIR.match(scope)
        if owned is None:
            continue
        kind = _overlap(match[1], owned[1])
        if kind:
            found.setdefault(kind, set()).update(set(letters) & set(owned[2]))
    return [f"system/{kind}.{_ordered(found[kind])}" for kind in sorted(found) if found[kind]]


def _overlap(wanted: str, owned: str) -> str | None:
    if wanted == "*":
        return owned
    return wanted if owned in ("*", wanted) else None


def _ordered(letters: set[str]) -> str:
    return "".join(letter for letter in _LETTERS if letter in letters)


def _is_whole(wanted: str, found: list[str]) -> bool:
    match = _FHIR.match(wanted)
    return match is not None and found == [f"system/{match[1]}.{_V1.get(match[2], match[2])}"]


def is_scope(text: str) -> bool:
    """Whether a client may be granted this: a SMART v2 system scope, or one of plan staff."""
    match = _FHIR.match(text)
    return text in STAFF or (match is not None and match[2] not in (*_V1, ""))
