"""What a run showed, as ratios to the floors of the same run, each beside its aim."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

#: Steps of the progress bar: start, the costs, two rates, three loads, the same rows, deliveries,
#: until all have heard, two processes, a receiver that hangs, commits, six kinds of question with
#: few stored, the stock, six kinds of question with many, `$check`, the event loop, the stages
#: alone.
STEPS = 29

_WORDS = {
    "decided": "referral",
    "read": "read",
    "search": "search",
    "queue": "page of the work queue",
    "report": "report over two weeks",
    "sweep": "look at one plan's clocks, nothing due",
}
#: The largest tables, so many of them, are shown by name.
_LARGEST = 10

Row = tuple[str, str, str, bool | None]


def table(results: dict[str, Any]) -> Table:
    """Ratios and times, what was aimed at, and whether it was reached."""
    shown = Table(title="Service beside the floors of this run")
    for heading in ("what", "reached", "aim", ""):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    for what, reached, aim, good in rows(results):
        shown.add_row(what, reached, aim, {True: "yes", False: "[red]no", None: ""}[good])
    return shown


def costs(results: dict[str, Any]) -> Table:
    """What one request of each class asks of the database."""
    shown = Table(title="What each asks of the database")
    headings = {
        "trips": "round trips", "statements": "statements", "rows": "rows", "changed": "changed",
        "entries": "index entries", "bytes": "bytes of log",
    }  # fmt: skip
    shown.add_column("one")
    for heading in headings.values():
        shown.add_column(heading, justify="right")
    for name, found in results["cost"].items():
        shown.add_row(name, *(_number(found[key]) for key in headings))
    return shown


def stored(results: dict[str, Any]) -> Table:
    """What is stored, by table: bytes of one referral, and from that those of ten million."""
    stock = results["stock"]
    title = (
        f"{stock['many']:,} referrals stored, {stock['bytes'] / 2**30:.2f} GB"
        f" (made in {stock['seconds']:,.0f} s): bytes of each"
    )
    shown = Table(title=title)
    for heading in ("table", "rows", "indexes", "out of line", "together", "GB of ten million"):
        shown.add_column(heading, justify="left" if heading == "table" else "right")
    by_size = sorted(stock["each"].items(), key=lambda item: -sum(item[1]))
    for name, parts in by_size[:_LARGEST]:
        shown.add_row(name, *_sizes(parts))
    whole = [sum(parts) for parts in zip(*stock["each"].values(), strict=True)]
    shown.add_row("all tables", *_sizes(whole))
    return shown


def _sizes(parts: list[float]) -> list[str]:
    together = sum(parts)
    gigabytes = together * 10_000_000 / 2**30
    return [*(f"{part:,.0f}" for part in (*parts, together)), f"{gigabytes:,.1f}"]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.1f}"


def rows(results: dict[str, Any]) -> Iterator[Row]:
    """One row per figure."""
    yield from _decided(results)
    yield from _whole(results)
    yield from _beside("reads by id", results["read"], 0.50)
    yield from _beside("searches by patient and status, 5 of 10", results["search"], 0.50)
    yield _ratio("$check, to a bare read", results["check"]["ratio"], 0.20)
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
        aim = 0.25 if connections == 8 else None
        yield from _beside(f"referrals decided, {connections} connections", found, aim)
    service, floor = (results["decided"][8][name] for name in ("service", "floor"))
    p99 = service["p99_ms"] / floor["p99_ms"]
    yield _at_most(f"  p99, 8 connections ({floor['p99_ms']:.1f} ms the floor's)", p99, 3)
    cpu = service["cpu_ms"] / floor["cpu_ms"] if floor["cpu_ms"] else 0.0
    what = f"  CPU of the process, 8 connections ({service['cpu_ms']:.2f} ms)"
    yield _at_most(what, cpu, 5)
    same = results["same_rows"]
    yield from _beside("referrals to the same rows, no rules", same, None)
    commits = service["rate"] / results["commit"]
    yield _ratio("referrals to one-row commits of the database alone", commits, None)
    yield processes(results["processes"])


def processes(two: dict[str, Any]) -> Row:
    """Two processes beside one; no aim where they share a core with load and database."""
    what = f"two processes to one ({two['two']:,.0f} to {two['one']:,.0f} a second)"
    if two["shown"]:
        return _ratio(what, two["ratio"], 1.60)
    return what, f"{two['ratio']:.2f}", f"not shown: {two['cores']} cores", None


def _whole(results: dict[str, Any]) -> Iterator[Row]:
    """CPU until all have heard: of the service, the worker and the database."""
    whole = results["whole"]
    what = (
        f"CPU of a referral and its {_number(whole['deliveries'])} deliveries, to the floor's post"
    )
    yield _at_most(what, whole["ratio"], 4)
    parts = " + ".join(f"{whole[name]:.1f}" for name in ("service", "worker", "postgres"))
    words = f"  service + worker + PostgreSQL; the floor's {whole['floor']:.1f} ms"
    yield words, f"{parts} ms", "", None


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
    yield _ratio("deliveries, to a bare aiohttp loop" + _rates(found), found["ratio"], 0.30)
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
