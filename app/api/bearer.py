"""Access tokens: signed, short-lived, verified without the database.

A token names the client (`sub` and `client_id`: RFC 9068 2.2), the organization (`org`) and the
plan (`plan`) that the client acts for, and its scopes (`scope`). A client that is switched off
keeps its last token until the token expires, at most five minutes later. Tokens live by the wall
clock, not by the service's clock, which tests and rehearsals move.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from secrets import token_urlsafe

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from app.base.ids import new_id
from app.base.settings import Settings
from app.model.caller import Caller

#: The only algorithm: `none`, asymmetric and foreign ones are refused by the library.
_ALGORITHM = "HS256"
#: The whole header of our tokens; `typ` distinguishes them from any other JWT (RFC 9068).
_HEADER = {"alg": _ALGORITHM, "typ": "at+jwt"}
_LONGEST_S = 300
_LEEWAY_S = 5
_LARGEST_TOKEN = 4096
_REMEMBERED = 2048


class TokenRefused(Exception):
    """The token is not ours, or has expired; `expired` tells the caller which."""

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__("expired" if expired else "invalid")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class _Known:
    expires: float
    caller: Caller


class Tokens:
    """Issues and verifies tokens; remembers verified tokens, so that a repeat is cheap."""

    def __init__(self, secret: str, audience: str, lifetime_s: int = _LONGEST_S) -> None:
        # A derived key: the setting itself signs nothing, and its length does not matter here.
        self._key = OctKey.import_key(hashlib.sha256(b"access-token:" + secret.encode()).digest())
        self._audience = audience
        self.lifetime_s = lifetime_s
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def issue(self, caller: Caller, now: float) -> str:
        """Issues a token, good for `lifetime_s` seconds from `now` (seconds since 1970)."""
        claims = {
            "iss": self._audience,
            "aud": self._audience,
            "sub": caller.client_id,
            "client_id": caller.client_id,
            "org": caller.organization_id,
            "plan": caller.plan,
            "scope": " ".join(sorted(caller.scopes)),
            "iat": int(now),
            "exp": int(now) + self.lifetime_s,
            "jti": new_id(),
        }
        return jwt.encode(dict(_HEADER), claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str, now: float) -> Caller:
        """Returns the caller who holds this token. Raises `TokenRefused`."""
        known = self._known.get(token)
        if known is None:
            known = self._read(token, now)
            self._known[token] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if known.expires <= now:
            self._known.pop(token, None)
            raise TokenRefused(expired=True)
        return known.caller

    def _read(self, token: str, now: float) -> _Known:
        if len(token) > _LARGEST_TOKEN:
            raise TokenRefused
        try:
            decoded = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenRefused from error
        if decoded.header != _HEADER:
            raise TokenRefused
        return _checked(decoded.claims, self._audience, now)


def _checked(claims: dict[str, object], audience: str, now: float) -> _Known:
    """Checks the claims by our own rules: exact types, no long lives, nothing from the future."""
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise TokenRefused
    if claims.get("iss") != audience or claims.get("aud") != audience:
        raise TokenRefused
    starts = claims.get("nbf", issued)
    if type(starts) is not int or starts > now + _LEEWAY_S:
        raise TokenRefused
    if issued > now + _LEEWAY_S or expires - issued > _LONGEST_S:
        raise TokenRefused
    client, organization, scope = claims.get("sub"), claims.get("org"), claims.get("scope")
    plan = claims.get("plan")
    if not (isinstance(client, str) and isinstance(organization, str) and isinstance(scope, str)):
        raise TokenRefused
    if claims.get("client_id", client) != client:  # older processes issue no `client_id`
        raise TokenRefused
    if plan is not None and not isinstance(plan, str):
        raise TokenRefused
    return _Known(expires, Caller(client, organization, plan, frozenset(scope.split())))


def tokens(settings: Settings) -> Tokens:
    """The issuer of a deployment's tokens: its processes accept each other's tokens."""
    # No service starts without a secret (`app.main`): a process that only writes the contract
    # accepts no token but its own.
    secret = settings.token_secret.get_secret_value() or token_urlsafe(32)
    return Tokens(secret, settings.fhir_base, settings.token_lifetime_s)
