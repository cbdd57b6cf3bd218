"""The schema of a plan's catalog, and the building blocks of every policy file.

People read the catalog; no rule reads the catalog. The building blocks are words, citations, and
`Shape`, which refuses unknown keys.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_SOURCE = re.compile(
    r"S\d{3}:L\d+(-\d+)?(,L?\d+(-\d+)?)*"  # a line of a plan's own page
    r"|G26 p\.\d+(-\d+)?(,\d+(-\d+)?)*( fn ?\d+(-\d+)?)?"  # a page of the DHCS ECM Policy Guide
    r"|(W|GH):\S+|CO-\d+( \S+)?|facts \d+(\.\d+)*|E|U"
    r"|named|in-part|points-to|silent"  # what the plan's page says of it (`app.policy.sources`)
)


def _cited(text: str) -> str:
    for source in text.split("; "):
        if not _SOURCE.fullmatch(source):
            raise ValueError(
                f"{source!r} is no citation; expected S003:L36, G26 p.19, W:…, GH:…, CO-…, "
                "facts 6.2, E or U, separated by '; '"
            )
    return text


Citation = Annotated[str, AfterValidator(_cited)]
CountyCode = Annotated[str, Field(pattern=r"^[a-z_]+$")]
PolicyText = Annotated[str, Field(min_length=1)]


class Shape(BaseModel):
    """The base of all parts of a policy file: unknown keys are faults; values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TranslatedWords(Shape):
    """Words that a person reads, by language."""

    en: PolicyText
    es: str | None = None
    hmn: str | None = None


#: What a statement of a catalog is about.
CatalogTopic = Literal[
    "about",
    "ecm",
    "lead-care-manager",
    "community-supports",
    "eligibility",
    "exceptions",
    "authorization",
    "referring",
    "outcomes",
    "forms",
    "resources",
    "becoming-a-provider",
    "page",
]


class CatalogStatement(Shape):
    """One thing to know, with its source. `points`: what the statement lists, one by one.
    `services`: the families of services that it is about; empty: all.
    """

    text: PolicyText
    points: tuple[PolicyText, ...] = ()
    topic: CatalogTopic = "about"
    services: tuple[Literal["ecm", "community-supports"], ...] = ()
    citation: Citation
    quote: str | None = None


class CountyStart(Shape):
    """What the date of an offer rests on, where the plan's page gives no date for it."""

    #: The day from which the offers count as begun; None: they count at every date.
    first: date | None = None
    says: PolicyText
    citation: Citation
    quote: str | None = None


class PlanForm(Shape):
    """A form that the plan's page names. `ours`: the forms of this service that stand for it."""

    name: PolicyText
    use: PolicyText
    services: tuple[Literal["ecm", "community-supports"], ...]
    ours: tuple[str, ...] = ()
    citation: Citation
    quote: str | None = None


class CoreService(Shape):
    """One of the services that Enhanced Care Management consists of."""

    name: TranslatedWords
    description: PolicyText
    citation: Citation
    quote: str | None = None


class ContactOnly(Shape):
    """A service that a plan offers without a referral: whom to call."""

    name: TranslatedWords
    description: PolicyText
    who: PolicyText
    purpose: str | None = None
    goals: tuple[str, ...] = ()
    helps_with: tuple[str, ...] = ()
    contact: str  # key of `contacts`
    citation: Citation
    quote: str | None = None


class ContactChannel(Shape):
    """A way by which a referral reaches the plan outside this service: senders, channels, forms."""

    services: tuple[Literal["ecm", "community-supports"], ...]
    who: tuple[
        Literal[
            "member",
            "family_caregiver",
            "pcp",
            "cbo",
            "ecm_provider",
            "cs_provider",
            "hospital_facility",
            "other_provider",
        ],
        ...,
    ]
    ways: tuple[Literal["portal", "fax", "email", "mail", "phone", "concurrent_review"], ...]
    how: PolicyText
    forms: tuple[str, ...] = ()
    contact: str | None = None  # key of `contacts`
    citation: Citation
    quote: str | None = None


class Catalog(Shape):
    """The catalog of a plan, after the values of the extended files were filled in."""

    notes: Mapping[str, CatalogStatement] = {}
    core_services: Mapping[str, CoreService] = {}
    contact_only: Mapping[str, ContactOnly] = {}
    channels: Mapping[str, ContactChannel] = {}
    #: The plan's own words for a service, by its code; without them, the shared description.
    descriptions: Mapping[str, CatalogStatement] = {}
    forms: Mapping[str, PlanForm] = {}
    outcomes: Mapping[Literal["approved", "denied", "void"], CatalogStatement] = {}
