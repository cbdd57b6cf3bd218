"""What a determination leads to: it takes effect, or a person looks, or somebody is asked.

PURE. Whether the rules act by themselves is plan data (`automation`); denials on need go to a
person by default, because in California they are a clinician's to make (spec.md 2, Who decides).
"""

from app.model.lifecycle import Event
from app.policy.model import Determination, Outcome
from app.policy.schema import Switches

#: Reasons that only a person can settle, whatever else is missing.
_FOR_A_PERSON = frozenset({"already-authorized"})
#: Reasons that are answered by asking the requester.
_ASK = frozenset({"facts-missing", "population-missing", "member-unidentified"})


def decide(determination: Determination, switches: Switches) -> Event:
    """Names the move that follows from a determination under a plan's automation."""
    if determination.outcome is Outcome.APPROVED:
        return Event.APPROVE if switches.approve == "automatic" else Event.REVIEW
    if determination.outcome is Outcome.DENIED:
        administrative = determination.administrative
        switch = switches.deny_administrative if administrative else switches.deny_criteria
        return Event.DENY if switch == "automatic" else Event.REVIEW
    reasons = {reason.code for reason in determination.reasons}
    if reasons & _ASK and not reasons & _FOR_A_PERSON:
        return Event.REQUEST_INFORMATION
    return Event.REVIEW
