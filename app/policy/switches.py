"""Switches: rules of a policy file that a deployment turns on or off, by name.

A file states them under `switches`, each with `holds` (whether it is on where the deployment says
nothing) and `sets` (what it lays over the file). A policy that differs from its file's own choice
says so in its version (`HPSM/2026-01-01!cms-0057-f+sobering-center-age`), so that it can be
replayed.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.policy.read_files import FileFault, Layer

#: The deployment's choice: the switches that it turns on (True) or off (False).
Choice = Mapping[str, bool]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_WORDS = {"on": True, "off": False}


def read_choice(text: str) -> Choice:
    """`sobering-center-age=on, cms-0057-f=off`. Raises `ValueError` for what it cannot read."""
    chosen = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, word = part.partition("=")
        if word.strip() not in _WORDS or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"{part!r} is no switch; expected name=on or name=off")
        chosen[name.strip()] = _WORDS[word.strip()]
    return chosen


def named(version: str, chosen: Choice) -> str:
    """The version with the switches that were turned the other way."""
    ends = [f"{'+' if on else '!'}{name}" for name, on in sorted(chosen.items())]
    return version + "".join(ends)


def choice_in(version: str) -> tuple[str, Choice]:
    """The version of the file, and the switches that were turned the other way."""
    file, *ends = re.split(r"(?=[+!])", version)
    return file, {end[1:]: end[0] == "+" for end in ends}


def _is_off(entry: tuple[str, Any]) -> bool:
    return isinstance(entry[1], dict) and entry[1].get("holds") is not True


def switched(layer: Layer, chosen: Choice) -> Layer:
    """A file with what its switches set, where they are on. Raises `FileFault` for a switch that
    cannot be read; what it sets is checked by the schema like the rest.
    """
    stated = layer.values.get("switches")
    if not isinstance(stated, dict):
        return layer
    kept, said = Layer({**layer.values}, layer.origins), {}
    # What a deployment turns on beside what is shipped lies over it.
    for name, switch in sorted(stated.items(), key=_is_off):
        place = ("switches", name)
        if not isinstance(switch, dict) or not isinstance(sets := switch.get("sets"), dict):
            path, line = layer.origin(place) or layer.origins[()]
            raise FileFault(path, line, f"switches.{name}: expected holds, says, citation and sets")
        on = chosen.get(name, switch.get("holds"))
        said[name] = {**{key: v for key, v in switch.items() if key != "sets"}, "holds": on}
        if on is True:
            under = (*place, "sets")
            moved = {
                at[len(under) :]: origin
                for at, origin in layer.origins.items()
                if at[: len(under)] == under and at != under
            }
            kept = Layer(sets, moved).over(kept)
    return Layer({**kept.values, "switches": said}, kept.origins)
