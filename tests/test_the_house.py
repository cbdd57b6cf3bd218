"""The house is as it says: its map and words are whole, no room is too large."""

import ast
import re
from pathlib import Path

import pytest

import app
from app.referral.lifecycle import BusinessStatus, State

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "app").rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE = 60, 400


def test_the_map_shows_every_room():
    rooms = {folder.name for folder in (ROOT / "app").iterdir() if any(folder.glob("*.py"))}
    assert set(re.findall(r"^(?:\d\.|\*) `(\w+)`", app.__doc__, re.MULTILINE)) == rooms


@pytest.mark.parametrize(
    ("heading", "words"), [("States", State), ("Business statuses", BusinessStatus)]
)
def test_the_glossary_lists_the_words_of_the_code(heading, words):
    text = (ROOT / "docs" / "glossary.md").read_text()
    listed = re.search(rf"\*\*{heading}\*\*: (.*?)\.\n", text, re.DOTALL)[1]
    assert re.findall(r"`([\w-]+)`", listed) == [word.value for word in words]


def functions(tree):
    wanted = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, wanted)]


def test_no_room_is_too_large():
    too_large = []
    for file in FILES:
        text = file.read_text()
        if text.count("\n") > LONGEST_FILE:
            too_large.append(str(file))
        too_large += [
            f"{file}:{node.lineno} {node.name}"
            for node in functions(ast.parse(text))
            if node.end_lineno - node.lineno >= LONGEST_FUNCTION
        ]
    assert too_large == []
