"""Reads the imports of `app/`: circles, and arrows from a floor to one above it.

A package is a folder with the files that lie in it; an import between two files of one folder is no
import between packages.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: The floors, from the top down: a folder of `app/` imports from those after it.
FLOORS = (
    ("commands", "workers"),
    ("api",),
    ("views",),
    ("journey",),
    ("store",),
    ("fhir",),
    ("model",),
    ("policy",),
    ("base",),
)

Graph = Mapping[str, set[str]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of `app/` by its dotted name; a package's `__init__` by the package's."""
    files = sorted((root / "app").rglob("*.py"))
    return {_dotted(file.relative_to(root)): file for file in files}


def _dotted(file: Path) -> str:
    parts = file.parent.parts if file.name == "__init__.py" else file.with_suffix("").parts
    return ".".join(parts)


def imports(root: Path = ROOT) -> dict[str, set[str]]:
    """The modules of `app/` that each module of `app/` imports, at any place in its text."""
    files = modules(root)
    return {name: set(_imported(file, files)) - {name} for name, file in files.items()}


def _imported(file: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in files or node.module in files:
                    yield full if full in files else node.module


def package_of(name: str, files: Mapping[str, Path]) -> str:
    """The folder that a module lies in: `app.api.web.gate` lies in `app.api.web`."""
    return name if files[name].name == "__init__.py" else name.rpartition(".")[0]


def between_packages(graph: Graph, files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Imports of one folder from another."""
    found: dict[str, set[str]] = {}
    for name, imported in graph.items():
        package = package_of(name, files)
        others = {package_of(other, files) for other in imported}
        found.setdefault(package, set()).update(others - {package})
    return found


def circle(graph: Graph) -> list[str]:
    """One circle of the graph, from a node back to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def arrows_up(graph: Graph) -> list[str]:
    """Imports from a floor of a floor above it, or of the other folder on its own floor."""
    height = {name: depth for depth, floor in enumerate(FLOORS) for name in floor}
    return [
        f"{name} imports {other}"
        for name, imported in graph.items()
        for other in imported
        if _floor(name) in height
        and _floor(other) != _floor(name)
        and height.get(_floor(other), -1) <= height[_floor(name)]
    ]


def _floor(name: str) -> str:
    return ".".join(name.split(".")[1:2])
