"""Offers: what one organization can take on for one service under one plan, and its places."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, Table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.store.tables.metadata import metadata, moment, text

offer = Table(
    "offer",
    metadata,
    text("plan", primary_key=True),
    text("id", primary_key=True, comment="the HealthcareService's id"),
    text("organization_id"),
    text("npi"),
    text("service"),
    Column("counties", ARRAY(Text), nullable=False),
    Column("populations", ARRAY(Text), nullable=False),
    Column("places", Integer, nullable=False),
    Column(
        "taken_outside",
        Integer,
        nullable=False,
        comment="places taken outside this service",
    ),
    Column("taken", Integer, nullable=False, comment="places that our approvals hold"),
    text("capacity_status"),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    moment("updated_at"),
    CheckConstraint("taken >= 0 AND taken_outside >= 0 AND places >= 0", name="counts"),
    CheckConstraint(
        "capacity_status IN ('capacity', 'no-capacity', 'waitlist', "
        "'additional-assessment-required')",
        name="capacity_status",
    ),
    Index("ix_offer_service", "plan", "service"),
    Index("ix_offer_organization", "plan", "organization_id"),
)
