"""One POST to one receiver: signed bytes out, an answer or an error class back. No database here.

No redirects, no proxy or netrc of the environment, no cookies, certificates always verified; at
most 64 kB of an answer are read (`webhooks` rules of Standard Webhooks and OWASP SSRF).
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from multidict import CIMultiDict

from app.journey.notification.claim import Claim
from app.journey.notification.excerpt import excerpt
from app.journey.notification.retry import BLOCKED, BROKEN, DNS, REFUSED, TIMEOUT, TLS, Answer
from app.journey.notification.secrets import Vault
from app.journey.notification.signature import headers as signed_headers
from app.journey.notification.targets import BlockedTarget, Guard, GuardedResolver, as_written

#: The whole attempt, the connecting, and how long the body of a success may take, in seconds.
TOTAL_S, CONNECT_S, SUCCESS_BODY_S = 20.0, 5.0, 2.0
READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer, how long it took, and what of its body is kept."""

    answer: Answer
    duration_ms: int
    response: str | None


def open_session(guard: Guard, total_s: float = TOTAL_S) -> aiohttp.ClientSession:
    """The pool of kept-alive connections; made inside the event loop, closed by the caller."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(guard), use_dns_cache=False, limit=0
        ),
        timeout=aiohttp.ClientTimeout(total=total_s, connect=CONNECT_S),
        # A success with many or long headers is one all the same.
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
        self._guard = guard
        self._vault = vault

    async def send(self, claim: Claim, now: datetime) -> Sent:
        """One attempt. Raises only for secrets that this deployment's key does not open."""
        headers = CIMultiDict(self._vault.open_headers(claim.headers))
        headers["Content-Type"] = claim.mime
        secrets = [s.value for s in self._vault.open_secrets(claim.secrets, now)]
        headers.update(signed_headers(secrets, claim.message_id, int(now.timestamp()), claim.body))
        began = time.perf_counter()
        if self._guard.fault(claim.url, claim.organization_id) is not None:
            answer, body = Answer(error=BLOCKED), b""
        else:
            answer, body = await self._post(claim, headers)
        kept = excerpt(body) if body and not claim.full_payload else None
        return Sent(answer, round((time.perf_counter() - began) * 1000), kept)

    async def _post(self, claim: Claim, headers: CIMultiDict[str]) -> tuple[Answer, bytes]:
        try:
            async with self._session.post(
                as_written(claim.url), data=claim.body, headers=headers, allow_redirects=False
            ) as response:
                answer = Answer(response.status, retry_after=response.headers.get("Retry-After"))
                return answer, await _read(response)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(error=error_class(error)), b""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The first part of the body. The status has been heard: a broken body changes nothing."""
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
    """The class of an error, which is all that the endpoint's owner is shown."""
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
