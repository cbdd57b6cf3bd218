"""What a request of each class asks of the database: statements and round trips, as counted on the
wire, and rows, index entries and bytes, as the database's own log has them.

One process of the service, with one connection to the database, is led through a wire of ours; a
few requests of each class come first, so that what they ask has been prepared.
"""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson

from bench.bodies import CIN, cin
from bench.load import location_id, path_of, request, send
from bench.scene import free_port
from bench.sides import Sides
from bench.wire import Wire
from bench.written import Written, position, written_since

#: Requests that come before those that are counted.
_BEFORE = 3
#: The client whose Task is moved, and its organization's NPI.
_PERFORMER, _ITS_NPI = "ecm-provider", "9000000111"
_ACCEPTED = orjson.dumps([{"op": "replace", "path": "/status", "value": "accepted"}])

Requests = Callable[[int], Awaitable[list[bytes]]]


class Costs:
    """Counts the cost of each class, `count` requests each. No delivery worker may run."""

    def __init__(self, sides: Sides, count: int) -> None:
        self._sides, self._scene, self._count = sides, sides.scene, count
        self._classes: dict[str, Requests] = {
            "referral decided": self._decided,
            "referral that waits for answers": self._asked,
            "read by id": self._reads,
            "search by patient and status": self._searches,
            "$check": self._checks,
            "performer's move: PATCH of its Task": self._moves,
        }

    async def everything(self) -> dict[str, dict[str, float]]:
        """Class → statements, trips, rows, changed, entries and bytes of one; a delivery last."""
        database = self._scene.settings["DATABASE_URL"]
        found = {}
        with tempfile.TemporaryDirectory(prefix="wire-") as folder:
            async with Wire(database, Path(folder)) as wire:
                through = {"DATABASE_URL": wire.url, "DATABASE_POOL_SIZE": "1"}
                port = free_port()
                async with self._scene.serving(port, **through):
                    for name, make in self._classes.items():
                        found[name] = await self._one(wire, port, make)
                found["delivery"] = await self._deliveries(wire)
        return found

    async def _one(self, wire: Wire, port: int, make: Requests) -> dict[str, float]:
        asked = await make(_BEFORE + self._count)
        await send(port, asked[:_BEFORE])
        async with self._scene.database() as connection:
            since, statements, trips = await position(connection), wire.statements, wire.trips
            await send(port, asked[_BEFORE:])
            wrote = await written_since(connection, since)
        return _each(self._count, wire.statements - statements, wire.trips - trips, wrote)

    async def _deliveries(self, wire: Wire) -> dict[str, float]:
        """A worker on what the requests have left to deliver, from its start to its end."""
        await send(self._scene.port, await self._decided(6 * self._count))
        arrived = self._scene.receiver.arrived
        async with self._scene.database() as connection:
            since, statements, trips = await position(connection), wire.statements, wire.trips
            before = len(arrived)
            async with self._scene.delivering(DATABASE_URL=wire.url):
                await self._scene.quiet(60)
            wrote = await written_since(connection, since)
        count = len(arrived) - before
        return _each(count, wire.statements - statements, wire.trips - trips, wrote)

    # --- requests ---

    async def _decided(self, count: int) -> list[bytes]:
        return await self._sides.referrals(count)

    async def _asked(self, count: int) -> list[bytes]:
        return await self._sides.referrals(count, stated=False)

    async def _checks(self, count: int) -> list[bytes]:
        return await self._sides.referrals(count, "/$check")

    async def _reads(self, count: int) -> list[bytes]:
        (answer,) = await send(self._scene.port, await self._decided(1))
        return await self._gets(count, path_of(answer.header("location") or ""))

    async def _searches(self, count: int) -> list[bytes]:
        number = next(self._sides.number)
        await send(self._scene.port, await self._sides.referrals(1, member=number))
        who = f"{CIN}%7C{cin(number)}"
        path = f"/fhir/ServiceRequest?status=active&_count=5&patient.identifier={who}"
        return await self._gets(count, path)

    async def _gets(self, count: int, path: str, client: str = "hospital") -> list[bytes]:
        return [request("GET", path, Authorization=await self._sides.token(client))] * count

    async def _moves(self, count: int) -> list[bytes]:
        """The performer accepts: each of so many referrals of its own."""
        posts = await send(self._scene.port, await self._sides.referrals(count, asks_for=_ITS_NPI))
        headers = {
            "Authorization": await self._sides.token(_PERFORMER),
            "Content_Type": "application/json-patch+json",
        }
        moves = []
        for answer in posts:
            referral_id = location_id(answer)
            path = f"/fhir/Task?part-of=Task/{referral_id}"
            (found,) = await send(self._scene.port, await self._gets(1, path, _PERFORMER))
            (entry,) = orjson.loads(found.body)["entry"]
            task = f"/fhir/Task/{entry['resource']['id']}"
            tag = f'W/"{entry["resource"]["meta"]["versionId"]}"'
            moves.append(request("PATCH", task, _ACCEPTED, If_Match=tag, **headers))
        return moves


def _each(count: int, statements: int, trips: int, wrote: Written) -> dict[str, float]:
    return {
        "statements": statements / count,
        "trips": trips / count,
        "rows": wrote.rows / count,
        "changed": wrote.changed / count,
        "entries": wrote.entries / count,
        "bytes": wrote.bytes / count,
    }
