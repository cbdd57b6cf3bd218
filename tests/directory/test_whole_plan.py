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


@dataclass
class Run:
    seconds: float
    cpu: float
    memory_mb: float
    said: str


def loaded(url, *files):
    """One `python -m app load`, and what it cost."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "load", *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    assert process.returncode == 0, said
    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
    memory = used.ru_maxrss * unit / 1e6
    return Run(time.monotonic() - began, used.ru_utime + used.ru_stime, memory, said)


def test_twenty_thousand_members_take_the_time_of_five_thousand_four_times(own_postgres, tmp_path):
    small, large = tmp_path / "small.ndjson", tmp_path / "large.ndjson"
    with small.open("wb") as file:
        file.writelines(lines(5_000))
    with large.open("wb") as file:
        file.writelines(lines(20_000, 100_000))
    few = loaded(own_postgres.url, DATA / "network.ndjson", small)
    many = loaded(own_postgres.url, large)
    sys.stdout.write(f"{few}\n{many}\n")
    assert "20000" in many.said
    assert many.seconds < 40  # at this pace 150,000 take five minutes (two cores, nothing else)
    assert many.cpu < 4 * few.cpu
    assert many.memory_mb < few.memory_mb + 16
    again = loaded(own_postgres.url, large, small)
    assert "25000" in again.said
    assert again.memory_mb < few.memory_mb + 16
