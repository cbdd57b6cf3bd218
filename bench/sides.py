"""The requests that are measured: the service's, and beside each the floor's."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.bodies import CIN, cin, referral
from bench.load import Answer, path_of, request
from bench.processes import Process
from bench.scene import Scene

FHIR = "application/fhir+json"
STAFF = "staff-hpsm"
_REFERRALS = "/fhir/ServiceRequest"


@dataclass(frozen=True, slots=True)
class Side:
    """Service or floor: where requests go, and the requests."""

    name: str
    port: int
    process: Process
    make: Callable[[], bytes]
    status: int = 200


@dataclass(slots=True)
class Sides:
    """Makes pairs of a side of the service and one of a floor. A referral is each time another
    member's; the members whose referrals are searched for are the last of the roster.
    """

    scene: Scene
    service: Process
    floor: Process
    searched: range
    number: Iterator[int] = field(default_factory=itertools.count)
    _floor_number: Iterator[int] = field(default_factory=itertools.count)
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)
    _posted: dict[str, list[str]] = field(default_factory=dict)

    async def token(self, client: str = "hospital") -> str:
        """A token that outlives the next turn."""
        got, bearer = self._tokens.get(client, (0.0, ""))
        if not bearer or time.monotonic() - got > 120:
            bearer = await self.scene.token(client)
            self._tokens[client] = time.monotonic(), bearer
        return bearer

    def note(self, name: str, answers: Iterable[Answer]) -> None:
        """Remembers some of what was posted: it is read later."""
        found = [answer.header("location") for answer in itertools.islice(answers, 50)]
        if any(found):
            self._posted[name] = [path_of(one) for one in found if one]

    async def post(
        self, path: str = _REFERRALS, members: Iterator[int] | None = None
    ) -> Callable[[], bytes]:
        """Posts of referrals, one after another: for these members where they are given."""
        bearer = await self.token()
        numbers = self._floor_number if path == "/floor" else self.number

        def make() -> bytes:
            body = referral(next(numbers), member=next(members) if members else None)
            return request("POST", path, body, Content_Type=FHIR, Authorization=bearer)

        return make

    async def referrals(self, count: int, operation: str = "", **more: Any) -> list[bytes]:
        """So many posts of referrals, or of an operation on them; `more` as `bodies.referral`."""
        bearer = await self.token()
        bodies = [referral(next(self.number), **more) for _ in range(count)]
        path = _REFERRALS + operation
        headers = {"Content_Type": FHIR, "Authorization": bearer}
        return [request("POST", path, body, **headers) for body in bodies]

    async def decisions(self) -> tuple[Side, Side]:
        """A referral decided, and the floor's post."""
        return self._ours(await self.post(), 201), self._theirs(await self.post("/floor"), 201)

    async def same_rows(self, port: int, floor: Process) -> tuple[Side, Side]:
        """A referral decided, and its rows written by the second floor."""
        theirs = Side("floor", port, floor, await self.post("/floor"), 201)
        return self._ours(await self.post(), 201), theirs

    async def reads(self) -> tuple[Side, Side]:
        """A read by id on both sides."""
        bearer = await self.token()
        ours, theirs = (_get(self._posted[name], bearer) for name in ("service", "floor"))
        return self._ours(ours), self._theirs(theirs)

    async def searches(self) -> tuple[Side, Side]:
        """A search by patient and status on both sides: 5 of 10."""
        bearer = await self.token()
        who = [cin(number) for number in self.searched]
        asked = f"{_REFERRALS}?status=active&_count=5&patient.identifier={CIN}%7C"
        ours = _get([asked + one for one in who], bearer)
        theirs = _get([f"/floor?status=active&patient={one}" for one in who], bearer)
        return self._ours(ours), self._theirs(theirs)

    async def checks(self) -> tuple[Side, Side]:
        """`$check` beside the floor's read: what deciding costs without writing."""
        return self._ours(await self.post(f"{_REFERRALS}/$check")), (await self.reads())[1]

    async def queue(self) -> tuple[Side, Side]:
        """A page of the work queue beside the floor's read."""
        pages = _get(["/v1/work-queue"], await self.token(STAFF))
        return self._ours(pages), (await self.reads())[1]

    async def report(self) -> tuple[Side, Side]:
        """A report over two weeks that ended a week ago, beside the floor's read."""
        today = datetime.now(UTC).date()
        first, last = today - timedelta(days=20), today - timedelta(days=7)
        path = f"/v1/reports/timeliness?from={first}&to={last}"
        return self._ours(_get([path], await self.token(STAFF))), (await self.reads())[1]

    def _ours(self, make: Callable[[], bytes], status: int = 200) -> Side:
        return Side("service", self.scene.port, self.service, make, status)

    def _theirs(self, make: Callable[[], bytes], status: int = 200) -> Side:
        return Side("floor", self.scene.floor_port, self.floor, make, status)


def _get(paths: Iterable[str], bearer: str) -> Callable[[], bytes]:
    each = itertools.cycle(paths)
    return lambda: request("GET", next(each), Authorization=bearer)
