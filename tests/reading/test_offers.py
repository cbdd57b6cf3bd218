"""Offers are found by a county however it is written, and by whether they have room now."""

import pytest
from sqlalchemy import update

from app.store.tables.directory import offer
from tests.postgres import run
from tests.reading.scene import HOSPITAL, STAFF, link, load

OFFER = "offer-tidepool-ecm"
COUNTY = "https://nowrongdoor.example/fhir/sid/county"
WRITTEN = [
    "san_mateo",
    "San Mateo",
    "SAN MATEO",
    "san-mateo",
    " San  Mateo ",
    "San Mateo County",
    "san_mateo_county",
    "Sàn Matéo",
    "Sa\u0300n Mate\u0301o",
    f"{COUNTY}|San Mateo",
    "San Mateo,Merced",
]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", ["county", "coverage-area:identifier"])
async def test_a_county_is_found_however_it_is_written(world, name, written):
    await load(world.database)
    asked = {"service": "ECM", "plan": "HPSM", "_sort": "_id"}
    by_code = await world.ids(HOSPITAL, "HealthcareService", {**asked, "county": "san_mateo"})
    assert OFFER in by_code
    assert await world.ids(HOSPITAL, "HealthcareService", {**asked, name: written}) == by_code


@pytest.mark.parametrize(
    "asked",
    [
        {"county": "San Joaquin"},
        {"county": "Mateo"},
        {"county": "urn:other|San Mateo"},
        {"county": "|San Mateo"},
        {"county:not": "San Mateo"},
        {"county:missing": "true"},
        {"coverage-area:identifier": "Alameda"},
    ],
    ids=str,
)
async def test_another_county_does_not_find_it(world, asked):
    await load(world.database)
    assert OFFER not in await world.ids(HOSPITAL, "HealthcareService", {"_id": OFFER, **asked})


@pytest.mark.parametrize("asked", [f"{COUNTY}|", "San Mateo"])
async def test_any_county_of_ours(world, asked):
    await load(world.database)
    found = await world.ids(HOSPITAL, "HealthcareService", {"_id": OFFER, "county": asked})
    assert found == [OFFER]


async def test_a_word_that_is_no_county_is_pointed_out(world):
    await load(world.database)
    bundle = (await world.get(HOSPITAL, "HealthcareService", {"county": "Atlantis"})).json()
    [only] = bundle["entry"]
    [issue] = only["resource"]["issue"]
    assert (issue["code"], "`county`" in issue["diagnostics"]) == ("code-invalid", True)


async def test_an_offer_that_names_its_county_in_words_is_found_by_its_code(world):
    await load(world.database)
    mine = (await world.get(STAFF, f"HealthcareService/{OFFER}")).json()
    mine["coverageArea"] = [{"display": "San Mateo County"}]
    written = await world.send(STAFF, "PUT", f"HealthcareService/{OFFER}", mine, If_Match="*")
    assert written.status_code == 200, written.text
    for asked in ({"county": "san_mateo"}, {"county:missing": "false"}):
        found = await world.ids(HOSPITAL, "HealthcareService", {"_id": OFFER, **asked})
        assert found == [OFFER]


#: What the offer's row says → whether it has room (spec.md 5).
ROOM = [
    ({}, True),
    ({"places": 12, "taken_outside": 11, "taken": 0}, True),
    ({"places": 12, "taken_outside": 11, "taken": 1}, False),
    ({"places": 12, "taken_outside": 12, "taken": 0}, False),
    ({"places": 1, "taken_outside": 2, "taken": 0}, False),
    ({"places": 0, "taken_outside": 0, "taken": 0}, False),
    ({"capacity_status": "additional-assessment-required"}, True),
    ({"capacity_status": "no-capacity"}, False),
    ({"capacity_status": "waitlist"}, False),
    ({"active": False}, False),
]


@pytest.mark.parametrize(("row", "room"), ROOM, ids=str)
async def test_who_has_room_now(world, row, room):
    await load(world.database)
    if row:
        async with world.database.begin() as connection:
            await run(connection, update(offer).where(offer.c.id == OFFER).values(**row))
    for asked, found in (
        ({"has-room": "true"}, room),
        ({"has-room": "false"}, not room),
        ({"has-room:not": "true"}, not room),
        ({"has-room": "true,false"}, True),
        ({"has-room": "perhaps"}, False),
        ({"has-room": "urn:other|true"}, False),
    ):
        ids = await world.ids(HOSPITAL, "HealthcareService", {"_id": OFFER, **asked})
        assert (ids == [OFFER]) is found, asked


async def test_pages_of_those_with_room(world):
    await load(world.database)
    asked = {"has-room": "true", "county": "San Mateo", "_count": "1"}
    first = (await world.get(HOSPITAL, "HealthcareService", asked)).json()
    following = link(first, "next").split("/fhir/", 1)[1]
    second = (await world.get(HOSPITAL, following)).json()
    ids = [entry["resource"]["id"] for bundle in (first, second) for entry in bundle["entry"]]
    assert len(set(ids)) == 2
