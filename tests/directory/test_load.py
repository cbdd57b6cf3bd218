"""Network and roster files: loaded twice, out of order, with faults."""

import random

import orjson
import pytest

from app.policy.stored_form import roster_from_json
from app.store.directory.load import LoadRefused, Order, load_resources
from app.store.directory.record import DirectoryRefused
from tests.reading.scene import DATA, START, load
from tests.rosters import read_files


async def rows(database, sql, *values):
    async with database.begin() as connection:
        return await connection.fetch(sql, *values)


async def test_the_demonstration_is_loaded_once_and_the_second_time_nothing_changes(database):
    first = await load(database)
    assert first.created == {
        "Organization": 18,
        "HealthcareService": 39,
        "Patient": 25,
        "Coverage": 25,
        "QuestionnaireResponse": 11,
    }
    second = await load(database)
    assert second.written == 0
    assert sum(second.unchanged.values()) == 118
    assert await rows(database, "SELECT max(version) FROM directory_version") == [(1,)]


async def test_lines_may_stand_in_any_order(database):
    resources = read_files(DATA / "roster.ndjson", DATA / "network.ndjson")
    random.Random(7).shuffle(resources)
    async with database.begin() as connection:
        counts = await load_resources(connection, resources, START)
    assert counts.written == 118


async def test_a_member_is_one_row_with_all_that_the_roster_states(database):
    await load(database)
    [(facts,)] = await rows(database, "SELECT facts FROM member WHERE cin = $1", "9000012XA")
    member = roster_from_json(orjson.loads(facts))
    assert (member.cin, member.plan) == ("9000012XA", "HPSJ")
    assert member.stated.values["current_authorizations"].value == frozenset({"HTNS"})
    assert member.stated.values["county"].value == "san_joaquin"
    assert [terms.plan for terms in member.coverages] == ["HPSJ"]


async def test_a_coverage_loaded_later_joins_the_member(database):
    await load(database)
    later = {
        "resourceType": "Coverage",
        "id": "coverage-06-new",
        "status": "active",
        "beneficiary": {"reference": "Patient/member-06"},
        "payor": [{"reference": "Organization/plan-hpsm"}],
    }
    async with database.begin() as connection:
        await load_resources(connection, [later], START)
    [(facts, version)] = await rows(
        database, "SELECT facts, version FROM member WHERE cin = $1", "9000006XA"
    )
    member = roster_from_json(orjson.loads(facts))
    assert [terms.plan for terms in member.coverages] == ["HPSM", "HPSM"]
    assert version == 2


async def test_a_coverage_that_becomes_anothers_leaves_the_first_member(database):
    await load(database)
    [coverage] = [one for one in read_files(DATA / "roster.ndjson") if one["id"] == "coverage-01"]
    [patient] = [one for one in read_files(DATA / "roster.ndjson") if one["id"] == "member-01"]
    coverage["beneficiary"] = {"reference": "Patient/new"}
    patient |= {"id": "new", "identifier": [CIN[0] | {"value": "9000098XA"}]}
    async with database.begin() as connection:
        await load_resources(connection, [coverage, patient], START)
    found = await rows(
        database,
        "SELECT id, json_array_length(facts::json -> 'coverages') FROM member"
        " WHERE id IN ('member-01', 'new') ORDER BY 1",
    )
    assert found == [("member-01", 0), ("new", 1)]


async def test_loading_again_keeps_the_places_that_approvals_hold(database):
    await load(database)
    async with database.begin() as connection:
        await connection.execute("UPDATE offer SET taken = 3 WHERE id = 'offer-tidepool-ecm'")
    [stated] = [
        one for one in read_files(DATA / "network.ndjson") if one["id"] == "offer-tidepool-ecm"
    ]
    stated["extension"][0]["extension"][0]["valueInteger"] = 50
    async with database.begin() as connection:
        counts = await load_resources(connection, [stated], START)
    assert counts.updated == {"HealthcareService": 1}
    sql = "SELECT places, taken_outside, taken, version FROM offer WHERE id = 'offer-tidepool-ecm'"
    assert await rows(database, sql) == [(50, 12, 3, 2)]


