"""Reads what stands behind an item of the queue: how the plan's page is read in this case, whether
the member is said to decline, and whether a person without a system asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from app.model.lifecycle import BusinessStatus
from app.model.notices import Asker
from app.policy.library import Library
from app.policy.model import Determination, EligibilityQuestion
from app.policy.readings import BearingReading, bearing
from app.policy.stored_form import outline_from_json, question_from_json
from app.store.database import Row, Source
from app.store.reading.access import Visibility
from app.store.referral.asker import asker
from app.views.workqueue import store

#: The fact that says whether the member wants a Community Support (S003:L86).
_WILLING = "willing_to_receive_cs"
_SUPPORTS = "community-supports"
_THE_PLAN = "Staff of the plan"


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind one item. `answer`: the last determination, as stored; `declined_by`: who
    said that the member declines.
    """

    answer: str | None = None
    readings: tuple[BearingReading, ...] = ()
    declined_by: str | None = None
    asker: Asker = Asker.OFFICE


NOTHING = Behind()


async def behind(
    source: Source, plans: Sequence[str], rows: Sequence[Row], seen: Visibility, library: Library
) -> dict[str, Behind]:
    """Read it for the items of a page that the caller sees all of, by the referral's id."""
    shown = {row["id"]: row for row in rows if seen.has(row["plan"], row["organization_id"])}
    if not shown:
        return {}
    rows = await store.last_determinations(source, plans, list(shown))
    answers = {row["referral_id"]: row["answer"] for row in rows}
    cases = {
        row["referral_id"]: (question_from_json(row["question"]), outline_from_json(row["answer"]))
        for row in rows
    }
    declined = await _declined(source, plans, cases, library)
    people = await _people(source, plans, list(shown.values()))
    return {
        id_: Behind(
            answers[id_],
            bearing(library, question, answer, staff=shown[id_]["plan"] in seen.staff_plans),
            declined.get(id_),
            people.get(id_, Asker.OFFICE),
        )
        for id_, (question, answer) in cases.items()
    }


async def _declined(
    source: Source,
    plans: Sequence[str],
    cases: dict[str, tuple[EligibilityQuestion, Determination]],
    library: Library,
) -> dict[str, str]:
    """Find the Community Supports whose member is said to decline, and who said so."""
    declined = []
    for id_, (question, answer) in cases.items():
        willing = question.facts.values.get(_WILLING)
        policy = library.version(answer.policy) if answer.policy else None
        service = question.service
        if willing and willing.value is False and policy and service:
            declined += [id_] if policy.family(service) == _SUPPORTS else []
    if not declined:
        return {}
    rows = await store.who_said_no(source, plans, declined, _WILLING)
    return {row["referral_id"]: row["who"] or _THE_PLAN for row in rows}


async def _people(source: Source, plans: Sequence[str], rows: Sequence[Row]) -> dict[str, Asker]:
    """Find the referrals that wait for answers of a member or of a relative."""
    waiting = [
        row["id"] for row in rows if row["business_status"] == BusinessStatus.INFORMATION_NEEDED
    ]
    if not waiting:
        return {}
    found = await store.asked_by_letter(source, plans, waiting)
    askers = {row["id"]: asker(orjson.loads(row["body"]), row["cin"]) for row in found}
    return {id_: who for id_, who in askers.items() if who in (Asker.MEMBER, Asker.FAMILY)}
