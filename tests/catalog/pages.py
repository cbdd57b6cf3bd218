"""The plans' pages (tests/seeds), and what of the catalog cites which of their lines."""

import re
from pathlib import Path

SEEDS = Path(__file__).parents[1] / "seeds"
PAGES = {f"S{file.name[:3]}": file.read_text("utf-8").split("\n") for file in SEEDS.glob("0*.txt")}
_CITED = re.compile(r"(S00\d):((?:L?\d+(?:-\d+)?,?)+)")


def line_of(page, number):
    """The words of one line of a page, counted from 1."""
    return PAGES[page][number - 1].replace("\xa0", " ").strip()


def lines_in(citation):
    """Every line that a citation names: `S000:L13,L15-16` → three pairs of page and number."""
    found = set()
    for page, ranges in _CITED.findall(citation or ""):
        for part in ranges.strip(",").split(","):
            first, _, last = part.replace("L", "").partition("-")
            found |= {(page, number) for number in range(int(first), int(last or first) + 1)}
    return found


def cited_parts(tree):
    """Every object of an answer that says where it comes from, with its citation."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key in ("source", "description_source", "clocks_source"):
                if isinstance(node.get(key), dict):
                    yield node, node[key]["citation"]
            if isinstance(node.get("citation"), str) and "quote" not in node:
                yield node, node["citation"]
            stack += node.values()
        elif isinstance(node, list):
            stack += node
