"""A fictional plan in one YAML file, taken from the documentation, is decided by its rules."""

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from app.policy.check import check_policies
from app.policy.engine import evaluate
from app.policy.library import FILES, load_library
from app.policy.model import DeterminationOutcome, EligibilityQuestion, Fact, Facts
from app.views.catalog import show
from app.views.forms.form import build_forms
from tests.policies.vectors import span
from tests.rules.policy.asking import all_no, facts, visits

DOCUMENT = Path(__file__).parents[2] / "docs" / "policy.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)
ON = date(2023, 8, 1)
FOUR = visits("2022-10-02", "2022-12-24", "2023-03-05", "2023-07-20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped files, the plan of the document, and the later files that it tells of."""
    path = tmp_path_factory.mktemp("policies") / "files"
    shutil.copytree(FILES, path)
    plan, later = BLOCKS
    (path / "LHP").mkdir()
    (path / "LHP" / "2022-01-01.yaml").write_text(plan)
    before = "2022-01-01"
    for start in sorted(file.stem for file in (FILES / "DHCS").glob("*.yaml")):
        if start > "2022-01-01":
            text = later.replace("LHP/2022-01-01", f"LHP/{before}")
            text = text.replace("DHCS/2023-01-01", f"DHCS/{start}")
            (path / "LHP" / f"{start}.yaml").write_text(text)
            before = start
    return path


@pytest.fixture(scope="module")
def library(folder):
    return load_library(folder)


def ask(library, service="ECM", county="marin", birth="1980-01-01", events=(), on=ON, **stated):
    known = facts(stated, birth, events, complete=True)
    covered = {"coverage_active": Fact(value=True, source="Coverage")}
    known = Facts({**known.values, **covered}, known.events, known.events_complete, known.birth)
    return evaluate(library, EligibilityQuestion("LHP", service, on, county, (), known))


def test_the_document_holds_no_fault(folder):
    assert check_policies(folder) == []


def test_four_visits_in_a_year_are_enough_for_this_plan_and_three_are_not(library):
    said = ask(library, events=FOUR, **all_no())
    assert (said.outcome, said.populations) == (DeterminationOutcome.APPROVED, ("POF2",))
    assert said.policy == "LHP/2023-01-01"
    said = ask(library, events=FOUR[1:], **all_no())
    assert (said.outcome, {r.code for r in said.reasons}) == (
        DeterminationOutcome.DENIED,
        {"no-population"},
    )


@pytest.mark.parametrize(
    ("on", "outcome"),
    [
        (date(2023, 6, 30), DeterminationOutcome.DENIED),
        (date(2023, 7, 1), DeterminationOutcome.APPROVED),
    ],
)
def test_children_of_this_plan_are_live_from_their_date(library, on, outcome):
    two = visits("2022-12-24", "2023-03-05")
    assert ask(library, birth="2012-01-01", events=two, on=on, **all_no()).outcome is outcome


def test_a_support_is_decided_by_the_shared_criteria_where_it_is_offered(library):
    listed = {"nutrition_sensitive_conditions": ["diabetes"]}
    assert ask(library, "MTM", **listed).outcome is DeterminationOutcome.APPROVED
    said = ask(library, "MTM", "sonoma", **listed)
    assert (said.outcome, said.reasons[0].code) == (DeterminationOutcome.DENIED, "not-yet-live")
    assert ask(library, "RC", **listed).reasons[0].code == "not-offered"


def test_what_is_unknown_is_asked_for(library):
    said = evaluate(
        library, EligibilityQuestion("LHP", "ECM", ON, "marin", (), Facts(birth=span("1980-01-01")))
    )
    assert said.outcome is DeterminationOutcome.PENDING
    assert {"homeless", "utilization"} <= {m.fact for m in said.missing}


def test_catalog_and_forms_know_the_plan(library):
    policy = library.policy("LHP", ON)
    cells = {c.county: c.status for c in show.availability(policy, "MTM", None, ON)}
    assert cells == {"marin": "available", "sonoma": "announced"}
    assert show.plan_detail(policy, ON).contacts[0].hours
    found = show.populations(library, policy, "sonoma", ON).populations
    assert [population.code for population in found] == ["POF1A", "POF2"]
    assert build_forms(library)["ecm"].facts
