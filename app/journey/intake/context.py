"""The context of a request: the rules, the time, and the actor who brought the referral."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from app.base.settings import Settings, WrongSettings
from app.fhir.bundle import MEDIA_TYPES
from app.policy.library import Library, load_library, policy_folder, read_choice
from app.policy.phones import read_member_phones, without_member_phone
from app.policy.rules import Rules
from app.store.referral.draft import Actor


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The context that the journey hands on: no stage looks up a clock, a setting or a caller."""

    rules: Rules
    now: datetime
    actor: Actor
    fhir_base: str
    #: The caller's plan, if the caller is plan staff.
    plan: str | None = None
    #: Media types of inline documents that the service takes.
    documents: Sequence[str] = MEDIA_TYPES

    @property
    def trusted(self) -> tuple[str, ...]:
        """The plans whose members the caller identifies by their number alone: the staff's own."""
        return (self.plan,) if self.plan else ()

    @property
    def by_rules(self) -> Actor:
        """The rules as the actor of a move, under the same request."""
        return Actor("rules", None, self.actor.request_id, self.actor.correlation_id)


def rules(settings: Settings, library: Library) -> Rules:
    """Selects the rules of this deployment: the plans in `PLANS`, else all plans with policy files.

    Raises `WrongSettings` for a plan without policy files, and in production for one whose members
    have no number to call: letters tell them to call.
    """
    named = tuple(name.strip() for name in settings.plans.split(",") if name.strip())
    unknown = [name for name in named if name not in library.plans]
    if unknown:
        raise WrongSettings(f"PLANS names {', '.join(unknown)}, which have no policy files")
    served = named or tuple(library.plans)
    numbers = read_member_phones(settings.plan_member_phones)
    if strangers := [plan for plan in numbers if plan not in library.plans]:
        text = f"PLAN_MEMBER_PHONES names {', '.join(strangers)}, which have no policy files"
        raise WrongSettings(text)
    silent = without_member_phone(library.versions.values(), served)
    if silent and settings.environment == "production":
        raise WrongSettings(
            "ENVIRONMENT=production: PLAN_MEMBER_PHONES must give the number that members call for "
            f"{', '.join(silent)}, whose pages have none"
        )
    return Rules(library, served)


def rules_of(settings: Settings) -> Rules:
    """Loads the rules by which every process with these settings decides."""
    chosen = (settings.policy_path, settings.policy_switches, settings.plan_member_phones)
    return rules(settings, _library(*chosen))


@cache
def _library(path: str, switches: str, phones: str) -> Library:
    return load_library(policy_folder(path), read_choice(switches), read_member_phones(phones))
