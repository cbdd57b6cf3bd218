"""Access tokens: signed, short-lived, verified without the database.

A token names the client (`sub` and `client_id`: RFC 9068 2.2), the organization (`org`) and the
plan (`plan`) that the client acts for, its scopes (`scope`), why it asks (`purpose`), and the
series of the client's tokens (`series`). The tokens of a client that is switched off end with their
series (`app.api.ended`). Tokens live by the wall clock, not by the service's clock, which
tests and rehearsals move.

`TOKEN_SECRET` may hold several secrets: the first signs, and the header's `kid` tells which did.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_urlsafe

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey

from app.base.ids import new_id
from app.base.settings import Settings
from app.model.caller import PURPOSES, Caller

#: The only algorithm: `none`, asymmetric and foreign ones are refused by the library.
_ALGORITHM = "HS256"
#: The header of our tokens beside `kid`; `typ` distinguishes them from any other JWT (RFC 9068).
_HEADER = {"alg": _ALGORITHM, "typ": "at+jwt"}
_LONGEST_S = 300
_LEEWAY_S = 5
_LARGEST_TOKEN = 4096
_REMEMBERED = 2048
#: The member of `cnf` that binds a token to a certificate.
_BOUND = "x5t#S256"


class TokenRefused(Exception):
    """The token is not ours, or has expired; `expired` tells the caller which."""

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__("expired" if expired else "invalid")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a token, until when (seconds since 1970), and what else the token says."""

    caller: Caller
    expires: float
    issued: int
    series: int = 0
    #: SHA-256 of the TLS certificate without which the token is not good (RFC 8705 3.1).
    certificate: str | None = None


class Tokens:
    """Issues and verifies tokens; remembers verified tokens, so that a repeat is cheap."""

    def __init__(self, secrets: Sequence[str], audience: str, lifetime_s: int = _LONGEST_S) -> None:
        self._keys = {_kid(one): _key(one) for one in secrets}
        self._signs = _kid(secrets[0])
        self._audience = audience
        self.lifetime_s = lifetime_s
        self._known: OrderedDict[str, Holder] = OrderedDict()
        #: Client → the first series of its tokens that is good; those of an earlier one have ended.
        self.ended: Mapping[str, int] = {}

    def issue(
        self, caller: Caller, now: float, *, series: int = 0, certificate: str | None = None
    ) -> str:
        """Issues a token, good for `lifetime_s` seconds from `now` (seconds since 1970)."""
        claims = {
            "iss": self._audience,
            "aud": self._audience,
            "sub": caller.client_id,
            "client_id": caller.client_id,
            "org": caller.organization_id,
            "plan": caller.plan,
            "scope": " ".join(sorted(caller.scopes)),
            "purpose": caller.purpose,
            "series": series,
            "iat": int(now),
            "exp": int(now) + self.lifetime_s,
            "jti": new_id(),
            **({"cnf": {_BOUND: certificate}} if certificate else {}),
        }
        header = {**_HEADER, "kid": self._signs}
        return jwt.encode(header, claims, self._keys[self._signs], algorithms=[_ALGORITHM])

    def verify(self, token: str, now: float, certificate: str | None = None) -> Caller:
        """Returns the caller who holds this token. Raises `TokenRefused`.

        `certificate`: the SHA-256 of the certificate of the caller's connection, if it showed one.
        """
        holder = self.holder(token, now)
        if holder.certificate is not None and holder.certificate != certificate:
            raise TokenRefused
        return holder.caller

    def holder(self, token: str, now: float) -> Holder:
        """Returns what a good token says. Raises `TokenRefused`."""
        known = self._known.get(token)
        if known is None:
            known = self._read(token, now)
            self._known[token] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if known.expires <= now:
            self._known.pop(token, None)
            raise TokenRefused(expired=True)
        if known.series < self.ended.get(known.caller.client_id, 0):
            raise TokenRefused
        return known

    def _read(self, token: str, now: float) -> Holder:
        if len(token) > _LARGEST_TOKEN:
            raise TokenRefused
        try:
            decoded = jwt.decode(token, self._key_of, algorithms=[_ALGORITHM])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenRefused from error
        if {**decoded.header, "kid": ""} != {**_HEADER, "kid": ""}:
            raise TokenRefused
        return _checked(decoded.claims, self._audience, now)

    def _key_of(self, token: GuestProtocol) -> OctKey:
        """The key that a token's header names. Raises `KeyError` for a name that is not ours.

        Processes of 0.2.0 name none.
        """
        return self._keys[token.headers().get("kid", self._signs)]


def _key(secret: str) -> OctKey:
    """A derived key: the setting itself signs nothing, and its length does not matter here."""
    return OctKey.import_key(hashlib.sha256(b"access-token:" + secret.encode()).digest())


def _kid(secret: str) -> str:
    return hashlib.sha256(b"access-token key id:" + secret.encode()).hexdigest()[:16]


def _checked(claims: dict[str, object], audience: str, now: float) -> Holder:
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
    plan, purpose, series = (
        claims.get("plan"),
        claims.get("purpose", "TREAT"),
        claims.get("series", 0),
    )
    if not (isinstance(client, str) and isinstance(organization, str) and isinstance(scope, str)):
        raise TokenRefused
    if claims.get("client_id", client) != client:  # older processes issue no `client_id`
        raise TokenRefused
    if plan is not None and not isinstance(plan, str):
        raise TokenRefused
    if type(series) is not int or purpose not in PURPOSES:
        raise TokenRefused
    caller = Caller(client, organization, plan, frozenset(scope.split()), str(purpose))
    return Holder(caller, expires, issued, series, _bound_to(claims.get("cnf")))


def _bound_to(confirmation: object) -> str | None:
    """The certificate of a `cnf` claim. Raises `TokenRefused` for a claim that is not ours."""
    if confirmation is None:
        return None
    certificate = confirmation.get(_BOUND) if isinstance(confirmation, dict) else None
    if not isinstance(certificate, str):
        raise TokenRefused
    return certificate


def tokens(settings: Settings) -> Tokens:
    """The issuer of a deployment's tokens: its processes accept each other's tokens."""
    # No service starts without a secret (`app.main`): a process that only writes the contract
    # accepts no token but its own.
    secrets = [one for one in settings.token_secrets if one] or [token_urlsafe(32)]
    return Tokens(secrets, settings.fhir_base, settings.token_lifetime_s)
