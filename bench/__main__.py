"""`make bench`: measures service and floors in one run, prints ratios, writes bench/results/.

`--quick` proves in seconds that everything is measured; its figures are worth nothing. The status
is 0 whatever the ratios: a busy machine is no fault of the code. It says what missed its aim.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.measure import Bench
from bench.report import STEPS, costs, stored, table
from bench.scene import ROOT, scene
from bench.turns import Length
from demo.signals import ended_by_signals

RESULTS = ROOT / "bench" / "results"
_FULL = Length(turn_s=2.0, turns=3, paced_s=8.0, counted=5, searched=20, few=10_000, stock=50_000)
_QUICK = Length(turn_s=0.2, turns=1, paced_s=0.3, counted=1, searched=1, few=100, stock=100)
#: The members of the roster: more than a run without a soak refers.
_MEMBERS = 80_000


async def run(length: Length, progress: Progress, *, quick: bool) -> dict[str, Any]:
    """Everything, as the results file holds it."""
    bar = progress.add_task("starts", total=STEPS + length.soaks)

    def on_step(name: str) -> None:
        progress.update(bar, advance=1, description=name)

    async with scene(_MEMBERS + length.soak) as (here, service, floor):
        on_step("webhooks")
        found = await Bench(here, service, floor, length, on_step).everything()
    found["inprocess"] = await asyncio.to_thread(_inprocess, 5 if quick else 300)
    on_step("done")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        **found,
    }


def _inprocess(times: int) -> Any:
    done = subprocess.run(  # noqa: S603  this very interpreter
        [sys.executable, "-m", "bench.inprocess", str(times)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    return orjson.loads(done.stdout)


def write(results: dict[str, Any], folder: Path) -> Path:
    """The results as a file of their own, named by their time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results['at'].replace(':', '')}.json"
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    path.write_bytes(orjson.dumps(results, option=options))
    return path


def main() -> int:
    """Runs the bench and prints its table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; no use")
    parser.add_argument("--stock", type=int, help="referrals stored for the last turns (50,000)")
    parser.add_argument("--soak", type=int, default=0, help="so many more, to watch the memory")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the results")
    given = parser.parse_args()
    length = _QUICK if given.quick else _FULL
    length = replace(length, stock=given.stock or length.stock, soak=given.soak)
    console = Console()
    columns = (TextColumn("{task.description:>28}"), BarColumn(), TimeElapsedColumn())
    with ended_by_signals(), Progress(*columns, console=console, transient=True) as progress:
        results = uvloop.run(run(length, progress, quick=given.quick))
    for shown in (table, costs, stored):
        console.print(shown(results))
    console.print(f"Written to {write(results, given.results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
