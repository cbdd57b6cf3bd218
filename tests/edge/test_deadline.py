"""Reading the facts of a large body ends when heavy work has taken too long."""

from datetime import date

import pytest

from app.base import heavy_work
from app.base.errors import Refusal
from app.fhir.facts import read_facts
from tests.edge.worst import WORST


@pytest.mark.parametrize("name", ["conditions", "encounters", "observations", "visits and stays"])
def test_facts_are_not_read_for_ever(monkeypatch, name):
    request = WORST[name](20)
    assert read_facts(request, (), date(2026, 11, 20))
    monkeypatch.setattr(heavy_work._deadline, "at", 0.0, raising=False)
    with pytest.raises(Refusal) as refused:
        read_facts(request, (), date(2026, 11, 20))
    assert refused.value.issues[0].code == "too-costly"
