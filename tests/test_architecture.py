"""`docs/architecture.md` is true: its files are there, each is reached from one before it."""

import re
from pathlib import Path

import pytest

from tests.floors import imports

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
#: How many files a newcomer may have to read for a request.
MOST = {
    "POST a referral": 8,
    "`$approve`": 7,
    "PATCH a Task": 8,
    "`$check`": 6,
    "GET a resource": 4,
    "Deliver a message": 5,
}
WALKS = re.findall(r"^\*\*(.+?)\*\*.*?, (\d):\n((?:`.+\n?)+)", PAGE, re.MULTILINE)


def test_every_request_is_shown():
    assert {name: int(count) for name, count, _ in WALKS} == MOST


@pytest.mark.parametrize(("name", "count", "text"), WALKS, ids=[name for name, *_ in WALKS])
def test_a_request_is_followed_from_file_to_file(name, count, text):
    files = re.findall(r"`([\w/]+)\.py`", text)
    assert len(files) == int(count) == len(set(files))
    graph = imports()
    modules = ["app." + file.replace("/", ".") for file in files]
    for index, module in enumerate(modules[1:], 1):
        assert any(module in graph[before] for before in modules[:index]), module


def test_every_place_named_is_there():
    named = re.findall(r"`(app/[\w/.]+|demo/|tests/[\w/.]+)`", PAGE)
    assert named
    assert [place for place in named if not (ROOT / place).exists()] == []
