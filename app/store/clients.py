"""Stores the clients that may ask for a token, with secrets and keys, and makes those of the demo.

A secret is stored as a scrypt hash with its own salt; it can be replaced, and never read. A
client's scopes decide what it may do (`app.model.caller`); its organization decides what it sees,
and never changes. Each change is noted in `client_history` by the statement that makes it.

Tokens carry the client's `token_series`. To raise it ends the tokens in use: every process reads
`ended_series` again and again.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.base.ids import new_id
from app.fhir.bundle import CARRIED
from app.model.caller import CLIENTS, DECIDE, NETWORK, ROSTER
from app.store.database import Row, Source

#: The cost of scrypt: about 50 ms and 16 MB a try (RFC 7914; OWASP's password storage cheat
#: sheet).
_N, _R, _P = 2**14, 8, 1

_READ = ("ClaimResponse", "Communication", "CommunicationRequest", "HealthcareService",
         "Questionnaire", "AuditEvent")  # fmt: skip
#: Types that are sent with a referral, and created as copies that belong to it. Network and rosters
#: are written by plans only, whatever the scope (`app.api.directory`).
SENT_ALONG = (
    "Organization", "QuestionnaireResponse", "Condition", "Encounter", "Observation",
    "DocumentReference", "Consent", "Provenance", "Patient", "Coverage", *CARRIED,
)  # fmt: skip
#: The types of a Bundle that have interactions, and so scopes, of their own. A resource of another
#: type is part of the referral.
SCOPED = frozenset({"ServiceRequest", "Task", *SENT_ALONG})

#: The scopes of a requester: it refers, follows its referrals, and gets messages.
REQUESTER = frozenset(
    {"system/ServiceRequest.crus", "system/Task.crus", "system/Subscription.cruds"}
    | {f"system/{kind}.rs" for kind in _READ}
    | {f"system/{kind}.crs" for kind in SENT_ALONG if kind != "Organization"}
    # `u`: to confirm or reject a change of its own organization (`app.api.proposals`).
    | {"system/Organization.crus"}
)
#: The scopes of a provider: a requester that also keeps the capacity of its own offers.
PROVIDER = REQUESTER | {"system/HealthcareService.rus"}
#: The scopes of plan staff.
STAFF = frozenset({"system/*.cruds", DECIDE, ROSTER, NETWORK, CLIENTS})

#: The scopes of each role that a client may be registered in.
ROLES = {"requester": REQUESTER, "provider": PROVIDER, "staff": STAFF}

#: Client id → its organization in the sample network, and its scopes (spec.md 7).
DEMONSTRATION: dict[str, tuple[str, frozenset[str]]] = {
    "hospital": ("org-harbor-lantern", REQUESTER),
    "practice": ("org-cypress-bend", REQUESTER),
    "community": ("org-open-gate", REQUESTER),
    "ecm-provider": ("org-tidepool", PROVIDER),
    "cs-provider": ("org-redwood-slope", PROVIDER),
    "staff-hpsm": ("plan-hpsm", STAFF),
    "staff-hpsj": ("plan-hpsj", STAFF),
    "staff-ccah": ("plan-ccah", STAFF),
}


_FIND = """SELECT c.id, c.organization_id, o.plan, c.scopes, c.purpose, c.token_series,
    c.secret_hash, c.previous_secret_hash, c.previous_secret_until, c.jwks, c.jwks_uri,
    c.certificate, c.demonstration
