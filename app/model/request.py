"""The request for a referral, as values of our own instead of FHIR.

PURE: frozen values only. `app.fhir.service_request` makes a `ReferralRequest` from a
ServiceRequest; the stages then decide about it.
"""

from dataclasses import dataclass
from datetime import date

from app.policy.deadlines import URGENT
from app.policy.stated import CoverageTerms

#: A system and a value; the system is empty where the sender gave none.
Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """A person or thing that a referral points to: by reference, by identifier, or both.

    `identifiers` are the identifiers in the reference itself, and the identifiers of the resource
    in the payload that the reference points to.
    """

    reference: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    type: str | None = None
    display: str | None = None

    def value(self, system: str) -> str | None:
        """Returns the value of the first identifier with this system."""
        return next((value for known, value in self.identifiers if known == system), None)


@dataclass(frozen=True, slots=True)
class ReferralRequest:
    """The request of a referrer. None means unknown; only intent and priority are always known."""

    intent: str
    priority: str
    #: The service, if the request means exactly one.
    service: str | None = None
    claimed: tuple[str, ...] = ()
    #: The requester's own identifiers of this referral.
    identifiers: tuple[Identifier, ...] = ()
    cin: str | None = None
    birth_date: str | None = None
    #: The family names that the payload's Patient has, in any of its names.
    families: tuple[str, ...] = ()
    patient: NamedTarget = NamedTarget()
    plan: str | None = None
    #: All coverages that are stated, also those that do not hold on the date.
    coverages: tuple[CoverageTerms, ...] = ()
    performers: tuple[NamedTarget, ...] = ()
    based_on: tuple[NamedTarget, ...] = ()
    general_practitioners: tuple[NamedTarget, ...] = ()
    #: The day on which the service is wanted to begin.
    occurrence_start: date | None = None

    @property
    def urgent(self) -> bool:
        """Tells whether the referral is on the 72-hour track."""
        return self.priority in URGENT
