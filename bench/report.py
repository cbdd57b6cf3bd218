"""What a run showed, as ratios to the floors of the same run, each beside its aim."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

#: Steps of the progress bar: start, two rates, three loads, deliveries, a receiver that hangs,
#: four kinds of question, commits, the event loop, the stock and three kinds of question, the
#: stages alone.
STEPS = 19

_WORDS = {"decided": "referral", "read": "read", "search": "search"}

Row = tuple[str, str, str, bool | None]


def table(results: dict[str, Any]) -> Table:
    """Ratios and times, what was aimed at, and whether it was reached."""
    shown = Table(title="Service beside the floors of this run")
    for heading in ("what", "reached", "aim", ""):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    for what, reached, aim, good in rows(results):
        shown.add_row(what, reached, aim, {True: "yes", False: "[red]no", None: ""}[good])
    return shown


def rows(results: dict[str, Any]) -> Iterator[Row]:
    """One row per figure."""
    yield from _decided(results)
    yield from _beside("reads by id", results["read"], 0.50)
    yield from _beside("searches by patient and status, 5 of 10", results["search"], 0.50)
    yield _ratio("$check, to a bare read", results["check"]["ratio"], None)
    yield from _told(results)
    held = results["loop"]
    yield _below("longest step on the event loop, 99.9th percentile", held["step_ms"], 20)
    yield _below("  how late its timers came, 99.9th percentile", held["late_ms"], None)
    yield from _in_the_long_run(results)
    alone = results["inprocess"]
    yield _below("policy evaluation", alone["evaluate_ms"], 0.3)
    yield _below("loading all policies", alone["load_policies_ms"], 1000)
    yield _below("parse, check and understand 2 KB", alone["read_ms"], None)


def _decided(results: dict[str, Any]) -> Iterator[Row]:
    for connections, found in results["decided"].items():
        aim = 0.60 if connections == 8 else None
        yield from _beside(f"referrals decided, {connections} connections", found, aim)
    eight = results["decided"][8]
    yield _below("  p99, 8 connections", eight["service"]["p99_ms"], 25)
    rows_each = results["stock"]["rows"]
    what = f"rows written a second, {rows_each:.0f} a referral to the floor's 3"
    yield _ratio(what, eight["ratio"] * rows_each / 3, None)
    commits = eight["service"]["rate"] / results["commit"]
    yield _ratio("referrals to one-row commits of the database alone", commits, None)


def _told(results: dict[str, Any]) -> Iterator[Row]:
    for rate, clients in results["webhook"].items():
        for client, found in clients.items():
            alone = client == "practice"
            aims = {20: (3, 15), 100: (20, 150)}[rate] if alone or rate == 100 else (None, None)
            name = "decision alone" if alone else "after the receipt's message"
            what = f"answer to webhook at {rate}/s, {name}"
            yield _below(f"{what}, p50", found["p50_ms"], aims[0])
            yield _below(f"{what}, p99", found["p99_ms"], aims[1])
    found = results["deliveries"]
    yield _ratio("deliveries, to a bare aiohttp loop" + _rates(found), found["ratio"], None)
    hanging = results["hanging"]["ratio"]
    yield _at_most("others' p95 while one receiver hangs", hanging, 1.10)


def _in_the_long_run(results: dict[str, Any]) -> Iterator[Row]:
    stock, memory = results["stock"], results["memory"]
    for name, cost in stock["cost"].items():
        what = f"cost of a {_WORDS[name]} at {stock['many']:,} stored, to {stock['few']:,}"
        yield _at_most(what, cost, 1.30)
    (first, before), (last, after) = memory[0], memory[-1]
    what = f"memory of the service after {last:,} referrals ({after:.0f} MB), to {first:,}"
    yield _at_most(what, after / before, 1.10)


def _beside(what: str, found: dict[str, Any], aim: float | None) -> Iterator[Row]:
    """A rate beside the floor's, and its times."""
    rates = {name: found[name]["rate"] for name in ("service", "floor")}
    yield _ratio(what + _rates(rates), found["ratio"], aim)
    yield _split(found)


def _rates(found: dict[str, float]) -> str:
    return f" ({found['service']:,.0f} to {found['floor']:,.0f} a second)"


def _split(found: dict[str, Any]) -> Row:
    """CPU says more than the clock on a machine that others use."""
    service, floor = found["service"], found["floor"]
    times = f"{service['p50_ms']:.1f} / {service['p95_ms']:.1f} / {service['p99_ms']:.1f} ms"
    cpu = service["cpu_ms"] / floor["cpu_ms"] if floor["cpu_ms"] else 0.0
    return "  p50 / p95 / p99; CPU of the process to the floor's", f"{times}; {cpu:.1f}", "", None


def _ratio(what: str, value: float, aim: float | None) -> Row:
    if aim is None:
        return what, f"{value:.2f}", "", None
    return what, f"{value:.2f}", f"≥ {aim:.2f}", value >= aim


def _at_most(what: str, value: float, aim: float) -> Row:
    return what, f"{value:.2f}", f"≤ {aim:.2f}", value <= aim


def _below(what: str, value: float, aim: float | None) -> Row:
    if aim is None:
        return what, f"{value:.2f} ms", "", None
    return what, f"{value:.2f} ms", f"< {aim:g} ms", value < aim
