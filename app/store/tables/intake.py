"""What makes a post repeatable: small tables keyed by the caller's organization."""

from sqlalchemy import Column, Integer, LargeBinary, Table

from app.store.tables.metadata import metadata, moment, text

#: The requester's own identifier: one referral, whatever the number of parallel posts.
referral_identifier = Table(
    "referral_identifier",
    metadata,
    text("organization_id", primary_key=True),
    text("system", primary_key=True),
    text("value", primary_key=True),
    text("plan"),
    text("referral_id"),
    text("fingerprint", comment="of the canonical body"),
    text(
        "locations", comment="JSON: what each entry of a Bundle became; null for a single request"
    ),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    text("organization_id", primary_key=True),
    text("client_id", primary_key=True),
    text("key", primary_key=True),
    text("fingerprint"),
    Column("status", Integer, nullable=False),
    text("headers", comment="JSON"),
    Column("body", LargeBinary, nullable=False),
    moment("created_at"),
)
