"""Every table of version 0.2.0, its functions, and the role that may not change history.

Later migrations bring a database of this version further (docs/versioning.md).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0.2.0"
down_revision = None
branch_labels = None
depends_on = None

#: The role that the service works with. `python -m app migrate` gives it its rights. Roles belong
#: to the whole server: another database of it may have made this one already.
ROLE = "nwd_service"
SERVICE = f"""DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""

#: A statement that writes a move checks what was read, and stops itself where that is no longer so.
#: It raises the error `NW001`, with the name of the check as its constraint. Then nothing of the
#: statement is written, though it has no transaction around it.
REQUIRE = """CREATE FUNCTION nwd_require(holds boolean, what text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'what was read is no longer so' USING ERRCODE = 'NW001', CONSTRAINT = what;
    END IF;
    RETURN true;
END $$"""

#: The first id that can be made in the month of a day, and the first of the month after it: UUIDv7
#: of the first millisecond, in UTC.
MONTH_BOUNDS = """CREATE FUNCTION nwd_month_bounds(month date) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
SELECT array_agg(format('%s-%s-7000-8000-000000000000', left(h, 8), right(h, 4)) ORDER BY h)
FROM generate_series(0, 1) AS n, date_trunc('month', month::timestamp) AS began,
    lpad(to_hex((extract(epoch FROM began + n * interval '1 month') * 1000)::bigint), 12, '0') AS h
$$"""
#: Makes the partition of a table of this schema for the month of a day. The tables that the new
#: partition refers to are locked first, as a statement that writes a move locks them first: the
#: other order would be a deadlock. It gives up after a moment, since all others wait behind it.
MAKE_MONTH = f"""CREATE FUNCTION nwd_make_month(whole text, month date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    name text := whole || to_char(month, '_YYYY_MM');
    bounds text[] := public.nwd_month_bounds(month);
    other regclass;
BEGIN
    IF month NOT BETWEEN current_date - 31 AND current_date + 400 OR NOT EXISTS (
        SELECT FROM pg_class WHERE relname = whole AND relkind = 'p'
            AND relnamespace = 'public'::regnamespace)
    THEN
        RAISE EXCEPTION 'no table of this name, or no month to be made' USING ERRCODE = 'NW002';
    END IF;
    FOR other IN SELECT confrelid::regclass FROM pg_constraint
        WHERE contype = 'f' AND conrelid = format('public.%I', whole)::regclass
    LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', other);
    END LOOP;
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', whole);
    IF to_regclass(format('public.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
            name, whole, bounds[1], bounds[2]);
        EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, {ROLE}', name);
    END IF;
END $$"""

#: Tables that are partitioned by month.
MONTHLY = ("attempt", "message", "referral_history")
#: Each stored version of each resource of a referral. Whoever reads it names the referral.
VERSIONS = """CREATE VIEW resource_version WITH (security_invoker = true) AS
SELECT s.plan, s.referral_id, k.type,
    s.referral_id || substr(e.name, length(k.type) + 1) AS id, e.version, s.updated_at,
    s.bodies[e.place] AS body, s.words[e.place] AS words
FROM resource_set s
CROSS JOIN LATERAL unnest(s.names, s.versions) WITH ORDINALITY AS e(name, version, place)
CROSS JOIN LATERAL (SELECT split_part(e.name, '.', 1) AS type) AS k"""

