"""The rules of a deployment: the policy library, and the plans that the deployment serves."""

from dataclasses import dataclass
from datetime import date

from app.base.local_time import LAST_DAY, plus_days
from app.policy.deadlines import PlanClocks, last_day
from app.policy.library import Library
from app.policy.policy import Policy
from app.policy.schema import Switches

#: The switches where no plan or no service is known: the rules then only ask for facts.
_UNSTATED = Switches(citation="E")


@dataclass(frozen=True, slots=True)
class Rules:
    """The library and the plans served. The journey hands them on; no stage looks them up."""

    library: Library
    plans: tuple[str, ...]

    def in_force(self, on: date) -> list[Policy]:
        """List the policy of each plan served that is in force on a day."""
        policies = (self.library.policy(plan, on) for plan in self.plans)
        return [policy for policy in policies if policy is not None]

    def clocks(self, plan: str | None, on: date) -> PlanClocks:
        """Return the plan's clocks with the holidays of its calendar; without a plan, the shared
        clocks.
        """
        data = self.library.clocks(plan, on)
        return PlanClocks(data, self.library.calendars[data.calendar].holidays)

    def latest_start(self, plan: str | None, on: date) -> date:
        """Return the last day that a referral, received on a day, may wish as the start of its
        service; while the plan is not known, the latest such day of all plans served.
        """
        policies = (self.library.policy(name, on) for name in ((plan,) if plan else self.plans))
        lengths = [policy.data.furthest_start.within for policy in policies if policy]
        return max((plus_days(last_day(on, one), 1) for one in lengths), default=LAST_DAY)

    def contact_only(self, on: date) -> dict[str, str]:
        """Map each service that plans offer without a referral to a sentence: what it is, and whom
        to call.
        """
        told: dict[str, str] = {}
        for data in (policy.data for policy in self.in_force(on)):
            for code, entry in data.catalog.contact_only.items():
                contact = data.contacts[entry.contact]
                phone = f"{contact.phone}, TTY {contact.tty}" if contact.tty else contact.phone
                call = (
                    f"{entry.name.en} of {data.name.en} needs no referral: call {phone}. "
                    f"{entry.description} {entry.who}"
                )
                told[code] = f"{told[code]} {call}" if code in told else call
        return told

    @staticmethod
    def automation(policy: Policy | None, service: str | None) -> Switches:
        """Return the switches that say which answers take effect by themselves. Without a plan or a
        service the rules never approve or deny, so that the switches do not matter.
        """
        if policy is None or service is None:
            return _UNSTATED
        return policy.data.automation.of(policy.family(service))
