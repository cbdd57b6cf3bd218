"""`python -m app load FILE…`: network and roster files (NDJSON, Bundles) into the directory.

First every line is read and checked by itself: while one is at fault nothing is written, for it
might be anybody's Coverage. Then they are written in batches, each a transaction with all that the
files say of its members. What cannot be placed (a CIN that another member has) is told and left
out with everything else about that member, who stays as they were; all others are written. Loading
the same files again changes nothing, so whatever was interrupted is simply repeated.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.base.clock import ServiceClock
from app.base.errors import Refusal, Stopped
from app.base.settings import Settings, settings
from app.store.database import begin, create_engine
from app.store.directory.lines import Advance, said
from app.store.directory.order import STAGES, LoadBatch, LoadRefused, Order
from app.store.directory.record import TYPES, DirectoryRefused, LoadCounts, Resource
from app.store.directory.store import in_several_rosters, write

__all__ = ["LoadCounts", "LoadRefused", "load", "load_resources", "main"]

#: Members whose numbers are looked for in other rosters at a time.
_AT_A_TIME = 1_000

Tell = Callable[[str], None]
#: A step of the work by its name and size, and how far it is.
LoadStep = Callable[[str, int], Advance]


@dataclass(slots=True)
class Loaded:
    """What a load did, and how many lines it left out."""

    counts: LoadCounts = field(default_factory=LoadCounts)
    left_out: int = 0


async def load_resources(
    connection: AsyncConnection, resources: Sequence[Resource], now: datetime
) -> LoadCounts:
    """Upserts checked resources with their own ids. Raises `DirectoryRefused` with every fault."""
    return await write(connection, resources, now)


def _no_steps(_name: str, _size: int) -> Advance:
    return lambda _: None


async def load(
    paths: Sequence[Path], chosen: Settings, tell: Tell, step: LoadStep = _no_steps
) -> Loaded:
    """Loads files; `tell` gets a sentence for every fault and for every CIN that two rosters have.

    Raises `LoadRefused` when nothing was written; `Stopped` and, without a database, 503 as
    `Refusal` when the batches written so far stay.
    """
    loaded = Loaded()
    with Order(paths) as order:
        order.read(step("reading", sum(path.stat().st_size for path in paths if path.is_file())))
        engine = create_engine(chosen, pool_size=max(STAGES.values()))
        try:
            await _write_all(engine, order, ServiceClock.of(chosen), loaded, tell, step)
            for patients in order.patients(_AT_A_TIME):
                async with begin(engine) as connection:
                    for shared in await in_several_rosters(connection, patients):
                        tell(shared)
        finally:
            await engine.dispose()
    return loaded


async def _write_all(
    engine: AsyncEngine,
    order: Order,
    clock: ServiceClock,
    loaded: Loaded,
    tell: Tell,
    step: LoadStep,
) -> None:
    """Writes every batch: while the database works on one, the next is made ready."""
    advance = step("writing", order.count)

    async def write_some(batches: Iterator[LoadBatch]) -> None:
        for batch in batches:
            await _load_batch(engine, batch, clock, loaded, tell)
            advance(len(batch.resources))

    for stage, at_once in STAGES.items():
        batches = order.batches(stage)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(write_some(batches))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None


async def _load_batch(
    engine: AsyncEngine, batch: LoadBatch, clock: ServiceClock, loaded: Loaded, tell: Tell
) -> None:
    """Writes a batch; where some of it is refused, the rest without whomever that is about."""
    resources = batch.resources
    while resources:
        try:
            loaded.counts.add(await _write(engine, resources, clock))
        except DirectoryRefused as refused:
            for at, fault in refused.faults:
                tell(said(batch.places[at], fault))
            gone = {batch.whose[at] for at, _ in refused.faults}
            rest = [one for one in resources if batch.owner(one) not in gone]
            loaded.left_out += len(resources) - len(rest)
            resources = rest
        else:
            return


async def _write(
    engine: AsyncEngine, resources: Sequence[Resource], clock: ServiceClock
) -> LoadCounts:
    """One transaction; looks again where another writer was faster."""
    for _ in range(2):
        try:
            async with begin(engine) as connection:
                return await write(connection, resources, clock.now())
        except IntegrityError:
            continue
    raise Stopped("Others write the same just now.")


def main(paths: Sequence[Path]) -> int:
    """The command. Returns its exit status: 0 all loaded, 1 not all, or nothing."""
    if not settings().database_url:
        sys.stderr.write("Set DATABASE_URL.\n")
        return 1
    try:
        with _progress() as (tell, step):
            loaded = asyncio.run(load(paths, settings(), tell, step))
    except LoadRefused as refused:
        told = "\n".join(refused.faults)
        sys.stderr.write(f"{told}\nNothing was loaded: {len(refused.faults)} faults.\n")
        return 1
    except (Refusal, Stopped) as stopped:
        why = stopped.issues[0].diagnostics if isinstance(stopped, Refusal) else str(stopped)
        sys.stderr.write(f"{why}\nNot all was loaded. Load the same files again.\n")
        return 1
    except sqlite3.Error:
        said = "There is no room on disk to sort the lines: free some, or set SQLITE_TMPDIR."
        sys.stderr.write(f"{said}\nNot all was loaded. Load the same files again.\n")
        return 1
    Console().print(_table(loaded.counts))
    if loaded.left_out:
        sys.stderr.write(f"{loaded.left_out} lines were left out; all others are loaded.\n")
    return 1 if loaded.left_out else 0


@contextmanager
def _progress() -> Iterator[tuple[Tell, LoadStep]]:
    """A bar on standard error where that is a terminal; sentences go there in any case."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    columns = (TextColumn("{task.description:>8}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    ) as bar:  # fmt: skip

        def step(name: str, size: int) -> Advance:
            task = bar.add_task(name, total=size)
            return lambda by: bar.advance(task, by)

        yield console.print, step


def _table(counts: LoadCounts) -> Table:
    table = Table(title="Loaded")
    for heading in ("resource", "new", "changed", "as before"):
        table.add_column(heading, justify="left" if heading == "resource" else "right")
    for kind in TYPES:
        numbers = [
            found.get(kind, 0) for found in (counts.created, counts.updated, counts.unchanged)
        ]
        if any(numbers):
            table.add_row(kind, *map(str, numbers))
    return table