#: Columns with long values: compressed by lz4, which reads them several times as fast, if this
#: PostgreSQL has it.
LARGE = (
    ("resource_set", "bodies"),
    ("resource_set", "words"),
    ("determination", "question"),
    ("determination", "answer"),
)
COMPRESSED = """DO $$ BEGIN ALTER TABLE {table} ALTER {column} SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    for statement in (SERVICE, REQUIRE, MONTH_BOUNDS, MAKE_MONTH):
        op.execute(statement)
    _make_tables()
    op.execute(VERSIONS)
    for table, column in LARGE:
        op.execute(COMPRESSED.format(table=table, column=column))
    for table in MONTHLY:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _make_tables() -> None:
    op.create_table(
        "attempt",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "status",
            sa.Integer(),
            nullable=True,
            comment="the HTTP status; null when there was no answer",
        ),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="a class: timeout, dns_error, tls_error, refused, blocked …",
        ),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response", sa.Text(), nullable=True, comment="the first part of the answer"),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "plan", "message_id", "endpoint_id", "number", name=op.f("pk_attempt")
        ),
        postgresql_partition_by="RANGE (message_id)",
    )
    op.create_index(
        "ix_attempt_at", "attempt", ["plan", "at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "client",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column(
            "secret_hash",
            sa.Text(),
            nullable=True,
            comment="scrypt, with its salt; null for key-based clients",
        ),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )
    op.create_table(
        "correspondence",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="the Communication's id"),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "recipient", sa.Text(), nullable=False, comment="requesting | servicing | member"
        ),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False, comment="sent | to-send | skipped"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was skipped"),
        sa.Column(
            "about",
            sa.Text(),
            nullable=False,
            comment="JSON: what was so at that moment, for the letter",
        ),
        sa.Column(
            "message_id",
            sa.Text(),
            nullable=True,
            comment="the message that tells it; null for a letter",
        ),
        sa.Column(
            "medium",
            sa.Text(),
            nullable=True,
            comment="endpoint | mail | fax | phone | hand, once it is sent",
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "sent_by", sa.Text(), nullable=True, comment="the client that says a letter was sent"
        ),
        sa.Column("note", sa.Text(), nullable=True, comment="what that person noted"),
        sa.Column(
            "released_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it may go to an address that the referral alone states",
        ),
        sa.Column("released_by", sa.Text(), nullable=True, comment="the client"),
        sa.Column("release_note", sa.Text(), nullable=True, comment="why it may"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "medium IN ('endpoint', 'mail', 'fax', 'phone', 'hand')",
            name=op.f("ck_correspondence_medium"),
        ),
        sa.CheckConstraint(
            "status IN ('sent', 'to-send', 'skipped')", name=op.f("ck_correspondence_status")
        ),
        sa.CheckConstraint(
            "(released_at IS NULL) = (release_note IS NULL) AND (released_at IS NULL) = (released_by IS NULL)",
            name=op.f("ck_correspondence_released"),
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", "id", name=op.f("pk_correspondence")),
    )
    op.create_index(
        "ix_correspondence_message",
        "correspondence",
        ["plan", "message_id"],
        unique=False,
        postgresql_where="medium = 'endpoint'",
    )
    op.create_index(
        "ix_correspondence_newest", "correspondence", ["plan", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_correspondence_to_send",
        "correspondence",
        ["plan", "created_at"],
        unique=False,
        postgresql_where="status = 'to-send'",
    )
    op.create_table(
        "delivery",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="pending | delivered | dead | held"),
        sa.Column(
            "attempts",
            sa.Integer(),
            nullable=False,
            comment="begun so far; the number fences a late result off",
        ),
        sa.Column(
            "round_start",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="attempts that do not count for the schedule: before a redelivery, or cut off",
        ),
        sa.Column(
            "manual",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="the next attempt was asked for by a person",
        ),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="a worker is sending it until then",
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "focus",
            sa.Text(),
            nullable=True,
            comment="a subscription's: the resource that the event is about",
        ),
        sa.Column(
            "event_number",
            sa.Integer(),
            nullable=True,
            comment="its place among a subscription's events, given before the first attempt",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead', 'held')", name=op.f("ck_delivery_state")
        ),
        sa.PrimaryKeyConstraint("plan", "message_id", "endpoint_id", name=op.f("pk_delivery")),
    )
    op.create_index(
        "ix_delivery_dead", "delivery", ["plan"], unique=False, postgresql_where="state = 'dead'"
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["plan", "endpoint_id", "next_attempt_at"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_index(
        "ix_delivery_endpoint", "delivery", ["plan", "endpoint_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_delivery_event",
        "delivery",
        ["plan", "endpoint_id", "event_number"],
        unique=True,
        postgresql_where="event_number IS NOT NULL",
    )
    op.create_index(
        "ix_delivery_stream",
        "delivery",
        ["plan", "endpoint_id", "referral_id", "seq"],
        unique=False,
        postgresql_where="state IN ('pending', 'held')",
    )
    op.create_index(
        "ix_delivery_undelivered",
        "delivery",
        ["plan", "message_id"],
        unique=False,
        postgresql_where="state IN ('dead', 'held')",
    )
    op.create_index(
        "ix_delivery_unnumbered",
        "delivery",
        ["plan", "endpoint_id"],
        unique=False,
        postgresql_where="focus IS NOT NULL AND event_number IS NULL",
    )
    op.create_table(
        "directory_index",
        sa.Column("plan", sa.Text(), nullable=False, comment="`*` for organizations"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the search parameter"),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment="`code`, `system|code`, `Type/id`, lower-case text, day",
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "plan", "type", "name", "value", "id", name=op.f("pk_directory_index")
        ),
    )
    op.create_index(
        "ix_directory_index_resource", "directory_index", ["plan", "type", "id"], unique=False
    )
    op.create_table(
        "directory_version",
        sa.Column("plan", sa.Text(), nullable=False, comment="`*` for organizations"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="FHIR JSON, ready to send"),
        sa.Column(
            "words",
            sa.Text(),
            nullable=True,
            comment="by which a search finds it; null until it has been read",
        ),
        sa.PrimaryKeyConstraint("plan", "type", "id", "version", name=op.f("pk_directory_version")),
    )
    op.create_index(
        "ix_directory_version_unread",
        "directory_version",
        ["plan", "type", "id"],
        unique=False,
        postgresql_where="words IS NULL",
    )
    op.create_table(
        "idempotency_key",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "organization_id", "client_id", "key", name=op.f("pk_idempotency_key")
        ),
    )
    op.create_table(
        "information_request",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="the CommunicationRequest's id"),
        sa.Column("asked", sa.Text(), nullable=False, comment="JSON list of {fact, question}"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("void_due", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "remind_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the second attempt is made",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="answered, or no longer asked: decided, void, cancelled, asked anew",
        ),
        sa.CheckConstraint(
            "isfinite(void_due) AND isfinite(remind_at)", name=op.f("ck_information_request_finite")
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", "seq", name=op.f("pk_information_request")),
    )
    op.create_index(
        "ix_information_request_remind",
        "information_request",
        ["plan", "remind_at"],
        unique=False,
        postgresql_where="ended_at IS NULL AND reminded_at IS NULL AND remind_at IS NOT NULL",
    )
    op.create_table(
        "locator",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("type", "id", name=op.f("pk_locator")),
    )
    op.create_table(
        "member",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="the roster's Patient id"),
        sa.Column("cin", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Text(), nullable=True),
        sa.Column(
            "facts",
            sa.Text(),
            nullable=False,
            comment="JSON: the facts the roster states, with coverages and their periods",
        ),
        sa.Column(
            "reachable",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the roster has an address that a letter can be sent to",
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan", "id", name=op.f("pk_member")),
    )
    op.create_index("uq_member_cin", "member", ["plan", "cin"], unique=True)
    op.create_table(
        "message",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="webhook-id, the same on every attempt"),
        sa.Column(
            "referral_id",
            sa.Text(),
            nullable=False,
            comment="what the message is about; its own id for a test message",
        ),
        sa.Column("seq", sa.Integer(), nullable=False, comment="order within the referral"),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="the thin payload, exactly as sent"
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plan", "id", "referral_id", name=op.f("pk_message")),
        postgresql_partition_by="RANGE (referral_id)",
    )
    op.create_index("uq_message_seq", "message", ["plan", "referral_id", "seq"], unique=True)
    op.create_table(
        "offer",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="the HealthcareService's id"),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("counties", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("populations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column(
            "taken_outside",
            sa.Integer(),
            nullable=False,
            comment="places taken outside this service",
        ),
        sa.Column("taken", sa.Integer(), nullable=False, comment="places that our approvals hold"),
        sa.Column("capacity_status", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "capacity_status IN ('capacity', 'no-capacity', 'waitlist', 'additional-assessment-required')",
            name=op.f("ck_offer_capacity_status"),
        ),
        sa.CheckConstraint(
            "taken >= 0 AND taken_outside >= 0 AND places >= 0", name=op.f("ck_offer_counts")
        ),
        sa.PrimaryKeyConstraint("plan", "id", name=op.f("pk_offer")),
    )
    op.create_index("ix_offer_organization", "offer", ["plan", "organization_id"], unique=False)
    op.create_index("ix_offer_service", "offer", ["plan", "service"], unique=False)
    op.create_table(
        "organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=True),
        sa.Column(
            "plan",
            sa.Text(),
            nullable=True,
            comment="the plan code, where the organization is a plan",
        ),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "made_by",
            sa.Text(),
            nullable=True,
            comment="the plan whose client made it; null where it was loaded",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
    )
    op.create_index("ix_organization_npi", "organization", ["npi"], unique=False)
    op.create_index("uq_organization_plan", "organization", ["plan"], unique=True)
    op.create_table(
        "organization_npi",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False, comment="as a key holds it"),
        sa.PrimaryKeyConstraint("organization_id", "npi", name=op.f("pk_organization_npi")),
    )
    op.create_index("uq_organization_npi", "organization_npi", ["npi"], unique=True)
    op.create_table(
        "organization_proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False, comment="the version that it changes"),
        sa.Column(
            "changes", postgresql.ARRAY(sa.Text()), nullable=False, comment="of name, address, npi"
        ),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="the Organization as it would be"
        ),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="open | confirmed | rejected | overtaken"
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False, comment="the client"),
        sa.Column(
            "proposed_for",
            sa.Text(),
            nullable=False,
            comment="the client's organization: it gives no second word",
        ),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "decided_by",
            sa.Text(),
            nullable=True,
            comment="the client; null where it was overtaken",
        ),
        sa.Column("decided_for", sa.Text(), nullable=True, comment="the client's organization"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)", name=op.f("ck_organization_proposal_decided")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'confirmed', 'rejected', 'overtaken')",
            name=op.f("ck_organization_proposal_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('confirmed', 'rejected') OR (decided_by IS NOT NULL AND decided_for IS NOT NULL AND decided_for <> proposed_for)",
            name=op.f("ck_organization_proposal_second_word"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_proposal")),
    )
    op.create_index(
        "ix_organization_proposal_proposed_at",
        "organization_proposal",
        ["proposed_at", "id"],
        unique=False,
    )
    op.create_index(
        "uq_organization_proposal_open",
        "organization_proposal",
        ["organization_id", "proposed_for"],
        unique=True,
        postgresql_where="state = 'open'",
    )
    op.create_table(
        "party",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="requester | asked | performer"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="set when passed over or declining",
        ),
        sa.PrimaryKeyConstraint(
            "plan", "organization_id", "referral_id", "role", name=op.f("pk_party")
        ),
    )
    op.create_index("ix_party_referral", "party", ["plan", "referral_id"], unique=False)
    op.create_table(
        "referral",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("business_status", sa.Text(), nullable=True),
        sa.Column(
            "organization_id",
            sa.Text(),
            nullable=False,
            comment="the referring organization: the token's",
        ),
        sa.Column(
            "service", sa.Text(), nullable=True, comment="null while nobody has said which service"
        ),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column(
            "member_id",
            sa.Text(),
            nullable=True,
            comment="the roster's Patient id, once the member is identified",
        ),
        sa.Column("cin", sa.Text(), nullable=True),
        sa.Column(
            "patient_id",
            sa.Text(),
            nullable=True,
            comment="the Patient as the referrer knows it: copy or reference",
        ),
        sa.Column("county", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision_due", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "void_due",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="runs only while information is asked for",
        ),
        sa.Column("overdue_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assignment", sa.Text(), nullable=True),
        sa.Column(
            "offer_id",
            sa.Text(),
            nullable=True,
            comment="the offer whose place it holds, or waits for",
        ),
        sa.Column("holds_place", sa.Boolean(), nullable=False),
        sa.Column("performer_id", sa.Text(), nullable=True, comment="the organization assigned"),
        sa.Column(
            "asked_performer_id",
            sa.Text(),
            nullable=True,
            comment="the organization the referrer asked for",
        ),
        sa.Column("based_on", sa.Text(), nullable=True),
        sa.Column("moves", sa.Integer(), nullable=False, comment="rows of history so far"),
        sa.Column(
            "announced",
            sa.Integer(),
            nullable=False,
            comment="messages so far; orders them per endpoint",
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "details",
            sa.Text(),
            nullable=False,
            comment="JSON: reasons, populations, notes of the last decision",
        ),
        sa.CheckConstraint(
            "NOT holds_place OR (state = 'approved' AND offer_id IS NOT NULL)",
            name=op.f("ck_referral_place"),
        ),
        sa.CheckConstraint(
            "business_status IN ('in-review', 'information-needed', 'assigned', 'alternate', 'waitlisted', 'unassigned', 'accepted', 'on-hold', 'in-service', 'completed', 'unfulfilled')",
            name=op.f("ck_referral_business_status"),
        ),
        sa.CheckConstraint(
            "business_status IS NULL OR state IN ('pending', 'approved')",
            name=op.f("ck_referral_business_status_state"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'denied', 'void', 'cancelled')",
            name=op.f("ck_referral_state"),
        ),
        sa.CheckConstraint(
            "isfinite(received_at) AND isfinite(decision_due) AND isfinite(void_due)",
            name=op.f("ck_referral_finite"),
        ),
        sa.PrimaryKeyConstraint("plan", "id", name=op.f("pk_referral")),
    )
    op.create_index("ix_referral_member", "referral", ["plan", "cin", "id"], unique=False)
    op.create_index(
        "ix_referral_overdue",
        "referral",
        ["plan", "decision_due"],
        unique=False,
        postgresql_where="state = 'pending' AND overdue_told_at IS NULL",
    )
    op.create_index("ix_referral_patient", "referral", ["plan", "patient_id", "id"], unique=False)
    op.create_index(
        "ix_referral_pending",
        "referral",
        ["plan", "decision_due"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_index(
        "ix_referral_queue",
        "referral",
        ["plan"],
        unique=False,
        postgresql_where="business_status IN ('in-review', 'information-needed', 'unassigned', 'waitlisted')",
    )
    op.create_index("ix_referral_received", "referral", ["plan", "received_at"], unique=False)
    op.create_index("ix_referral_updated", "referral", ["plan", "updated_at"], unique=False)
    op.create_index(
        "ix_referral_void_due",
        "referral",
        ["plan", "void_due"],
        unique=False,
        postgresql_where="state = 'pending' AND void_due IS NOT NULL",
    )
    op.create_index(
        "ix_referral_waiting",
        "referral",
        ["plan", "offer_id", "received_at"],
        unique=False,
        postgresql_where="assignment = 'waitlisted'",
    )
    op.create_table(
        "referral_business_identifier",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column(
            "value",
            sa.Text(),
            nullable=False,
            comment="before the system: clients search without one, too",
        ),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "plan", "value", "system", "referral_id", name=op.f("pk_referral_business_identifier")
        ),
    )
    op.create_table(
        "referral_identifier",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="of the canonical body"),
        sa.Column(
            "locations",
            sa.Text(),
            nullable=False,
            comment="JSON: what each entry of a Bundle became; null for a single request",
        ),
        sa.PrimaryKeyConstraint(
            "organization_id", "system", "value", name=op.f("pk_referral_identifier")
        ),
    )
    op.create_table(
        "resource_set",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the referral"),
        sa.Column(
            "number",
            sa.Text(),
            nullable=False,
            comment="of the row among those of the version; of a letter sent later, its id",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "names",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="type, and what the id adds to the referral's: Task, Patient.1e2",
        ),
        sa.Column(
            "versions", postgresql.ARRAY(sa.Integer()), nullable=False, comment="of each resource"
        ),
        sa.Column(
            "bodies",
            postgresql.ARRAY(sa.LargeBinary()),
            nullable=False,
            comment="FHIR JSON, ready to send",
        ),
        sa.Column(
            "words",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="by which a search finds it; null until it has been read",
        ),
        sa.PrimaryKeyConstraint(
            "plan", "referral_id", "version", "number", name=op.f("pk_resource_set")
        ),
    )
    op.create_index(
        "ix_resource_set_unread",
        "resource_set",
        ["plan", "referral_id", "version", "number"],
        unique=False,
        postgresql_where="words IS NULL",
    )
    op.create_table(
        "service_authorization",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("cin", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("performer_id", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column(
            "units",
            sa.Text(),
            nullable=True,
            comment="JSON: quantity and unit, where the policy gives them",
        ),
        sa.Column(
            "previous_id",
            sa.Text(),
            nullable=True,
            comment="the referral whose authorization this one continues",
        ),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="open | ended: taken back before its last day",
        ),
        sa.Column("expiring_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expired_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'ended')", name=op.f("ck_service_authorization_status")
        ),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_service_authorization_period")),
        sa.CheckConstraint(
            "isfinite(starts_on) AND isfinite(ends_on)",
            name=op.f("ck_service_authorization_finite"),
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", name=op.f("pk_service_authorization")),
    )
    op.create_index(
        "ix_service_authorization_expired",
        "service_authorization",
        ["plan", "ends_on"],
        unique=False,
        postgresql_where="status = 'open' AND expired_told_at IS NULL",
    )
    op.create_index(
        "ix_service_authorization_expiring",
        "service_authorization",
        ["plan", "ends_on"],
        unique=False,
        postgresql_where="status = 'open' AND expiring_told_at IS NULL AND expired_told_at IS NULL",
    )
    op.create_index(
        "ix_service_authorization_previous",
        "service_authorization",
        ["plan", "previous_id"],
        unique=False,
        postgresql_where="previous_id IS NOT NULL",
    )
    op.create_index(
        "uq_service_authorization_number", "service_authorization", ["plan", "number"], unique=True
    )
    op.create_index(
        "uq_service_authorization_open",
        "service_authorization",
        ["plan", "cin", "service", "starts_on"],
        unique=True,
        postgresql_where="status = 'open'",
    )
    # After the index above: two that begin on the same day are to meet there first.
    op.execute(
        "ALTER TABLE service_authorization ADD CONSTRAINT ex_service_authorization_open"
        " EXCLUDE USING gist (plan WITH =, cin WITH =, service WITH =,"
        " daterange(starts_on, ends_on, '[]') WITH &&) WHERE (status = 'open')"
    )
    op.create_table(
        "task",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="referral | service"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("business_status", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan", "referral_id", "id", name=op.f("pk_task")),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "client_id",
            sa.Text(),
            nullable=True,
            comment="whose scopes full content goes by: who made it or changed it last",
        ),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("event_types", postgresql.ARRAY(sa.Text()), nullable=False, comment="empty: all"),
        sa.Column("plans", postgresql.ARRAY(sa.Text()), nullable=False, comment="empty: all"),
        sa.Column("payload", sa.Text(), nullable=False, comment="thin | full"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="active | disabled; a subscription: also requested | error",
        ),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column(
            "secrets",
            sa.LargeBinary(),
            nullable=False,
            comment="encrypted JSON: secrets, newest first",
        ),
        sa.Column(
            "headers", sa.LargeBinary(), nullable=True, comment="encrypted JSON: custom headers"
        ),
        sa.Column(
            "failing_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when every attempt failed; null after a success",
        ),
        sa.Column(
            "paused_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="throttled, or away: nothing is sent before",
        ),
        sa.Column(
            "max_per_minute",
            sa.Integer(),
            nullable=True,
            comment="no more messages a minute than that; null: no limit",
        ),
        sa.Column(
            "sent_until",
            sa.Double(),
            nullable=True,
            comment="epoch seconds up to which the rate is spent; only where there is one",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            server_default="webhook",
            nullable=False,
            comment="webhook | subscription (FHIR)",
        ),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "topic", sa.Text(), nullable=True, comment="the canonical URL that a subscription names"
        ),
        sa.Column("focus", sa.Text(), nullable=True, comment="the type that the topic is about"),
        sa.Column("content", sa.Text(), nullable=True, comment="empty | id-only | full-resource"),
        sa.Column(
            "mime",
            sa.Text(),
            nullable=True,
            comment="the Content-Type of a subscription's notifications",
        ),
        sa.Column(
            "filter_statuses", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "filter_owners", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "filter_requesters", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "events",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="event numbers given so far",
        ),
        sa.Column(
            "heartbeat_s",
            sa.Integer(),
            nullable=True,
            comment="a heartbeat after so long without an event",
        ),
        sa.Column(
            "last_event_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a number was last given",
        ),
        sa.Column(
            "next_beat_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the keeper looks again: a handshake or a heartbeat is due",
        ),
        sa.Column(
            "ends_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="a subscription is off from then on",
        ),
        sa.Column(
            "resource",
            sa.LargeBinary(),
            nullable=True,
            comment="the Subscription as sent, without header values",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "content IN ('empty', 'id-only', 'full-resource')",
            name=op.f("ck_webhook_endpoint_content"),
        ),
        sa.CheckConstraint(
            "kind IN ('webhook', 'subscription')", name=op.f("ck_webhook_endpoint_kind")
        ),
        sa.CheckConstraint("payload IN ('thin', 'full')", name=op.f("ck_webhook_endpoint_payload")),
        sa.CheckConstraint(
            "status IN ('active', 'disabled', 'requested', 'error')",
            name=op.f("ck_webhook_endpoint_status"),
        ),
        sa.CheckConstraint("isfinite(ends_at)", name=op.f("ck_webhook_endpoint_finite")),
        sa.CheckConstraint("max_per_minute > 0", name=op.f("ck_webhook_endpoint_rate")),
        sa.PrimaryKeyConstraint("organization_id", "id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_index(
        "ix_webhook_endpoint_beat",
        "webhook_endpoint",
        ["next_beat_at"],
        unique=False,
        postgresql_where="next_beat_at IS NOT NULL",
    )
    op.create_index(
        "ix_webhook_endpoint_end",
        "webhook_endpoint",
        ["ends_at"],
        unique=False,
        postgresql_where="ends_at IS NOT NULL",
    )
    op.create_table(
        "work_item",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "assignee",
            sa.Text(),
            nullable=True,
            comment="the client that claimed it; null once it is released",
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("plan", "referral_id", name=op.f("pk_work_item")),
    )
    op.create_table(
        "determination",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False, comment="rules | person | clock"),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column(
            "question",
            sa.Text(),
            nullable=False,
            comment="JSON: the facts it was decided on, for replay",
        ),
        sa.Column(
            "answer",
            sa.Text(),
            nullable=False,
            comment="JSON: reasons, populations, criteria, missing facts",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("isfinite(as_of)", name=op.f("ck_determination_finite")),
        sa.ForeignKeyConstraint(
            ["plan", "referral_id"],
            ["referral.plan", "referral.id"],
            name=op.f("fk_determination_referral"),
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", "seq", name=op.f("pk_determination")),
    )
    op.create_table(
        "referral_history",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False, comment="1 is the receipt; no gaps"),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("business_status", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False, comment="a client id, `rules` or `clock`"),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="JSON list of coded reasons"),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "((from_state IS NULL AND event = 'receive' AND to_state = 'pending') OR (from_state = 'pending' AND event = 'review' AND to_state = 'pending') OR (from_state = 'pending' AND event = 'request-information' AND to_state = 'pending') OR (from_state = 'pending' AND event = 'add-information' AND to_state = 'pending') OR (from_state = 'pending' AND event = 'approve' AND to_state = 'approved') OR (from_state = 'pending' AND event = 'deny' AND to_state = 'denied') OR (from_state = 'pending' AND event = 'void' AND to_state = 'void') OR (from_state = 'pending' AND event = 'cancel' AND to_state = 'cancelled') OR (from_state = 'pending' AND event = 'annotate' AND to_state = 'pending') OR (from_state = 'approved' AND event = 'assign' AND to_state = 'approved' AND coalesce(business_status IN ('alternate', 'assigned', 'unassigned', 'waitlisted'), false)) OR (from_state = 'approved' AND event = 'cancel' AND to_state = 'cancelled' AND business_status IS NULL) OR (from_state = 'approved' AND event = 'accept' AND to_state = 'approved' AND coalesce(business_status IN ('accepted'), false)) OR (from_state = 'approved' AND event = 'decline' AND to_state = 'approved' AND coalesce(business_status IN ('alternate', 'unassigned', 'waitlisted'), false)) OR (from_state = 'approved' AND event = 'hold' AND to_state = 'approved' AND coalesce(business_status IN ('on-hold'), false)) OR (from_state = 'approved' AND event = 'resume' AND to_state = 'approved' AND coalesce(business_status IN ('in-service'), false)) OR (from_state = 'approved' AND event = 'start' AND to_state = 'approved' AND coalesce(business_status IN ('in-service'), false)) OR (from_state = 'approved' AND event = 'complete' AND to_state = 'approved' AND coalesce(business_status IN ('completed'), false)) OR (from_state = 'approved' AND event = 'fail' AND to_state = 'approved' AND coalesce(business_status IN ('unfulfilled'), false)) OR (from_state = 'approved' AND event = 'annotate' AND to_state = 'approved' AND coalesce(business_status IN ('accepted', 'alternate', 'assigned', 'completed', 'in-service', 'on-hold', 'unassigned', 'unfulfilled', 'waitlisted'), false))) IS TRUE",
            name=op.f("ck_referral_history_move"),
        ),
        sa.ForeignKeyConstraint(
            ["plan", "referral_id"],
            ["referral.plan", "referral.id"],
            name=op.f("fk_referral_history_referral"),
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", "seq", name=op.f("pk_referral_history")),
        postgresql_partition_by="RANGE (referral_id)",
    )
    op.create_index(
        "ix_referral_history_ended",
        "referral_history",
        ["plan", "at"],
        unique=False,
        postgresql_where="event IN ('approve', 'deny', 'void', 'cancel')",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(f"DROP OWNED BY {ROLE}")
    op.execute("DROP VIEW resource_version")
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION nwd_make_month(text, date), nwd_month_bounds(date)")
    op.execute("DROP FUNCTION nwd_require(boolean, text)")


#: Those that refer to others first.
TABLES = (
    "determination",
    "referral_history",
    "attempt",
    "client",
    "correspondence",
    "delivery",
    "directory_index",
    "directory_version",
    "idempotency_key",
    "information_request",
    "locator",
    "member",
    "message",
    "offer",
    "organization",
    "organization_npi",
    "organization_proposal",
    "party",
    "referral",
    "referral_business_identifier",
    "referral_identifier",
    "resource_set",
    "service_authorization",
    "task",
    "webhook_endpoint",
    "work_item",
)
