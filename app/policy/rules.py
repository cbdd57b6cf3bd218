"""The deployment's rules: the policy library, and which plans are served by it."""

from dataclasses import dataclass
from datetime import date

from app.base.local_time import LAST_DAY, plus_days
from app.policy.deadlines import PlanClocks, last_day
from app.policy.library import Library
from app.policy.policy import Policy
from app.policy.schema import Switches

#: Where no plan or service is known, the rules only ask.
_UNSTATED = Switches(citation="E")


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, and for whom; handed through the journey, never looked up inside it."""

    library: Library
    plans: tuple[str, ...]

    def clocks(self, plan: str | None, on: date) -> PlanClocks:
        """The plan's clocks with the holidays of its calendar; the shared ones without a plan."""
        data = self.library.clocks(plan, on)
        return PlanClocks(data, self.library.calendars[data.calendar].holidays)

    def latest_start(self, plan: str | None, on: date) -> date:
        """The last day that a referral received on a day may wish its service to begin; while its
        plan is not known, the last that any plan served takes.
        """
        policies = (self.library.policy(name, on) for name in ((plan,) if plan else self.plans))
        lengths = [policy.data.furthest_start.within for policy in policies if policy]
        return max((plus_days(last_day(on, one), 1) for one in lengths), default=LAST_DAY)

    @staticmethod
    def automation(policy: Policy | None, service: str | None) -> Switches:
        """Which answers take effect by themselves; without a plan or service none can."""
        if policy is None or service is None:
            return _UNSTATED
        return policy.data.automation.of(policy.family(service))
