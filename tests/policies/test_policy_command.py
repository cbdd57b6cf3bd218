"""`python -m app policy diff|simulate`: what is printed, and what is refused with a sentence."""

import json

import orjson
import pytest

from app.__main__ import main
from app.policy.stored_form import question_to_json
from tests.policies.test_replay import NEW, high_use, visits


def test_diff_prints_each_change_with_its_source(capsys):
    assert main(["policy", "diff", "HPSM/2024-01-01", "HPSM/2026-01-01"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("From HPSM/2024-01-01 to HPSM/2026-01-01:")
    assert "clocks > decision_calendar_days  (not said on the plan's own page; taken from " in told
    assert "  + 7" in told


def test_diff_of_an_unknown_policy_names_those_there_are(capsys):
    assert main(["policy", "diff", "HPSM/1999-01-01", "HPSM/2026-01-01"]) == 1
    assert "HPSM/2024-01-01" in capsys.readouterr().err


def line(name, question):
    read = json.loads(question_to_json(question))
    return orjson.dumps({"referral": name, "question": read}) + b"\n"


@pytest.fixture
def files(tmp_path):
    new, over = tmp_path / "NEW.yaml", tmp_path / "determinations.ndjson"
    new.write_text(NEW)
    six = visits(*[f"2024-01-{day:02}" for day in range(10, 16)])
    asked = [line("referral-5", high_use()), b"\n", line("referral-6", high_use(events=six))]
    over.write_bytes(b"".join(asked) + line("elsewhere", high_use("HPSJ")))
    return new, over


def simulate(new, over):
    given = ["policy", "simulate", "--plan", "HPSM", "--file", str(new), "--over", str(over)]
    return main(given)


def test_simulate_says_how_many_which_and_why(files, capsys):
    assert simulate(*files) == 0
    told = capsys.readouterr().out
    assert "1 of 2 would be answered otherwise." in told
    assert "referral-5: approved → denied (no-population)" in told
    assert "POF2" in told
    assert "referral-6" not in told


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        (0, "populations: [", "no YAML"),
        (0, "extends: HPSM/2024-01-01\nshared: DHCS/2024-01-01\ncolour: red\n", "colour"),
        (1, "{}\n", "line 1: no determination"),
        (1, "\nnot json\n", "line 2: no determination"),
    ],
)
def test_simulate_refuses_what_it_cannot_read(files, capsys, file, content, said):
    files[file].write_text(content)
    assert simulate(*files) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("missing", [0, 1])
def test_simulate_says_which_file_is_missing(files, capsys, missing):
    files[missing].unlink()
    assert simulate(*files) == 1
    assert "cannot be read" in capsys.readouterr().err
