"""Fails for code that no other code of the service uses (`make dead`). Tests do not count as use.

vulture finds the code; `[tool.vulture]` in pyproject.toml has the exceptions by decorator and by
name. Three exceptions are patterns that vulture has no word for: the fields of pydantic models,
which are JSON that somebody else reads or writes; tables, which the metadata holds; and attributes
that a template reads.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vulture import Vulture
from vulture.config import make_config

_TEMPLATES = Path("app/views/templates")
_PYDANTIC = {"BaseModel", "BaseSettings", "RootModel"}


def main() -> int:
    """Prints each unused name, and each exception that excuses nothing; 1 if there is any."""
    config = make_config([])
    vulture = Vulture(ignore_decorators=config["ignore_decorators"])
    vulture.scavenge(config["paths"])
    held = set(_held_elsewhere(config["paths"]))
    shown = {name for file in _TEMPLATES.iterdir() for name in _read_by(file.read_text("utf-8"))}
    excused: set[str] = set()
    faults = []
    for item in vulture.get_unused_code(config["min_confidence"]):
        if item.name in shown:
            continue
        if item.name in config["ignore_names"]:
            excused.add(item.name)
        elif (Path(item.filename).resolve(), item.first_lineno) not in held:
            faults.append(item.get_report())
    needless = [name for name in config["ignore_names"] if name not in excused]
    faults += [f"pyproject.toml: the exception '{name}' excuses nothing" for name in needless]
    print("\n".join(faults) or "Everything is used.")
    return bool(faults)


def _held_elsewhere(paths: Iterable[str]) -> Iterator[tuple[Path, int]]:
    """Finds the lines of pydantic fields and of tables."""
    files = [file.resolve() for path in paths for file in Path(path).rglob("*.py")]
    trees = [(file, ast.parse(file.read_text("utf-8"))) for file in files]
    models = _models([each for _, tree in trees for each in ast.walk(tree) if _is_class(each)])
    for file, tree in trees:
        for node in ast.walk(tree):
            if _is_class(node) and node.name in models:
                yield from ((file, each.lineno) for each in node.body if _is_field(each))
            elif isinstance(node, ast.Assign) and _is_table(node.value):
                yield file, node.lineno


def _read_by(template: str) -> list[str]:
    """Names the attributes that a template reads: `{{ bar.filled }}` reads `filled`."""
    return re.findall(r"(?<=\w)\.(\w+)", template)


def _models(classes: list[ast.ClassDef]) -> set[str]:
    """Names all classes that derive from pydantic's, however far."""
    known, before = set(_PYDANTIC), 0
    while len(known) > before:
        before = len(known)
        known |= {each.name for each in classes if known & {_name(base) for base in each.bases}}
    return known


def _name(base: ast.expr) -> str:
    """`a.B[C]` is called B."""
    if isinstance(base, ast.Subscript):
        return _name(base.value)
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def _is_class(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef)


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign)


def _is_table(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and _name(value.func) == "Table"


if __name__ == "__main__":
    sys.exit(main())
