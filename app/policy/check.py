"""What is wrong with the policy files: every fault at once, for those who write them.

The service itself stops at the first fault (`library.py`); `python -m app check-policies` prints
this list.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from app.policy.dictionary import load_dictionary
from app.policy.library import (
    CALENDARS,
    FILES,
    SHARED,
    Calendar,
    read_calendar,
    read_clocks,
    read_layer,
    read_policy,
    version_of,
)
from app.policy.read_files import FileFault, Layer


def check_policies(path: Path = FILES) -> list[str]:
    """Every fault, one sentence each: file, line, what is wrong, what was expected."""
    faults: dict[str, None] = {}
    layers: dict[str, Layer] = {}
    for file in sorted(path.glob("*/*.yaml")):
        try:
            layers[version_of(file)] = read_layer(file)
        except FileFault as fault:
            faults[str(fault)] = None
    calendars = _calendars(layers, faults)
    for version in layers:
        _check(version, layers, calendars, faults)
    faults.update(dict.fromkeys(_dates(layers)))
    return list(faults)


def _calendars(layers: Mapping[str, Layer], faults: dict[str, None]) -> dict[str, Calendar]:
    calendars = {}
    for version, layer in layers.items():
        folder, name = version.split("/")
        if folder != CALENDARS:
            continue
        try:
            calendars[name] = read_calendar(layer)
        except FileFault as fault:
            faults[str(fault)] = None
    return calendars


def _check(
    version: str,
    layers: Mapping[str, Layer],
    calendars: Mapping[str, Calendar],
    faults: dict[str, None],
) -> None:
    folder, _ = version.split("/")
    try:
        if folder == SHARED:
            read_clocks(version, layers)
        elif folder != CALENDARS:
            read_policy(version, layers, calendars, load_dictionary())
    except FileFault as fault:
        faults[str(fault)] = None


def _dates(layers: Mapping[str, Layer]) -> list[str]:
    """Each plan must take up every change of the shared criteria on its date, and no earlier."""
    found = []
    dates: dict[str, list[date]] = {}
    for version in layers:
        folder, start = version.split("/")
        if folder != CALENDARS:
            dates.setdefault(folder, []).append(date.fromisoformat(start))
    for plan, starts in dates.items():
        late = [d for d in dates.get(SHARED, []) if d > min(starts) and d not in starts]
        found += [f"{plan}: no file of {d}, when the shared criteria change" for d in late]
    for version, layer in layers.items():
        folder, start = version.split("/")
        for key in ("extends", "shared"):
            other = layer.values.get(key)
            if isinstance(other, str) and other.split("/")[-1] > start:
                found.append(f"{version}.yaml: {key} {other} begins after this file does")
    return found
