"""Few and many referrals stored: what requests cost with either, and what is stored."""

from typing import Any

import orjson

from bench.bodies import PERFORMERS, npi
from bench.load import location_id, request, send
from bench.sides import STAFF
from bench.stock import Stock, a_referral, sizes
from bench.turns import Turns
from bench.written import position, written_since

#: How many referrals wait in the queue while its page is measured.
_WAITING = 60


class Years:
    """Measures with few stored, then with many; no delivery worker may run."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._sides, self._scene = turns, turns.sides, turns.sides.scene

    async def measure(self) -> dict[str, Any]:
        """What a request costs with few referrals stored and with many: how many times as much,
        floor by floor; and what each referral takes on disk.
        """
        async with self._scene.delivering(), self._scene.database() as connection:
            await self._scene.quiet(600)
            since = await position(connection)
            models = await self._models()
            await self._scene.quiet(60)
            await self._letters_sent(models)
            names = (await written_since(connection, since)).tables
        await send(self._scene.port, await self._sides.referrals(_WAITING, stated=False))
        async with self._scene.database() as connection:
            stock = Stock(connection, models, list(names))
            await stock.grow(self._turns.length.few)
            few, before = await self._stored(connection), await self._stored_now()
            empty, copied = await sizes(connection), stock.copied
            took = await stock.grow(self._turns.length.stock)
            added = (stock.copied - copied) * len(models)
            self._turns.on_step("a stock of referrals")
            full = await sizes(connection)
            many, after = await self._stored(connection), await self._stored_now()
        cost = {name: before[name]["ratio"] / after[name]["ratio"] for name in before}
        return {
            "few": few, "many": many, "cost": cost, "before": before, "after": after,
            "seconds": took, "bytes": sum(map(sum, full.values())),
            "each": a_referral(empty, full, added),
        }  # fmt: skip

    async def _models(self) -> list[str]:
        """Two new referrals for each performer."""
        models = []
        for performer in range(PERFORMERS):
            posts = await self._sides.referrals(2, asks_for=npi(performer))
            models += map(location_id, await send(self._scene.port, posts))
        return models

    async def _letters_sent(self, models: list[str]) -> None:
        """Staff send the members' letters: what waits to be sent does not grow with the years."""
        headers = {"Authorization": await self._sides.token(STAFF)}
        for model in models:
            asked = request("GET", f"/v1/correspondence?status=to-send&referral={model}", **headers)
            (waiting,) = await send(self._scene.port, [asked])
            said = {"Content_Type": "application/json", **headers}
            sent = [
                request("POST", f"/v1/correspondence/{item['id']}/sent", b'{"how":"mail"}', **said)
                for item in orjson.loads(waiting.body)["items"]
            ]
            await send(self._scene.port, sent)

    async def _stored(self, connection: Any) -> int:
        stored: int = await connection.fetchval("SELECT count(*) FROM referral")
        return stored

    async def _stored_now(self) -> dict[str, Any]:
        """What each kind of request costs with what is stored at the moment."""
        sides = self._sides
        kinds = {
            "decided": sides.decisions, "read": sides.reads, "search": sides.searches,
            "queue": sides.queue, "report": sides.report,
        }  # fmt: skip
        found = {name: await self._turns.of(8, kind) for name, kind in kinds.items()}
        printed = await self._scene.said("-m", "bench.sweep", str(1 + self._turns.length.turn_s))
        milliseconds = float(printed)
        found["sweep"] = {"ratio": 1 / milliseconds, "ms": milliseconds}
        self._turns.on_step("clocks")
        return found
