"""Lists every fault of the policy files at once, for the people who write the files.

The service itself stops at the first fault (`library.py`); `python -m app check-policies` prints
the whole list.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from app.policy.consistency import unasked, unused
from app.policy.dictionary import FACTS_FILE, Dictionary, load_dictionary
from app.policy.library import (
    CALENDARS,
    FILES,
    SHARED,
    Calendar,
    fault_at,
    read_calendar,
    read_clocks,
    read_layer,
    read_policy,
    resolve,
    version_of,
)
from app.policy.own_lines import uncited
from app.policy.policy import Policy
from app.policy.read_files import FileFault, Layer


def check_policies(path: Path = FILES, dictionary: Dictionary | None = None) -> list[str]:
    """List every fault, each in one sentence: file, line, what is wrong, what was expected."""
    dictionary = dictionary or load_dictionary()
    faults: dict[str, None] = {}
    layers: dict[str, Layer] = {}
    for file in sorted(path.glob("*/*.yaml")):
        try:
            layers[version_of(file)] = read_layer(file)
        except FileFault as fault:
            _add(fault, faults)
    calendars = _calendars(layers, faults)
    policies = [p for v in layers if (p := _check(v, layers, calendars, dictionary, faults))]
    faults.update(dict.fromkeys(_dates(layers)))
    if not faults:
        faults.update(dict.fromkeys(_idle(policies, layers, dictionary)))
        _check_switches(policies, layers, calendars, dictionary, faults)
    return list(faults)


def _add(fault: FileFault, faults: dict[str, None]) -> None:
    faults.update(dict.fromkeys(str(one) for one in (fault, *fault.beside)))


def _idle(
    policies: Sequence[Policy], layers: Mapping[str, Layer], dictionary: Dictionary
) -> Iterator[str]:
    """Find, over all files together, names that nothing uses, rules without a line of the plan's
    own page, and facts that no form asks for.
    """
    for place in unused(policies):
        for policy in policies:
            layer = resolve(policy.version, layers)
            if place in layer.origins:
                yield str(fault_at(layer, place, "nothing uses it; expected a criterion that does"))
                break
    for policy in policies:
        own = layers[policy.version].values.get("supports") or {}
        for service in (s for s in own if s not in policy.data.availability):
            place = ("supports", service)
            fault = "has criteria, but availability lists it nowhere; expected a county"
            yield str(fault_at(resolve(policy.version, layers), place, fault))
        yield from _uncited(policy, resolve(policy.version, layers))
        for fact in unasked(policy, dictionary):
            yield (
                f"{policy.version}.yaml: reads {fact}, which no form asks for; expected `forms` in "
                f"{FACTS_FILE.name}"
            )


def _uncited(policy: Policy, layer: Layer) -> Iterator[str]:
    for place, fault in uncited(policy.data):
        yield str(fault_at(layer, place, fault))


def _calendars(layers: Mapping[str, Layer], faults: dict[str, None]) -> dict[str, Calendar]:
    calendars = {}
    for version, layer in layers.items():
        folder, name = version.split("/")
        if folder != CALENDARS:
            continue
        try:
            calendars[name] = read_calendar(layer)
        except FileFault as fault:
            _add(fault, faults)
    return calendars


def _check(
    version: str,
    layers: Mapping[str, Layer],
    calendars: Mapping[str, Calendar],
    dictionary: Dictionary,
    faults: dict[str, None],
) -> Policy | None:
    folder, _ = version.split("/")
    try:
        if folder == SHARED:
            read_clocks(version, layers)
        elif folder != CALENDARS:
            return read_policy(version, layers, calendars, dictionary)
    except FileFault as fault:
        _add(fault, faults)
    return None


def _check_switches(
    policies: Sequence[Policy],
    layers: Mapping[str, Layer],
    calendars: Mapping[str, Calendar],
    dictionary: Dictionary,
    faults: dict[str, None],
) -> None:
    """Check each policy with one switch turned the other way: a switch of the shared criteria once
    for each date, a switch of a plan's own file once for each file.
    """
    seen = set()
    for policy in policies:
        own = layers[policy.version].values.get("switches") or {}
        for name, switch in policy.data.switches.items():
            turn = (name, policy.start, policy.plan if name in own else "")
            if turn in seen:
                continue
            seen.add(turn)
            turned = {name: not switch.holds}
            try:
                other = read_policy(policy.version, layers, calendars, dictionary, turned)
            except FileFault as fault:
                _add(fault, faults)
                continue
            faults.update(dict.fromkeys(_uncited(other, resolve(policy.version, layers, turned))))


def _dates(layers: Mapping[str, Layer]) -> list[str]:
    """Check that each plan takes up every change of the shared criteria on the date of the change:
    the plan needs a file of that date, and no file may build on a later file.
    """
    faults = []
    dates: dict[str, list[date]] = {}
    for version in layers:
        folder, start = version.split("/")
        if folder != CALENDARS:
            dates.setdefault(folder, []).append(date.fromisoformat(start))
    for plan, starts in dates.items():
        late = [d for d in dates.get(SHARED, []) if d > min(starts) and d not in starts]
        faults += [f"{plan}: no file of {d}, when the shared criteria change" for d in late]
    for version, layer in layers.items():
        folder, start = version.split("/")
        for key in ("extends", "shared"):
            other = layer.values.get(key)
            if isinstance(other, str) and other.split("/")[-1] > start:
                faults.append(f"{version}.yaml: {key} {other} begins after this file does")
    return faults
