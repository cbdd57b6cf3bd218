"""Clients that may ask for a token, and what each was granted."""

from sqlalchemy import Boolean, Column, Table
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.store.tables.metadata import metadata, moment, text

client = Table(
    "client",
    metadata,
    text("id", primary_key=True),
    text("organization_id"),
    Column("secret_hash", Text, comment="scrypt, with its salt; null for key-based clients"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("demonstration", Boolean, nullable=False),
    moment("created_at"),
)
