"""In which order the lines of a load are written, whatever order they stand in: organizations, then
offers, then member by member, each with all that the files say about them; last, in the order of
their ids, members of whom the files say that they have the same CIN.

Keeps no line, only where it stands: in a database of its own that grows on disk and is gone with
the process, so that the memory of a load does not grow with the roster.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from app.base.errors import Stopped
from app.fhir.directory import cin_of
from app.fhir.r4.strict_json import parse
from app.store.directory.lines import Advance, FileLine, open_file, read_lines
from app.store.directory.record import Key, Resource, key
from app.store.directory.resolve import patient_of

#: Lines about one member: they are written together, and nobody has as many.
MOST = 1_000
#: Faults that are told of one load; whoever made the files needs no more to find the cause.
TOLD = 1_000
#: What is written after the stage before it is: offers name organizations, rosters name plans.
_STAGES = {"Organization": 0, "HealthcareService": 1}
_ROSTER = 2
_SAME_CIN = 3
#: Stage → batches of it that may be written at once. Of an NPI and of a CIN the first has it: where
#: two may name the same, one at a time.
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
#: A batch ends after the member with whom it reaches either: resources, or bytes of them.
_RESOURCES, _BYTES = 500, 2_000_000


class LoadRefused(Exception):
    """Nothing was loaded. `faults`: one sentence each, with file and line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


@dataclass(slots=True)
class LoadBatch:
    """Resources that are written in one transaction, with the place of each and whose it is."""

    resources: list[Resource]
    places: dict[Key, str]
    whose: dict[Key, str]

    def owner(self, resource: Resource) -> str:
        return self.whose[key(resource)]


class Order:
    """The places of all lines. As a context manager it holds the files open."""

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
        for found in read_lines(self._paths, advance):
            fault = found if isinstance(found, str) else self._add(found)
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
        """Notes where a line stands; a sentence where its resource was there before."""
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
        """All resources of a stage, each in one batch with whatever else is about the same member.

        Raises `Stopped` when a line is not what it was when it was checked.
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
        """The ids of all Patients, so many at a time."""
        found = self._lines.execute(_PATIENTS)
        while rows := found.fetchmany(number):
            yield [row[0] for row in rows]

    def _place(self, file: int, label: str) -> str:
        return f"{self._paths[file]}:{label}"


def _turn(resource: Resource) -> tuple[int, str]:
    """The stage in which a resource is written, and with whom."""
    kind, own = key(resource)
    if kind in _STAGES:
        return _STAGES[kind], own
    return _ROSTER, own if kind == "Patient" else patient_of(resource) or f"{kind}/{own}"
