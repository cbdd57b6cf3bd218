"""The network's organizations and the plans' rosters."""

from sqlalchemy import Boolean, Column, Index, Integer, Table
from sqlalchemy.types import Text

from app.metadata import metadata, moment, text

#: Organizations belong to no plan: one may serve several.
organization = Table(
    "organization",
    metadata,
    text("id", primary_key=True),
    text("name"),
    Column("npi", Text),
    Column("plan", Text, comment="the plan code, where the organization is a plan"),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    moment("updated_at"),
    Column("made_by", Text, comment="the plan whose client made it; null where it was loaded"),
    Index("ix_organization_npi", "npi"),
    Index("uq_organization_plan", "plan", unique=True),
)

#: The NPIs that organizations have in use: one organization each. All of an organization's rows are
#: written again with each change.
organization_npi = Table(
    "organization_npi",
    metadata,
    text("organization_id", primary_key=True),
    text("npi", primary_key=True, comment="as a key holds it"),
    Index("uq_organization_npi", "npi", unique=True),
)

#: A member as the plan's roster knows them. `facts` is read once, when the roster is loaded.
member = Table(
    "member",
    metadata,
    text("plan", primary_key=True),
    text("id", primary_key=True, comment="the roster's Patient id"),
    text("cin"),
    Column("birth_date", Text),
    text(
        "facts",
        comment="JSON: the facts the roster states, with coverages and their periods",
    ),
    Column("version", Integer, nullable=False),
    moment("updated_at"),
    Index("uq_member_cin", "plan", "cin", unique=True),
)

#: The words by which network and roster are searched: codes, identifiers, references, names, days.
directory_index = Table(
    "directory_index",
    metadata,
    text("plan", primary_key=True, comment="as in resource_version: `*` for organizations"),
    text("type", primary_key=True),
    text("name", primary_key=True, comment="the search parameter"),
    text(
        "value", primary_key=True, comment="`code`, `system|code`, `Type/id`, lower-case text, day"
    ),
    text("id", primary_key=True),
    Index("ix_directory_index_resource", "plan", "type", "id"),
)
