"""Keeps endpoint secrets and custom headers encrypted with `WEBHOOK_KEY`, and signs with them.

A secret is shown once and never logged. Rotation keeps the old secret beside the new secret until
its overlap ends; both then sign every attempt.

Signatures follow Standard Webhooks 1.0.0 and cover the bytes that are sent. `v1` is HMAC-SHA256
with a `whsec_` secret; `v1a` is ed25519 with a `whsk_` key, whose public half (`whpk_`) the
receiver pins. The signed content is `{webhook-id}.{webhook-timestamp}.{body}`.
"""

import hashlib
import hmac
import secrets as chance
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

import orjson
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.base.settings import Settings

#: The most secrets that an endpoint keeps when rotations overlap.
MOST_SECRETS = 5


@dataclass(frozen=True, slots=True)
class Secret:
    """One signing secret. A newer secret sets its `expires_at` (ISO 8601)."""

    value: str
    expires_at: str | None = None

    @property
    def asymmetric(self) -> bool:
        return self.value.startswith(ASYMMETRIC)

    def valid(self, now: datetime) -> bool:
        return self.expires_at is None or datetime.fromisoformat(self.expires_at) > now


def new_secret(asymmetric: bool = False) -> str:
    """Makes 32 random bytes, as `whsec_…` (HMAC) or `whsk_…` (ed25519)."""
    return (ASYMMETRIC if asymmetric else SYMMETRIC) + b64encode(chance.token_bytes(32)).decode()


class Vault:
    """Encrypts with the first key, decrypts with all; caches decrypted values in memory."""

    def __init__(self, settings: Settings) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in _keys(settings)])
        self._decrypt = lru_cache(maxsize=4096)(self._fernet.decrypt)
        self._secrets = lru_cache(maxsize=4096)(self._read_secrets)

    def seal_secrets(self, secrets: Sequence[Secret]) -> bytes:
        return self._fernet.encrypt(orjson.dumps([asdict(s) for s in secrets[:MOST_SECRETS]]))

    def open_secrets(self, sealed: bytes, now: datetime) -> list[Secret]:
        """Opens the secrets that sign at `now`, newest first; `InvalidToken` under another key."""
        return [secret for secret in self._secrets(sealed) if secret.valid(now)]

    def _read_secrets(self, sealed: bytes) -> tuple[Secret, ...]:
        return tuple(Secret(**secret) for secret in orjson.loads(self._fernet.decrypt(sealed)))

    def seal_headers(self, headers: Mapping[str, str]) -> bytes | None:
        return self._fernet.encrypt(orjson.dumps(dict(headers))) if headers else None

    def renew(self, sealed: bytes) -> bytes:
        """Encrypts with the first key what any key encrypted; `InvalidToken` under another."""
        return self._fernet.rotate(sealed)

    def open_headers(self, sealed: bytes | None) -> dict[str, str]:
        if sealed is None:
            return {}
        headers: dict[str, str] = orjson.loads(self._decrypt(sealed))
        return headers


def _keys(settings: Settings) -> list[bytes]:
    """Returns the keys of `WEBHOOK_KEY`; if it is not set, derives one from `TOKEN_SECRET`.

    Production refuses to start without `WEBHOOK_KEY` (`app.base.settings`).
    """
    if given := settings.webhook_keys:
        return [key.encode() for key in given]
    basis = "webhook secrets at rest: " + settings.token_secret.get_secret_value()
    return [urlsafe_b64encode(sha256(basis.encode()).digest())]


# Signatures

SYMMETRIC, ASYMMETRIC, PUBLIC = "whsec_", "whsk_", "whpk_"


def headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Makes the three headers of one attempt. `timestamp`: of this attempt, in Unix seconds."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, message_id, timestamp, body),
    }


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Signs with each secret, in the order given (newest first), separated by spaces."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(_signature(secret, content) for secret in secrets)


def public_key(secret: str) -> str | None:
    """Derives the key with which a receiver verifies `v1a` (`whpk_…`); None if symmetric."""
    if not secret.startswith(ASYMMETRIC):
        return None
    public = _private_key(secret).public_key().public_bytes_raw()
    return PUBLIC + b64encode(public).decode()


def _signature(secret: str, content: bytes) -> str:
    if secret.startswith(ASYMMETRIC):
        return "v1a," + b64encode(_private_key(secret).sign(content)).decode()
    key = b64decode(secret.removeprefix(SYMMETRIC))
    return "v1," + b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


@lru_cache(maxsize=1024)
def _private_key(secret: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b64decode(secret.removeprefix(ASYMMETRIC))[:32])
