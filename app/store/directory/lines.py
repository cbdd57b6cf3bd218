"""Reads network and roster files a resource at a time, never a whole file.

Each is checked by itself here; what it refers to is looked at when it is written
(`app.store.directory.resolve`). Every fault is told with its file and line (or a Bundle's entry),
never with a value of it.

Finds the resources in a file without holding more of it than one: the lines of NDJSON, or the
entries of a Bundle, however it is laid out and however long it is. PURE but for the file.

Only finds where each begins and ends; what is in it is read by `app.store.directory.lines`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.base.errors import Issue
from app.fhir.payload import Resource
from app.fhir.r4 import check_resource
from app.fhir.r4.strict_json import UnreadableJson, parse
from app.store.directory.record import TYPES

#: As large as a resource may come over the API.
LONGEST = 5_000_000
_CHUNK = 1_000_000
_IS_BUNDLE = re.compile(
    rb'\s*\{\s*(?:"\w+"\s*:\s*"[^"]*"\s*,\s*)*"resourceType"\s*:\s*"Bundle"'
).match
#: A string that ends, or a mark; a quote alone begins a string that goes on in the next chunk.
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]:]', re.DOTALL).finditer
#: Where the resource of an entry stands: within an object, a list, an object.
_WITHIN = [b"{", b"[", b"{"]


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one resource, and where they stand."""

    label: str
    start: int
    raw: bytes


class Broken(Exception):
    """The rest of a Bundle cannot be told apart; the message says why."""


def pieces(content: BinaryIO, chunk: int = _CHUNK) -> Iterator[Piece]:
    """Every resource of a file. Raises `Broken` for what is a Bundle only at its beginning."""
    beginning = content.read(4_096)
    content.seek(0)
    return _entries(content, chunk) if _IS_BUNDLE(beginning) else _lines(content)


def _lines(content: BinaryIO) -> Iterator[Piece]:
    """The lines of a file. Of one that is too long no more is kept than shows that it is."""
    number = start = 0
    while raw := content.readline(LONGEST + 1):
        number += 1
        size = len(raw)
        ended = raw.endswith(b"\n")
        while not ended and (more := content.readline(LONGEST)):
            size += len(more)
            ended = more.endswith(b"\n")
        if raw.strip():
            yield Piece(str(number), start, raw)
        start += size


def _entries(content: BinaryIO, size: int) -> Iterator[Piece]:
    """The resources of a Bundle's entries; of one that is too long only so much as shows it."""
    scan = _Scan()
    held, base, done = b"", 0, 0  # what is held of the file, where that begins, how far it was read
    while chunk := content.read(size):
        held += chunk
        keep = len(held)
        for token in _TOKENS(held, done):
            text, at = token[0], token.start()
            if text == b'"':
                keep = at
                break
            if scan.see(text, base + at):
                yield Piece(scan.label, scan.start, held[scan.start - base : at + 1])
                scan.start = -1
        done = keep
        if scan.start >= 0 and len(held) > scan.start - base + LONGEST:
            yield Piece(scan.label, scan.start, held[scan.start - base :][: LONGEST + 1])
            scan.start = -1
        if len(held) - done > LONGEST:
            raise Broken("holds a text of more than 5 MB.")
        cut = min(done, scan.start - base) if scan.start >= 0 else done
        held, base, done = held[cut:], base + cut, done - cut
    if scan.within or held[done:].strip():
        raise Broken("ends before the Bundle does.")


class _Scan:
    """Where in Bundles we are; `start` is that of the resource that is being passed, or -1."""

    def __init__(self) -> None:
        self.within: list[bytes] = []
        self.start = -1
        self._entry = -1
        self._text = b""
        self._names = [b""] * 4
        self._is_bundle = False

    @property
    def label(self) -> str:
        return f"entry[{self._entry}]"

    def see(self, text: bytes, at: int) -> bool:
        """Takes the next token; whether the resource that began at `start` ends with it."""
        depth = len(self.within)
        if text in (b"{", b"["):
            self.within.append(text)
            self._open(depth, at)
        elif text in (b"}", b"]"):
            if not self.within or self.within.pop() != (b"{" if text == b"}" else b"["):
                raise Broken("is no JSON from here on.")
            if depth == 1:
                self._close()
            return depth == 4 and self.start >= 0
        elif depth < 4:
            if text == b":":
                self._names[depth] = self._text
            elif depth == 1 and self._names[1] == b'"resourceType"':
                self._is_bundle = self._is_bundle or text == b'"Bundle"'
            self._text = text
        return False

    def _open(self, depth: int, at: int) -> None:
        if depth == 2 and self._names[1] == b'"entry"':
            self._entry += 1
        elif (
            depth == 3
            and self.within[:3] == _WITHIN
            and (self._names[1], self._names[3]) == (b'"entry"', b'"resource"')
        ):
            self.start = at

    def _close(self) -> None:
        """A Bundle may follow a Bundle, and nothing else."""
        if not self._is_bundle:
            raise Broken("holds something else beside Bundles. Give that a file of its own.")
        self._is_bundle = False
        self._names = [b""] * 4


Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FileLine:
    """One resource that was read and found good by itself."""

    file: int
    piece: Piece
    resource: Resource


def read_lines(
    paths: Sequence[Path], advance: Advance = lambda _: None
) -> Iterator[FileLine | str]:
    """Every line of every file: itself where it is good, else a sentence for each of its faults."""
    for file, path in enumerate(paths):
        try:
            with open_file(path) as content:
                for piece in pieces(content):
                    advance(len(piece.raw))
                    resource, faults = read_piece(piece.raw)
                    if resource is not None:
                        yield FileLine(file, piece, resource)
                    yield from (said(f"{path}:{piece.label}", fault) for fault in faults)
        except Broken as broken:
            yield f"{path}: the file {broken}"
        except OSError:
            yield f"{path}: the file cannot be read."


def open_file(path: Path) -> BinaryIO:
    """A file that can be read twice, and in any order. Raises OSError for anything else."""
    if not path.is_file():
        raise OSError
    return path.open("rb")


def read_piece(raw: bytes) -> tuple[Resource | None, list[Issue]]:
    """A resource that this service loads, or everything that is wrong with it by itself."""
    if len(raw) > LONGEST:
        return None, [Issue("too-long", "Longer than 5 MB. Give each resource a line of its own.")]
    try:
        resource = parse(raw)
    except UnreadableJson as unreadable:
        return None, unreadable.faults
    faults = check_resource(resource)
    if not faults and resource["resourceType"] not in TYPES:
        faults = [Issue("not-supported", f"Load {', '.join(TYPES)} only.", "resourceType")]
    if not faults and "id" not in resource:
        kind = resource["resourceType"]
        faults = [Issue("required", "Give the resource its id.", f"{kind}.id")]
    return (None if faults else resource), faults


def said(at: str, fault: Issue) -> str:
    """A fault as the command tells it."""
    return f"{at}: {fault.expression or 'line'}: {fault.diagnostics}"
