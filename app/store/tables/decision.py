"""Tables of determinations (append-only), of requests for information, and of authorizations."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from app.store.tables.metadata import finite, follows, metadata, moment, text

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
    finite("as_of"),
    follows(),
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
    finite("void_due", "remind_at"),
    Index(
        "ix_information_request_remind",
        "plan",
        "remind_at",
        postgresql_where="ended_at IS NULL AND reminded_at IS NULL AND remind_at IS NOT NULL",
    ),
)

#: The authorization that an approval makes. The plan gives its number.
service_authorization = Table(
    "service_authorization",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    text("number"),
    text("cin"),
    text("service"),
    Column("performer_id", Text),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("units", Text, comment="JSON: quantity and unit, where the policy gives them"),
    Column(
        "previous_id",
        Text,
        comment="the referral whose authorization this one continues",
    ),
    text("status", comment="open | ended: taken back before its last day"),
    Column("expiring_told_at", DateTime(timezone=True)),
    Column("expired_told_at", DateTime(timezone=True)),
    moment("created_at"),
    moment("updated_at"),
    CheckConstraint("ends_on >= starts_on", name="period"),
    finite("starts_on", "ends_on"),
    CheckConstraint("status IN ('open', 'ended')", name="status"),
    Index("uq_service_authorization_number", "plan", "number", unique=True),
    # A member never has two open authorizations for one service on one day, even if several people
    # approve at once. The exclusion constraint (of the extension btree_gist) alone would suffice.
    # But there two inserts may wait for each other: a deadlock, whose loser is answered "busy". So
    # the unique index stops the usual case first: two authorizations that begin on the same day.
    Index(
        "uq_service_authorization_open",
        "plan",
        "cin",
        "service",
        "starts_on",
        unique=True,
        postgresql_where="status = 'open'",
    ),
    ExcludeConstraint(
        ("plan", "="),
        ("cin", "="),
        ("service", "="),
        (literal_column("daterange(starts_on, ends_on, '[]')"), "&&"),
        where="status = 'open'",
        using="gist",
        name="ex_service_authorization_open",
    ),
    Index(
        "ix_service_authorization_expiring",
        "plan",
        "ends_on",
        postgresql_where="status = 'open' AND expiring_told_at IS NULL AND expired_told_at IS NULL",
    ),
    Index(
        "ix_service_authorization_expired",
        "plan",
        "ends_on",
        postgresql_where="status = 'open' AND expired_told_at IS NULL",
    ),
    Index(
        "ix_service_authorization_previous",
        "plan",
        "previous_id",
        postgresql_where="previous_id IS NOT NULL",
    ),
)

#: Constraints that fail when another authorization of member and service was written first.
OVERLAPS = ("uq_service_authorization_open", "ex_service_authorization_open")
