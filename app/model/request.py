"""A referral as it was asked for, in our own words.

PURE: frozen values only. `app.fhir.service_request` makes it from a ServiceRequest; what becomes of
it is told by the other stages.
"""

from dataclasses import dataclass
from datetime import date

from app.policy.deadlines import URGENT
from app.policy.stated import CoverageTerms

#: A system and a value; the system is empty where the sender gave none.
Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """Somebody or something that a referral points to: by reference, by identifier, or both.

    `identifiers` are those of the reference and those of the resource it points to in the payload.
    """

    reference: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    type: str | None = None
    display: str | None = None

    def value(self, system: str) -> str | None:
        """The first identifier of a system."""
        return next((value for known, value in self.identifiers if known == system), None)


@dataclass(frozen=True, slots=True)
class ReferralRequest:
    """What a requester asks for. None is unknown; only intent and priority are always there."""

    intent: str
    priority: str
    #: The service, where exactly one is meant.
    service: str | None = None
    claimed: tuple[str, ...] = ()
    #: The requester's own identifiers of this referral.
    identifiers: tuple[Identifier, ...] = ()
    cin: str | None = None
    birth_date: str | None = None
    patient: NamedTarget = NamedTarget()
    plan: str | None = None
    #: All that are stated, whichever of them holds on the date.
    coverages: tuple[CoverageTerms, ...] = ()
    performers: tuple[NamedTarget, ...] = ()
    based_on: tuple[NamedTarget, ...] = ()
    general_practitioners: tuple[NamedTarget, ...] = ()
    #: The day on which the service is wanted to begin.
    occurrence_start: date | None = None

    @property
    def urgent(self) -> bool:
        """On the 72-hour track."""
        return self.priority in URGENT
