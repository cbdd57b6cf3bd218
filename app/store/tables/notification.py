"""Tables of endpoints, of messages with their deliveries (the queue), and of correspondence."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.store.tables.metadata import by_month, finite, metadata, moment, text

#: An address to which one organization wants messages. Its key has no plan, since an organization
#: belongs to none.
webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    text("organization_id", primary_key=True),
    text("id", primary_key=True),
    text("url"),
    Column(
        "client_id",
        Text,
        comment="whose scopes full content goes by: who made it or changed it last",
    ),
    Column("description", Text),
    Column("event_types", ARRAY(Text), nullable=False, comment="empty: all"),
    Column("plans", ARRAY(Text), nullable=False, comment="empty: all"),
    text("payload", comment="thin | full"),
    text("status", comment="active | disabled; a subscription: also requested | error"),
    Column("disabled_reason", Text),
    Column(
        "secrets",
        LargeBinary,
        nullable=False,
        comment="encrypted JSON: secrets, newest first",
    ),
    Column("headers", LargeBinary, comment="encrypted JSON: custom headers"),
    Column(
        "failing_since",
        DateTime(timezone=True),
        comment="since when every attempt failed; null after a success",
    ),
    Column(
        "paused_until",
        DateTime(timezone=True),
        comment="throttled, or away: nothing is sent before",
    ),
    Column(
        "max_per_minute", Integer, comment="no more messages a minute than that; null: no limit"
    ),
    Column(
        "sent_until",
        Double,
        comment="epoch seconds up to which the rate is spent; only where there is one",
    ),
    text("kind", server_default="webhook", comment="webhook | subscription (FHIR)"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("topic", Text, comment="the canonical URL that a subscription names"),
    Column("focus", Text, comment="the type that the topic is about"),
    Column("content", Text, comment="empty | id-only | full-resource"),
    Column("mime", Text, comment="the Content-Type of a subscription's notifications"),
    Column("filter_statuses", ARRAY(Text), nullable=False, server_default="{}"),
    Column("filter_owners", ARRAY(Text), nullable=False, server_default="{}"),
    Column("filter_requesters", ARRAY(Text), nullable=False, server_default="{}"),
    Column(
        "events", Integer, nullable=False, server_default="0", comment="event numbers given so far"
    ),
    Column("heartbeat_s", Integer, comment="a heartbeat after so long without an event"),
    Column("last_event_at", DateTime(timezone=True), comment="when a number was last given"),
    Column(
        "next_beat_at",
        DateTime(timezone=True),
        comment="when the keeper looks again: a handshake or a heartbeat is due",
    ),
    Column("ends_at", DateTime(timezone=True), comment="a subscription is off from then on"),
    Column("resource", LargeBinary, comment="the Subscription as sent, without header values"),
    moment("created_at"),
    moment("updated_at"),
    CheckConstraint("status IN ('active', 'disabled', 'requested', 'error')", name="status"),
    CheckConstraint("payload IN ('thin', 'full')", name="payload"),
    CheckConstraint("kind IN ('webhook', 'subscription')", name="kind"),
    CheckConstraint("max_per_minute > 0", name="rate"),
    finite("ends_at"),
    CheckConstraint("content IN ('empty', 'id-only', 'full-resource')", name="content"),
    Index(
        "ix_webhook_endpoint_beat",
        "next_beat_at",
        postgresql_where="next_beat_at IS NOT NULL",
    ),
    Index("ix_webhook_endpoint_end", "ends_at", postgresql_where="ends_at IS NOT NULL"),
)

#: One announced event, written in the transaction of the move that causes it.
message = Table(
    "message",
    metadata,
    text("plan", primary_key=True),
    text("id", primary_key=True, comment="webhook-id, the same on every attempt"),
    text(
        "referral_id",
        primary_key=True,
        comment="what the message is about; its own id for a test message",
    ),
    Column("seq", Integer, nullable=False, comment="order within the referral"),
    text("event_type"),
    Column("body", LargeBinary, nullable=False, comment="the thin payload, exactly as sent"),
    moment("occurred_at"),
    Column("request_id", Text),
    Column("correlation_id", Text),
    Index("uq_message_seq", "plan", "referral_id", "seq", unique=True),
    **by_month("referral_id"),
)

#: One message to one endpoint: these rows are the queue.
delivery = Table(
    "delivery",
    metadata,
    text("plan", primary_key=True),
    text("message_id", primary_key=True),
    text("endpoint_id", primary_key=True),
    text("organization_id"),
    text("referral_id"),
    Column("seq", Integer, nullable=False),
    text("state", comment="pending | delivered | dead | held"),
    Column(
        "attempts",
        Integer,
        nullable=False,
        comment="begun so far; the number fences a late result off",
    ),
    Column(
        "round_start",
        Integer,
        nullable=False,
        server_default="0",
        comment="attempts that do not count for the schedule: before a redelivery, or cut off",
    ),
    Column(
        "manual",
        Boolean,
        nullable=False,
        server_default="false",
        comment="the next attempt was asked for by a person",
    ),
    moment("next_attempt_at"),
    Column(
        "lease_until",
        DateTime(timezone=True),
        comment="a worker is sending it until then",
    ),
    Column("delivered_at", DateTime(timezone=True)),
    Column("focus", Text, comment="a subscription's: the resource that the event is about"),
    Column(
        "event_number",
        Integer,
        comment="its place among a subscription's events, given before the first attempt",
    ),
    moment("created_at"),
    CheckConstraint("state IN ('pending', 'delivered', 'dead', 'held')", name="state"),
    Index(
        "ix_delivery_due",
        "plan",
        "endpoint_id",
        "next_attempt_at",
        postgresql_where="state = 'pending'",
    ),
    Index(
        "ix_delivery_stream",
        "plan",
        "endpoint_id",
        "referral_id",
        "seq",
        postgresql_where="state IN ('pending', 'held')",
    ),
    Index("ix_delivery_endpoint", "plan", "endpoint_id", "created_at"),
    # Searches for correspondence that failed begin with this index.
    Index(
        "ix_delivery_undelivered",
        "plan",
        "message_id",
        postgresql_where="state IN ('dead', 'held')",
    ),
    Index(
        "ix_delivery_event",
        "plan",
        "endpoint_id",
        "event_number",
        postgresql_where="event_number IS NOT NULL",
        unique=True,
    ),
    Index(
        "ix_delivery_unnumbered",
        "plan",
        "endpoint_id",
        postgresql_where="focus IS NOT NULL AND event_number IS NULL",
    ),
    Index("ix_delivery_dead", "plan", postgresql_where="state = 'dead'"),
)

#: One attempt at one delivery (append-only).
attempt = Table(
    "attempt",
    metadata,
    text("plan", primary_key=True),
    text("message_id", primary_key=True),
    text("endpoint_id", primary_key=True),
    Column("number", Integer, primary_key=True),
    moment("at"),
    Column("status", Integer, comment="the HTTP status; null when there was no answer"),
    Column(
        "error",
        Text,
        comment="a class: timeout, dns_error, tls_error, refused, blocked …",
    ),
    Column("duration_ms", Integer, nullable=False),
    Column("response", Text, comment="the first part of the answer"),
    Column("manual", Boolean, nullable=False),
    # `app.views.figures` counts the latest attempts, which are at the end of the table.
    Index("ix_attempt_at", "plan", "at", postgresql_using="brin"),
    **by_month("message_id"),
)

#: One notice of an outcome: who was told, and how (spec.md 2, Correspondence).
correspondence = Table(
    "correspondence",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    text("id", primary_key=True, comment="the Communication's id"),
    text("outcome"),
    text("recipient", comment="requesting | servicing | member"),
    Column("organization_id", Text),
    text("status", comment="sent | to-send | skipped"),
    Column("reason", Text, comment="why it was skipped"),
    text("about", comment="JSON: what was so at that moment, for the letter"),
    Column("message_id", Text, comment="the message that tells it; null for a letter"),
    Column("medium", Text, comment="endpoint | mail | fax | phone | hand, once it is sent"),
    Column("sent_at", DateTime(timezone=True)),
    Column("sent_by", Text, comment="the client that says a letter was sent"),
    Column("note", Text, comment="what that person noted"),
    Column(
        "released_at",
        DateTime(timezone=True),
        comment="since when it may go to an address that the referral alone states",
    ),
    Column("released_by", Text, comment="the client"),
    Column("release_note", Text, comment="why it may"),
    moment("created_at"),
    CheckConstraint("status IN ('sent', 'to-send', 'skipped')", name="status"),
    CheckConstraint(
        "(released_at IS NULL) = (release_note IS NULL)"
        " AND (released_at IS NULL) = (released_by IS NULL)",
        name="released",
    ),
    CheckConstraint("medium IN ('endpoint', 'mail', 'fax', 'phone', 'hand')", name="medium"),
    Index("ix_correspondence_newest", "plan", "created_at", "id"),
    Index(
        "ix_correspondence_message",
        "plan",
        "message_id",
        postgresql_where="medium = 'endpoint'",
    ),
    Index(
        "ix_correspondence_to_send",
        "plan",
        "created_at",
        postgresql_where="status = 'to-send'",
    ),
)
