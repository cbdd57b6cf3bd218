"""A client of the last release is not broken in silence."""

import copy
from pathlib import Path

import orjson
import pytest

from app.api.contract import document
from app.api.contract.breaking import breaks, may_break, outline
from tests.contract.test_document import APP, DOCUMENT

CHANGE = "EndpointChange"


def changed(work):
    after = copy.deepcopy(DOCUMENT)
    work(after)
    return breaks(DOCUMENT, after)


def of(after, path="/v1/webhook-endpoints", method="post"):
    return after["paths"][path][method]


BREAKS = [
    lambda d: d["paths"].pop("/oauth/token"),
    lambda d: d["paths"]["/v1/webhook-endpoints"].pop("post"),
    lambda d: of(d, "/fhir/Task", "get")["parameters"].pop(0),
    lambda d: of(d, "/fhir/Task", "get")["parameters"][0].update(required=True),
    lambda d: of(d)["parameters"].append({"name": "x", "in": "query", "required": True}),
    lambda d: of(d)["requestBody"]["content"].pop("application/json"),
    lambda d: of(d)["responses"].pop("201"),
    lambda d: d["components"]["schemas"]["Endpoint"]["properties"].pop("url"),
    lambda d: d["components"]["schemas"]["NewEndpoint"]["required"].append("plans"),
    lambda d: d["components"]["schemas"].pop("EventType"),
    lambda d: d["components"]["schemas"][CHANGE]["properties"]["payload"]["enum"].pop(),
    lambda d: d["components"]["schemas"][CHANGE]["properties"]["plans"].update(type="string"),
]


@pytest.mark.parametrize("work", BREAKS)
def test_a_break_is_seen_once(work):
    assert len(changed(work)) == 1


def test_what_is_added_or_said_better_breaks_nobody():
    def more(d):
        d["paths"]["/v1/new"] = {"get": {"responses": {}}}
        d["components"]["schemas"][CHANGE]["properties"]["more"] = {"type": "string"}
        of(d)["description"] = "Better words."

    assert changed(more) == []
    assert breaks(outline(DOCUMENT), DOCUMENT) == []


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "0.10.0", True),
        ("1.4.0", "1.5.0", False),
        ("1.4.0", "2.0.0", True),
        ("0.2.0", "0.1.0", False),
    ],
)
def test_a_version_that_moves_far_enough_may_break(before, after, may):
    assert may_break(before, after) is may


def test_the_check_refuses_it(tmp_path, monkeypatch, capsys):
    kept = orjson.loads(Path("openapi/released/0.1.0.json").read_bytes())
    kept["paths"]["/v1/gone"] = {"get": {"responses": {}}}
    (tmp_path / "0.1.0.json").write_bytes(orjson.dumps(kept))
    monkeypatch.setattr(document, "RELEASED", tmp_path)
    monkeypatch.setattr(document, "VERSION", "0.1.9")
    assert document.main(APP, check=True) == 1
    assert "GET /v1/gone is gone" in capsys.readouterr().err
    monkeypatch.setattr(document, "VERSION", "0.2.0")
    assert document.main(APP, check=True) == 0
