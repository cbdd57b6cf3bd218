"""What a move stores lies in few rows, and each resource is found in them, in each version."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.migrate import upgrade
from app.store.referral.rows import SET_BYTES, apportioned
from tests.journeys.payloads import a_bundle, a_referral
from tests.service.scene import patch

ROWS = "SELECT version, number, cardinality(names) FROM resource_set ORDER BY 1, 2"


def of_bytes(*sizes):
    return [SimpleNamespace(body=b"x" * size, words="") for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "rows"),
    [
        ([1], [1]),
        ([SET_BYTES // 2, SET_BYTES // 2], [2]),
        ([SET_BYTES // 2, SET_BYTES // 2, 1], [2, 1]),
        ([10 * SET_BYTES], [1]),
        ([1, 10 * SET_BYTES, 1], [1, 1, 1]),
        ([10 * SET_BYTES] * 2, [1, 1]),
        ([SET_BYTES] * 30, [1] * 30),
    ],
)
def test_small_resources_share_a_row_and_a_large_one_has_its_own(sizes, rows):
    assert [len(row) for row in apportioned(of_bytes(*sizes))] == rows


@given(st.lists(st.integers(1, 3 * SET_BYTES), min_size=1, max_size=200))
def test_there_are_few_rows_however_much_there_is(sizes):
    resources = of_bytes(*sizes)
    rows = list(apportioned(resources))
    assert [one for row in rows for one in row] == resources
    assert all(rows)
    assert all(len(row) == 1 or sum(len(one.body) for one in row) <= SET_BYTES for row in rows)
    assert len(rows) <= 1 + 2 * sum(sizes) // SET_BYTES


def large(number):
    """A document of 30 KB, told from the others by its number."""
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "description": f"{number:06}" * 5_000,
        "content": [{"attachment": {"url": f"https://documents.example/{number}"}}],
    }


@pytest.mark.parametrize("many", [9, 90])
async def test_much_is_read_searched_and_changed_like_little(service, many):
    documents = [large(number) for number in range(many)]
    referral = await service.refer(a_bundle(a_referral(), *documents))
    rows = await service.rows(ROWS)
    assert len(rows) > 2
    found = await service.found(f"DocumentReference?referral={referral}&_count=100")
    assert sorted(one["description"][:6] for one in found) == [f"{n:06}" for n in range(many)]
    for one in found[::9]:
        assert await service.read("DocumentReference", one["id"]) == one
        assert await service.read("DocumentReference", f"{one['id']}/_history/1") == one
    first = await service.read("Task", referral)
    note = {"op": "add", "path": "/note", "value": [{"text": "Call first."}]}
    answer = await patch(service, "hospital", first, note)
    assert answer.status_code == 200, answer.text
    assert len(await service.rows(ROWS)) == len(rows) + 1
    assert await service.read("Task", f"{referral}/_history/1") == first
    assert await service.read("Task", f"{referral}/_history/2") == answer.json()
    assert await service.read("Task", referral) == answer.json()


async def test_words_that_are_missing_are_made_again(service):
    referral = await service.refer(a_bundle(a_referral(), large(1)))
    search = f"DocumentReference?referral={referral}&status=current"
    (found,) = await service.found(search)
    before = await service.rows("SELECT referral_id, version, number, words FROM resource_set")
    await service.store.execute("UPDATE resource_set SET words = NULL")
    assert await service.found(search) == []
    await upgrade(service.settings.database_url)
    assert await service.rows("SELECT referral_id, version, number, words FROM resource_set") == (
        before
    )
    assert await service.found(search) == [found]
