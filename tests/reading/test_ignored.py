"""What a search does not take is passed over with a word that names it, or refused when strict."""

import pytest

from tests.reading.scene import HOSPITAL, link, matches

STRICT = {"Prefer": "handling=strict"}
#: Type, what is asked, the parameter that is passed over.
PASSED_OVER = [
    ("ServiceRequest", "status=", "status"),
    ("ServiceRequest", "identifier=&patient=patient-1", "identifier"),
    ("ServiceRequest", "identifier=%20%20", "identifier"),
    ("ServiceRequest", "patient:identifier=", "patient:identifier"),
    ("ServiceRequest", "code:missing=", "code:missing"),
    ("ServiceRequest", "authored=", "authored"),
    ("ServiceRequest", "_id=", "_id"),
    ("ServiceRequest", "_lastUpdated=", "_lastUpdated"),
    ("ServiceRequest", "_count=", "_count"),
    ("ServiceRequest", "_total=", "_total"),
    ("ServiceRequest", "_include=", "_include"),
    ("ServiceRequest", "_sort=", "_sort"),
    ("ServiceRequest", "_sort=authored", "_sort"),
    ("ServiceRequest", "_sort=-_id", "_sort"),
    ("Task", "_sort=_lastUpdated,status", "_sort"),
    ("Task", "flavour=x", "flavour"),
    ("Task", "flavour=", "flavour"),
    ("Task", "flavour:exact=x", "flavour:exact"),
    ("Task", "_has:Task:focus:status=x", "_has:Task:focus:status"),
    ("Task", "_include=Task:flavour", "_include"),
    ("Task", "_include=ServiceRequest:patient", "_include"),
    ("Task", "_include=*", "_include"),
    ("Task", "_include=Task", "_include"),
    ("Consent", "_include=Consent:patient", "_include"),
    ("Patient", "name=", "name"),
    ("HealthcareService", "county=", "county"),
]


def told(bundle):
    """The issues of the one OperationOutcome of a searchset."""
    [entry] = [one for one in bundle["entry"] if one["search"]["mode"] == "outcome"]
    assert entry["resource"]["resourceType"] == "OperationOutcome"
    return entry["resource"]["issue"]


@pytest.mark.parametrize(("kind", "asked", "name"), PASSED_OVER, ids=str)
async def test_it_is_ignored_with_a_warning_that_names_it_and_refused_when_strict(
    world, kind, asked, name
):
    referral = await world.refer()
    bundle = (await world.get(HOSPITAL, f"{kind}?{asked}")).json()
    [issue] = told(bundle)
    assert issue["severity"] == "warning"
    assert f"`{name}`" in issue["diagnostics"]
    assert name not in link(bundle, "self")
    if kind in ("ServiceRequest", "Task"):
        assert referral in matches(bundle)
    strict = await world.get(HOSPITAL, f"{kind}?{asked}", **STRICT)
    assert strict.status_code == 400
    [issue] = strict.json()["issue"]
    assert (issue["severity"], f"`{name}`" in issue["diagnostics"]) == ("error", True)


async def test_a_form_is_read_as_a_query_is(world):
    referral = await world.refer()
    answer = await world.client.post(
        "/fhir/ServiceRequest/_search",
        content="status=&identifier=R-1&_sort=authored",
        headers=world.headers(HOSPITAL, Content_Type="application/x-www-form-urlencoded"),
    )
    assert matches(answer.json()) == [referral]
    assert len(told(answer.json())) == 2


async def test_the_one_that_has_a_value_is_used(world):
    referral = await world.refer()
    asked = "identifier=&identifier=R-1&_count=&_count=1"
    bundle = (await world.get(HOSPITAL, f"ServiceRequest?{asked}")).json()
    assert matches(bundle) == [referral]
    assert link(bundle, "self").endswith("?identifier=R-1&_count=1")


async def test_a_long_name_is_cut(world):
    bundle = (await world.get(HOSPITAL, f"Task?{'x' * 5000}=1")).json()
    assert len(told(bundle)[0]["diagnostics"]) < 200


@pytest.mark.parametrize("name", ["_cursor", "_elements", "_summary"])
async def test_what_would_show_more_than_was_asked_for_is_never_ignored(world, name):
    """Whoever lost a link's cursor would read the first page again."""
    assert (await world.get(HOSPITAL, f"Task?{name}=")).status_code == 400


async def test_names_of_more_elements_than_any_type_has_are_refused(world):
    asked = "Task?_elements=" + ",".join(f"e{number}" for number in range(101))
    answer = await world.get(HOSPITAL, asked)
    assert answer.status_code == 400
    assert "up to 100 names" in answer.text
