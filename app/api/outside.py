"""Takes access tokens of outside issuers (`OIDC_ISSUERS`): a caller who logs in elsewhere.

The issuer's discovery document names its key set; both are fetched and kept as clients' key sets
are. The claims are mapped by the setting alone: which organization a value stands for, and the most
that its scopes may grant. A token is taken for an hour at most.

Source: OpenID Connect Discovery 1.0; RFC 9068 4.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from yarl import URL

from app.api.bearer import Holder, TokenRefused
from app.api.login.key_sets import FetchFailed, KeySets, fetch
from app.api.login.public_keys import NEEDED, key_for
from app.base.issuers import ActsFor, OutsideIssuer
from app.base.settings import Settings
from app.fhir.r4.strict_json import UnreadableJson, parse
from app.journey.notification.targets import Guard
from app.model.caller import PURPOSES, Caller, grant, usual_purpose

_CURVES = ("P-256", "P-384")
_LARGEST_TOKEN = 8 * 1024
_LONGEST_S, _LEEWAY_S = 3600, 5
_REMEMBERED = 2048
#: Seconds that a discovery document is kept; after a failure the next look waits 5.
_DISCOVERY_S, _FAILED_S = 3600.0, 5.0
#: Instead of an organization's id: who may fetch from an issuer's own host.
_OWNER = "issuer"


class OutsideTokens:
    """Verifies the tokens of outside issuers; remembers verified ones."""

    def __init__(self, settings: Settings) -> None:
        self._issuers = {one.issuer: one for one in settings.issuers}
        guard = Guard.of(settings)
        hosts = ((url.host or "", url.port) for url in map(URL, self._issuers))
        own = frozenset((_OWNER, f"{host.lower()}:{port}") for host, port in hosts)
        self._guard = Guard(own, guard.plain_http, guard.own_name)
        self._sets = KeySets(self._guard, _CURVES)
        self._places: dict[str, tuple[str | None, float]] = {}
        self._looking = asyncio.Lock()
        self._known: OrderedDict[str, Holder] = OrderedDict()

    async def verify(self, token: str, now: float) -> Caller:
        """Returns the caller who holds a token. Raises `TokenRefused`.

        `now` in seconds since 1970.
        """
        known = self._known.get(token)
        if known is None:
            known = await self._read(token, now)
            self._known[token] = known
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        if known.expires <= now:
            self._known.pop(token, None)
            raise TokenRefused(expired=True)
        return known.caller

    async def _read(self, token: str, now: float) -> Holder:
        if not self._issuers or len(token) > _LARGEST_TOKEN:
            raise TokenRefused
        header, claims = _parts(token)
        issuer = self._issuers.get(str(claims.get("iss")))
        kid, algorithm = header.get("kid"), header.get("alg")
        if issuer is None or not isinstance(algorithm, str) or not isinstance(kid, str):
            raise TokenRefused
        if algorithm not in NEEDED:
            raise TokenRefused
        if "crit" in header or str(header.get("typ", "JWT")).lower() not in ("jwt", "at+jwt"):
            raise TokenRefused
        try:
            url = await self._key_set_of(issuer.issuer)
            keys = await self._sets.find(_OWNER, url, kid, algorithm)
        except FetchFailed:
            raise TokenRefused from None
        key = key_for(keys, kid, algorithm)
        try:
            if key is None:
                raise TokenRefused
            jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError):
            raise TokenRefused from None
        return _holder(issuer, claims, now)

    async def _key_set_of(self, issuer: str) -> str:
        """The address of an issuer's key set, from its discovery document. Raises `FetchFailed`."""
        async with self._looking:
            url, until = self._places.get(issuer, (None, 0.0))
            if time.monotonic() >= until:
                url = await self._discovered(issuer)
                lasts = _FAILED_S if url is None else _DISCOVERY_S
                self._places[issuer] = (url, time.monotonic() + lasts)
        if url is None:
            raise FetchFailed
        return url

    async def _discovered(self, issuer: str) -> str | None:
        place = issuer.rstrip("/") + "/.well-known/openid-configuration"
        if self._guard.fault(place, _OWNER) is not None:
            return None
        try:
            body, _ = await fetch(self._guard, place)
            found = orjson.loads(body)
        except (FetchFailed, orjson.JSONDecodeError):
            return None
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            return None
        url = found.get("jwks_uri")
        return url if isinstance(url, str) else None


def _parts(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims, unverified."""
    try:
        opened = jws.extract_compact(token.encode("ascii"))
        return opened.headers(), parse(bytes(opened.payload or b""))
    except (JoseError, UnreadableJson, ValueError, TypeError, KeyError, RecursionError):
        raise TokenRefused from None


def _holder(issuer: OutsideIssuer, claims: Mapping[str, Any], now: float) -> Holder:
    """What the claims of a verified token mean here. Raises `TokenRefused`."""
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    starts = _moment(claims, "nbf") if "nbf" in claims else issued
    if max(issued, starts) > now + _LEEWAY_S:
        raise TokenRefused
    client, organization = claims.get(issuer.client_claim), claims.get(issuer.organization_claim)
    if not isinstance(client, str) or not client.isascii() or not client.isprintable():
        raise TokenRefused
    for_whom = issuer.organizations.get(organization) if isinstance(organization, str) else None
    if for_whom is None or not 0 < len(client) <= 100:
        raise TokenRefused
    scopes, _ = grant(_scopes(claims.get(issuer.scope_claim)), issuer.scopes)
    caller = Caller(
        f"{issuer.name}:{client}",
        for_whom.organization,
        for_whom.plan,
        scopes,
        _purpose(for_whom),
    )
    return Holder(caller, min(expires, issued + _LONGEST_S), issued)


def _moment(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenRefused
    return value


def _scopes(claim: object) -> str:
    """The scopes of a token as one text. Raises `TokenRefused` where it has none."""
    words: list[Any] = claim if isinstance(claim, list) else [claim]
    if not all(isinstance(word, str) for word in words):
        raise TokenRefused
    text = " ".join(words)
    if not text.strip():  # an empty request would be one for everything
        raise TokenRefused
    return text


def _purpose(for_whom: ActsFor) -> str:
    named = for_whom.purpose
    return named if named in PURPOSES else usual_purpose(for_whom.plan)
