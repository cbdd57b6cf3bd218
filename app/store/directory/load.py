"""Loads network and roster files (NDJSON, Bundles) into the directory: `python -m app load FILE…`.

First every line is read and checked by itself. If one line has a fault, nothing is written, for the
line might be any member's Coverage. Then the lines are written in batches; a batch is a transaction
with all that the files say about its members. A resource that cannot be placed (a CIN that another
member has) is reported and left out, with all other lines about its member, who stays as before;
the lines about all other members are written. Loading the same files again changes nothing, so an
interrupted load is repeated as a whole.

`Order` brings the lines into the order of writing, whatever their order in the files:
organizations, then offers, then member by member, with all that the files say about each; last, in
the order of their ids, members to whom the files give the same CIN. It keeps no line but only the
place of each, in a SQLite database that grows on disk and ends with the process: so the memory of a
load does not grow with the roster.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.base.clock import ServiceClock
from app.base.errors import Refusal, Stopped
from app.base.settings import Settings, settings
from app.fhir.directory import cin_of
from app.fhir.payload import Resource
from app.fhir.r4.strict_json import parse
from app.store.audit.access import by_command
from app.store.audit.writer import record_within
from app.store.database import Database, Source, opened
from app.store.database_errors import ConstraintViolated
from app.store.directory.lines import Advance, FileLine, fault_in_words, open_file, read_lines
from app.store.directory.record import TYPES, DirectoryRefused, Key, LoadCounts, key
from app.store.directory.resolve import patient_of
from app.store.directory.store import in_several_rosters, write

#: The most lines about one member, which are written together; no real member has as many.
MOST = 1_000
#: The most faults that one load reports: enough to find the cause.
TOLD = 1_000
#: Type → stage of writing. Each stage needs the one before: offers name organizations, and
#: rosters name plans.
_STAGES = {"Organization": 0, "HealthcareService": 1}
_ROSTER = 2
_SAME_CIN = 3
#: Stage → batches that may be written at once. The first resource gets an NPI or a CIN: in stages
#: where two may name the same, batches are written one at a time.
STAGES = {0: 1, 1: 2, _ROSTER: 2, _SAME_CIN: 1}
_MAKE = """PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE line (type TEXT, id TEXT, stage INTEGER, whose TEXT, file INTEGER,
    label TEXT, start INTEGER, size INTEGER, seen INTEGER, cin TEXT, PRIMARY KEY (type, id)
    ) WITHOUT ROWID"""
_ADD = "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_PLACE = "SELECT file, label FROM line WHERE type = ? AND id = ?"
_ORDERED = """SELECT whose, file, label, start, size, seen FROM line
WHERE stage = ? ORDER BY whose, id"""
_TOO_MANY = f"""SELECT file, label, min(start) FROM line WHERE stage = {_ROSTER}
GROUP BY whose HAVING count(*) > {MOST} ORDER BY file, 3 LIMIT {TOLD}"""
_LAST = f"""UPDATE line SET stage = {_SAME_CIN} WHERE stage = {_ROSTER} AND whose IN (
SELECT whose FROM line WHERE cin IN (SELECT cin FROM line GROUP BY cin HAVING count(*) > 1))"""
_PATIENTS = "SELECT id FROM line WHERE type = 'Patient' ORDER BY id"
#: A batch ends after the member with whom it reaches so many resources, or so many bytes.
_RESOURCES, _BYTES = 500, 2_000_000


class LoadRefused(Exception):
    """The refusal of a load: nothing was written. `faults`: sentences, each with file and line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


@dataclass(slots=True)
class LoadBatch:
    """Resources that one transaction writes, each with its place (file and line) and its member."""

    resources: list[Resource]
    places: dict[Key, str]
    whose: dict[Key, str]

    def owner(self, resource: Resource) -> str:
        return self.whose[key(resource)]


