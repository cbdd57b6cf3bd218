"""Standard Webhooks 1.0.0 signatures over the bytes that are sent. PURE.

`v1` is HMAC-SHA256 with a `whsec_` secret, `v1a` ed25519 with a `whsk_` key whose public half
(`whpk_`) the receiver pins. What is signed is `{webhook-id}.{webhook-timestamp}.{body}`.
Keeping secrets is `secrets.py`'s.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC, ASYMMETRIC, PUBLIC = "whsec_", "whsk_", "whpk_"


def headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt. `timestamp` is the attempt's own, in Unix seconds."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets, message_id, timestamp, body),
    }


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """One signature for each secret, in the order given (newest first), separated by spaces."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(_signature(secret, content) for secret in secrets)


def public_key(secret: str) -> str | None:
    """What a receiver verifies `v1a` with (`whpk_…`); None for a symmetric secret."""
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
