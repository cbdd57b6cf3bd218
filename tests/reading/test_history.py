"""A history is read a page at a time, since a moment, and as it was at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from app.store.tables.referral import resource_set
from tests.postgres import run
from tests.reading.scene import HOSPITAL, PROVIDER, START, STRANGER, link, stored

STRICT = {"Prefer": "handling=strict"}


async def written(world, versions=7, size=0):
    """A referral with as many versions, one a minute from 10:00 in California on."""
    referral = await world.refer(number=None)
    for number in range(3, versions + 1):
        await write(world, referral, number, size)
    return referral


async def write(world, referral, number, size=0):
    at = START + timedelta(minutes=number - 1)
    body = {
        "resourceType": "ServiceRequest",
        "id": referral,
        "meta": {"versionId": str(number)},
        "note": [{"text": "x" * size}],
    }
    values = stored("HPSM", referral, body, at)
    async with world.database.begin() as connection:
        await run(connection, insert(resource_set).values(**values))


def numbers(bundle):
    return [int(entry["resource"]["meta"]["versionId"]) for entry in bundle.get("entry", ())]


async def read(world, referral, asked="", caller=HOSPITAL, **headers):
    path = f"ServiceRequest/{referral}/_history"
    return await world.get(caller, f"{path}?{asked}" if asked else path, **headers)


async def pages(world, referral, asked):
    """The versions of every page, by its next links, and what each says there is in all."""
    found, totals, path = [], set(), f"ServiceRequest/{referral}/_history?{asked}"
    while path:
        bundle = (await world.get(HOSPITAL, path)).json()
        found.append(numbers(bundle))
        totals.add(bundle["total"])
        following = link(bundle, "next")
        path = following and following.split("/fhir/", 1)[1]
    return found, totals


#: START is 18:00 in UTC; versions 1 and 2 are a second apart, 3 to 7 at 18:02 to 18:06.
ASKED = [
    ("", [7, 6, 5, 4, 3, 2, 1]),
    ("_since=2026-11-20T18:02:00Z", [7, 6, 5, 4, 3]),
    ("_since=2026-11-20T18:02:00.001Z", [7, 6, 5, 4]),
    ("_since=2026-11-20T10:04:00-08:00", [7, 6, 5]),
    ("_since=2026-11-20T19:04:00%2B01:00", [7, 6, 5]),
    ("_since=2026-11-20T19:04:00+01:00", [7, 6, 5]),
    ("_since=2026-11-20T10:04", [7, 6, 5]),
    ("_since=2026-11-20", [7, 6, 5, 4, 3, 2, 1]),
    ("_since=2026-11-21", []),
    ("_since=2026", [7, 6, 5, 4, 3, 2, 1]),
    ("_since=2027", []),
    ("_since=9999", []),
    ("_at=2026-11-20T18:00:00Z", [1]),
    ("_at=2026-11-20T18:02:00Z", [3]),
    ("_at=2026-11-20T18:01:59Z", [2]),
    ("_at=2026-11-20T18:02", [7]),
    ("_at=2026-11-20T18:02Z", [3]),
    ("_at=2026-11-20T10:00", [2, 1]),
    ("_at=2026-11-20", [7, 6, 5, 4, 3, 2, 1]),
    ("_at=2026-11-19", []),
    ("_at=2026-11-21", [7]),
    ("_at=2030", [7]),
    ("_at=2020", []),
    ("_at=2026-11-20T18:00:00Z&_since=2026-11-20T18:02:00Z", []),
    ("_since=2026-11-20T18:02:00Z&_count=2", [7, 6]),
    ("_format=json&_pretty=true", [7, 6, 5, 4, 3, 2, 1]),
    ("_since=&_count=", [7, 6, 5, 4, 3, 2, 1]),
    ("flavour=x", [7, 6, 5, 4, 3, 2, 1]),
]


@pytest.mark.parametrize(("asked", "found"), ASKED, ids=[asked for asked, _ in ASKED])
async def test_as_much_of_a_history_as_is_asked_for(world, asked, found):
    referral = await written(world)
    answer = await read(world, referral, asked)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["type"], numbers(answer.json())) == ("history", found)


@pytest.mark.parametrize(
    ("asked", "whole", "total"),
    [
        ("_count=3", [[7, 6, 5], [4, 3, 2], [1]], 7),
        ("_count=7", [[7, 6, 5, 4, 3, 2, 1]], 7),
        ("_count=1&_since=2026-11-20T18:05:00Z", [[7], [6]], 2),
        ("_count=2&_at=2026-11-20T10:00", [[2, 1]], 2),
        ("_count=0", [[]], 7),
        ("_count=0&_since=2026-11-20T18:05:00Z", [[]], 2),
    ],
)
async def test_its_pages_hold_every_version_once(world, asked, whole, total):
    referral = await written(world)
    assert await pages(world, referral, asked) == (whole, {total})


async def test_a_page_is_bounded_in_bytes(world):
    """Versions of 2 MB: two on a page, though five were asked for; the small ones go together."""
    referral = await written(world, size=2_000_000)
    found, totals = await pages(world, referral, "_count=5")
    assert found == [[7, 6], [5, 4], [3, 2, 1]]
    assert totals == {7}


async def test_a_version_larger_than_a_page_is_shown(world):
    referral = await written(world, versions=4, size=5_100_000)
    found, _ = await pages(world, referral, "")
    assert found == [[4], [3], [2, 1]]


async def test_a_version_that_is_written_meanwhile_moves_no_page(world):
    referral = await written(world)
    first = (await read(world, referral, "_count=3")).json()
    await write(world, referral, 8)
    following = link(first, "next").split("/fhir/", 1)[1]
    assert numbers((await world.get(HOSPITAL, following)).json()) == [4, 3, 2]


BAD = [
    "_count=-1", "_count=x", "_count=1.5", "_count=%C2%B2", "_count=10000000000",
    "_count=1&_count=2", "_since=yesterday", "_since=2026-13", "_since=2026-02-30",
    "_since=ge2026", "_since=2026-11-20T25:00:00Z", "_since=0000", "_since=2026&_since=2027",
    "_since=%00", "_since=%ff", "_at=now", "_at=2026-1", "_at=2026-11-20T18:00:00Z&_at=2026",
    "_at=lt2026", "_cursor=", "_cursor=x", "_cursor=" + "A" * 60,
]  # fmt: skip


@pytest.mark.parametrize("asked", BAD)
async def test_what_cannot_be_read_is_a_fault(world, asked):
    referral = await written(world, versions=3)
    answer = await read(world, referral, asked)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
    assert "yesterday" not in answer.text


@pytest.mark.parametrize("asked", ["flavour=x", "_since=", "_sort=_lastUpdated", "_count="])
async def test_what_is_unknown_or_empty_is_refused_when_strict(world, asked):
    referral = await written(world, versions=3)
    answer = await read(world, referral, asked, **STRICT)
    assert answer.status_code == 400
    assert f"`{asked.partition('=')[0]}`" in answer.json()["issue"][0]["diagnostics"]


async def test_a_cursor_is_good_for_its_caller_history_and_question_alone(world):
    referral, other = await written(world), await written(world)
    first = (await read(world, referral, "_count=3")).json()
    following = link(first, "next").split("/fhir/", 1)[1]
    for caller, path in (
        (PROVIDER, following),
        (STRANGER, following),
        (HOSPITAL, following.replace(referral, other)),
        (HOSPITAL, following.replace("_count=3", "_count=2")),
        (HOSPITAL, following.replace(f"/{referral}/_history", "")),
    ):
        assert (await world.get(caller, path)).status_code == 400


@pytest.mark.parametrize("asked", ["", "_count=0", "_since=2027", "_at=2020"])
async def test_what_is_not_to_be_seen_has_no_history(world, asked):
    referral = await written(world, versions=3)
    assert (await read(world, referral, asked, caller=STRANGER)).status_code == 404
    assert (await read(world, "unknown", asked)).status_code == 404
