"""A plan's roster of any size, as `python -m app load` reads it: the same for the same numbers.

`python -m bench.roster 150000 roster.ndjson`: so many members, each with a Patient and a Coverage,
every tenth with answers of the roster's own, in an order that no loader may count on.
"""

import random
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson

Resource = dict[str, Any]

_BASE = "https://nowrongdoor.example/fhir"
_SEED = 20261129
#: So many members' lines are mixed up with each other.
_MIXED = 5_000
_FAMILIES = ("Álvarez", "Moua", "Nguyễn", "Okafor", "Samplewood", "Vang", "De la Cruz", "Ito")
_GIVEN = ("Adela", "Bao", "Chue", "Dalia", "Emeka", "Florencia", "Gael", "Hồng")
_OLDEST, _YOUNGEST = date(1930, 1, 1).toordinal(), date(2025, 12, 31).toordinal()
_PLANS = {
    "HPSM": ("San Mateo", "Redwood City"),
    "HPSJ": ("San Joaquin", "Stockton"),
    "CCAH": ("Merced", "Merced"),
}


def lines(members: int, first: int = 0) -> Iterator[bytes]:
    """The lines of a roster; `first` moves ids and numbers, so that two rosters share none."""
    dice = random.Random(_SEED + first)
    for start in range(first, first + members, _MIXED):
        stop = min(start + _MIXED, first + members)
        mixed = [one for number in range(start, stop) for one in member(number, dice)]
        dice.shuffle(mixed)
        for resource in mixed:
            yield orjson.dumps(resource) + b"\n"


def member(number: int, dice: random.Random) -> list[Resource]:
    """A member as rosters have them: some name their plan themselves, some by their Coverage."""
    plan = dice.choice(tuple(_PLANS))
    payor = {"identifier": {"system": f"{_BASE}/sid/plan", "value": plan}}
    cin = f"{20_000_000 + number:08d}XB"
    told = [_patient(number, cin, plan, dice), _coverage(number, cin, payor)]
    if number % 3:
        told[0]["managingOrganization"] = payor
    if number % 10 == 0:
        told.append(_answers(number))
    return told


def _patient(number: int, cin: str, plan: str, dice: random.Random) -> Resource:
    county, city = _PLANS[plan]
    return {
        "resourceType": "Patient",
        "id": f"roster-member-{number}",
        "identifier": [{"use": "official", "system": f"{_BASE}/sid/cin", "value": cin}],
        "active": True,
        "name": [{"use": "official", "family": dice.choice(_FAMILIES), "given": [
            dice.choice(_GIVEN)]}],
        "telecom": [{"system": "phone", "value": f"+1-209-555-{number % 10_000:04d}"}],
        "gender": dice.choice(("female", "male", "other", "unknown")),
        "birthDate": date.fromordinal(dice.randint(_OLDEST, _YOUNGEST)).isoformat(),
        "address": [{"use": "home", "line": [f"{number} Example Street"], "city": city,
                     "district": county, "state": "CA"}],
        "communication": [{"language": {"coding": [{
            "system": "urn:ietf:bcp:47", "code": dice.choice(("en", "es", "hmn"))}]},
            "preferred": True}],
    }  # fmt: skip


def _coverage(number: int, cin: str, payor: Resource) -> Resource:
    return {
        "resourceType": "Coverage",
        "id": f"roster-coverage-{number}",
        "status": "active",
        "type": {
            "coding": [{"system": f"{_BASE}/CodeSystem/line-of-business", "code": "MEDI-CAL"}]
        },
        "subscriberId": cin,
        "beneficiary": {"reference": f"Patient/roster-member-{number}"},
        "period": {"start": "2024-01-01"},
        "payor": [payor],
    }


def _answers(number: int) -> Resource:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": f"roster-answers-{number}",
        "questionnaire": f"{_BASE}/Questionnaire/roster",
        "status": "completed",
        "subject": {"reference": f"Patient/roster-member-{number}"},
        "authored": "2026-11-01",
        "item": [{"linkId": "waiver_1915c_enrolled", "answer": [{"valueBoolean": False}]}],
    }


def main() -> int:
    """Writes a roster."""
    members, path = int(sys.argv[1]), Path(sys.argv[2])
    with path.open("wb") as file:
        file.writelines(lines(members))
    return 0


if __name__ == "__main__":
    sys.exit(main())
