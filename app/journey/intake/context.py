"""The context of a request: the rules, the time, and the actor who brought the referral."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from app.base.settings import Settings, WrongSettings
from app.fhir.bundle import MEDIA_TYPES
from app.policy.library import Library, load_library, policy_folder, read_choice
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
    def by_rules(self) -> Actor:
        """The rules as the actor of a move, under the same request."""
        return Actor("rules", None, self.actor.request_id, self.actor.correlation_id)


def rules(settings: Settings, library: Library) -> Rules:
    """Selects the rules of this deployment: the plans in `PLANS`, else all plans with policy files.

    Raises `WrongSettings` for a plan without policy files.
    """
    named = tuple(name.strip() for name in settings.plans.split(",") if name.strip())
    unknown = [name for name in named if name not in library.plans]
    if unknown:
        raise WrongSettings(f"PLANS names {', '.join(unknown)}, which have no policy files")
    return Rules(library, named or tuple(library.plans))


def rules_of(settings: Settings) -> Rules:
    """Loads the rules by which every process with these settings decides."""
    return rules(settings, _library(settings.policy_path, settings.policy_switches))


@cache
def _library(path: str, switches: str) -> Library:
    return load_library(policy_folder(path), read_choice(switches))
