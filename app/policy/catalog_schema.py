"""What a plan's file says to its readers and no rule reads: the catalog."""

from collections.abc import Mapping
from typing import Literal

from app.policy.shape import Citation, Shape, Text, Words


class Statement(Shape):
    """One thing to know, with its source."""

    text: Text
    citation: Citation
    quote: str | None = None


class CoreService(Shape):
    """One of the services that Enhanced Care Management consists of."""

    name: Words
    description: Text
    citation: Citation
    quote: str | None = None


class ContactOnly(Shape):
    """What a plan offers and nobody refers to: whom to call."""

    name: Words
    description: Text
    who: Text
    helps_with: tuple[str, ...] = ()
    contact: str  # key of `contacts`
    citation: Citation
    quote: str | None = None


class Channel(Shape):
    """How a referral reaches the plan outside this service: who, which way, with which forms."""

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
    how: Text
    forms: tuple[str, ...] = ()
    contact: str | None = None  # key of `contacts`
    citation: Citation
    quote: str | None = None


class Catalog(Shape):
    """The catalog's own words, after what the file extends has been filled in."""

    notes: Mapping[str, Statement] = {}
    core_services: Mapping[str, CoreService] = {}
    contact_only: Mapping[str, ContactOnly] = {}
    channels: Mapping[str, Channel] = {}
