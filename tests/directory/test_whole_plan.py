"""The roster of a whole plan, a part of it: as fast and as small however many there are."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.roster import lines
from tests.reading.scene import DATA

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.bulk, pytest.mark.timeout(300)]


#: Runs the command and says what it used, by what the kernel knows of this program alone.
COMMAND = """
import sys, time
from pathlib import Path
from app.__main__ import main
status = main(sys.argv[1:])
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
print(f"used {time.process_time()} {int(peak.split()[1]) / 1000}")
sys.exit(status)
"""


@dataclass
class Run:
    seconds: float
    cpu: float
    memory_mb: float
    said: str


def loaded(url, *files):
    """One `python -m app load`, and what it cost."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "load", *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said, _, used = done.stdout.rpartition("used ")
    cpu, memory = map(float, used.split())
    run = Run(time.monotonic() - began, cpu, memory, said)
    sys.stdout.write(f"{run.seconds:.1f} s, processor {cpu:.1f} s, {memory:.0f} MB\n{said}")
    return run


def test_twenty_thousand_members_take_the_time_of_five_thousand_four_times(own_postgres, tmp_path):
    small, large = tmp_path / "small.ndjson", tmp_path / "large.ndjson"
    with small.open("wb") as file:
        file.writelines(lines(5_000))
    with large.open("wb") as file:
        file.writelines(lines(20_000, 100_000))
    few = loaded(own_postgres.url, DATA / "network.ndjson", small)
    many = loaded(own_postgres.url, large)
    assert "20000" in many.said
    assert many.cpu < 4 * few.cpu
    assert many.cpu < 30  # on one of two cores; the database has the other
    assert (
        many.seconds < 80
    )  # alone on two cores a quarter of that; five minutes for 150,000 are 40
    assert many.memory_mb < few.memory_mb + 16
    again = loaded(own_postgres.url, large, small)
    assert "25000" in again.said
    assert again.memory_mb < few.memory_mb + 16
