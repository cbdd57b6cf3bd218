"""One resource: its versions, its headers, its history."""

import pytest

from tests.reading.scene import HOSPITAL


async def test_a_read_gives_the_current_version_with_its_headers(world):
    referral_id = await world.refer()
    answer = await world.get(HOSPITAL, f"ServiceRequest/{referral_id}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"2"'
    assert answer.headers["last-modified"] == "Fri, 20 Nov 2026 18:00:01 GMT"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert answer.json()["meta"]["versionId"] == "2"


@pytest.mark.parametrize(
    ("header", "status"),
    [('W/"2"', 304), ('"2"', 304), ('W/"1", W/"2"', 304), ("*", 304), ('W/"1"', 200), ("x", 200)],
)
async def test_what_the_client_has_is_not_sent_again(world, header, status):
    referral_id = await world.refer()
    answer = await world.get(HOSPITAL, f"ServiceRequest/{referral_id}", If_None_Match=header)
    assert answer.status_code == status
    assert answer.headers["etag"] == 'W/"2"'


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("1", 200),
        ("2", 200),
        ("3", 404),
        ("0", 404),
        ("-1", 404),
        ("x", 404),
        ("9" * 30, 404),
        ("²", 404),
    ],
)
async def test_a_version_is_read_by_its_number(world, version, status):
    referral_id = await world.refer()
    answer = await world.get(HOSPITAL, f"ServiceRequest/{referral_id}/_history/{version}")
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["etag"] == f'W/"{version}"'


async def test_the_history_is_every_version_newest_first(world):
    referral_id = await world.refer()
    bundle = (await world.get(HOSPITAL, f"ServiceRequest/{referral_id}/_history")).json()
    assert (bundle["type"], bundle["total"]) == ("history", 2)
    assert [entry["response"]["etag"] for entry in bundle["entry"]] == ['W/"2"', 'W/"1"']
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT", "POST"]
    assert bundle["entry"][1]["resource"]["meta"]["versionId"] == "1"
