"""Sends one signed POST to one receiver; returns the answer or an error class. No database.

Follows no redirects, uses no proxy or netrc of the environment and no cookies, and always verifies
certificates. Reads at most 64 kB of an answer (`webhooks` rules of Standard Webhooks and OWASP
SSRF).

`excerpt` keeps a part of the receiver's answer, for the person who asks why an attempt failed. An
answer may say something about a member in any form: a name in a sentence, an escaped field, a date
in words. A list of such forms can never be complete; a list of the words in which servers speak of
their own trouble nearly can. So only the words below are kept, with signs between them; everything
else, every number too, becomes `…`.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import aiohttp
from multidict import CIMultiDict

from app.journey.notification.claim import Claim
from app.journey.notification.retry import (
    BLOCKED,
    BROKEN,
    DNS,
    REFUSED,
    TIMEOUT,
    TLS,
    ReceiverAnswer,
)
from app.journey.notification.secrets import Vault
from app.journey.notification.secrets import headers as signed_headers
from app.journey.notification.targets import BlockedTarget, Guard, GuardedResolver, as_written

#: Limits in seconds: of the whole attempt, of connecting, and of reading an answer's body.
TOTAL_S, CONNECT_S, SUCCESS_BODY_S = 20.0, 5.0, 2.0
READ_BYTES = 64 * 1024
#: How many targets a sender has judged and parsed once, and remembers.
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The answer, its duration, and the part of its body that is kept."""

    answer: ReceiverAnswer
    duration_ms: int
    response: str | None


def open_session(guard: Guard, total_s: float = TOTAL_S) -> aiohttp.ClientSession:
    """Opens the pool of kept-alive connections, inside the event loop; the caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(guard), use_dns_cache=False, limit=0
        ),
        timeout=aiohttp.ClientTimeout(total=total_s, connect=CONNECT_S),
        # A success with many or long headers is still a success.
        max_line_size=READ_BYTES,
        max_field_size=READ_BYTES,
        max_headers=1024,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "no-wrong-door",
            "Accept-Encoding": "identity",
        },
    )


class Sender:
    """Posts claims over one session."""

    def __init__(self, session: aiohttp.ClientSession, guard: Guard, vault: Vault) -> None:
        self._session = session
        self._fault = lru_cache(maxsize=_REMEMBERED)(guard.fault)
        self._url = lru_cache(maxsize=_REMEMBERED)(as_written)
        self._vault = vault

    async def send(self, claim: Claim, now: datetime) -> SentRequest:
        """Makes one attempt. Raises only for secrets that this deployment's key does not open."""
        headers = CIMultiDict(self._vault.open_headers(claim.headers))
        headers["Content-Type"] = claim.mime
        secrets = [s.value for s in self._vault.open_secrets(claim.secrets, now)]
        headers.update(signed_headers(secrets, claim.message_id, int(now.timestamp()), claim.body))
        began = time.perf_counter()
        if self._fault(claim.url, claim.organization_id) is not None:
            answer, body = ReceiverAnswer(error=BLOCKED), b""
        else:
            answer, body = await self._post(claim, headers)
        kept = excerpt(body) if body and not claim.full_payload else None
        return SentRequest(answer, round((time.perf_counter() - began) * 1000), kept)

    async def _post(self, claim: Claim, headers: CIMultiDict[str]) -> tuple[ReceiverAnswer, bytes]:
        try:
            async with self._session.post(
                self._url(claim.url), data=claim.body, headers=headers, allow_redirects=False
            ) as response:
                answer = ReceiverAnswer(
                    response.status, retry_after=response.headers.get("Retry-After")
                )
                return answer, await _read(response)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return ReceiverAnswer(error=error_class(error)), b""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Reads the first part of the body. A broken body changes nothing: the status is known."""
    if response.content.at_eof():
        return b""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(SUCCESS_BODY_S):
            while sum(map(len, parts)) < READ_BYTES:
                part = await response.content.read(READ_BYTES)
                if not part:
                    break
                parts.append(part)
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    return b"".join(parts)[:READ_BYTES]


def error_class(error: BaseException) -> str:
    """Names the class of an error; the endpoint's owner sees no more of it."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return BLOCKED if isinstance(_os_error(error), BlockedTarget) else DNS
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return TLS
        case aiohttp.ClientConnectorError() if isinstance(_os_error(error), ConnectionRefusedError):
            return REFUSED
        case TimeoutError():
            return TIMEOUT
    return BROKEN


def _os_error(error: Any) -> object:
    return getattr(error, "os_error", None)


# The excerpt of an answer

#: Characters of an answer that are kept.
KEPT = 4096

_GAP = "…"
#: Words of servers about requests: none is a name, a place, a day, a month or an illness.
_WORDS = (
    "a able above accept accepted access account accounts again algorithm all allowed already "
    "an and any api application are as at attempt authentication authorization authorized "
    "available await backend bad be because been before below body broken busy but by bytes "
    "cache call cannot certificate change changed character check client closed code comes "
    "configuration configured conflict connect connected connecting connection content could "
    "count data database date dead default delayed delivery denied deprecated detail details "
    "did directory disabled disconnected do does done down dropped due duplicate early echo "
    "empty enabled encoding end endpoint error errors event events exceeded exception exist "
    "exists expected expired fail failed failing failure false fatal file filter for forbidden "
    "form format found from full function future gateway get gone handle handler has have "
    "header headers hook host html http https id ignored in incoming incomplete incorrect input "
    "instance internal into invalid is it item its job json larger late later length limit "
    "limits line load locked login maintenance malformed match maximum memory message messages "
    "method methods missing module moved must name network new no none not nothing null number "
    "object of off offline ok old on only open operation or order out over overload overloaded "
    "parameter parse parser parsing password path payload permission permitted persist please "
    "policy pool port posted previous problem process processed processing property protocol "
    "proxy publish query queue queued rate read reading reason received record redirect "
    "reference refused reject rejected request requests required resource response result retry "
    "route rule running schema scope second seconds secret security see send sending sent "
    "server servers service session shutdown signature signed size slow so some soon source "
    "stack started starting state status still stopped storage store string support supported "
    "syntax system table temporarily temporary than that the there this throttled time timeout "
    "timestamp title to token too tried true try type unable unauthorized unavailable undefined "
    "unexpected unhandled unknown unprocessable unreachable unreadable unsupported until up "
    "upstream url use user utf valid value verification verified verify version wait waiting "
    "was webhook webhooks were when while with without worker write writing wrong xml yet "
)
_KNOWN = frozenset(_WORDS.split())
_TOKEN = re.compile(r"[^\W_]+|\s+|.", re.DOTALL)
_KEPT_SIGNS = frozenset("\"'.,:;!?()[]{}<>=/-_")


def excerpt(body: bytes) -> str:
    """Returns at most `KEPT` characters of an answer, with each unlisted word as `…`."""
    text = body[: 4 * KEPT].decode("utf-8", "replace")
    kept: list[str] = []
    for token in _TOKEN.findall(text):
        text_kept = _kept(token)
        if text_kept != _GAP or not kept or kept[-1] != _GAP:
            kept.append(text_kept)
    return _closed_up("".join(kept))[:KEPT]


def _kept(token: str) -> str:
    if token.isspace():
        return "\n" if "\n" in token else " "
    if token.lower() in _KNOWN or token in _KEPT_SIGNS:
        return token
    return _GAP


def _closed_up(text: str) -> str:
    """Writes one gap for each run of gaps and signs, as digits, dates and names leave them."""
    return re.sub(r"…(?:[ .,:/+\-]*…)+", _GAP, text)
