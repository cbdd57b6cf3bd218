"""What a determination leads to: it takes effect, or a person looks, or somebody is asked.

PURE. Whether the rules act by themselves is plan data (`automation`); denials on need go to a
person by default, because in California they are a clinician's to make (spec.md 2, Who decides).
"""

from dataclasses import dataclass

from app.policy.model import Determination, Outcome
from app.policy.schema import Switches
from app.referral.lifecycle import BusinessStatus, Event

#: Reasons that only a person can settle, whatever else is missing.
_FOR_A_PERSON = frozenset({"already-authorized"})
#: Reasons that are answered by asking the requester.
_ASK = frozenset({"facts-missing", "population-missing", "member-unidentified"})


@dataclass(frozen=True, slots=True)
class Decision:
    """The event that follows, and what a referral that stays pending waits for."""

    event: Event
    status: BusinessStatus | None = None


APPROVE = Decision(Event.APPROVE)
DENY = Decision(Event.DENY)
REVIEW = Decision(Event.REVIEW, BusinessStatus.IN_REVIEW)
ASK = Decision(Event.REQUEST_INFORMATION, BusinessStatus.INFORMATION_NEEDED)


def decide(determination: Determination, switches: Switches) -> Decision:
    """The decision that follows from a determination under a plan's automation."""
    if determination.outcome is Outcome.APPROVED:
        return APPROVE if switches.approve == "automatic" else REVIEW
    if determination.outcome is Outcome.DENIED:
        administrative = determination.administrative
        switch = switches.deny_administrative if administrative else switches.deny_criteria
        return DENY if switch == "automatic" else REVIEW
    reasons = {reason.code for reason in determination.reasons}
    return ASK if reasons & _ASK and not reasons & _FOR_A_PERSON else REVIEW
