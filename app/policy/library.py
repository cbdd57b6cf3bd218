"""Loads and checks all policies of all plans, once: `load_library()`. This module decides nothing.

`files/<PLAN>/<date>.yaml` is in force from its date until the date of the plan's next file. A file
may extend an earlier file of its plan (`extends`), and stands on the shared criteria of one date
(`shared`). A value in the file itself wins over both.

A switch is a rule of a policy file that a deployment turns on or off by name. The file states its
switches under `switches`: `holds` says whether the switch is on where the deployment says nothing,
and `sets` holds the values that are laid over the file while the switch is on. If a deployment
turns a switch the other way, the version of the policy says so, so that the policy can be replayed:
in `HPSM/2026-01-01!cms-0057-f+sobering-center-age` the first switch is off, the second is on.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.policy.catalog_schema import Citation, Shape
from app.policy.consistency import dangling, unreachable
from app.policy.dictionary import Dictionary, load_dictionary
from app.policy.own_lines import with_own_lines
from app.policy.policy import Policy, PolicyFault, build
from app.policy.read_files import FileFault, FilePlace, Layer, faults_in_words, read_file
from app.policy.schema import Clocks, PolicyData

#: The deployment's choice: the switches that it turns on (True) or off (False).
Choice = Mapping[str, bool]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_WORDS = {"on": True, "off": False}


def read_choice(text: str) -> Choice:
    """Read `sobering-center-age=on, cms-0057-f=off`. Raises `ValueError` for any other form."""
    chosen = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, word = part.partition("=")
        if word.strip() not in _WORDS or not _NAME.fullmatch(name.strip()):
            raise ValueError(f"{part!r} is no switch; expected name=on or name=off")
        chosen[name.strip()] = _WORDS[word.strip()]
    return chosen


def with_switches(version: str, chosen: Choice) -> str:
    """Name a version with the switches that the deployment turned: `HPSM/2026-01-01!cms-0057-f`."""
    ends = [f"{'+' if on else '!'}{name}" for name, on in sorted(chosen.items())]
    return version + "".join(ends)


def choice_in(version: str) -> tuple[str, Choice]:
    """Split a name that `with_switches` made: the version of the file, and the turned switches."""
    file, *ends = re.split(r"(?=[+!])", version)
    return file, {end[1:]: end[0] == "+" for end in ends}


def _is_off(entry: tuple[str, Any]) -> bool:
    return isinstance(entry[1], dict) and entry[1].get("holds") is not True


def switched(layer: Layer, chosen: Choice) -> Layer:
    """Lay the values of each switch that is on over the file. Raises `FileFault` for a switch that
    cannot be read; the schema checks the values later, together with the rest of the file.
    """
    stated = layer.values.get("switches")
    if not isinstance(stated, dict):
        return layer
    kept, switches = Layer({**layer.values}, layer.origins), {}
    # Switches that are off by default are laid last, so that their values win over the others.
    for name, switch in sorted(stated.items(), key=_is_off):
        place = ("switches", name)
        if not isinstance(switch, dict) or not isinstance(sets := switch.get("sets"), dict):
            path, line = layer.origin(place) or layer.origins[()]
            raise FileFault(path, line, f"switches.{name}: expected holds, says, citation and sets")
        on = chosen.get(name, switch.get("holds"))
        switches[name] = {**{key: v for key, v in switch.items() if key != "sets"}, "holds": on}
        if on is True:
            under = (*place, "sets")
            moved = {
                at[len(under) :]: origin
                for at, origin in layer.origins.items()
                if at[: len(under)] == under and at != under
            }
            kept = Layer(sets, moved).over(kept)
    return Layer({**kept.values, "switches": switches}, kept.origins)


FILES = Path(__file__).with_name("files")


def policy_folder(named: str) -> Path:
    """The folder of the policy files: the one that POLICY_PATH names, else the package's own."""
    return Path(named) if named else FILES


