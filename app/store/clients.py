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

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.fhir.bundle import CARRIED
from app.model.caller import DECIDE, NETWORK, ROSTER
from app.store.tables.directory import client, organization

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


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the token endpoint needs it. `plan` is set when its organization is a plan."""

    id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]
    secret_hash: str | None


async def find(connection: AsyncConnection, client_id: str, *, production: bool) -> Client | None:
    """Finds an active client, with the plan that its organization is; None if there is none.

    In production no client of the demonstration is found, even if the database has its row.
    """
    rows = await connection.execute(
        select(
            client.c.id,
            client.c.organization_id,
            organization.c.plan,
            client.c.scopes,
            client.c.secret_hash,
            client.c.demonstration,
        )
        .select_from(client.outerjoin(organization, organization.c.id == client.c.organization_id))
        .where(client.c.id == client_id, client.c.active)
    )
    row = rows.first()
    if row is None or (production and row.demonstration):
        return None
    return Client(row.id, row.organization_id, row.plan, frozenset(row.scopes), row.secret_hash)


async def register(
    connection: AsyncConnection,
    client_id: str,
    organization_id: str,
    scopes: Collection[str],
    now: datetime,
) -> str | None:
    """Adds a client and returns its secret, which is shown only now; None if the id is taken."""
    secret = new_secret()
    added = await connection.execute(
        insert(client)
        .values(
            id=client_id,
            organization_id=organization_id,
            secret_hash=hash_secret(secret),
            scopes=sorted(scopes),
            active=True,
            demonstration=False,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(client.c.id)
    )
    return secret if added.first() else None


async def rotate(connection: AsyncConnection, client_id: str) -> str | None:
    """Replaces a client's secret and returns the new one; None when there is no such client."""
    secret = new_secret()
    changed = await connection.execute(
        update(client)
        .where(client.c.id == client_id)
        .values(secret_hash=hash_secret(secret))
        .returning(client.c.id)
    )
    return secret if changed.first() else None


def demonstration_secret(client_id: str) -> str:
    """Makes the secret of a demonstration client: printed by `make run`, refused in production."""
    return f"demo-{client_id}"


async def register_demonstration(connection: AsyncConnection, now: datetime) -> None:
    """Adds the demonstration's clients, each with the secret `demo-<client>`.

    In production the settings refuse this step, and `find` does not find these clients.
    """
    # Hash before writing: hashing is slow, and processes that start together wait for the rows.
    hashes = {id_: hash_secret(demonstration_secret(id_)) for id_ in DEMONSTRATION}
    for client_id, (organization_id, scopes) in DEMONSTRATION.items():
        values = {
            "organization_id": organization_id,
            "secret_hash": hashes[client_id],
            "scopes": sorted(scopes),
            "active": True,
        }
        await connection.execute(
            insert(client)
            .values(id=client_id, demonstration=True, created_at=now, **values)
            .on_conflict_do_update(
                index_elements=[client.c.id], set_=values, where=client.c.demonstration
            )
        )


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
