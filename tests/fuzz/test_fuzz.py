"""`make fuzz`: requests that nobody should send, from every client, at every operation.

Whatever arrives, no answer is a 5xx and none is one that the contract does not describe; and after
all of it the referral that was there first still reads as it did. `FUZZ_REQUESTS` says how many
(30,000), `FUZZ_SEED` which: the same seed sends the same requests.
"""

import asyncio
import os
import sys
from collections import Counter

import aiohttp
import pytest
import yarl

from tests.fuzz.contract import OPERATIONS, Described
from tests.fuzz.mutate import Mutator, Request
from tests.journeys.payloads import EXAMPLES
from tests.outside import Tokens, served
from tests.postgres import token

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "30000"))
SEED = int(os.environ.get("FUZZ_SEED", "20261129"))
#: So many are under way at a time.
AT_ONCE = 4
#: Types whose ids are gathered from searches, so that requests meet what is there.
GATHERED = ("ServiceRequest", "Task", "ClaimResponse", "Communication", "Subscription",
            "Organization", "HealthcareService", "Patient", "Coverage")  # fmt: skip

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(4 * 3600)]


class Fuzz:
    """Sends requests and keeps each kind of complaint once, with the request that led to it."""

    def __init__(self, url: str, session: aiohttp.ClientSession, seed: int) -> None:
        self._url, self._session, self._tokens = url, session, Tokens(url)
        self._described = Described()
        self.ids: dict[str, list[str]] = {kind: ["none"] for kind in GATHERED}
        self._mutator = Mutator(seed, self.ids)
        self.complaints: dict[tuple[str, str], str] = {}
        self.statuses: Counter[int] = Counter()
        self.met: set[str] = set()

    async def headers_of(self, client: str) -> dict[str, str]:
        told = await asyncio.to_thread(self._tokens.of, client)
        return {"Authorization": f"Bearer {told}"}

    async def refer(self) -> None:
        """The examples as referrals: something that requests can be about."""
        for path in sorted(EXAMPLES.glob("0[1-8]*.json")):
            body = path.read_bytes()
            where = "/fhir" if b'"Bundle"' in body[:200] else "/fhir/ServiceRequest"
            headers = {**await self.headers_of("hospital"), "Content-Type": "application/fhir+json"}
            async with self._session.post(
                f"{self._url}{where}", data=body, headers=headers
            ) as said:
                assert said.status in (200, 201), await said.text()

    async def gather(self) -> None:
        for kind in GATHERED:
            for client in ("staff-hpsm", "hospital"):
                headers = await self.headers_of(client)
                path = f"{self._url}/fhir/{kind}"
                async with self._session.get(path, headers=headers) as said:
                    found = (await said.json(content_type=None)).get("entry", ())
                    self.ids[kind] += [entry["resource"]["id"] for entry in found]

    async def send(self) -> None:
        request = self._mutator.request()
        headers = {**request.headers}
        if request.client and "Authorization" not in headers:
            headers |= await self.headers_of(request.client)
        target = f"{self._url}{request.path}" + (f"?{request.query}" if request.query else "")
        async with self._session.request(
            request.operation.method,
            yarl.URL(target, encoded=True),
            data=request.body,
            headers=headers,
            skip_auto_headers=["Content-Type"],
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            applied = answer.headers.get("Preference-Applied", "")
            self._note(request, answer.status, answer.content_type, body, applied)

    def _note(self, request: Request, status: int, media: str, body: bytes, applied: str) -> None:
        self.statuses[status] += 1
        self.met.add(request.operation.label)
        if not request.path_fits:
            complaint = f"{status}" if status >= 500 else None
        else:
            complaint = self._described.complaint(request.operation, status, media, body, applied)
        if complaint:
            told = f"{complaint}\n{request}\nanswer: {body[:500]!r}"
            self.complaints.setdefault((request.operation.label, complaint[:60]), told)


async def _run(url: str) -> Fuzz:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        fuzz = Fuzz(url, session, SEED)
        await fuzz.refer()
        left = iter(range(REQUESTS))

        async def sender() -> None:
            for number in left:
                if number % 2000 == 0:
                    await fuzz.gather()
                await fuzz.send()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(sender())
    return fuzz


async def test_no_request_breaks_the_service_or_the_contract(cluster, tmp_path, capsys):
    name = token()
    database = await asyncio.to_thread(cluster.create, name)
    log = tmp_path / "log"
    fuzz = await asyncio.to_thread(_from_outside, database, log)
    with capsys.disabled():
        sys.stdout.write(f"\n{fuzz.statuses.total()} requests: {sorted(fuzz.statuses.items())}\n")
    assert fuzz.statuses.total() == REQUESTS
    assert not fuzz.complaints, "\n\n".join([*fuzz.complaints.values()][:40])
    assert REQUESTS < 30_000 or fuzz.met == {operation.label for operation in OPERATIONS}
    assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


def _from_outside(database: str, log) -> Fuzz:
    with served(database, log) as url:
        return asyncio.run(_run(url))
