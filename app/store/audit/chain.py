"""The chain of a plan's record: a hash after each event, from that of the event before. PURE.

    hash = SHA-256(hash before ‖ canonical row)

A row is canonical as RFC 8785 writes JSON. All its values are texts, whole numbers, lists of texts
and null, and its names are ASCII, so that orjson with sorted names writes the very same bytes.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC
from itertools import pairwise

import orjson

from app.store.database import Row
from app.store.tables.audit import audit_event

#: The hash before the first event of every chain.
START = bytes(32)
_SIZE = len(START)
_NAMES = tuple(str(column.name) for column in audit_event.columns)
COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)


def canonical(row: Row) -> bytes:
    """Writes a row of the record as the bytes that are hashed; times by the microsecond, in UTC."""
    values = {name: row[name] for name in _NAMES}
    recorded = values["recorded"].astimezone(UTC)
    values["recorded"] = recorded.isoformat(timespec="microseconds")
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def hashes_after(before: bytes, rows: Iterable[Row]) -> list[bytes]:
    """Returns the hash after each of the rows, in their order."""
    found = []
    for row in rows:
        before = hashlib.sha256(before + canonical(row)).digest()
        found.append(before)
    return found


def split(hashes: bytes) -> list[bytes]:
    """Splits the joined hashes of a seal."""
    places = range(0, len(hashes) + 1, _SIZE)
    return [hashes[start:end] for start, end in pairwise(places)]
