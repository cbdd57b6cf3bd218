"""What README, CONTRIBUTING, docs/ and deploy/ tell to type, or to open, is there."""

import re
import shlex
from pathlib import Path

import pytest

from app.__main__ import _parser

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").iterdir()),
]
#: The plan of docs/policy.md is written by whoever reads that page.
FOLDERS = r"(?!app/policy/files/LHP)(?:app|tests|docs|deploy|migrations|openapi|bench|\.ci)"
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def said(pattern):
    """Every match in every document, as a parameter with a readable id."""
    return [
        pytest.param(path, found, id=f"{path.name}: {found}")
        for path in DOCUMENTS
        for found in dict.fromkeys(re.findall(pattern, path.read_text("utf-8"), re.MULTILINE))
    ]


@pytest.mark.parametrize(("path", "command"), said(r"python -m app ([^`#\n]+)"))
def test_a_command_can_be_typed_as_it_stands(path, command):
    given = shlex.split(re.split(r"[`.,;:)](?: |$)", command)[0])
    assert _parser().parse_args(given).command, path


@pytest.mark.parametrize(("path", "target"), said(r"(?:^|[`(])make ([a-z][a-z0-9-]*)"))
def test_make_knows_the_target(path, target):
    assert target in TARGETS


@pytest.mark.parametrize(("path", "named"), said(rf"`({FOLDERS}/[\w./-]+)`"))
def test_a_file_that_is_named_exists(path, named):
    assert (ROOT / named).exists()


@pytest.mark.parametrize(("path", "link"), said(r"\]\(((?!http)[^)#]+)"))
def test_a_link_leads_somewhere(path, link):
    assert (path.parent / link).exists()


@pytest.mark.parametrize(("name", "lines"), [("README.md", 75), ("CONTRIBUTING.md", 60)])
def test_the_first_pages_stay_short(name, lines):
    assert len((ROOT / name).read_text("utf-8").splitlines()) <= lines