#: The folder of the criteria that plans share.
SHARED = "DHCS"
CALENDARS = "calendars"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Holidays: the days, beside Saturdays and Sundays, on which a plan does not work."""

    name: str
    holidays: Mapping[date, str]


class _CalendarFile(Shape):
    name: str
    citation: Citation
    holidays: Mapping[date, str]


class Library:
    """Every policy by plan and date."""

    def __init__(
        self,
        policies: Mapping[str, Policy],
        calendars: Mapping[str, Calendar],
        shared_clocks: Mapping[date, Clocks],
        dictionary: Dictionary,
        rebuild: Callable[[str], Policy | None] = lambda _: None,
    ) -> None:
        self.dictionary = dictionary
        self.calendars = calendars
        self.versions = policies
        self._shared_clocks = shared_clocks
        self._rebuild = rebuild
        self._turned: dict[str, Policy | None] = {}
        self._by_plan: dict[str, list[Policy]] = {}
        for policy in sorted(policies.values(), key=lambda p: (p.plan, p.start)):
            self._by_plan.setdefault(policy.plan, []).append(policy)
        self.plans = tuple(self._by_plan)

    def policy(self, plan: str, on: date) -> Policy | None:
        """Return the policy in force on a day; None: no such plan. For a day before the plan's
        first file, return the first file: this file says from when each service is live.
        """
        dated = self._by_plan.get(plan)
        if dated is None:
            return None
        return dated[max(0, bisect_right(dated, on, key=lambda p: p.start) - 1)]

    def version(self, name: str) -> Policy | None:
        """Return the policy that a determination names, also with the switches of that time."""
        if name in self.versions:
            return self.versions[name]
        if name not in self._turned:
            self._turned[name] = self._rebuild(name)
        return self._turned[name]

    def clocks(self, plan: str | None, on: date) -> Clocks:
        """Return the plan's clocks; the shared clocks while the plan of a referral is not known."""
        policy = self.policy(plan, on) if plan else None
        if policy is not None:
            return policy.data.clocks
        starts = sorted(self._shared_clocks)
        return self._shared_clocks[starts[max(0, bisect_right(starts, on) - 1)]]


def load_library(path: Path = FILES, chosen: Choice | None = None) -> Library:
    """Load every policy, with the switches that the deployment has `chosen`. Raises `FileFault`
    (file, line, what is wrong, what was expected), and ValueError for an unknown switch.
    """
    dictionary = load_dictionary()
    layers = {version_of(file): read_layer(file) for file in sorted(path.glob("*/*.yaml"))}
    calendars = {
        name.split("/")[1]: read_calendar(layer)
        for name, layer in layers.items()
        if name.startswith(f"{CALENDARS}/")
    }
    policies = {
        (policy := read_policy(version, layers, calendars, dictionary, chosen)).version: policy
        for version in layers
        if version.split("/")[0] not in (SHARED, CALENDARS)
    }
    if chosen:
        _refuse_unknown(chosen, policies.values())
    shared = {
        date.fromisoformat(version.split("/")[1]): read_clocks(version, layers, chosen)
        for version in layers
        if version.startswith(f"{SHARED}/")
    }

    def rebuild(version: str) -> Policy | None:
        file, turned = choice_in(version)
        known = file in layers and file.split("/")[0] not in (SHARED, CALENDARS)
        return read_policy(file, layers, calendars, dictionary, turned) if known else None

    return Library(policies, calendars, shared, dictionary, rebuild)


def _refuse_unknown(chosen: Choice, policies: Iterable[Policy]) -> None:
    known = {name for policy in policies for name in policy.data.switches}
    if unknown := sorted(set(chosen) - known):
        expected = ", ".join(sorted(known))
        raise ValueError(f"no policy has the switch {', '.join(unknown)}; there are {expected}")


def version_of(file: Path) -> str:
    """Name the version of a file: `…/HPSM/2024-01-01.yaml` → `HPSM/2024-01-01`."""
    return f"{file.parent.name}/{file.stem}"


def read_layer(file: Path) -> Layer:
    """Read one file as written. Raises `FileFault` if its name is no date, or the file no YAML."""
    if file.parent.name != CALENDARS:
        try:
            date.fromisoformat(file.stem)
        except ValueError:
            raise FileFault(
                file, 1, "the file's name is no date; expected 2024-01-01.yaml"
            ) from None
    return read_file(file)


