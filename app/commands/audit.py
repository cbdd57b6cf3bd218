"""`python -m app audit …`: verifies the record's chains, prints heads, exports, retires months."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from app.base.clock import ServiceClock
from app.base.errors import Stopped
from app.base.ids import first_id
from app.base.settings import settings
from app.fhir.render_audit import audit_event
from app.store.audit.access import by_command
from app.store.audit.chain import COLUMNS
from app.store.audit.seal import chains, seal_all
from app.store.audit.verify import BEFORE, RETENTION, RETIRED, BrokenChain, Head, verify
from app.store.audit.writer import insert_events
from app.store.database import Database, opened

#: No limit on statements: these walk over years.
_PLANNER = {"statement_timeout": "0"}
_PAGE = 500
_SEALED = "SELECT DISTINCT plan FROM audit_seal"
_EXPORT = f"""SELECT {COLUMNS} FROM audit_event
WHERE plan = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4"""


@asynccontextmanager
async def _opened() -> AsyncIterator[Database]:
    async with opened(settings(), size=1, name="record", planner=_PLANNER) as database:
        yield database


async def _named(database: Database, plan: str | None) -> list[str]:
    """Lists the plan, or each plan that has events or seals."""
    if plan is not None:
        return [plan]
    sealed = {row["plan"] for row in await database.fetch(_SEALED)}
    return sorted(sealed.union(await chains(database)))


async def check(plan: str | None, kept: Path | None) -> int:
    """Verifies the chains, against the heads in a file if one is given; 1 if one is broken."""
    heads = _read_heads(kept) if kept else {}
    broken = 0
    async with _opened() as database:
        now = ServiceClock.of(settings()).now()
        plans = await _named(database, plan)
        for each in sorted({*plans, *(heads if plan is None else ())}):
            try:
                head = await verify(database, each, now, heads.get(each))
            except BrokenChain as error:
                broken += 1
                sys.stderr.write(f"{error}\n")
            else:
                sys.stdout.write(f"{head.plan}: whole, {head.seq} events\n")
    return 1 if broken else 0


def _read_heads(path: Path) -> dict[str, Head]:
    try:
        heads = [Head.read(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise Stopped(f"{path} is no list of heads, as `audit head` prints it.") from error
    return {head.plan: head for head in heads}


async def print_heads(plan: str | None) -> int:
    """Seals what waits, and prints the head of each chain, to be kept elsewhere."""
    async with _opened() as database:
        now = ServiceClock.of(settings()).now()
        await seal_all(database, now)
        for each in await _named(database, plan):
            head = await verify(database, each, now)
            sys.stdout.write(f"{head.line()}\n")
    return 0


async def export(plan: str, since: str, until: str) -> int:
    """Prints the AuditEvents of a plan that were made in a stretch of time, one a line."""
    base = settings().fhir_base
    after, end = first_id(_moment(since)), first_id(_moment(until))
    async with _opened() as database:
        while rows := await database.fetch(_EXPORT, plan, after, end, _PAGE):
            for row in rows:
                sys.stdout.buffer.write(orjson.dumps(audit_event(dict(row), base)) + b"\n")
            after = rows[-1]["id"]
    sys.stdout.flush()
    return 0


async def retire(before: str) -> int:
    """Notes in every chain that the months `before` a month are taken away.

    Refuses months within the retention, and a chain that is not whole. The partitions are the
    owner's to detach, and to be exported first (docs/operating.md).
    """
    month = _moment(before)
    now = ServiceClock.of(settings()).now()
    if month > now - RETENTION:
        raise Stopped("The record is kept for six years: name an earlier month.")
    async with _opened() as database:
        await seal_all(database, now)
        plans = await _named(database, None)
        for plan in plans:
            await verify(database, plan, now)
        access = by_command(lambda: now, RETIRED)
        about = [f"{BEFORE}{month.isoformat()}"]
        await insert_events(database, [access.row(plan, about, 200) for plan in plans])
        await seal_all(database, now)
    return 0


def _moment(text: str) -> datetime:
    """Reads a day, or a month, of the command line: its beginning in UTC."""
    try:
        return datetime.fromisoformat(text if len(text) > 7 else f"{text}-01").replace(tzinfo=UTC)
    except ValueError as error:
        raise Stopped("Name a day as 2026-11-01, a month as 2026-11.") from error
