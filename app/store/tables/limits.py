"""Tables of what callers have used of their quotas, and of the members whom they asked about.

Their rows belong to no plan, and expire. They are logged, so that a lock-out outlives a crash.
Moments are seconds since 1970, because the statements count with them.
"""

from sqlalchemy import CheckConstraint, Column, Double, Integer, Table

from app.store.tables.metadata import metadata, text

#: What one source has used of one quota (`app.store.limits`).
quota_use = Table(
    "quota_use",
    metadata,
    text("name", primary_key=True, comment="the quota"),
    text("key", primary_key=True, comment="a client, or the hash of a client and its address"),
    Column("spent_until", Double, nullable=False, comment="when all of the quota is there again"),
    Column("granted", Integer, nullable=False, comment="what was given the last time"),
    Column(
        "locked_until",
        Double,
        nullable=False,
        server_default="0",
        comment="after too many failures; 0: never was",
    ),
    Column(
        "strikes",
        Integer,
        nullable=False,
        server_default="0",
        comment="locks in a row",
    ),
    CheckConstraint("length(key) <= 200", name="key"),
    CheckConstraint("granted >= 0 AND strikes >= 0", name="counts"),
)

#: A member whom a client asked about: asking again within a day is no other member.
asked_member = Table(
    "asked_member",
    metadata,
    text("client_id", primary_key=True),
    text("member", primary_key=True, comment="a keyed hash of the CIN, never the CIN"),
    Column("until", Double, nullable=False, comment="a day after it was counted"),
    CheckConstraint("length(member) = 43", name="member"),
)
