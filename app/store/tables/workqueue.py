"""Who of the plan's staff has taken which waiting referral in hand."""

from sqlalchemy import Column, DateTime, Table, Text

from app.store.tables.metadata import metadata, text

#: No foreign key: a referral that finds its plan moves to another key, and is then free again.
work_item = Table(
    "work_item",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column("assignee", Text, comment="the client that claimed it; null once it is released"),
    Column("claimed_at", DateTime(timezone=True)),
)
