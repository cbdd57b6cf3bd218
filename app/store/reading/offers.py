"""Search parameters that an offer's own row answers: where it serves, and whether it has room.

Conditions on `v` (resource_version), the directory's row of a HealthcareService. Its numbers change
without a new version, so that words of a version cannot tell them.
"""

from app.fhir import codes
from app.model.offers import TAKING
from app.store.reading.access import Sight, Statement
from app.store.reading.parameters import Criterion


def _offer(condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM offer o WHERE o.plan = v.plan AND o.id = v.id AND {condition})"


def county(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    """Whether it serves one of the counties, as it was loaded: by whichever name the offer has."""
    if asked.modifier == "missing":
        return _offer("cardinality(o.counties) > 0")
    fitting = [found for found in asked.tokens if found.system in (None, codes.COUNTY_ID)]
    if any(found.code is None for found in fitting):
        return _offer("cardinality(o.counties) > 0")
    bound = statement.bind([found.code for found in fitting], "text[]")
    return _offer(f"o.counties && {bound}")


def has_room(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    """Whether an approval would be given a place now (spec.md 5): the status allows it, and fewer
    places are taken than there are.
    """
    fitting = [f for f in asked.tokens if f.system in (None, "", codes.SPECIAL_VALUES)]
    wanted = {found.code for found in fitting} & {"true", "false"}
    if len(wanted) != 1:
        return "true" if wanted else "false"
    taking = statement.bind(sorted(TAKING), "text[]")
    room = _offer(
        f"o.active AND o.capacity_status = ANY ({taking}) AND o.taken + o.taken_outside < o.places"
    )
    return room if "true" in wanted else f"NOT {room}"
