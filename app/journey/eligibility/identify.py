"""Who the member is, and under which plan: a mistyped number must never decide about a stranger.

PURE. The CIN is looked up over the rosters of all plans served (`app.journey.intake.gather`); what
is found is believed only where birth date and plan, if they are stated, agree (spec.md 4, "Who the
member is").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.model.caller import UNASSIGNED
from app.model.known import Member
from app.model.request import ReferralRequest
from app.policy.facts_json import roster_from_json
from app.policy.stated import RosterMember


@dataclass(frozen=True, slots=True)
class Identity:
    """The plan that the referral belongs to, and the member as its roster knows them."""

    plan: str | None
    identified: bool
    member_id: str | None = None
    roster: RosterMember | None = None

    @property
    def key(self) -> str:
        """The plan key to keep the referral under."""
        return self.plan or UNASSIGNED


def identify(
    request: ReferralRequest, found: Sequence[Member], served: Sequence[str], on: date
) -> Identity:
    """The member of an intake.

    No CIN, an unknown CIN, or one found under another birth date or plan: not identified, and kept
    with the plan that was named, else the deployment's only plan, else no plan. A CIN in several
    rosters belongs to the one that covers it on the date; where no plan is named and that is not
    one alone, to no plan: a plan that loads another's number takes nothing by it.
    """
    stated = stated_plan(request, served)
    matches = [(member, roster_from_json(member.facts)) for member in found]
    fitting = [
        (member, roster)
        for member, roster in matches
        if stated in (None, member.plan) and same_birth(request.birth_date, member.birth_date)
    ]
    fitting = [pair for pair in fitting if _covered(pair[1], on)] or fitting
    if not request.cin or len({member.plan for member, _ in fitting}) != 1:
        return Identity(stated or only(served), identified=False)
    member, roster = fitting[0]
    return Identity(member.plan, True, member.id, roster)


def take_at_word(request: ReferralRequest, served: Sequence[str]) -> Identity:
    """The member of a question without a CIN: the payload's Patient and Coverage hold."""
    plan = stated_plan(request, served) or only(served)
    return Identity(plan, identified=plan is not None)


def stated_plan(request: ReferralRequest, served: Sequence[str]) -> str | None:
    """The plan that the payload names; an unknown payor counts as no Coverage."""
    return request.plan if request.plan in served else None


def only(served: Sequence[str]) -> str | None:
    """The deployment's only plan."""
    return served[0] if len(served) == 1 else None


def same_birth(sent: str | None, known: str | None) -> bool:
    """Whether two birth dates agree; a partial one agrees with every day that it may mean."""
    return not sent or not known or sent.startswith(known) or known.startswith(sent)


def _covered(roster: RosterMember, on: date) -> bool:
    return any(coverage.covers(on) for coverage in roster.coverages)
