"""An NPI is one organization's, whoever writes it and however many write at once."""

import asyncio

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.fhir.directory import npis_of
from app.store.directory.load import load, load_resources
from app.store.directory.record import DirectoryRefused
from tests.directory.network import NPI, organization
from tests.reading.scene import OTHER_STAFF, STAFF, START
from tests.reading.scene import load as load_demonstration


def taken(answer):
    """A 409 that names the element, and the organization to use."""
    assert answer.status_code == 409, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "duplicate"
    assert issue["expression"] == ["Organization.identifier"]
    return issue["diagnostics"]


OLD = {"system": NPI, "value": "9000000111", "use": "old"}


@pytest.mark.parametrize(
    "npis",
    [
        ["9000000111"],
        [" 9000000111 "],
        ["9000000777", "9000000111"],
        [{"system": NPI, "value": "9000000111", "use": "secondary"}],
        [OLD],
    ],
    ids=str,
)
async def test_a_second_organization_with_an_npi_is_told_which_one_has_it(world, npis):
    await load_demonstration(world.database)
    for staff in (STAFF, OTHER_STAFF):
        made = await world.send(staff, "POST", "Organization", organization(None, *npis))
        assert "Organization/org-tidepool" in taken(made)
        put = await world.send(staff, "PUT", "Organization/o", organization("o", *npis))
        assert "Organization/org-tidepool" in taken(put)
    assert (await world.get(STAFF, "Organization/o")).status_code == 404
    search = {"identifier": f"{NPI}|9000000111"}
    assert await world.ids(STAFF, "Organization", search) == ["org-tidepool"]


@pytest.mark.parametrize("npis", [[], ["9000000777", OLD]], ids=["none", "one it no longer has"])
async def test_without_an_npi_of_somebody_elses_there_may_be_any_number(world, npis):
    await load_demonstration(world.database)
    for _ in range(2 if not npis else 1):
        made = await world.send(STAFF, "POST", "Organization", organization(None, *npis))
        assert made.status_code == 201, made.text


async def test_an_update_takes_no_npi_of_anothers_and_frees_its_own(world):
    first, second = organization("a", "9000000701"), organization("b", "9000000702")
    for one in (first, second):
        put = await world.send(STAFF, "PUT", f"Organization/{one['id']}", one)
        assert put.status_code == 201
    taken(await world.send(STAFF, "PUT", "Organization/b", organization("b", "9000000701")))
    moved = await world.send(STAFF, "PUT", "Organization/a", organization("a", "9000000703"))
    assert moved.status_code == 200, moved.text
    freed = await world.send(STAFF, "PUT", "Organization/b", organization("b", "9000000701"))
    assert freed.status_code == 200, freed.text


async def test_of_many_at_once_one_has_it(world):
    sent = [
        world.send(staff, "PUT", f"Organization/{id_}", organization(id_, "9000000704"))
        for id_, staff in zip("abcdefgh", (STAFF, OTHER_STAFF) * 4, strict=True)
    ]
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    for answer in answers:
        if answer.status_code == 409:
            taken(answer)
    search = {"identifier": f"{NPI}|9000000704"}
    assert len(await world.ids(STAFF, "Organization", search)) == 1


async def put_all(database, *resources):
    async with database.begin() as connection:
        return await load_resources(connection, resources, START)


async def test_two_of_a_file_may_change_theirs_with_each_other(database):
    await put_all(database, organization("a", "1"), organization("b", "2"))
    counts = await put_all(database, organization("a", "2"), organization("b", "1"))
    assert counts.updated == {"Organization": 2}
    with pytest.raises(DirectoryRefused):
        await put_all(database, organization("c", "1"))


async def test_a_file_with_the_same_npi_twice_is_refused_by_its_line(
    database, database_settings, tmp_path
):
    file = tmp_path / "network.ndjson"
    lines = [organization("a", "7"), organization("b", "7")]
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    told = []
    loaded = await load([file], database_settings, told.append)
    said = "Organization/a has this NPI. Use that one, or correct the number."
    assert told == [f"{file}:2: Organization.identifier: {said}"]
    assert loaded.left_out == 1


async def test_a_load_that_comes_too_late_is_refused_not_broken(database):
    """Two transactions: the second has looked before the first was committed."""
    async with database.begin() as one:
        await load_resources(one, [organization("a", "1")], START)

        async def late():
            with pytest.raises(DirectoryRefused) as refused:
                await put_all(database, organization("b", "1"))
            ((at, fault),) = refused.value.faults
            assert (at, fault.code) == (("Organization", "b"), "duplicate")

        waiting = asyncio.create_task(late())
        while not await _waiting(database):
            assert not waiting.done()
    await waiting


async def _waiting(database):
    sql = """SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"""
    return await database.fetch_one(sql)


USES = st.sampled_from(["official", "usual", "old", None])
IDENTIFIERS = st.lists(
    st.tuples(st.sampled_from([NPI, "urn:other"]), st.sampled_from(["1", "2", " 3 ", ""]), USES)
)


@given(IDENTIFIERS)
@settings(max_examples=200)
def test_every_npi_in_use_counts_and_an_old_one_where_there_is_no_other(named):
    found = npis_of({"identifier": [{"system": s, "value": v, "use": u} for s, v, u in named]})
    numbers = [(v.strip(), u) for s, v, u in named if s == NPI and v.strip()]
    used = {value for value, use in numbers if use != "old"}
    assert set(found) == (used or {value for value, _ in numbers[:1]})