def read_policy(
    version: str,
    layers: Mapping[str, Layer],
    calendars: Mapping[str, Calendar],
    dictionary: Dictionary,
    chosen: Choice | None = None,
) -> Policy:
    """Read one plan's policy at one date. Raises `FileFault` for the first fault in the policy."""
    plan, start = version.split("/")
    stated = _stated(version, layers)
    turned = {name: on for name, on in (chosen or {}).items() if stated.get(name, on) is not on}
    version, layer = with_switches(version, turned), resolve(version, layers, turned)
    data = _data(layer)
    if data.plan != plan:
        raise fault_at(layer, ("plan",), f"found {data.plan!r}, expected {plan!r}, as the folder")
    _refuse(layer, dangling(data, dictionary, frozenset(calendars)))
    try:
        policy = build(version, date.fromisoformat(start), data, dictionary)
    except PolicyFault as fault:
        raise fault_at(layer, fault.place, str(fault)) from None
    _refuse(layer, unreachable(policy, dictionary))
    return policy


def resolve(version: str, layers: Mapping[str, Layer], chosen: Choice | None = None) -> Layer:
    """Lay a plan's file over the files that it extends, and these over the shared criteria."""
    own, shared = _chain(version, layers, ())
    own = switched(own, chosen or {})
    if shared is not None:
        own = own.over(switched(_chain(shared, layers, ())[0], chosen or {}))
    return with_own_lines(own.settled())


def _stated(version: str, layers: Mapping[str, Layer]) -> dict[str, Any]:
    """Map each switch to the choice of the files themselves: on (True) or off (False)."""
    switches = resolve(version, layers).values.get("switches") or {}
    return {name: switch.get("holds") for name, switch in switches.items()}


def _chain(
    version: str, layers: Mapping[str, Layer], seen: tuple[str, ...]
) -> tuple[Layer, str | None]:
    layer = layers[version]
    values: dict[str, Any] = dict(layer.values)
    extends, shared = values.pop("extends", None), values.pop("shared", None)
    own = Layer(values, layer.origins)
    for key, name in (("extends", extends), ("shared", shared)):
        if name is not None and (name not in layers or name in (*seen, version)):
            raise fault_at(layer, (key,), f"{name!r} is no other policy file")
    if extends is None:
        return own, shared
    base, base_shared = _chain(extends, layers, (*seen, version))
    return own.over(base), shared or base_shared


def _data(layer: Layer) -> PolicyData:
    try:
        return PolicyData.model_validate(layer.values)
    except ValidationError as fault:
        raise _first_fault(layer, faults_in_words(fault, PolicyData)) from None


def read_clocks(version: str, layers: Mapping[str, Layer], chosen: Choice | None = None) -> Clocks:
    """Read the clocks of the shared criteria. Raises `FileFault` for the first fault in them."""
    layer = resolve(version, layers, chosen)
    try:
        return Clocks.model_validate(layer.values.get("clocks", {}))
    except ValidationError as fault:
        faults = ((("clocks", *place), text) for place, text in faults_in_words(fault, Clocks))
        raise _first_fault(layer, faults) from None


def read_calendar(layer: Layer) -> Calendar:
    """Read one calendar. Raises `FileFault` for the first fault in the calendar."""
    try:
        read = _CalendarFile.model_validate(layer.values)
    except ValidationError as fault:
        raise _first_fault(layer, faults_in_words(fault, _CalendarFile)) from None
    return Calendar(read.name, read.holidays)


def _refuse(layer: Layer, faults: Iterable[tuple[FilePlace, str]]) -> None:
    listed = list(faults)
    if listed:
        raise _first_fault(layer, listed)


def _first_fault(layer: Layer, faults: Iterable[tuple[FilePlace, str]]) -> FileFault:
    """Make the error of the first fault, at its line; `beside` holds the other faults."""
    first, *others = (fault_at(layer, place, fault) for place, fault in faults)
    first.beside = tuple(others)
    return first


def fault_at(layer: Layer, place: FilePlace, fault: str) -> FileFault:
    """Make the error of a fault, at the line where the value at `place` was written."""
    origin = layer.origin(place)
    where = ".".join(str(key) for key in place)
    path, line = origin or (Path("?"), 0)
    return FileFault(path, line, f"{where}: {fault}" if where else fault)
