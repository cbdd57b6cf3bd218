"""Tables of referrals: history (append-only), parties, every stored version of a resource.

Besides: the work queue (which member of the plan's staff has claimed which referral), and the
tables, keyed by the caller's organization, by which a repeated POST gets its first answer again.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.model.lifecycle import MOVES, TRANSITIONS, BusinessStatus, Event, State
from app.store.tables.metadata import by_month, finite, follows, metadata, moment, text


def _one_of(column: str, values: list[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _move(state: State | None, event: Event, target: State) -> str:
    source = "from_state IS NULL" if state is None else f"from_state = {state.value!r}"
    condition = f"{source} AND event = {event.value!r} AND to_state = {target.value!r}"
    if state is State.APPROVED:
        then = sorted(status.value for status in MOVES[event].statuses_after if status)
        status = _one_of("business_status", then) if then else "business_status IS NULL"
        # Without coalesce a missing status makes the condition unknown, and a CHECK lets this pass.
        condition += f" AND coalesce({status}, false)" if then else f" AND {status}"
    return f"({condition})"


#: The allowed moves as a condition of the database: every row of history is one of them. (A check
#: whose result is null would pass, hence IS TRUE.)
_LISTED = (_move(state, event, target) for (state, event), target in TRANSITIONS.items())
ONLY_MOVES = f"({' OR '.join(_LISTED)}) IS TRUE"

#: Business statuses in which a referral waits for a person or a clock: the work queue has these.
WAITING = ["in-review", "information-needed", "unassigned", "waitlisted"]

referral = Table(
    "referral",
    metadata,
    text("plan", primary_key=True),
    text("id", primary_key=True),
    Column("version", Integer, nullable=False),
    text("state"),
    Column("business_status", Text),
    text("organization_id", comment="the referring organization: the token's"),
    Column("service", Text, comment="null while nobody has said which service"),
    text("priority"),
    text("intent"),
    Column(
        "member_id",
        Text,
        comment="the roster's Patient id, once the member is identified",
    ),
    Column("cin", Text),
    Column(
        "patient_id",
        Text,
        comment="the Patient as the referrer knows it: copy or reference",
    ),
    Column("county", Text),
    moment("received_at"),
    moment("decision_due"),
    Column(
        "void_due",
        DateTime(timezone=True),
        comment="runs only while information is asked for",
    ),
    Column("overdue_told_at", DateTime(timezone=True)),
    Column("assignment", Text),
    Column("offer_id", Text, comment="the offer whose place it holds, or waits for"),
    Column("holds_place", Boolean, nullable=False),
    Column("performer_id", Text, comment="the organization assigned"),
    Column("asked_performer_id", Text, comment="the organization the referrer asked for"),
    Column("based_on", Text),
    Column("moves", Integer, nullable=False, comment="rows of history so far"),
    Column(
        "announced",
        Integer,
        nullable=False,
        comment="messages so far; orders them per endpoint",
    ),
    Column("closed_at", DateTime(timezone=True)),
    moment("created_at"),
    moment("updated_at"),
    Column(
        "details",
        Text,
        nullable=False,
        comment="JSON: reasons, populations, notes of the last decision",
    ),
    CheckConstraint(_one_of("state", [s.value for s in State]), name="state"),
    CheckConstraint(
        _one_of("business_status", [s.value for s in BusinessStatus]),
        name="business_status",
    ),
    CheckConstraint(
        "business_status IS NULL OR state IN ('pending', 'approved')",
        name="business_status_state",
    ),
    CheckConstraint(
        "NOT holds_place OR (state = 'approved' AND offer_id IS NOT NULL)", name="place"
    ),
    finite("received_at", "decision_due", "void_due"),
    Index("ix_referral_member", "plan", "cin", "id"),
    Index("ix_referral_patient", "plan", "patient_id", "id"),
    Index("ix_referral_pending", "plan", "decision_due", postgresql_where="state = 'pending'"),
    Index("ix_referral_updated", "plan", "updated_at"),
    Index("ix_referral_received", "plan", "received_at"),
    Index(
        "ix_referral_queue",
        "plan",
        postgresql_where=_one_of("business_status", WAITING),
    ),
    Index(
        "ix_referral_void_due",
        "plan",
        "void_due",
        postgresql_where="state = 'pending' AND void_due IS NOT NULL",
    ),
    Index(
        "ix_referral_overdue",
        "plan",
        "decision_due",
        postgresql_where="state = 'pending' AND overdue_told_at IS NULL",
    ),
    Index(
        "ix_referral_waiting",
        "plan",
        "offer_id",
        "received_at",
        postgresql_where="assignment = 'waitlisted'",
    ),
)

referral_history = Table(
    "referral_history",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column(
        "seq",
        Integer,
        primary_key=True,
        comment="1 is the receipt; no gaps",
    ),
    Column("from_state", Text),
    text("to_state"),
    text("event"),
    Column("business_status", Text),
    text("actor", comment="a client id, `rules` or `clock`"),
    Column("organization_id", Text),
    moment("at"),
    Column("reason", Text, nullable=False, comment="JSON list of coded reasons"),
    Column("note", Text),
    Column("policy", Text),
    Column("request_id", Text),
    Column("correlation_id", Text),
    CheckConstraint(ONLY_MOVES, name="move"),
    follows(),
    Index(
        "ix_referral_history_ended",
        "plan",
        "at",
        postgresql_where="event IN ('approve', 'deny', 'void', 'cancel')",
    ),
    **by_month("referral_id"),
)

#: An organization that may see a referral. The plan's staff see all its referrals without a row.
party = Table(
    "party",
    metadata,
    text("plan", primary_key=True),
    text("organization_id", primary_key=True),
    text("referral_id", primary_key=True),
    text("role", primary_key=True, comment="requester | asked | performer"),
    moment("since"),
    Column("until", DateTime(timezone=True), comment="set when passed over or declining"),
    Index("ix_party_referral", "plan", "referral_id"),
)

#: What the member permits and refuses: the rules of each Consent that came with a referral or later
#: (`app.fhir.consent`); never changed. A later one says what holds from then on.
consent_rule = Table(
    "consent_rule",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    text(
        "document", primary_key=True, comment="the Consent, or the Patient whose contact is unsafe"
    ),
    Column("number", Integer, primary_key=True, comment="of the rule in its document"),
    text("covers"),
    text("decision"),
    moment("dated", comment="when the member said so: the latest rule holds"),
    moment("starts"),
    Column("ends", DateTime(timezone=True)),
    Column("recipients", Text, comment="a line each, Organization/… or npi|…; null: everybody"),
    Column("purposes", Text, comment="a line each, HL7 v3 PurposeOfUse; null: every one"),
    Column("depth", Integer, nullable=False, comment="the deeper is the exception"),
    CheckConstraint(_one_of("covers", ["sensitive", "clinical", "contact"]), name="covers"),
    CheckConstraint(_one_of("decision", ["permit", "deny", "none"]), name="decision"),
    follows(),
)

#: Resources that one move of a referral stored together, as they are served; never changed
#: (append-only). Each resource has one element in each of the arrays. A move has one row, or more
#: if it stored much: who reads one resource reads all of its row.
resource_set = Table(
    "resource_set",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column("version", Integer, primary_key=True, comment="of the referral"),
    text(
        "number",
        primary_key=True,
        comment="of the row among those of the version; of a letter sent later, its id",
    ),
    moment("updated_at"),
    Column(
        "names",
        ARRAY(Text),
        nullable=False,
        comment="type, and what the id adds to the referral's: Task, Patient.1e2",
    ),
    Column("versions", ARRAY(Integer), nullable=False, comment="of each resource"),
    Column("bodies", ARRAY(LargeBinary), nullable=False, comment="FHIR JSON, ready to send"),
    Column("words", ARRAY(Text), comment="by which a search finds it; null until it has been read"),
    Index(
        "ix_resource_set_unread",
        "plan",
        "referral_id",
        "version",
        "number",
        postgresql_where="words IS NULL",
    ),
)

#: A view: each stored version of each resource of a referral. Whoever reads it names the referral.
resource_version = Table(
    "resource_version",
    MetaData(),
    text("plan"),
    text("referral_id"),
    text("type"),
    text("id"),
    Column("version", Integer),
    moment("updated_at"),
    Column("body", LargeBinary),
    Column("words", Text),
)

#: Finds the plan of a FHIR id: one row a resource of the directory, one row a referral. A referral,
#: its Task and its authorization have one id, and all else of a referral begins with that id
#: (`app.base.ids`).
locator = Table(
    "locator",
    metadata,
    text("type", primary_key=True),
    text("id", primary_key=True),
    text("plan"),
    Column("referral_id", Text),
)

#: Every identifier of a referral, for searches by callers who may see it, and for `basedOn`.
referral_business_identifier = Table(
    "referral_business_identifier",
    metadata,
    text("plan", primary_key=True),
    text("value", primary_key=True, comment="before the system: clients search without one, too"),
    text("system", primary_key=True),
    text("referral_id", primary_key=True),
)

#: The columns for searches of Tasks: the referral's own Task, and the performer's service Task.
task = Table(
    "task",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    text("id", primary_key=True),
    text("kind", comment="referral | service"),
    text("status"),
    Column("business_status", Text),
    Column("owner_id", Text),
    Column("version", Integer, nullable=False),
    moment("updated_at"),
)


# The work queue

#: A waiting referral that a client of the plan's staff has claimed. No foreign key: a referral
#: whose plan becomes known moves to another key, and is then free again.
work_item = Table(
    "work_item",
    metadata,
    text("plan", primary_key=True),
    text("referral_id", primary_key=True),
    Column("assignee", Text, comment="the client that claimed it; null once it is released"),
    Column("claimed_at", DateTime(timezone=True)),
)


# Repeated posts

#: The requester's own identifier of a referral: parallel posts with it make one referral only.
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

#: The first answer under an Idempotency-Key.
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
