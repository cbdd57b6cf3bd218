"""Reads the public keys of a client, as a JWKS (RFC 7517), and chooses the one of an assertion.

A key verifies if its type fits the algorithm: RSA of 2048 to 8192 bits for RS384, the curve P-384
for ES384 (SMART App Launch 2.2, "Asymmetric (public key) client authentication"). Other keys of a
set, such as one for encryption, are passed over. A set with a private key is refused, because
whoever sent it has shown it to others.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from app.base.errors import Issue
from app.fhir.r4.strict_json import UnreadableJson, parse

#: Bytes of a set, and how many keys it may have.
LARGEST_SET = 64 * 1024
_MOST_KEYS = 20
#: The members of a key that nobody may publish (RFC 7518 6.2.2, 6.3.2, 6.4).
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_LONGEST_KID = 255
_RSA_BITS = range(2048, 8193)

#: Algorithm → the type of key, and its curve, that it needs.
NEEDED: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
}

#: The keys of a set: (kid, key).
KeySet = Sequence[tuple[str, RSAKey | ECKey]]


class UnusableKeys(Exception):
    """The set is not one of public keys that verify; the message says what to do."""


def read_keys(body: bytes, curves: Sequence[str] = ("P-384",)) -> KeySet:
    """Reads a set. Raises `UnusableKeys` with the first fault, which names no value."""
    if len(body) > LARGEST_SET:
        raise UnusableKeys(f"Send at most {LARGEST_SET // 1024} KB.")
    try:
        tree = parse(body)
    except UnreadableJson:
        raise UnusableKeys("Send a JSON object with `keys` (RFC 7517).") from None
    keys = tree.get("keys")
    if not isinstance(keys, list) or not keys or len(keys) > _MOST_KEYS:
        raise UnusableKeys(f"Send a JSON object with `keys`: one to {_MOST_KEYS} (RFC 7517).")
    read = [(place, key, _read(place, key, curves)) for place, key in enumerate(keys)]
    usable = [(key["kid"], made) for _, key, made in read if made is not None]
    if not usable:
        text = f"RSA of 2048 bits or more, or {' or '.join(curves)}, each with `kid`"
        raise UnusableKeys(f"None of the keys can verify: send {text}.")
    if len({(kid, made.key_type) for kid, made in usable}) < len(usable):
        raise UnusableKeys("Two keys have the same `kid`: give each its own.")
    return usable


def _read(place: int, key: Any, curves: Sequence[str]) -> RSAKey | ECKey | None:
    """One key; None for one that has another use."""
    if not isinstance(key, dict):
        raise UnusableKeys(f"keys[{place}] is not an object.")
    if any(name in key for name in _PRIVATE):
        raise UnusableKeys(f"keys[{place}] is a private key: send the public one, and make a new.")
    if key.get("use", "sig") != "sig" or key.get("kty") not in ("RSA", "EC"):
        return None
    if key["kty"] == "EC" and key.get("crv") not in curves:
        return None
    kid = key.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID:
        raise UnusableKeys(f"keys[{place}] has no `kid` of 1 to {_LONGEST_KID} characters.")
    names = ("n", "e") if key["kty"] == "RSA" else ("x", "y")
    if not all(isinstance(key.get(name), str) for name in names):
        raise UnusableKeys(f"keys[{place}] has no {' and '.join(names)} (RFC 7518 6).")
    if key["kty"] == "RSA" and _bits(key["n"]) not in _RSA_BITS:
        raise UnusableKeys(f"keys[{place}] is an RSA key of less than 2048 or more than 8192 bits.")
    parts = {name: key[name] for name in ("kty", "crv", *names) if name in key}
    try:
        made = RSAKey.import_key(parts) if key["kty"] == "RSA" else ECKey.import_key(parts)
        made.raw_value  # noqa: B018  reads the numbers, which may be none of a key
    except (JoseError, ValueError, TypeError):
        raise UnusableKeys(f"keys[{place}] is not a public key (RFC 7518 6).") from None
    return made


def _bits(modulus: str) -> int:
    try:
        raw = base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
    except (binascii.Error, ValueError):
        return 0
    return int.from_bytes(raw).bit_length()


def key_for(keys: KeySet, kid: str, algorithm: str) -> RSAKey | ECKey | None:
    """Returns the one key with this `kid` that the algorithm can use; None for none or several."""
    kind, curve = NEEDED[algorithm]
    fitting = [
        key
        for id_, key in keys
        if id_ == kid and key.key_type == kind and key.as_dict(private=False).get("crv") == curve
    ]
    return fitting[0] if len(fitting) == 1 else None


def fault_of_keys(body: bytes, element: str) -> Issue | None:
    """Returns what is wrong with a set that is to be registered, as an issue of its element."""
    try:
        read_keys(body)
    except UnusableKeys as fault:
        return Issue("value", str(fault), element)
    return None
