"""Tables of the record: who reached or changed protected data, and the seals that chain it.

Both are append-only. `audit_event` has a row for each access and each move, in the chain of a plan;
`audit_seal` has a row for each run of events that were sealed together (`app.store.audit.seal`).
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.tables.metadata import by_month, finite, metadata, moment, text

audit_event = Table(
    "audit_event",
    metadata,
    text("plan", primary_key=True, comment="whose chain: a plan key, or * for no plan"),
    text("id", primary_key=True),
    moment("recorded"),
    text("action", comment="C, R, U, D or E"),
    text("interaction", comment="read, search-type, approve, disclose …"),
    Column("status", Integer, nullable=False, comment="of the HTTP answer"),
    Column("client", Text, comment="a client id, `rules`, `clock`, a command; null if unknown"),
    Column("organization", Text, comment="that the client acts for; of a disclosure, who was told"),
    Column("purpose", Text, comment="HL7 v3 PurposeOfUse"),
    Column("address", Text, comment="the client's network address"),
    Column("kind", Text, comment="the FHIR type; null for what is no FHIR resource"),
    Column("about", ARRAY(Text), nullable=False, comment="type and id: Patient/1, Task/2"),
    Column("query", Text, comment="of a search, as sent"),
    Column("request_id", Text),
    CheckConstraint("status BETWEEN 200 AND 599", name="status"),
    CheckConstraint("action IN ('C', 'R', 'U', 'D', 'E')", name="action"),
    finite("recorded"),
    Index("ix_audit_event_recorded", "plan", "recorded", "id"),
    Index("ix_audit_event_about", "about", postgresql_using="gin"),
    **by_month("id"),
)

#: Not partitioned: the seals tell the chain on when months of events have been taken away.
audit_seal = Table(
    "audit_seal",
    metadata,
    text("plan", primary_key=True),
    Column("number", Integer, primary_key=True, comment="1, 2, 3 … without gaps"),
    Column("first_seq", BigInteger, nullable=False, comment="of the first event in the chain"),
    Column("events", ARRAY(Text), nullable=False, comment="ids, in the order of the chain"),
    text("last_id", comment="the highest of these ids"),
    Column("hashes", LargeBinary, nullable=False, comment="SHA-256 after each event, joined"),
    moment("sealed_at"),
    CheckConstraint(
        "number > 0 AND first_seq > 0 AND cardinality(events) > 0"
        " AND last_id = events[cardinality(events)]"
        " AND octet_length(hashes) = 32 * cardinality(events)",
        name="whole",
    ),
    finite("sealed_at"),
    Index("ix_audit_seal_last_id", "plan", "last_id"),
)
