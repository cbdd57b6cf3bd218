"""What the plans' pages say, statement by statement: the catalog says it, and cites the line."""

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
import yaml

from app.api.deployment import deployment_of
from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.main import create_app
from app.model.caller import Caller
from app.policy.library import load_library
from tests.catalog.pages import PAGES, cited_parts, line_of, lines_in
from tests.deployed import start

LIBRARY = load_library()
STATEMENTS = yaml.safe_load(Path(__file__).with_name("statements.yaml").read_text("utf-8"))
ROWS = [(at, *row) for at, rows in STATEMENTS.items() for row in rows]
#: Lines that state nothing: links within the page, rulers, headings over the lines below them.
NOT_STATEMENTS = {
    *(("S000", n) for n in (9, 158, 159)),
    *(("S001", n) for n in (11, 51)),
    ("S002", 102),
    ("S003", 49),
    *(("S004", n) for n in (27, 127)),
}


@pytest.fixture(scope="module")
def catalog():
    """Every answer of the catalog about a plan, by `HPSJ`, `HPSJ/services`, `HPSJ/populations`."""

    async def ask_all():
        app = create_app(Settings(database_url="postgresql://nowhere/none"), clock=ServiceClock())
        start(app, library=LIBRARY)
        caller = Caller("anybody", "org-open-gate", None, frozenset())
        token = deployment_of(app).tokens.issue(caller, time.time())
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return {
                f"{plan}{part}": (
                    await http.get(
                        f"/v1/catalog/plans/{plan}{part}",
                        params={"on": "2024-03-04"},
                        headers=headers,
                    )
                ).json()
                for plan in LIBRARY.plans
                for part in ("", "/services", "/populations")
            }

    return asyncio.run(ask_all())


def test_there_are_many_statements():
    assert len(ROWS) >= 150


@pytest.mark.parametrize(("at", "line", "words", "said"), ROWS, ids=lambda value: str(value)[:40])
def test_a_statement_of_a_page_stands_in_the_catalog_with_its_line(catalog, at, line, words, said):
    page, _, number = line.partition(":L")
    here = (page, int(number))
    assert words in line_of(*here)
    parts = [part for part, citation in cited_parts(catalog[at]) if here in lines_in(citation)]
    assert any(said in json.dumps(part, ensure_ascii=False).replace('\\"', '"') for part in parts)


def test_every_line_of_every_page_is_cited_by_the_catalog_of_its_plan(catalog):
    of = {"S000": "HPSJ", "S001": "HPSJ", "S002": "GEN002", "S003": "HPSM", "S004": "CCAH"}
    cited = {
        here
        for at, answer in catalog.items()
        for _, citation in cited_parts(answer)
        for here in lines_in(citation)
        if of[here[0]] == at.partition("/")[0]
    }
    stated = {
        (p, n) for p, lines in PAGES.items() for n, words in enumerate(lines, 1) if words.strip()
    }
    assert sorted(stated - cited - NOT_STATEMENTS) == []


def test_every_quote_stands_on_the_lines_that_it_is_quoted_from(catalog):
    wrong = []
    stack = list(catalog.values())
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack += node.values()
            quote, citation = node.get("quote"), node.get("citation")
            lines = " ".join(line_of(*here) for here in sorted(lines_in(citation)))
            if quote and lines and quote not in lines:
                wrong.append((citation, quote))
        elif isinstance(node, list):
            stack += node
    assert wrong == []