FROM client c LEFT JOIN organization o ON o.id = c.organization_id WHERE c.id = $1 AND c.active"""
_ADD = """WITH added AS (
    INSERT INTO client (id, organization_id, secret_hash, scopes, active, demonstration, created_at,
        name, plan, purpose, jwks, jwks_uri, certificate)
    VALUES ($1, $2, $3, $4, true, false, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING RETURNING id),
noted AS (INSERT INTO client_history (client_id, id, event, actor, at)
    SELECT id, $12, 'register', $13, $5 FROM added)
SELECT id FROM added"""
_DEMONSTRATE = """INSERT INTO client AS c
    (id, organization_id, secret_hash, scopes, active, demonstration, created_at, purpose)
VALUES ($1, $2, $3, $4, true, true, $5, $6)
ON CONFLICT (id) DO UPDATE SET
    secret_hash = excluded.secret_hash, scopes = excluded.scopes, active = true
WHERE c.demonstration"""
_ENDED = "SELECT id, token_series FROM client WHERE series_at > $1"
_USED = """WITH gone AS (DELETE FROM client_assertion WHERE (client_id, jti) IN (
    SELECT client_id, jti FROM client_assertion WHERE expires_at < $4
    ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED))
INSERT INTO client_assertion (client_id, jti, expires_at) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING jti"""

#: The end of the tokens in use, beside a change. Tokens live by the wall clock, and so does this.
_END_TOKENS = ", token_series = token_series + 1, series_at = $8"
#: How long a process looks back for series that ended: longer than any token lives, with room for
#: clocks that differ.
LOOK_BACK = timedelta(minutes=15)

#: Who registered or keeps clients at the command line.
OPERATOR = "operator"


def _change(event: str, sets: str) -> str:
    """Makes the statement of a change: $1 the client, $2 and $3 who may change it, $4 to $6 its
    line of the history; what is changed begins at $7.
    """
    return f"""WITH changed AS (
    UPDATE client SET {sets} WHERE id = $1 AND {_KEPT_BY.format(2, 3)} RETURNING id),
noted AS (INSERT INTO client_history (client_id, id, event, actor, at)
    SELECT id, $4, '{event}', $5, $6 FROM changed)
SELECT id FROM changed"""


#: A plan's staff keep the clients of their own organization, and those that they registered; the
#: operator (null) keeps all.
_KEPT_BY = "(${0}::text IS NULL OR plan = ${0}::text OR organization_id = ${1}::text)"
_ROTATE = _change(
    "rotate",
    """secret_hash = $7, previous_secret_hash = CASE WHEN $9 THEN secret_hash END,
    previous_secret_until = CASE WHEN $9 AND secret_hash IS NOT NULL THEN $10::timestamptz END,
    token_series = token_series + CASE WHEN $9 THEN 0 ELSE 1 END,
    series_at = CASE WHEN $9 THEN series_at ELSE $8 END""",
)
_KEYS = _change("keys", "jwks = $7, jwks_uri = $9, certificate = $10" + _END_TOKENS)
_SWITCH_OFF = _change("switch-off", "active = $7" + _END_TOKENS)
_SWITCH_ON = _change("switch-on", "active = $7")

_SHOWN = """SELECT id, organization_id, name, plan, purpose, scopes, active, created_at,
    secret_hash IS NOT NULL AS has_secret, previous_secret_until, jwks, jwks_uri, certificate
FROM client"""
_LIST = f"""{_SHOWN} WHERE {_KEPT_BY.format(1, 2)}
    AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4::text))
ORDER BY created_at, id LIMIT $5"""
_ONE = f"{_SHOWN} WHERE id = $3 AND {_KEPT_BY.format(1, 2)}"
_ORGANIZATION = "SELECT plan FROM organization WHERE id = $1"
_HISTORY = """SELECT event, actor, at FROM client_history WHERE client_id = $1
ORDER BY id DESC LIMIT 50"""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """By what a client proves who it is, besides a secret: a JWKS or its address, a certificate."""

    jwks: str | None = None
    jwks_uri: str | None = None
    #: SHA-256 of the TLS certificate, base64url (RFC 8705 3.1).
    certificate: str | None = None


NO_KEYS = PublicKeys()


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the token endpoint needs it. `plan` is set when its organization is a plan."""

    id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]
    purpose: str
    series: int
    #: Of the secret, and of the one before while it is still good.
    secret_hashes: tuple[str, ...]
    keys: PublicKeys


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client that is to be registered."""

    id: str
    organization_id: str
    scopes: Collection[str]
    purpose: str
    name: str | None = None
    keys: PublicKeys = NO_KEYS
    with_secret: bool = True


@dataclass(frozen=True, slots=True)
class ClientKeeper:
    """Who registers, reads and changes clients: a plan's staff, or the operator (no plan)."""

    actor: str = OPERATOR
    plan: str | None = None
    organization_id: str | None = None


async def find(
    source: Source, client_id: str, *, production: bool, now: datetime | None = None
) -> Client | None:
    """Finds an active client, with the plan that its organization is; None if there is none.

    In production no client of the demonstration is found, even if the database has its row. `now`
    by the wall clock: until when a replaced secret is good.
    """
    row = await source.fetch_one(_FIND, client_id)
    if row is None or (production and row["demonstration"]):
        return None
    until = row["previous_secret_until"]
    previous = row["previous_secret_hash"] if until and now and now < until else None
    return Client(
        row["id"],
        row["organization_id"],
        row["plan"],
        frozenset(row["scopes"]),
        row["purpose"],
        row["token_series"],
        tuple(one for one in (row["secret_hash"], previous) if one),
        PublicKeys(row["jwks"], row["jwks_uri"], row["certificate"]),
    )


async def register(
    source: Source, wanted: NewClient, now: datetime, keeper: ClientKeeper = ClientKeeper()
) -> tuple[bool, str | None]:
    """Adds a client; returns whether its id was free, and its secret, which is shown only now."""
    secret = new_secret() if wanted.with_secret else None
    added = await source.fetch_one(
        _ADD,
        wanted.id,
        wanted.organization_id,
        hash_secret(secret) if secret else None,
        sorted(wanted.scopes),
        now,
        wanted.name,
        keeper.plan,
        wanted.purpose,
        wanted.keys.jwks,
        wanted.keys.jwks_uri,
        wanted.keys.certificate,
        new_id(),
        keeper.actor,
    )
    return added is not None, secret if added else None


