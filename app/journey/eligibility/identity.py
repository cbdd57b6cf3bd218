"""Names the member and the plan of a referral: whose number it is, and how sure that is.

PURE. The CIN (the member's number) is looked up over the rosters of all plans served
(`app.journey.intake.gather`). A mistyped number must never decide about a stranger, and a number
alone must never tell about one (spec.md 4, "Who the member is"). So all that is not identified
has the answer of an unknown number.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

import orjson

from app.base.text import plain
from app.model.caller import UNASSIGNED
from app.model.known import Known, KnownMember
from app.model.request import ReferralRequest
from app.policy.stated import RosterMember
from app.policy.stored_form import roster_from_json

#: The letters of a full date, `1980-02-03`.
_FULL = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """The plan that the referral belongs to, and the member as its roster knows them."""

    plan: str | None
    identified: bool
    member_id: str | None = None
    roster: RosterMember | None = None

    @property
    def key(self) -> str:
        """The plan key under which the referral is stored; `UNASSIGNED` without a plan."""
        return self.plan or UNASSIGNED

    def concerning(self, known: Known) -> Known:
        """Returns `known` with no other authorizations than those of the identified member."""
        own = tuple(
            item
            for item in known.authorizations
            if self.member_id is not None and item.plan == self.plan
        )
        return replace(known, authorizations=own)


def identify(
    request: ReferralRequest,
    known: Known,
    served: Sequence[str],
    on: date,
    trusted: Collection[str] = (),
) -> Identity:
    """Identifies the member of a referral among the roster entries with its CIN.

    The roster entry has the same full birth date, a family name that was sent if one was, and the
    plan if one was named. The number alone is enough for members of `trusted` plans, and for whom
    the request names an authorization to which the caller is a party (`basedOn`): then what was
    sent must only not contradict the birth date.

    Otherwise the referral belongs to the stated plan, else to the deployment's only plan, else to
    no plan. A CIN in several rosters belongs to the roster that covers the member on the date. If
    no plan is stated and several rosters cover the member, or none does, the referral belongs to no
    plan: a plan that loads another plan's number gains nothing.
    """
    stated = stated_plan(request, served)
    families = _normalized(request.families)
    sure = {*trusted, *_continued(known)}
    fitting = [
        member
        for member in known.members
        if stated in (None, member.plan)
        and (
            _agree(request.birth_date, member.birth_date)
            if member.plan in sure
            else _is_same(request.birth_date, families, member)
        )
    ]
    matches = [(member, roster_from_json(orjson.loads(member.facts))) for member in fitting]
    matches = [pair for pair in matches if _covered(pair[1], on)] or matches
    if len({member.plan for member, _ in matches}) != 1:
        return Identity(stated or only(served), identified=False)
    member, roster = matches[0]
    return Identity(member.plan, True, member.id, roster)


def take_at_word(request: ReferralRequest, served: Sequence[str]) -> Identity:
    """Identifies the member of a `$check` of whom no roster is asked: the payload's own statements
    hold.
    """
    plan = stated_plan(request, served) or only(served)
    return Identity(plan, identified=plan is not None)


def stated_plan(request: ReferralRequest, served: Sequence[str]) -> str | None:
    """Finds the plan that the payload names; a payor that is not served counts as no Coverage."""
    return request.plan if request.plan in served else None


def only(served: Sequence[str]) -> str | None:
    """Returns the deployment's only plan; None if it serves several."""
    return served[0] if len(served) == 1 else None


def _continued(known: Known) -> set[str]:
    """Names the plans of the member's authorizations that the caller names and may see."""
    return {item.plan for item in known.authorizations if item.referral_id in known.based_on}


def _is_same(birth_date: str | None, families: Collection[str], member: KnownMember) -> bool:
    """Tells whether the full birth date is the roster's, and the family name no other. A roster
    entry without a family name is not contradicted by one.
    """
    if birth_date is None or len(birth_date) != _FULL or birth_date != member.birth_date:
        return False
    known_as = _normalized(member.families)
    return not families or not known_as or not known_as.isdisjoint(families)


def _normalized(names: Sequence[str]) -> frozenset[str]:
    """Reduces names to their letters: `Álvarez-López` and `alvarez lopez` agree."""
    return frozenset("".join(plain(name).split()) for name in names)


def _agree(sent: str | None, known: str | None) -> bool:
    """Whether two birth dates agree; a partial date (`1980-05`) agrees with each day in it."""
    return not sent or not known or sent.startswith(known) or known.startswith(sent)


def _covered(roster: RosterMember, on: date) -> bool:
    return any(coverage.covers(on) for coverage in roster.coverages)
