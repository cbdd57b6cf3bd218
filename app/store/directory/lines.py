"""Reads network and roster files one resource at a time: the memory never holds a whole file.

`pieces` finds where each resource begins and ends: the lines of NDJSON, or the entries of a Bundle
of any layout and any length. `read_lines` parses each resource and checks it by itself;
`app.store.directory.resolve` checks its references when it is written. A fault names its file and
line (or the entry of a Bundle), and never a value of the resource.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.base.errors import Issue
from app.fhir.payload import Resource
from app.fhir.r4.check import check_resource
from app.fhir.r4.strict_json import UnreadableJson, parse
from app.store.directory.record import TYPES

#: The most bytes of a resource, as over the API.
LONGEST = 5_000_000
_CHUNK = 1_000_000
_IS_BUNDLE = re.compile(
    rb'\s*\{\s*(?:"\w+"\s*:\s*"[^"]*"\s*,\s*)*"resourceType"\s*:\s*"Bundle"'
).match
#: A complete string, or a mark. A quote alone begins a string that ends in a later chunk.
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]:]', re.DOTALL).finditer
#: The nesting around the resource of an entry: an object, a list, an object.
_WITHIN = [b"{", b"[", b"{"]


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one resource, with their place in the file."""

    label: str
    start: int
    raw: bytes


class Broken(Exception):
    """The rest of a file cannot be split into resources; the message says why."""


def pieces(content: BinaryIO, chunk: int = _CHUNK) -> Iterator[Piece]:
    """Yields every resource of a file. Raises `Broken` if a Bundle does not end as one."""
    beginning = content.read(4_096)
    content.seek(0)
    return _entries(content, chunk) if _IS_BUNDLE(beginning) else _lines(content)


def _lines(content: BinaryIO) -> Iterator[Piece]:
    """Yields the lines of a file; of a line too long, only the first `LONGEST` + 1 bytes."""
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
    """Yields the resources of a Bundle; of one too long, only the first `LONGEST` + 1 bytes."""
    scan = _Scan()
    held, base, done = b"", 0, 0  # bytes held, their place in the file, how many of them were read
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
    """The place in a file of Bundles; `start`: where the present resource begins, or -1."""

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
        """Takes the next token; tells whether the resource that began at `start` ends with it."""
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
        """Ends a Bundle. Raises `Broken` if it was none: a file has nothing but Bundles."""
        if not self._is_bundle:
            raise Broken("holds something else beside Bundles. Give that a file of its own.")
        self._is_bundle = False
        self._names = [b""] * 4


# The resources

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class FileLine:
    """One resource that was read and has no fault by itself."""

    file: int
    piece: Piece
    resource: Resource


def read_lines(
    paths: Sequence[Path], advance: Advance = lambda _: None
) -> Iterator[FileLine | str]:
    """Yields every line of every file: a `FileLine`, or a sentence for each of its faults."""
    for file, path in enumerate(paths):
        try:
            with open_file(path) as content:
                for piece in pieces(content):
                    advance(len(piece.raw))
                    resource, faults = read_piece(piece.raw)
                    if resource is not None:
                        yield FileLine(file, piece, resource)
                    yield from (fault_in_words(f"{path}:{piece.label}", fault) for fault in faults)
        except Broken as broken:
            yield f"{path}: the file {broken}"
        except OSError:
            yield f"{path}: the file cannot be read."


def open_file(path: Path) -> BinaryIO:
    """Opens a file for reading twice and in any order. Raises OSError if it is no regular file."""
    if not path.is_file():
        raise OSError
    return path.open("rb")


def read_piece(raw: bytes) -> tuple[Resource | None, list[Issue]]:
    """Reads a resource that this service loads; returns the resource, or all its faults."""
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


def fault_in_words(at: str, fault: Issue) -> str:
    """Words a fault as the command prints it."""
    return f"{at}: {fault.expression or 'line'}: {fault.diagnostics}"
