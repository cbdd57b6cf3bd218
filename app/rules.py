"""The deployment's rules: the policy library, and which plans are served by it."""

from dataclasses import dataclass
from datetime import date, time

from app.decision.authorize import last_day
from app.decision.deadlines import Clocks
from app.decision.decide import Automation
from app.local_time import LAST_DAY, plus_days
from app.policy.library import Library
from app.policy.policy import Policy
from app.settings import Settings, WrongSettings


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, and for whom; handed through the journey, never looked up inside it."""

    library: Library
    plans: tuple[str, ...]

    def clocks(self, plan: str | None, on: date) -> Clocks:
        """The plan's clocks with the holidays of its calendar; the shared ones without a plan."""
        data = self.library.clocks(plan, on)
        return Clocks(
            decision_business_days=data.decision_business_days,
            decision_calendar_days=data.decision_calendar_days,
            urgent_hours=data.urgent_hours,
            void_business_days=data.void_business_days,
            reminder_business_days=data.reminder_business_days_before,
            expiring_days=data.expiring_days_before,
            cut_off=None if data.cutoff_hour is None else time(data.cutoff_hour),
            holidays=self.library.calendars[data.calendar].holidays,
        )

    def latest_start(self, plan: str | None, on: date) -> date:
        """The last day that a referral received on a day may wish its service to begin; while its
        plan is not known, the last that any plan served takes.
        """
        policies = (self.library.policy(name, on) for name in ((plan,) if plan else self.plans))
        lengths = [policy.data.furthest_start.within for policy in policies if policy]
        return max((plus_days(last_day(on, one), 1) for one in lengths), default=LAST_DAY)

    @staticmethod
    def automation(policy: Policy | None, service: str | None) -> Automation:
        """Which answers take effect by themselves; without a plan or service none can."""
        if policy is None or service is None:
            return Automation()
        switches = policy.data.automation.of(policy.family(service))
        return Automation(
            approve=switches.approve == "automatic",
            deny_administrative=switches.deny_administrative == "automatic",
            deny_criteria=switches.deny_criteria == "automatic",
        )


def rules(settings: Settings, library: Library) -> Rules:
    """The rules of this deployment: all plans with policy files, or those that the settings
    name.
    """
    named = tuple(name.strip() for name in settings.plans.split(",") if name.strip())
    unknown = [name for name in named if name not in library.plans]
    if unknown:
        raise WrongSettings(f"PLANS names {', '.join(unknown)}, which have no policy files")
    return Rules(library, named or tuple(library.plans))
