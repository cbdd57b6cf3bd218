"""The house is as it says: its map and words are whole, no room is too large."""

import ast
import re
from pathlib import Path

import pytest

import app
from app.model.lifecycle import BusinessStatus, State

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


#: What is no system, extension or value set of `app.fhir.r4.codes`: why it stands where it is.
ADDRESSES = {
    r"http://127\.0\.0\.1": "this machine: a default, or an example of a link",
    r"https://[a-z.-]+\.example(?<!nowrongdoor\.example)/": "an example of somebody's server",
    r"https://nowrongdoor\.example$": "who publishes the contract",
    r"https://host/path": "a sentence that says what a URL looks like",
    r'xmlns="http://www\.w3\.org/(1999/xhtml|2000/svg)"': "part of the markup",
    r"urn:(uuid|oid)(: and |:\[|`| is )": "the form of an address, in a sentence or a pattern",
    r"urn:entry:": "stands for an address where two bodies are compared",
}


def texts(tree):
    """The texts of a module, without its docstrings."""
    explained = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, explained) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value)


def test_addresses_stand_in_one_file():
    elsewhere = [
        f"{file}: {text}"
        for file in FILES
        if not file.match("fhir/codes.py")
        for text in texts(ast.parse(file.read_text()))
        if re.search(r"https?://\w|urn:\w", re.sub("|".join(ADDRESSES), "", text))
    ]
    assert elsewhere == []


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