def offer(**changes):
    made = {
        "resourceType": "HealthcareService",
        "id": "o",
        "providedBy": {"reference": "Organization/org-tidepool"},
        "type": [
            {
                "coding": [
                    {
                        "system": "https://nowrongdoor.example/fhir/CodeSystem/calaim-service",
                        "code": "ECM",
                    }
                ]
            }
        ],
        "program": [
            {
                "coding": [
                    {"system": "https://nowrongdoor.example/fhir/CodeSystem/plan", "code": "HPSM"}
                ]
            }
        ],
        "extension": [
            {
                "url": "https://nowrongdoor.example/fhir/StructureDefinition/capacity",
                "extension": [{"url": "places", "valueInteger": 3}],
            }
        ],
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


CAPACITY = "https://nowrongdoor.example/fhir/StructureDefinition/capacity"
PATIENT = {"resourceType": "Patient", "id": "p"}
CIN = [{"system": "https://nowrongdoor.example/fhir/sid/cin", "value": "9000001XA"}]
MANAGED = {"identifier": {"system": "https://nowrongdoor.example/fhir/sid/plan", "value": "HPSM"}}
REFUSED = [
    (offer(type=None), "HealthcareService.type"),
    (offer(program=None), "HealthcareService.program"),
    (offer(providedBy=None), "HealthcareService.providedBy"),
    (offer(providedBy={"reference": "Organization/nobody"}), "HealthcareService.providedBy"),
    (offer(extension=None), f"HealthcareService.extension('{CAPACITY}')"),
    (offer(coverageArea=[{"display": "Atlantis"}]), "HealthcareService.coverageArea[0]"),
    (PATIENT | {"identifier": CIN}, "Patient.managingOrganization"),
    (PATIENT | {"managingOrganization": MANAGED}, "Patient.identifier"),
    (PATIENT | {"managingOrganization": MANAGED, "identifier": CIN}, "Patient.identifier"),
    (
        {
            "resourceType": "Coverage",
            "id": "c",
            "status": "active",
            "beneficiary": {"reference": "Patient/nobody"},
            "payor": [MANAGED],
        },
        "Coverage.beneficiary",
    ),
    (
        {
            "resourceType": "Coverage",
            "id": "c",
            "status": "active",
            "beneficiary": {"reference": "Patient/member-10"},
            "payor": [MANAGED],
        },
        "Coverage.payor",
    ),
    (
        {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed"},
        "QuestionnaireResponse.subject",
    ),
]


@pytest.mark.parametrize(("resource", "expression"), REFUSED, ids=[e for _, e in REFUSED])
async def test_what_cannot_be_placed_is_refused_and_nothing_is_written(
    database, resource, expression
):
    await load(database)
    before = await rows(database, "SELECT count(*) FROM directory_version")
    organization = {"resourceType": "Organization", "id": "new", "name": "New"}
    with pytest.raises(DirectoryRefused) as refused:
        async with database.begin() as connection:
            await load_resources(connection, [organization, resource], START)
    assert [fault.expression for _, fault in refused.value.faults] == [expression]
    assert await rows(database, "SELECT count(*) FROM directory_version") == before


def test_every_fault_of_a_file_is_told_with_its_line_and_no_value(tmp_path):
    file = tmp_path / "bad.ndjson"
    file.write_text(
        '{"resourceType": "Patient", "id": "secret-1", "birthDate": 7}\n'
        "\n"
        "{not json\n"
        '{"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}\n'
        '{"resourceType": "Organization", "name": "No id"}\n'
        '{"resourceType": "Organization", "id": "twice", "name": "A"}\n'
        '{"resourceType": "Organization", "id": "twice", "name": "A"}\n'
    )
    with Order([file, tmp_path / "missing.ndjson"]) as order, pytest.raises(LoadRefused) as refused:
        order.read()
    told = refused.value.faults
    places = [fault.split(": ")[0].rpartition(":")[2] for fault in told[:-1]]
    assert places == ["1", "3", "4", "5", "7"]
    assert "missing.ndjson" in told[-1]
    assert "secret" not in "".join(told)
    assert "No id" not in "".join(told)
