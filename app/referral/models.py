"""A referral as it was asked for, in our own words.

PURE: frozen values only. `app.fhir.service_request` makes it from a ServiceRequest; what becomes of
it is told by the other stages.
"""

from dataclasses import dataclass
from datetime import date, datetime

from app.policy.stated import CoverageTerms

#: Priorities that put a referral on the 72-hour track (spec.md 2).
URGENT = frozenset({"urgent", "asap", "stat"})

#: A system and a value; the system is empty where the sender gave none.
Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Named:
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
class MemberContact:
    """How to write to or call the member: for letters only, never for a rule or a log."""

    name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    address: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferralRequest:
    """What a requester asks for. None is unknown; only intent and priority are always there."""

    intent: str
    priority: str
    #: The service, where exactly one is meant; `service_candidates` are those it may be.
    service: str | None = None
    service_candidates: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    #: The requester's own identifiers of this referral.
    identifiers: tuple[Identifier, ...] = ()
    cin: str | None = None
    birth_date: str | None = None
    patient: Named = Named()
    plan: str | None = None
    county: str | None = None
    #: The Coverage that holds on the date, of those stated; `coverages` are all.
    coverage: CoverageTerms | None = None
    coverages: tuple[CoverageTerms, ...] = ()
    requester: Named | None = None
    #: The member asks for themselves, and is told every outcome as the requester.
    self_referred: bool = False
    performers: tuple[Named, ...] = ()
    based_on: tuple[Named, ...] = ()
    replaces: tuple[Named, ...] = ()
    general_practitioners: tuple[Named, ...] = ()
    #: The day on which the service is wanted to begin.
    occurrence_start: date | None = None
    authored: datetime | None = None
    #: Actual receipt of what came on paper or by phone; only plan staff may state it.
    received: datetime | None = None
    language: str | None = None
    contact: MemberContact = MemberContact()

    @property
    def urgent(self) -> bool:
        """On the 72-hour track."""
        return self.priority in URGENT
