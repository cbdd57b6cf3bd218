"""Models of proposed changes of organizations, for the organizations that decide about them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.fhir.placeholders import NOTE, OwnNote
from app.store.reading.cursor import PageFilters, page_cursor, page_limit

ProposalState = Literal["open", "confirmed", "rejected", "overtaken"]

PREFIX = "/v1/organization-proposals"
ID = "01a20ac2-1590-7455-9fce-72f3a0174835"
_ORGANIZATION = "org-tidepool"
_BASE = "http://127.0.0.1:8000"


class ProposalFilters(PageFilters):
    """What is asked for: all that are given must hold."""

    state: ProposalState | None = Field(None, description="Only these; `open` wait for a word.")
    organization: str | None = Field(
        None, description="Only those about this organization.", pattern=r"^[A-Za-z0-9.-]{1,64}$"
    )
    limit: int = page_limit("Proposals")
    cursor: str | None = page_cursor()


class OrganizationProposalLinks(BaseModel):
    """Where to go from here."""

    self: str = Field(examples=[f"{_BASE}{PREFIX}/{ID}"])
    organization: str = Field(examples=[f"{_BASE}/fhir/Organization/{_ORGANIZATION}"])
    confirm: str | None = Field(
        description="POST here to let it take effect; null where the word is not yours.",
        examples=[f"{_BASE}{PREFIX}/{ID}/confirm"],
    )
    reject: str | None = Field(
        description="POST here to refuse it; null where the word is not yours.",
        examples=[f"{_BASE}{PREFIX}/{ID}/reject"],
    )


class OrganizationProposal(BaseModel):
    """A change of an organization's name, address or NPI that needs a second word."""

    id: str = Field(examples=[ID])
    organization: str = Field(description="The organization's id.", examples=[_ORGANIZATION])
    organization_name: str = Field(
        description="As it is called now.", examples=["Tidepool Care Management (fictional)"]
    )
    changes: list[Literal["name", "address", "npi"]] = Field(
        description="What would change; `address` includes telecom and contacts.",
        examples=[["address"]],
    )
    based_on: int = Field(description="The version that it changes.", examples=[1])
    state: ProposalState = Field(
        description="`overtaken`: the organization, or the proposal, was written again since.",
        examples=["open"],
    )
    proposed_by: str = Field(description="An organization's id.", examples=["plan-hpsm"])
    proposed: datetime = Field(examples=["2026-11-20T18:00:02Z"])
    decided_by: str | None = Field(description="An organization's id.", examples=[None])
    decided: datetime | None = Field(examples=[None])
    note: str | None = Field(description="Of whoever decided.", examples=[None])
    links: OrganizationProposalLinks


class OrganizationProposalInFull(OrganizationProposal):
    """A proposal with the Organization as it would be."""

    resource: dict[str, Any] = Field(
        description="The Organization (FHIR R4).",
        examples=[
            {
                "resourceType": "Organization",
                "id": _ORGANIZATION,
                "name": "Tidepool Care Management (fictional)",
                "address": [{"line": ["2 Kelp Lane"], "city": "Half Moon Bay", "state": "CA"}],
            }
        ],
    )


class OrganizationProposals(BaseModel):
    """A page, the oldest first."""

    items: list[OrganizationProposal]
    next: str | None = Field(
        description="The page after this one.",
        examples=[f"{_BASE}{PREFIX}?state=open&limit=50&cursor=AbCd"],
    )


class Confirmation(BaseModel):
    """The second word for a change."""

    model_config = ConfigDict(extra="forbid")

    note: OwnNote | None = Field(None, description="Anything to remember.", examples=[NOTE])


class Rejection(BaseModel):
    """The second word against a change."""

    model_config = ConfigDict(extra="forbid")

    note: OwnNote = Field(description="Why not: whoever proposed it reads this.", examples=[NOTE])
