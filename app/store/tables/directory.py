"""Tables of the directory: organizations, rosters of the plans, offers; and of the clients.

An offer says how many members one organization can serve with one service under one plan. A client
may ask for a token, with the scopes that it was granted.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    false,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.store.tables.metadata import metadata, moment, text

#: An organization of the network. Its key has no plan, since it may serve several plans.
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

#: An NPI in use; only one organization has each. A change of an organization writes all its rows
#: anew.
organization_npi = Table(
    "organization_npi",
    metadata,
    text("organization_id", primary_key=True),
    text("npi", primary_key=True, comment="as a key holds it"),
    Index("uq_organization_npi", "npi", unique=True),
)

#: A change of an organization that waits for a second word, or had one. Rows are never deleted.
organization_proposal = Table(
    "organization_proposal",
    metadata,
    text("id", primary_key=True),
    text("organization_id"),
    Column("based_on", Integer, nullable=False, comment="the version that it changes"),
    Column("changes", ARRAY(Text), nullable=False, comment="of name, address, npi"),
    Column("body", LargeBinary, nullable=False, comment="the Organization as it would be"),
    text("state", comment="open | confirmed | rejected | overtaken"),
    text("proposed_by", comment="the client"),
    text("proposed_for", comment="the client's organization: it gives no second word"),
    moment("proposed_at"),
    Column("decided_by", Text, comment="the client; null where it was overtaken"),
    Column("decided_for", Text, comment="the client's organization"),
    Column("decided_at", DateTime(timezone=True)),
    Column("note", Text),
    CheckConstraint("state IN ('open', 'confirmed', 'rejected', 'overtaken')", name="state"),
    CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
    CheckConstraint(
        "state NOT IN ('confirmed', 'rejected') OR (decided_by IS NOT NULL"
        " AND decided_for IS NOT NULL AND decided_for <> proposed_for)",
        name="second_word",
    ),
    Index("ix_organization_proposal_proposed_at", "proposed_at", "id"),
    Index(
        "uq_organization_proposal_open",
        "organization_id",
        "proposed_for",
        unique=True,
        postgresql_where="state = 'open'",
    ),
)

#: A member in the plan's roster. `facts` is derived once, when the roster is loaded.
member = Table(
    "member",
    metadata,
    text("plan", primary_key=True),
    text("id", primary_key=True, comment="the roster's Patient id"),
    text("cin"),
    Column("birth_date", Text),
    Column(
        "families",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="the family names of the roster's Patient",
    ),
    text(
        "facts",
        comment="JSON: the facts the roster states, with coverages and their periods",
    ),
    Column(
        "reachable",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the roster has an address that a letter can be sent to",
    ),
    Column("version", Integer, nullable=False),
    moment("updated_at"),
    Index("uq_member_cin", "plan", "cin", unique=True),
)

#: One version of one resource of network or roster as it is served; never changed (append-only).
directory_version = Table(
    "directory_version",
    metadata,
    text("plan", primary_key=True, comment="`*` for organizations"),
    text("type", primary_key=True),
    text("id", primary_key=True),
    Column("version", Integer, primary_key=True),
    moment("updated_at"),
    Column("body", LargeBinary, nullable=False, comment="FHIR JSON, ready to send"),
    Column("words", Text, comment="by which a search finds it; null until it has been read"),
    Index(
        "ix_directory_version_unread",
        "plan",
        "type",
        "id",
        postgresql_where="words IS NULL",
    ),
)

#: The words that find network and roster: codes, identifiers, references, names, days.
directory_index = Table(
    "directory_index",
    metadata,
    text("plan", primary_key=True, comment="`*` for organizations"),
    text("type", primary_key=True),
    text("name", primary_key=True, comment="the search parameter"),
    text(
        "value", primary_key=True, comment="`code`, `system|code`, `Type/id`, lower-case text, day"
    ),
    text("id", primary_key=True),
    Index("ix_directory_index_resource", "plan", "type", "id"),
)


#: The offer of a service by an organization under one plan, with its places.
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


#: A client that may ask for a token: by its secret, or by a key of its own.
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
    Column("name", Text, comment="by which people know it"),
    Column("plan", Text, comment="the plan whose staff registered it; null: the operator"),
    text("purpose", server_default="TREAT", comment="why it asks: HL7 v3 PurposeOfUse"),
    Column("jwks", Text, comment="JSON: its public keys"),
    Column("jwks_uri", Text, comment="where it publishes its public keys"),
    Column("certificate", Text, comment="SHA-256 of its TLS certificate, base64url"),
    Column("previous_secret_hash", Text, comment="good until previous_secret_until"),
    Column("previous_secret_until", DateTime(timezone=True)),
    Column(
        "token_series",
        Integer,
        nullable=False,
        server_default="0",
        comment="tokens of an earlier series are refused",
    ),
    Column("series_at", DateTime(timezone=True), comment="when token_series last changed"),
    CheckConstraint("jwks IS NULL OR jwks_uri IS NULL", name="keys"),
    CheckConstraint(
        "(previous_secret_hash IS NULL) = (previous_secret_until IS NULL)", name="previous"
    ),
    CheckConstraint("(token_series = 0) = (series_at IS NULL)", name="series"),
    CheckConstraint(
        "purpose IN ('TREAT', 'ETREAT', 'CAREMGT', 'COC', 'HPAYMT', 'HOPERAT', 'PUBHLTH')",
        name="purpose",
    ),
    Index("ix_client_plan", "plan", "created_at", "id"),
    Index("ix_client_organization", "organization_id"),
    Index("ix_client_series", "series_at"),
)

#: What was done to a client, when, and by whom; never what its secret is. Append-only.
client_history = Table(
    "client_history",
    metadata,
    text("client_id", primary_key=True),
    text("id", primary_key=True),
    text("event"),
    text("actor", comment="the client that did it; `operator` at the command line"),
    moment("at"),
    CheckConstraint(
        "event IN ('register', 'rotate', 'keys', 'switch-off', 'switch-on')", name="event"
    ),
)

#: The assertions that clients have logged in with: each is good once. Rows expire.
client_assertion = Table(
    "client_assertion",
    metadata,
    text("client_id", primary_key=True),
    text("jti", primary_key=True, comment="SHA-256 of the assertion's id"),
    moment("expires_at"),
    Index("ix_client_assertion_expires_at", "expires_at"),
)