async def rotate(
    source: Source,
    client_id: str,
    now: datetime,
    overlap: timedelta,
    keeper: ClientKeeper = ClientKeeper(),
) -> str | None:
    """Replaces a client's secret and returns the new one; None when there is no such client.

    The old one is good for `overlap` more. Without overlap the tokens in use end, too.
    """
    secret = new_secret()
    lasting = overlap > timedelta(0)
    values = (hash_secret(secret), _wall_clock(), lasting, _wall_clock() + overlap)
    changed = await _changed(source, _ROTATE, client_id, now, keeper, *values)
    return secret if changed else None


async def replace_keys(
    source: Source,
    client_id: str,
    keys: PublicKeys,
    now: datetime,
    keeper: ClientKeeper = ClientKeeper(),
) -> bool:
    """Replaces a client's public keys, and ends its tokens; False when there is no such client."""
    values = (keys.jwks, _wall_clock(), keys.jwks_uri, keys.certificate)
    return await _changed(source, _KEYS, client_id, now, keeper, *values)


async def switch(
    source: Source,
    client_id: str,
    now: datetime,
    *,
    on: bool,
    keeper: ClientKeeper = ClientKeeper(),
) -> bool:
    """Lets a client ask for tokens again, or no more: then its tokens end. False: there is none."""
    if on:
        return await _changed(source, _SWITCH_ON, client_id, now, keeper, on)
    return await _changed(source, _SWITCH_OFF, client_id, now, keeper, on, _wall_clock())


async def _changed(
    source: Source, sql: str, client_id: str, now: datetime, keeper: ClientKeeper, *values: Any
) -> bool:
    line = (new_id(), keeper.actor, now)
    who = (keeper.plan, keeper.organization_id)
    return await source.fetch_one(sql, client_id, *who, *line, *values) is not None


def _wall_clock() -> datetime:
    """The time by which tokens and secrets live: the service's own clock may be moved."""
    return datetime.now(UTC)


async def listed(
    source: Source, keeper: ClientKeeper, after: tuple[datetime, str] | None, limit: int
) -> list[Row]:
    """Reads the clients that somebody keeps, the oldest first, without secrets."""
    at, id_ = after or (None, None)
    return await source.fetch(_LIST, keeper.plan, keeper.organization_id, at, id_, limit)


async def one(source: Source, keeper: ClientKeeper, client_id: str) -> Row | None:
    """Reads one client that somebody keeps; None for every other."""
    return await source.fetch_one(_ONE, keeper.plan, keeper.organization_id, client_id)


async def organization(source: Source, id_: str) -> Row | None:
    """Reads whether an organization of the network is a plan; None where it is unknown."""
    return await source.fetch_one(_ORGANIZATION, id_)


async def history(source: Source, client_id: str) -> list[Row]:
    """Reads the newest 50 changes of a client: event, actor, at."""
    return await source.fetch(_HISTORY, client_id)


async def ended_series(source: Source) -> dict[str, int]:
    """Reads which tokens have ended early: client → the first series that is still good."""
    rows = await source.fetch(_ENDED, _wall_clock() - LOOK_BACK)
    return {row["id"]: row["token_series"] for row in rows}


async def use_once(source: Source, client_id: str, jti: str, expires: datetime) -> bool:
    """Notes an assertion as used, over all processes; False if it was used before.

    `expires`, by the wall clock: when nobody could use it any more. Expired notes are deleted.
    """
    digest = hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest()
    values = (client_id, digest, expires, _wall_clock())
    return await source.fetch_one(_USED, *values) is not None


def demonstration_secret(client_id: str) -> str:
    """Makes the secret of a demonstration client: printed by `make run`, refused in production."""
    return f"demo-{client_id}"


async def register_demonstration(source: Source, now: datetime) -> None:
    """Adds the demonstration's clients, each with the secret `demo-<client>`.

    In production the settings refuse this step, and `find` does not find these clients.
    """
    # Hash before writing: hashing is slow, and processes that start together wait for the rows.
    hashes = {id_: hash_secret(demonstration_secret(id_)) for id_ in DEMONSTRATION}
    for client_id, (organization_id, scopes) in DEMONSTRATION.items():
        purpose = "HPAYMT" if DECIDE in scopes else "TREAT"
        values = (client_id, organization_id, hashes[client_id], sorted(scopes), now, purpose)
        await source.execute(_DEMONSTRATE, *values)


def new_secret() -> str:
    """Makes a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hashes a secret with a fresh salt, as `scrypt$<salt>$<hash>`."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_text(salt)}${_text(_scrypt(secret, salt))}"


def secret_matches(secret: str, secret_hashes: Sequence[str]) -> bool:
    """Tells whether a secret fits one of these hashes; takes as long for a client that is unknown,
    or has no secret.
    """
    fits = [_fits(secret, one) for one in secret_hashes or (_NOBODY,)]
    return any(fits) and bool(secret_hashes)


def _fits(secret: str, secret_hash: str) -> bool:
    _, salt, expected = secret_hash.split("$")
    actual = _scrypt(secret, base64.b64decode(salt))
    return hmac.compare_digest(actual, base64.b64decode(expected))


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode("utf-8", "replace"), salt=salt, n=_N, r=_R, p=_P, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_NOBODY = f"scrypt${_text(bytes(16))}${_text(bytes(32))}"
