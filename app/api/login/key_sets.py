"""Fetches the key sets that clients publish, through the guard that messages are sent through.

A set is kept as long as its answer says (`Cache-Control`), at least 30 seconds and at most an hour.
An unknown key leads to a new look, at most every 30 seconds for each address; a fetch that failed
is not repeated for 5 seconds. One fetch of an address is under way at a time, and all who need it
wait for that one: at most 3 seconds. Nothing is fetched with a transaction open.
"""

import asyncio
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from app.api.login.public_keys import LARGEST_SET, KeySet, UnusableKeys, key_for, read_keys
from app.journey.notification.targets import Guard, GuardedResolver, as_written

#: Seconds: of a fetch, and how long a set is kept and a failure remembered.
LONGEST_FETCH_S = 3.0
_USUAL_S, _SHORTEST_S, _LONGEST_S, _FAILED_S = 300.0, 30.0, 3600.0, 5.0
#: Addresses that a process remembers.
_REMEMBERED = 1000
_MAX_AGE = re.compile(r"\bmax-age=([0-9]{1,9})\b")


class FetchFailed(Exception):
    """The address gave no usable answer in time."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a fetch has given (None: it failed), when, and until when it is kept."""

    keys: KeySet | None
    at: float
    until: float


class KeySets:
    """The key sets that this process has fetched, by owner and address."""

    def __init__(
        self,
        guard: Guard,
        curves: Sequence[str] = ("P-384",),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._curves = curves
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._under_way: dict[tuple[str, str], asyncio.Task[_Kept]] = {}

    async def find(self, owner: str, url: str, kid: str, algorithm: str) -> KeySet:
        """Returns the set of an owner's address; looks anew where the key is not in it.

        `owner`: the organization's id. Raises `FetchFailed`.
        """
        kept = self._kept.get((owner, url))
        now = self._clock()
        if (
            kept is None
            or now >= kept.until
            or (
                kept.keys is not None
                and key_for(kept.keys, kid, algorithm) is None
                and now - kept.at >= _SHORTEST_S
            )
        ):
            kept = await self._fetched(owner, url)
        if kept.keys is None:
            raise FetchFailed
        return kept.keys

    async def _fetched(self, owner: str, url: str) -> _Kept:
        """The fetch that is under way, or a new one; it goes on if who waits for it goes away."""
        place = (owner, url)
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._fetch(owner, url))
            self._under_way[place] = task
            task.add_done_callback(lambda _: self._under_way.pop(place, None))
        return await asyncio.shield(task)

    async def _fetch(self, owner: str, url: str) -> _Kept:
        keys: KeySet | None = None
        lasts = _FAILED_S
        if self._guard.fault(url, owner) is None:
            with suppress(FetchFailed, UnusableKeys):
                body, kept_for = await fetch(self._guard, url)
                keys, lasts = read_keys(body, self._curves), kept_for
        now = self._clock()
        kept, before = _Kept(keys, now, now + lasts), self._kept.get((owner, url))
        if keys is None and before is not None and before.keys is not None and now < before.until:
            kept = _Kept(before.keys, now, before.until)  # the look for an unknown key has failed
        self._kept[owner, url] = kept
        self._kept.move_to_end((owner, url))
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        return kept


async def fetch(guard: Guard, url: str) -> tuple[bytes, float]:
    """Gets a small JSON document; returns it and the seconds that it may be kept.

    Follows no redirect, reads at most 64 KB. Raises `FetchFailed` after 3 seconds at the latest.
    """
    try:
        async with asyncio.timeout(LONGEST_FETCH_S), _session(guard) as session:
            answering = session.get(as_written(url), allow_redirects=False)
            async with answering as response:
                body = await response.content.read(LARGEST_SET + 1)
                while len(body) <= LARGEST_SET and not response.content.at_eof():
                    body += await response.content.read(LARGEST_SET + 1 - len(body))
                if response.status != 200 or len(body) > LARGEST_SET:
                    raise FetchFailed
                return body, _lifetime(response.headers.get("Cache-Control", ""))
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise FetchFailed from error


def _session(guard: Guard) -> aiohttp.ClientSession:
    """A session of one fetch: fetches are rare, and no connection is kept."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=GuardedResolver(guard, _Apart()), use_dns_cache=False, force_close=True
        ),
        timeout=aiohttp.ClientTimeout(total=LONGEST_FETCH_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={
            "Accept": "application/json, application/jwk-set+json",
            "Accept-Encoding": "identity",
            "User-Agent": "no-wrong-door",
        },
    )


class _Apart(AbstractResolver):
    """Looks names up in threads of their own: a slow name must not hold up the service's others."""

    _threads = ThreadPoolExecutor(4, "key-set-lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Keeps nothing open."""


def _lifetime(cache_control: str) -> float:
    """The seconds that an answer may be kept (RFC 9111 5.2.2), within our bounds."""
    said = cache_control.lower()
    if "no-store" in said or "no-cache" in said:
        return _SHORTEST_S
    age = _MAX_AGE.search(said)
    return min(max(float(age[1]), _SHORTEST_S), _LONGEST_S) if age else _USUAL_S
