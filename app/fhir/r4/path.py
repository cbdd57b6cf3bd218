"""Paths of elements as linked tuples; a path is written as text only for a fault."""

import re
from typing import Optional

#: Parent path, element name, index in a list.
Path = tuple[Optional["Path"], str, int | None]

#: Matches a name that an element could have; an answer never repeats any other name of a payload.
#: None has three digits in a row, as the numbers of persons have.
member = re.compile(r"(?!.*[0-9]{3})[A-Za-z_][A-Za-z0-9_]{0,63}").fullmatch


def render(path: Path) -> str:
    """Write a path as text: `ServiceRequest.contained[0].birthDate`."""
    parts: list[str] = []
    at: Path | None = path
    while at is not None:
        parent, name, index = at
        parts.append(name if index is None else f"{name}[{index}]")
        at = parent
    return ".".join(reversed(parts))
