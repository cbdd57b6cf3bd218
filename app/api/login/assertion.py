"""Judges a client assertion: a JWT by which a client logs in with its own key, not a secret.

What can be judged without knowing the client comes first (`read_assertion`); its faults are told,
since they say nothing about any client. Then the signature (`is_signed_by`), with the key that
`kid` names. That an assertion is good once is the database's (`app.store.clients.use_once`).

Source: SMART App Launch 2.2, "Asymmetric (public key) client authentication"; RFC 7523 3.
"""

from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from app.fhir.r4.strict_json import UnreadableJson, parse

ALGORITHMS = ("RS384", "ES384")
#: Seconds that an assertion may live, and that clocks may differ.
LONGEST_S, LEEWAY_S = 300, 5
#: Characters of an assertion, and of its texts.
LARGEST_ASSERTION = 8 * 1024
_LONGEST_TEXT = 255
#: Headers that bring a key or a rule of the sender's own, to which nobody here has agreed.
_FOREIGN_HEADERS = ("crit", "jwk", "x5c", "x5u", "b64", "zip")
_TYPES = ("jwt", "client-authentication+jwt")


class AssertionRefused(Exception):
    """The assertion is not as every assertion must be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says of itself; its signature is not verified."""

    text: str
    client_id: str
    kid: str
    algorithm: str
    jku: str | None
    jti: str
    #: Seconds since 1970.
    expires: int


def read_assertion(text: str, token_url: str, now: float) -> Assertion:
    """Reads an assertion, and checks all that holds for those of every client.

    `now` in seconds since 1970. Raises `AssertionRefused`.
    """
    header, claims = _parts(text)
    algorithm, kid, jku = header.get("alg"), header.get("kid"), header.get("jku")
    if algorithm not in ALGORITHMS:
        raise AssertionRefused(f"Sign the assertion with {' or '.join(ALGORITHMS)}.")
    if any(name in header for name in _FOREIGN_HEADERS):
        raise AssertionRefused("Leave the header to alg, kid, typ and jku.")
    if not (isinstance(typ := header.get("typ", "JWT"), str) and typ.lower() in _TYPES):
        raise AssertionRefused("Send `typ` as JWT.")
    if not _is_text(kid):
        raise AssertionRefused("Name the key in the header: `kid`.")
    if jku is not None and not isinstance(jku, str):
        raise AssertionRefused("`jku` is the address of your key set, as it was registered.")
    issuer, jti = claims.get("iss"), claims.get("jti")
    if not _is_text(issuer) or claims.get("sub") != issuer:
        raise AssertionRefused("`iss` and `sub` are both your client_id.")
    if claims.get("aud") not in (token_url, [token_url]):
        raise AssertionRefused(f"`aud` is {token_url}, and nothing else.")
    if not _is_text(jti):
        raise AssertionRefused(f"Send `jti`, a new one each time, of 1 to {_LONGEST_TEXT} letters.")
    expires = _checked_times(claims, now)
    return Assertion(text, str(issuer), str(kid), str(algorithm), jku, str(jti), expires)


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified: JSON objects in which no name stands twice."""
    if len(text) > LARGEST_ASSERTION:
        raise AssertionRefused(f"Send an assertion of at most {LARGEST_ASSERTION} characters.")
    try:
        opened = jws.extract_compact(text.encode("ascii"))
        header, claims = opened.headers(), parse(bytes(opened.payload or b""))
    except (JoseError, UnreadableJson, ValueError, TypeError, KeyError, RecursionError):
        raise AssertionRefused("Send a signed JWT (RFC 7515, compact).") from None
    if not isinstance(header, dict):
        raise AssertionRefused("Send a signed JWT (RFC 7515, compact).")
    return header, claims


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable()


def _checked_times(claims: dict[str, Any], now: float) -> int:
    """Returns `exp`, when all times are whole numbers and in order."""
    expires = claims.get("exp")
    times = [claims[name] for name in ("iat", "nbf") if name in claims]
    if type(expires) is not int or any(type(one) is not int for one in times):
        raise AssertionRefused("Send `exp` (and `iat`, `nbf`) as whole seconds since 1970.")
    if expires <= now - LEEWAY_S:
        raise AssertionRefused("The assertion has expired: make a new one for each login.")
    if expires > now + LONGEST_S + LEEWAY_S:
        raise AssertionRefused(f"`exp` is at most {LONGEST_S} seconds from now.")
    if any(one > now + LEEWAY_S for one in times):
        raise AssertionRefused("`iat` or `nbf` is in the future: set the clock right.")
    return expires


def is_signed_by(assertion: Assertion, key: RSAKey | ECKey) -> bool:
    """Tells whether this key made the signature."""
    try:
        jws.deserialize_compact(assertion.text, key, algorithms=[assertion.algorithm])
    except (JoseError, ValueError, TypeError):
        return False
    return True


#: Keys of nobody: to verify for a client without a key takes as long as for one that has one.
NOBODY: dict[str, RSAKey | ECKey] = {
    "RS384": RSAKey.import_key({"kty": "RSA", "e": "AQAB", "n": "_" * 341 + "w"}),
    "ES384": ECKey.generate_key("P-384", private=True),
}
