"""What a run showed, as ratios to the floors of the same run, each beside its aim."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

#: Steps of the progress bar: start, two rates, three loads, deliveries, three kinds of question,
#: commits, the stages alone.
STEPS = 12

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
    for connections, found in results["decided"].items():
        aim = 0.60 if connections == 8 else None
        yield _ratio(f"referrals decided, {connections} connections", found["ratio"], aim)
        yield _split(found)
    eight = results["decided"][8]
    yield _below("  p99, 8 connections", eight["service"]["p99_ms"], 25)
    commits = eight["service"]["rate"] / results["commit"]
    yield _ratio("referrals to one-row commits of the database alone", commits, None)
    yield _ratio("reads by id", results["read"]["ratio"], 0.50)
    yield _split(results["read"])
    yield _ratio("searches by patient and status, 5 of 10", results["search"]["ratio"], 0.50)
    yield _split(results["search"])
    yield _ratio("$check, to a bare read", results["check"]["ratio"], None)
    yield _ratio("deliveries, to bare posts", results["deliveries"]["ratio"], None)
    for rate, clients in results["webhook"].items():
        for client, found in clients.items():
            aims = (3, 15) if rate == 20 and client == "practice" else (None, None)
            name = "decision alone" if client == "practice" else "after the receipt's message"
            what = f"answer to webhook at {rate}/s, {name}"
            yield _below(f"{what}, p50", found["p50_ms"], aims[0])
            yield _below(f"{what}, p99", found["p99_ms"], aims[1])
    alone = results["inprocess"]
    yield _below("policy evaluation", alone["evaluate_ms"], 0.3)
    yield _below("loading all policies", alone["load_policies_ms"], 1000)
    yield _below("parse, check and understand 2 KB", alone["read_ms"], None)


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


def _below(what: str, value: float, aim: float | None) -> Row:
    if aim is None:
        return what, f"{value:.2f} ms", "", None
    return what, f"{value:.2f} ms", f"< {aim:g} ms", value < aim
