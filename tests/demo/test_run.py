"""`make run`: what it prints is so, what it says to paste works, and however it ends, all ends."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.store.clients import DEMONSTRATION
from demo.run import main
from tests.faults.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
#: A first start on a busy machine.
PATIENCE_S = 90


def environment(**settings):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {name: str(value) for name, value in settings.items()}


@contextmanager
def demonstration(said, **settings):
    """`python -m demo`, as make starts it; `said` is the file that takes what it prints."""
    with said.open("wb") as out:
        run = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield run
    finally:
        run.terminate()
        run.wait(30)


def until(true, what):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def shown(run, said):
    """All that it prints, when it is up."""
    until(lambda: "Ctrl-C stops" in said.read_text() or run.poll() is not None, said.read_text)
    assert run.poll() is None, said.read_text()
    return said.read_text()


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
    except httpx.HTTPError:
        return False


def children(run):
    return [
        int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    ]


def lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # dead, and not yet collected where there is no init


def test_the_journey_is_told_in_words_and_its_lines_can_be_pasted(fresh_database, tmp_path):
    port, said = free_port(), tmp_path / "said"
    with demonstration(said, PORT=port, DATABASE_URL=fresh_database) as run:
        text = shown(run, said)
        for words in (
            "1 Intake",
            "2 Eligibility: The rules approve this.",
            "Is the member homeless? Yes",
            "3 Capacity: assigned",
            "a place is taken with Tidepool Care Collaborative",
            "4 Decision: approved",
            "5 Notification",
            "hospital received referral.approved",
            "ecm-provider received service.assigned",
            f"http://127.0.0.1:{port}/docs",
        ):
            assert words in text, words
        assert "did not receive" not in text
        assert all(f"demo-{name}" in text for name in DEMONSTRATION)
        referral = re.search(r"referral ([0-9a-f-]{36})", text)[1]
        read, saved = re.findall(r"^  (curl .+)$", text, re.MULTILINE)
        done = subprocess.run(["sh", "-c", read], capture_output=True, text=True, check=True)
        assert f'"id":"{referral}"' in done.stdout
        subprocess.run(["sh", "-c", saved], cwd=tmp_path, check=True)
        assert "<h1>" in (tmp_path / "journey.html").read_text("utf-8")
        again = subprocess.run(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env=environment(PORT=port, DATABASE_URL=fresh_database),
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert again.stdout.startswith(f"make run: port {port} is taken by another program.")
        started = children(run)
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 0
    assert said.read_text().endswith("Stopped: service, worker, receiver and database.\n")
    assert not any(lives(pid) for pid in started)


@pytest.mark.parametrize("killed", ["the command", "make"])
def test_killed_it_leaves_nothing_that_holds_the_port(fresh_database, tmp_path, killed):
    port, said = free_port(), tmp_path / "said"
    settings = {"PORT": port, "DATABASE_URL": fresh_database}
    if killed == "make":
        with said.open("wb") as out:
            make = subprocess.Popen(
                ["sh", "-c", f"{shlex.quote(sys.executable)} -m demo; exit"],
                cwd=ROOT,
                env=environment(MAKELEVEL=1, **settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        shown(make, said)
        (run,) = children(make)
        make.kill()
        make.wait()
        until(lambda: not lives(run), said.read_text)
    else:
        with demonstration(said, **settings) as run:
            shown(run, said)
            started = children(run)
            assert len(started) == 2
            run.kill()
            until(lambda: not any(lives(pid) for pid in started), lambda: str(started))
    assert not answers(port)


@pytest.fixture
def surroundings():
    """The environment, which the command adds to; put back at the end."""
    before = dict(os.environ)
    yield os.environ
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PORT": "many"}, "PORT: Input should be a valid integer"),
        ({"PORT": "99999"}, "PORT: Input should be less than or equal to 65535"),
        ({"ENVIRONMENT": "production"}, "the demonstration is not for production"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL: write it as postgresql://"),
        (
            {
                "DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x",
                "DATABASE_START_WAIT_S": "0.2",
            },
            "The database did not answer within 0.2 s",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_stands_in_the_way_is_a_sentence(settings, sentence, surroundings, capsys):
    surroundings.update({"PORT": str(free_port())} | settings)
    assert main() == 1
    said = capsys.readouterr()
    assert "make run: " in said.out
    assert sentence in said.out
    assert "Traceback" not in said.out + said.err
    assert "hidden" not in said.out + said.err
