"""Models of the reports in the API: figures by plan and period, without data about a person."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Percent = Annotated[
    float | None, Field(description="Of 100; null where there is nothing.", examples=[92.5])
]
Hours = Annotated[
    float | None, Field(description="Hours; null where there is nothing.", examples=[31.4])
]
Number = Annotated[int, Field(ge=0, examples=[40])]
Track = Annotated[
    str, Field(description="`standard`, or `expedited` (72 hours).", examples=["standard"])
]


class Timeliness(BaseModel):
    """Decisions made in the period, against their due dates."""

    track: Track
    decided: Number
    in_time: Number
    late: Number
    in_time_percent: Percent
    average_hours: Hours
    median_hours: Hours
    longest_hours: Hours
    overdue_now: int = Field(
        description="Pending and past its due date at this moment.", examples=[1]
    )


class Outcomes(BaseModel):
    """Referrals received in the period, as they stand now."""

    service: str = Field(description="`unknown`: nobody has said which.", examples=["ECM"])
    received: Number
    approved: Number
    denied: Number
    void: Number
    cancelled: Number
    pending: Number
    approved_percent: Percent


class Reasons(BaseModel):
    """Why referrals ended pending in the period: each reason of each decision."""

    outcome: str = Field(examples=["denied"])
    reason: str = Field(description="A code; `text`: in words only.", examples=["no-population"])
    meaning: str = Field(examples=["No population of focus is met"])
    referrals: Number


class Sources(BaseModel):
    """Who referred, of the referrals received in the period."""

    source: str = Field(
        description="As the form says it; `not-stated`.", examples=["hospital_facility"]
    )
    organization_kind: str = Field(
        description="Of the referring organization, by the network.",
        examples=["Healthcare Provider"],
    )
    referrals: Number
    urgent: Number


class PriorAuthorization(BaseModel):
    """The yearly figures of CMS-0057-F (42 CFR 438.210(f)) over decisions made in the period."""

    track: Track
    requests: int = Field(description="Decided: approved or denied.", examples=[40])
    approved: Number
    denied: Number
    approved_percent: Percent
    denied_percent: Percent
    approved_after_extension_percent: float | None = Field(
        None, description="Null: this service extends no decision.", examples=[None]
    )
    approved_after_appeal_percent: float | None = Field(
        None, description="Null: appeals are decided outside of this service.", examples=[None]
    )
    average_hours: Hours
    median_hours: Hours
    average_days: float | None = Field(description="Calendar days.", examples=[1.3])
    median_days: float | None = Field(description="Calendar days.", examples=[1.1])


class _Report(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    plan: str = Field(examples=["HPSM"])
    first: date = Field(alias="from", description="The first day.", examples=["2026-10-01"])
    last: date = Field(alias="to", description="The last day.", examples=["2026-10-31"])


class TimelinessReport(_Report):
    """Standard and expedited decisions."""

    rows: list[Timeliness] = Field(
        examples=[
            [
                {
                    "track": "standard",
                    "decided": 40,
                    "in_time": 39,
                    "late": 1,
                    "in_time_percent": 97.5,
                    "average_hours": 31.4,
                    "median_hours": 26.0,
                    "longest_hours": 131.2,
                    "overdue_now": 1,
                }
            ]
        ]
    )


class OutcomesReport(_Report):
    """By service."""

    rows: list[Outcomes] = Field(
        examples=[
            [
                {
                    "service": "ECM",
                    "received": 52,
                    "approved": 31,
                    "denied": 9,
                    "void": 3,
                    "cancelled": 1,
                    "pending": 8,
                    "approved_percent": 77.5,
                }
            ]
        ]
    )


class ReasonsReport(_Report):
    """By outcome and reason, the most frequent first."""

    rows: list[Reasons] = Field(
        examples=[
            [
                {
                    "outcome": "denied",
                    "reason": "no-population",
                    "meaning": "No population of focus is met",
                    "referrals": 6,
                }
            ]
        ]
    )


class SourcesReport(_Report):
    """By source and kind of organization, the most frequent first."""

    rows: list[Sources] = Field(
        examples=[
            [
                {
                    "source": "hospital_facility",
                    "organization_kind": "Healthcare Provider",
                    "referrals": 24,
                    "urgent": 11,
                }
            ]
        ]
    )


class PriorAuthorizationReport(_Report):
    """Standard and expedited requests."""

    rows: list[PriorAuthorization] = Field(
        examples=[
            [
                {
                    "track": "standard",
                    "requests": 40,
                    "approved": 31,
                    "denied": 9,
                    "approved_percent": 77.5,
                    "denied_percent": 22.5,
                    "approved_after_extension_percent": None,
                    "approved_after_appeal_percent": None,
                    "average_hours": 31.4,
                    "median_hours": 26.0,
                    "average_days": 1.31,
                    "median_days": 1.08,
                }
            ]
        ]
    )
