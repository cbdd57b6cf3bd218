import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from bench.loop import counts, percentile
from bench.report import rows, table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--soak", "20", "--results", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (written,) = folder.glob("*.json")
    return orjson.loads(written.read_bytes())


def test_every_measurement_of_the_service_stands_beside_its_floor(results):
    measured = [*results["decided"].values(), results["read"], results["search"]]
    for found in [*measured, results["deliveries"]]:
        assert found["ratio"] > 0
    for found in measured:
        assert found["service"]["count"] > 0
        assert found["floor"]["count"] > 0
        assert 0 < found["service"]["p50_ms"] <= found["service"]["p99_ms"]
    assert set(results["decided"]) == {"1", "8", "32"}
    assert set(results["webhook"]) == {"20", "100"}
    assert results["commit"] > 0
    assert results["loop"]["count"] > 100
    assert results["loop"]["step_ms"] > 0
    assert results["loop"]["late_ms"] > 0


def test_what_others_and_years_do_to_it_is_measured(results):
    assert results["hanging"]["ratio"] > 0
    stock = results["stock"]
    assert stock["many"] >= stock["few"] + 100
    assert stock["rows"] > 20
    assert stock["cost"].keys() == {"decided", "read", "search"}
    referrals, megabytes = zip(*results["memory"], strict=True)
    assert len(referrals) == 12
    assert referrals == tuple(sorted(referrals))
    assert min(megabytes) > 20


def test_the_ratio_is_that_of_the_turns_beside_each_other(results):
    found = results["decided"]["8"]
    rate = found["service"]["rate"] / found["floor"]["rate"]
    assert found["ratio"] == pytest.approx(rate)  # one turn of each


def test_the_percentile_of_a_histogram_is_that_of_all_its_series():
    text = """# TYPE held histogram
held_bucket{route="/a",le="0.01"} 990
held_bucket{route="/a",le="0.02"} 998
held_bucket{route="/a",le="+Inf"} 998
held_bucket{route="/b",le="0.01"} 1000
held_bucket{route="/b",le="0.02"} 1000
held_bucket{route="/b",le="+Inf"} 1002
"""
    found = counts(text, "held")
    assert found == {0.01: 1990, 0.02: 1998, float("inf"): 2000}
    assert percentile(found, 0.997) == pytest.approx(0.015)  # four of the eight in its class
    assert percentile(found, 0.5) == pytest.approx(0.01 * 1000 / 1990)
    assert percentile(found, 0.9999) == 0.02


def test_a_figure_that_misses_its_aim_is_marked():
    side = {"rate": 50.0, "p50_ms": 1, "p95_ms": 2, "p99_ms": 30, "cpu_ms": 2.0}
    one = {"service": side, "floor": {**side, "cpu_ms": 1.0}, "ratio": 0.5}
    results = {
        "decided": {8: one},
        "read": {**one, "ratio": 0.5},
        "search": {**one, "ratio": 0.49},
        "check": {"ratio": 0.2},
        "deliveries": {"ratio": 0.2, "service": 1000.0, "floor": 5000.0},
        "hanging": {"ratio": 1.11},
        "stock": {"rows": 30.0, "few": 10, "many": 1000, "cost": {"decided": 1.3, "search": 1.31}},
        "memory": [(100, 100.0), (900, 111.0)],
        "commit": 100.0,
        "loop": {"step_ms": 20.0, "late_ms": 3.0},
        "webhook": {20: {"practice": {"p50_ms": 2.9, "p99_ms": 15}}},
        "inprocess": {"evaluate_ms": 0.29, "load_policies_ms": 300, "read_ms": 0.5},
    }
    found = {what.strip(): (reached, good) for what, reached, _, good in rows(results)}
    assert found["referrals decided, 8 connections (50 to 50 a second)"] == ("0.50", False)
    assert found["rows written a second, 30 a referral to the floor's 3"] == ("5.00", None)
    assert found["p99, 8 connections"] == ("30.00 ms", False)
    assert found["reads by id (50 to 50 a second)"] == ("0.50", True)
    searches = "searches by patient and status, 5 of 10 (50 to 50 a second)"
    assert found[searches] == ("0.49", False)
    assert found["referrals to one-row commits of the database alone"] == ("0.50", None)
    assert found["answer to webhook at 20/s, decision alone, p50"] == ("2.90 ms", True)
    assert found["answer to webhook at 20/s, decision alone, p99"] == ("15.00 ms", False)
    assert found["others' p95 while one receiver hangs"] == ("1.11", False)
    assert found["cost of a referral at 1,000 stored, to 10"] == ("1.30", True)
    assert found["cost of a search at 1,000 stored, to 10"] == ("1.31", False)
    memory = "memory of the service after 900 referrals (111 MB), to 100"
    assert found[memory] == ("1.11", False)
    held = "longest step on the event loop, 99.9th percentile"
    assert found[held] == ("20.00 ms", False)
    assert found["policy evaluation"] == ("0.29 ms", True)
    with Console(record=True, width=120) as console:
        console.print(table(results))
    assert "0.49" in console.export_text()
