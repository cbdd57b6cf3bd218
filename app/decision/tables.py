"""Determinations (append-only) and the requests for information that they open."""

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
)

from app.metadata import metadata, moment, text

determination = Table(
    "determination",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column("seq", Integer, primary_key=True),
    text("outcome"),
    text("basis", comment="rules | person | clock"),
    Column("policy", Text),
    Column("as_of", Date, nullable=False),
    text("question", comment="JSON: the facts it was decided on, for replay"),
    text("answer", comment="JSON: reasons, populations, criteria, missing facts"),
    moment("at"),
    ForeignKeyConstraint(
        ["plan", "referral_id"], ["referral.plan", "referral.id"], onupdate="CASCADE"
    ),
)

information_request = Table(
    "information_request",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column("seq", Integer, primary_key=True),
    text("id", comment="the CommunicationRequest's id"),
    text("asked", comment="JSON list of {fact, question}"),
    text("actor"),
    moment("asked_at"),
    moment("void_due"),
    Column("remind_at", DateTime(timezone=True), comment="when the second attempt is made"),
    Column("attempts", Integer, nullable=False),
    Column("reminded_at", DateTime(timezone=True)),
    Column("answered_at", DateTime(timezone=True)),
    Column(
        "ended_at",
        DateTime(timezone=True),
        comment="answered, or no longer asked: decided, void, cancelled, asked anew",
    ),
    ForeignKeyConstraint(
        ["plan", "referral_id"], ["referral.plan", "referral.id"], onupdate="CASCADE"
    ),
    Index(
        "ix_information_request_remind",
        "plan",
        "remind_at",
        postgresql_where="ended_at IS NULL AND reminded_at IS NULL AND remind_at IS NOT NULL",
    ),
)
