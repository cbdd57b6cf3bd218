"""`python -m app client …`: registers clients, renews secrets and keys, switches off, lists.

The operator keeps all clients, of every plan. A secret is shown once.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from app.api.login.certificate import thumbprint
from app.api.login.public_keys import fault_of_keys
from app.base.clock import ServiceClock
from app.base.errors import Stopped
from app.base.settings import settings
from app.journey.notification.targets import Guard
from app.model.caller import is_scope, usual_purpose
from app.store import clients as store
from app.store.database import Database, opened

_OVERLAP_HOURS = range(169)


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """The options by which a client gets keys: at most one of the first two."""

    jwks: Path | None = None
    jwks_uri: str | None = None
    #: A TLS certificate, PEM.
    certificate: Path | None = None


NO_OPTIONS = KeyOptions()


async def add(
    client_id: str,
    organization_id: str,
    role: str,
    scopes: Sequence[str] | None,
    keys: KeyOptions = NO_OPTIONS,
    purpose: str | None = None,
    name: str | None = None,
) -> int:
    """Registers a client of an organization of the network. Returns the exit status.

    A client with keys gets no secret; `rotate` gives it one.
    """
    unknown = [scope for scope in scopes or () if not is_scope(scope)]
    if unknown:
        return _fail(f"Not a scope: {', '.join(unknown)}")
    if client_id == store.OPERATOR:
        return _fail("This word is taken. Choose another id.")
    async with _open() as (database, now):
        row = await store.organization(database, organization_id)
        if row is None:
            return _fail("There is no such organization. Load the network first.")
        public = _read(keys, organization_id)
        new = store.NewClient(
            client_id,
            organization_id,
            frozenset(scopes) if scopes else store.ROLES[role],
            purpose or usual_purpose(row["plan"]),
            name,
            public,
            with_secret=public == store.NO_KEYS,
        )
        added, secret = await store.register(database, new, now)
    if not added:
        return _fail("A client with this id exists already.")
    return _show(secret) if secret else 0


async def renew(client_id: str, overlap_hours: int = 0) -> int:
    """Replaces a client's secret; the old one is good for so many hours more.

    With 0 hours the tokens in use end within two seconds.
    """
    if overlap_hours not in _OVERLAP_HOURS:
        return _fail(f"--overlap takes 0 to {_OVERLAP_HOURS[-1]} hours.")
    async with _open() as (database, now):
        secret = await store.rotate(database, client_id, now, timedelta(hours=overlap_hours))
    return _show(secret) if secret else _unknown()


async def replace_client_keys(client_id: str, keys: KeyOptions) -> int:
    """Replaces a client's keys; what is not given is removed."""
    async with _open() as (database, now):
        row = await store.one(database, store.ClientKeeper(), client_id)
        if row is None:
            return _unknown()
        public = _read(keys, row["organization_id"])
        await store.replace_keys(database, client_id, public, now)
    return 0


async def switch(client_id: str, *, on: bool) -> int:
    """Switches a client on, or off: then its tokens end within two seconds."""
    async with _open() as (database, now):
        known = await store.switch(database, client_id, now, on=on)
    return 0 if known else _unknown()


async def list_all() -> int:
    """Prints a line for each client: id, organization, purpose, how it logs in, scopes."""
    after = None
    async with _open() as (database, _):
        while rows := await store.listed(database, store.ClientKeeper(), after, 500):
            for row in rows:
                state = "on" if row["active"] else "off"
                ways = ",".join(
                    way
                    for way, has in (
                        ("secret", row["has_secret"]),
                        ("keys", row["jwks"]),
                        ("jwks_uri", row["jwks_uri"]),
                        ("certificate", row["certificate"]),
                    )
                    if has
                )
                parts = (row["id"], state, row["organization_id"], row["purpose"], ways)
                sys.stdout.write("\t".join((*parts, " ".join(row["scopes"]))) + "\n")
            after = (rows[-1]["created_at"], rows[-1]["id"])
    return 0


@asynccontextmanager
async def _open() -> AsyncIterator[tuple[Database, datetime]]:
    async with opened(settings(), size=1) as database:
        yield database, ServiceClock.of(settings()).now()


def _read(keys: KeyOptions, organization_id: str) -> store.PublicKeys:
    """Reads the files of the options. Raises `Stopped` with what is wrong."""
    jwks = _bytes(keys.jwks).decode("utf-8", "replace") if keys.jwks else None
    if jwks is not None and (fault := fault_of_keys(jwks.encode(), "jwks")):
        raise Stopped(fault.diagnostics)
    if keys.jwks_uri is not None:
        text = Guard.of(settings()).fault(keys.jwks_uri, organization_id)
        if text is not None:
            raise Stopped(text)
    certificate = None
    if keys.certificate is not None:
        try:
            certificate = thumbprint(x509.load_pem_x509_certificate(_bytes(keys.certificate)))
        except ValueError:
            raise Stopped("The certificate is not PEM.") from None
    return store.PublicKeys(jwks, keys.jwks_uri, certificate)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Stopped(f"{file}: {error.strerror}") from None


def _show(secret: str) -> int:
    sys.stdout.write(f"{secret}\n")
    sys.stderr.write("This is the client's secret. It is shown this once.\n")
    return 0


def _unknown() -> int:
    return _fail("There is no client with this id.")


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1
