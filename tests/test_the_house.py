"""The house is as it says: its map and words are whole, imports look down, no room is too large."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import app
from app.model.lifecycle import BusinessStatus, State
from tests.floors import FLOORS, arrows_up, between_packages, circle, imports, modules

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "app").rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE, MOST_FOLDERS = 60, 400, 10
#: A file with fewer lines has at least so many importers, or joins one of them.
SHORTEST_FILE, FEWEST_IMPORTERS = 40, 3


def test_the_map_shows_every_room():
    rooms = {folder.name for folder in (ROOT / "app").iterdir() if any(folder.glob("*.py"))}
    assert len(rooms) <= MOST_FOLDERS
    assert {name for floor in FLOORS for name in floor} == rooms
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
        if not file.match("fhir/r4/codes.py")
        for text in texts(ast.parse(file.read_text()))
        if re.search(r"https?://\w|urn:\w", re.sub("|".join(ADDRESSES), "", text))
    ]
    assert elsewhere == []


def test_imports_look_down_and_no_circle_is_left():
    graph = imports()
    assert arrows_up(graph) == []
    assert circle(graph) == []
    assert circle(between_packages(graph, modules())) == []


def test_an_arrow_up_and_a_circle_are_seen(tmp_path):
    texts = {
        "base/ids.py": "from app.model.caller import Caller",
        "model/caller.py": "from app.base import text",
        "base/text.py": "",
    }
    for name, text in texts.items():
        file = tmp_path / "app" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    graph = imports(tmp_path)
    assert arrows_up(graph) == ["app.base.ids imports app.model.caller"]
    assert circle(graph) == []
    packages = between_packages(graph, modules(tmp_path))
    assert set(circle(packages)) == {"app.base", "app.model"}
    (tmp_path / "app" / "base" / "text.py").write_text("import app.base.ids")
    assert len(circle(imports(tmp_path))) == 4


def test_a_short_file_has_several_importers():
    graph = imports()
    importers = {name: sum(name in imported for imported in graph.values()) for name in graph}
    lonely = [
        f"{name}: {importers[name]} importers"
        for name, file in modules().items()
        if file.name not in ("__init__.py", "__main__.py")
        and file.read_text().count("\n") < SHORTEST_FILE
        and importers[name] < FEWEST_IMPORTERS
    ]
    assert lonely == []


def public_names(tree):
    """Classes and aliases of types that a module makes: `Visibility`, `Source = A | B`."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_a_public_name_means_one_thing():
    named = [
        (name, file.relative_to(ROOT))
        for file in FILES
        for name in public_names(ast.parse(file.read_text()))
        if re.match(r"[A-Z]\w*[a-z]", name)
    ]
    twice = Counter(name for name, _ in named)
    assert [f"{name}: {file}" for name, file in named if twice[name] > 1] == []


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