class Order:
    """The places of all lines in the order of writing; a context manager that holds files open."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._lines = sqlite3.connect("")
        self._lines.executescript(_MAKE)
        self._open = ExitStack()
        self._files: list[BinaryIO] = []
        self.count = 0

    def __enter__(self) -> Self:
        self._open.callback(self._lines.close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def read(self, advance: Advance = lambda _: None) -> None:
        """Reads and checks every line. Raises `LoadRefused` with every fault."""
        faults: list[str] = []
        for line in read_lines(self._paths, advance):
            fault = line if isinstance(line, str) else self._add(line)
            if fault:
                faults.append(fault)
            if len(faults) == TOLD:
                raise LoadRefused([*faults, "There may be more: reading stopped here."])
        faults += [
            f"{self._place(file, label)}: more than {MOST} lines are about the same member."
            for file, label, _ in self._lines.execute(_TOO_MANY)
        ]
        if faults:
            raise LoadRefused(faults)
        self._lines.execute(_LAST)
        self._files = [self._open.enter_context(open_file(path)) for path in self._paths]

    def _add(self, line: FileLine) -> str | None:
        """Notes the place of a line; returns a sentence if an earlier line has its type and id."""
        at, piece = key(line.resource), line.piece
        where = (line.file, piece.label, piece.start, len(piece.raw), hash(piece.raw))
        cin = cin_of(line.resource) if at[0] == "Patient" else None
        if self._lines.execute(_ADD, (*at, *_turn(line.resource), *where, cin)).rowcount:
            self.count += 1
            return None
        first = self._place(*self._lines.execute(_PLACE, at).fetchone())
        here = self._place(line.file, piece.label)
        return f"{here}: the same type and id as {first}. Leave one out."

    def batches(self, stage: int) -> Iterator[LoadBatch]:
        """Yields all resources of a stage in batches; resources about one member are in one batch.

        Raises `Stopped` if a line has changed since it was checked.
        """
        batch, size = LoadBatch([], {}, {}), 0
        rows = self._lines.execute(_ORDERED, (stage,))
        for whose, of_one in groupby(rows, key=itemgetter(0)):
            if len(batch.resources) >= _RESOURCES or size >= _BYTES:
                yield batch
                batch, size = LoadBatch([], {}, {}), 0
            for _, file, label, start, length, seen in of_one:
                resource = self._again(file, start, length, seen)
                at = key(resource)
                batch.resources.append(resource)
                batch.places[at], batch.whose[at] = self._place(file, label), whose
                size += length
        if batch.resources:
            yield batch

    def _again(self, file: int, start: int, length: int, seen: int) -> Resource:
        self._files[file].seek(start)
        raw = self._files[file].read(length)
        if hash(raw) != seen:
            raise Stopped(f"{self._paths[file]} was changed while it was loaded.")
        return parse(raw)

    def patients(self, number: int) -> Iterator[list[str]]:
        """Yields the ids of all Patients, `number` at a time."""
        patients = self._lines.execute(_PATIENTS)
        while rows := patients.fetchmany(number):
            yield [row[0] for row in rows]

    def _place(self, file: int, label: str) -> str:
        return f"{self._paths[file]}:{label}"


def _turn(resource: Resource) -> tuple[int, str]:
    """Returns the stage in which a resource is written, and the member or id that it goes with."""
    kind, own = key(resource)
    if kind in _STAGES:
        return _STAGES[kind], own
    return _ROSTER, own if kind == "Patient" else patient_of(resource) or f"{kind}/{own}"


#: Number of members that are looked for in other rosters at a time.
_AT_A_TIME = 1_000

Tell = Callable[[str], None]
#: Begins a step of the work, by its name and size; returns the function that reports progress.
LoadStep = Callable[[str, int], Advance]


@dataclass(slots=True)
class Loaded:
    """The counts of a load, and the number of lines that it left out."""

    counts: LoadCounts = field(default_factory=LoadCounts)
    left_out: int = 0


async def load_resources(
    source: Source, resources: Sequence[Resource], now: datetime
) -> LoadCounts:
    """Upserts checked resources with their own ids. Raises `DirectoryRefused` with every fault."""
    return await write(source, resources, now)


def _no_steps(_name: str, _size: int) -> Advance:
    return lambda _: None


async def load(
    paths: Sequence[Path], chosen: Settings, tell: Tell, step: LoadStep = _no_steps
) -> Loaded:
    """Loads files; `tell` gets a sentence for every fault and for every CIN that two rosters have.

    Raises `LoadRefused` if nothing was written. Raises `Stopped`, or without a database a `Refusal`
    (503), if the load ended early: the batches written so far stay.
    """
    loaded = Loaded()
    with Order(paths) as order:
        order.read(step("reading", sum(path.stat().st_size for path in paths if path.is_file())))
        async with opened(chosen, size=max(STAGES.values())) as database:
            await _write_all(database, order, ServiceClock.of(chosen), loaded, tell, step)
            for patients in order.patients(_AT_A_TIME):
                for shared in await in_several_rosters(database, patients):
                    tell(shared)
    return loaded


async def _write_all(
    database: Database,
    order: Order,
    clock: ServiceClock,
    loaded: Loaded,
    tell: Tell,
    step: LoadStep,
) -> None:
    """Writes every batch; while the database works on one batch, the next one is prepared."""
    advance = step("writing", order.count)

    async def write_some(batches: Iterator[LoadBatch]) -> None:
        for batch in batches:
            await _load_batch(database, batch, clock, loaded, tell)
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
    database: Database, batch: LoadBatch, clock: ServiceClock, loaded: Loaded, tell: Tell
) -> None:
    """Writes a batch; leaves out all lines about a member of whom a resource is refused."""
    resources = batch.resources
    while resources:
        try:
            loaded.counts.add(await _write(database, resources, clock))
        except DirectoryRefused as refused:
            for at, fault in refused.faults:
                tell(fault_in_words(batch.places[at], fault))
            refused_owners = {batch.whose[at] for at, _ in refused.faults}
            rest = [one for one in resources if batch.owner(one) not in refused_owners]
            loaded.left_out += len(resources) - len(rest)
            resources = rest
        else:
            return


async def _write(
    database: Database, resources: Sequence[Resource], clock: ServiceClock
) -> LoadCounts:
    """Writes in one transaction; tries once more if another writer was faster."""
    for _ in range(2):
        by_command(clock.now, "load")
        try:
            async with database.begin() as connection:
                counts = await write(connection, resources, clock.now())
                await record_within(connection)
                return counts
        except ConstraintViolated:
            continue
    raise Stopped("Others write the same just now.")


def main(paths: Sequence[Path]) -> int:
    """Runs the command. Returns its exit status: 0 if all was loaded, else 1."""
    if not settings().database_url:
        sys.stderr.write("Set DATABASE_URL.\n")
        return 1
    try:
        with _progress() as (tell, step):
            loaded = asyncio.run(load(paths, settings(), tell, step))
    except LoadRefused as refused:
        faults = "\n".join(refused.faults)
        sys.stderr.write(f"{faults}\nNothing was loaded: {len(refused.faults)} faults.\n")
        return 1
    except (Refusal, Stopped) as stopped:
        why = stopped.issues[0].diagnostics if isinstance(stopped, Refusal) else str(stopped)
        sys.stderr.write(f"{why}\nNot all was loaded. Load the same files again.\n")
        return 1
    except sqlite3.Error:
        text = "There is no room on disk to sort the lines: free some, or set SQLITE_TMPDIR."
        sys.stderr.write(f"{text}\nNot all was loaded. Load the same files again.\n")
        return 1
    Console().print(_table(loaded.counts))
    if loaded.left_out:
        sys.stderr.write(f"{loaded.left_out} lines were left out; all others are loaded.\n")
    return 1 if loaded.left_out else 0


@contextmanager
def _progress() -> Iterator[tuple[Tell, LoadStep]]:
    """Shows a bar on standard error if this is a terminal; sentences go there in any case."""
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
            by_type.get(kind, 0) for by_type in (counts.created, counts.updated, counts.unchanged)
        ]
        if any(numbers):
            table.add_row(kind, *map(str, numbers))
    return table
