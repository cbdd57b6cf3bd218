import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from bench.loop import counts, percentile
from bench.report import costs, processes, rows, stored, table

ROOT = Path(__file__).resolve().parents[2]
#: Every process of the deployment starts several times.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--soak", "20", "--results", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=220,
    )
    assert done.returncode == 0, done.stderr
    (written,) = folder.glob("*.json")
    return orjson.loads(written.read_bytes())


def test_every_measurement_of_the_service_stands_beside_its_floor(results):
    measured = [*results["decided"].values()]
    measured += [results[name] for name in ("read", "search", "check", "same_rows")]
    for found in [*measured, results["deliveries"]]:
        assert found["ratio"] > 0
    for found in measured:
        assert found["service"]["count"] > 0
        assert found["floor"]["count"] > 0
        assert 0 < found["service"]["p50_ms"] <= found["service"]["p99_ms"]
    assert set(results["decided"]) == {"1", "8", "32"}
    assert set(results["webhook"]) == {"20", "100"}
    assert results["commit"] > 0
    assert results["processes"]["ratio"] > 0
    assert results["loop"]["count"] > 100
    assert results["loop"]["step_ms"] > 0
    assert results["loop"]["late_ms"] > 0


def test_what_requests_ask_of_the_database_is_counted(results):
    cost = results["cost"]
    assert len(cost) == 7
    for name in ("read by id", "search by patient and status"):  # and the record of it
        assert (cost[name]["statements"], cost[name]["trips"], cost[name]["rows"]) == (2, 2, 1)
    for name in cost.keys() - {"read by id", "search by patient and status", "$check"}:
        assert cost[name]["statements"] > 0
        assert cost[name]["trips"] > 0
        assert cost[name]["bytes"] > 500
    decided, asked = cost["referral decided"], cost["referral that waits for answers"]
    assert decided["entries"] > decided["rows"] > asked["rows"] > 1


def test_a_referral_is_followed_until_all_have_heard(results):
    whole = results["whole"]
    assert whole["deliveries"] == 6
    assert min(whole[name] for name in ("service", "worker", "postgres", "floor")) >= 0
    assert whole["ratio"] > 0


def test_what_others_and_years_do_to_it_is_measured(results):
    assert results["hanging"]["ratio"] > 0
    stock = results["stock"]
    assert stock["many"] >= stock["few"] + 100
    assert stock["cost"].keys() == {"decided", "read", "search", "queue", "report", "sweep"}
    assert min(stock["cost"].values()) > 0
    assert sum(map(sum, stock["each"].values())) > 5_000
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
    one = {"service": side, "floor": {**side, "p99_ms": 10, "cpu_ms": 0.4}, "ratio": 0.25}
    cost = {"trips": 2.0, "statements": 2.5, "rows": 16, "changed": 1, "entries": 50, "bytes": 900}
    results = {
        "decided": {8: one},
        "same_rows": {**one, "ratio": 0.7},
        "processes": {"one": 100, "two": 150, "ratio": 1.5, "cores": 4, "shown": True},
        "whole": {
            "service": 2.0, "worker": 1.0, "postgres": 1.0, "floor": 1.0,
            "deliveries": 6, "ratio": 4.0,
        },
        "read": {**one, "ratio": 0.5},
        "search": {**one, "ratio": 0.49},
        "check": {"ratio": 0.2},
        "deliveries": {"ratio": 0.2, "service": 1000.0, "floor": 5000.0},
        "hanging": {"ratio": 1.11},
        "stock": {
            "few": 10, "many": 1000, "cost": {"decided": 1.3, "search": 1.31, "sweep": 1.0},
            "seconds": 90.0, "bytes": 2**30, "each": {"referral": [500.0, 400.0, 100.0]},
        },
        "memory": [(100, 100.0), (900, 111.0)],
        "commit": 100.0,
        "loop": {"step_ms": 20.0, "late_ms": 3.0},
        "webhook": {20: {"practice": {"p50_ms": 2.9, "p99_ms": 15}}},
        "inprocess": {"evaluate_ms": 0.29, "load_policies_ms": 300, "read_ms": 0.5},
        "cost": {"referral decided": cost},
    }  # fmt: skip
    found = {what.strip(): (reached, good) for what, reached, _, good in rows(results)}
    assert found["referrals decided, 8 connections (50 to 50 a second)"] == ("0.25", True)
    assert found["p99, 8 connections (10.0 ms the floor's)"] == ("3.00", True)
    assert found["CPU of the process, 8 connections (2.00 ms)"] == ("5.00", True)
    assert found["referrals to the same rows, no rules (50 to 50 a second)"] == ("0.70", None)
    assert found["two processes to one (150 to 100 a second)"] == ("1.50", False)
    whole = "CPU of a referral and its 6 deliveries, to the floor's post"
    assert found[whole] == ("4.00", True)
    assert found["reads by id (50 to 50 a second)"] == ("0.50", True)
    searches = "searches by patient and status, 5 of 10 (50 to 50 a second)"
    assert found[searches] == ("0.49", False)
    assert found["$check, to a bare read"] == ("0.20", True)
    assert found["referrals to one-row commits of the database alone"] == ("0.50", None)
    deliveries = "deliveries, to a bare aiohttp loop (1,000 to 5,000 a second)"
    assert found[deliveries] == ("0.20", False)
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
    text = printed(table(results))
    assert "0.49" in text
    assert re.search(
        r"referral decided +│ +2 │ +2\.5 │ +16 │ +1 │ +50 │ +900 ", printed(costs(results))
    )
    said = printed(stored(results))
    assert "1,000 referrals stored, 1.00 GB (made in 90 s)" in said
    assert re.search(r"all tables +│ +500 │ +400 │ +100 │ +1,000 │ +9\.3 ", said)


def test_too_few_cores_show_no_second_process():
    two = {"one": 100, "two": 110, "ratio": 1.1, "cores": 2, "shown": False}
    what = "two processes to one (110 to 100 a second)"
    assert processes(two) == (what, "1.10", "not shown: 2 cores", None)
    assert processes({**two, "cores": 4, "shown": True}) == (what, "1.10", "≥ 1.60", False)


def printed(shown):
    with Console(record=True, width=120) as console:
        console.print(shown)
    return console.export_text()
