"""Stores the clients that may ask for a token, with their secrets, and makes those of the demo.

A secret is stored as a scrypt hash with its own salt; it can be replaced, and never read. A
client's scopes decide what it may do (`app.model.caller`); its organization decides what it sees.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.fhir.bundle import CARRIED
from app.model.caller import DECIDE, NETWORK, ROSTER
from app.store.database import Source

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
STAFF = frozenset({"system/*.cruds", DECIDE, ROSTER, NETWORK})

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


_FIND = """SELECT c.id, c.organization_id, o.plan, c.scopes, c.secret_hash, c.demonstration
FROM client c LEFT JOIN organization o ON o.id = c.organization_id WHERE c.id = $1 AND c.active"""
_ADD = """INSERT INTO client
    (id, organization_id, secret_hash, scopes, active, demonstration, created_at)
VALUES ($1, $2, $3, $4, true, false, $5) ON CONFLICT DO NOTHING RETURNING id"""
_ROTATE = "UPDATE client SET secret_hash = $2 WHERE id = $1 RETURNING id"
_DEMONSTRATE = """INSERT INTO client AS c
    (id, organization_id, secret_hash, scopes, active, demonstration, created_at)
VALUES ($1, $2, $3, $4, true, true, $5)
ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id,
    secret_hash = excluded.secret_hash, scopes = excluded.scopes, active = true
WHERE c.demonstration"""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the token endpoint needs it. `plan` is set when its organization is a plan."""

    id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]
    secret_hash: str | None


async def find(source: Source, client_id: str, *, production: bool) -> Client | None:
    """Finds an active client, with the plan that its organization is; None if there is none.

    In production no client of the demonstration is found, even if the database has its row.
    """
    row = await source.fetch_one(_FIND, client_id)
    if row is None or (production and row["demonstration"]):
        return None
    return Client(
        row["id"],
        row["organization_id"],
        row["plan"],
        frozenset(row["scopes"]),
        row["secret_hash"],
    )


async def register(
    source: Source,
    client_id: str,
    organization_id: str,
    scopes: Collection[str],
    now: datetime,
) -> str | None:
    """Adds a client and returns its secret, which is shown only now; None if the id is taken."""
    secret = new_secret()
    values = (client_id, organization_id, hash_secret(secret), sorted(scopes), now)
    added = await source.fetch_one(_ADD, *values)
    return secret if added else None


async def rotate(source: Source, client_id: str) -> str | None:
    """Replaces a client's secret and returns the new one; None when there is no such client."""
    secret = new_secret()
    changed = await source.fetch_one(_ROTATE, client_id, hash_secret(secret))
    return secret if changed else None


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
        values = (client_id, organization_id, hashes[client_id], sorted(scopes), now)
        await source.execute(_DEMONSTRATE, *values)


def new_secret() -> str:
    """Makes a secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hashes a secret with a fresh salt, as `scrypt$<salt>$<hash>`."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_text(salt)}${_text(_scrypt(secret, salt))}"


def secret_matches(secret: str, secret_hash: str | None) -> bool:
    """Tells whether a secret fits; takes equal time for a client that does not exist."""
    _, salt, expected = (secret_hash or _NOBODY).split("$")
    actual = _scrypt(secret, base64.b64decode(salt))
    same = hmac.compare_digest(actual, base64.b64decode(expected))
    return same and secret_hash is not None


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode("utf-8", "replace"), salt=salt, n=_N, r=_R, p=_P, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_NOBODY = f"scrypt${_text(bytes(16))}${_text(bytes(32))}"
