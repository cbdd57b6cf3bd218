"""A change of an organization's name, address or NPI, where others rely on it: nothing before a
second word, by somebody whose organization did not propose it.
"""

import asyncio

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.caller import NETWORK, Caller
from app.store.clients import PROVIDER as PROVIDER_SCOPES
from app.store.clients import NewClient, register
from app.store.database import driver_url
from app.store.directory.load import load_resources
from app.store.directory.organization import changed
from tests.directory.network import (
    FOGHORN,
    NPI,
    THIRD_STAFF,
    TIDEPOOL,
    change,
    offered_by,
    organization,
    stored,
)
from tests.reading.scene import HOSPITAL, OTHER_STAFF, STAFF, STAFF_SCOPES, START, load

#: Any client of its own, with what a provider is granted.
OWN = Caller("tidepool", "org-tidepool", None, PROVIDER_SCOPES)
SHORT = Caller("tidepool", "org-tidepool", None, frozenset({"system/Organization.rs"}), "TREAT")


async def ask(world, caller, method, path, body=None):
    headers = world.headers(caller)
    return await world.client.request(method, path, json=body, headers=headers)


async def decide(world, caller, proposal, word, **body):
    return await ask(world, caller, "POST", f"{proposal}/{word}", body)


async def speaking(world):
    """The organization has a client of its own."""
    await load(world.database)
    async with world.database.begin() as connection:
        await register(
            connection, NewClient("tidepool", "org-tidepool", PROVIDER_SCOPES, "TREAT"), START
        )


async def shared(world):
    """Two plans contract with the organization."""
    await load(world.database)
    await offered_by(world, "HPSJ", FOGHORN)


async def proposed(world, caller, path, **elements):
    """The path of the proposal that an update became."""
    before = await stored(world, path)
    answer = await change(world, caller, path, **elements)
    assert answer.status_code == 202, answer.text
    (issue,) = answer.json()["issue"]
    assert (issue["severity"], issue["code"]) == ("information", "informational")
    assert issue["diagnostics"].startswith("Nothing is changed yet")
    assert await stored(world, path) == before
    return answer.headers["location"].partition("8000")[2]


async def state(world, caller, proposal):
    answer = await ask(world, caller, "GET", proposal)
    assert answer.status_code == 200, answer.text
    return answer.json()["state"]


CHANGES = [
    ({"name": "Another"}, ["name"]),
    ({"alias": ["Another"]}, ["name"]),
    ({"name": None}, ["name"]),
    ({"address": [{"city": "Elsewhere"}]}, ["address"]),
    ({"telecom": None}, ["address"]),
    ({"contact": [{"telecom": [{"system": "phone", "value": "1"}]}]}, ["address"]),
    ({"identifier": [{"system": NPI, "value": "9000000799"}]}, ["npi"]),
    ({"identifier": None, "name": "Another", "language": "en"}, ["name", "npi"]),
]


async def test_each_of_the_three_waits_and_takes_effect_with_another_plans_word(world):
    await shared(world)
    for elements, words in CHANGES:
        before = await stored(world, FOGHORN)
        proposal = await proposed(world, STAFF, FOGHORN, **elements)
        read = (await ask(world, OTHER_STAFF, "GET", proposal)).json()
        assert (read["changes"], read["state"], read["proposed_by"]) == (words, "open", "plan-hpsm")
        for element, value in elements.items():
            assert read["resource"].get(element) == value
        answer = await decide(world, OTHER_STAFF, proposal, "confirm", note="They told us, too")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["state"], told["decided_by"]) == ("confirmed", "plan-hpsj")
        assert told["note"] == "They told us, too"
        now = await stored(world, FOGHORN)
        assert int(now["meta"]["versionId"]) == int(before["meta"]["versionId"]) + 1
        for element, value in elements.items():
            assert now.get(element) == value


async def test_whatever_else_changes_takes_effect_at_once(world):
    await shared(world)
    for elements in ({"active": False}, {"language": "en"}, {"type": None}, {}):
        assert (await change(world, STAFF, FOGHORN, **elements)).status_code == 200


async def test_the_organizations_own_client_gives_the_word(world):
    await speaking(world)
    proposal = await proposed(world, STAFF, TIDEPOOL, name="Another")
    listed = (await ask(world, OWN, "GET", "/v1/organization-proposals?state=open")).json()
    assert [item["id"] for item in listed["items"]] == [proposal.rpartition("/")[2]]
    assert (await decide(world, SHORT, proposal, "confirm")).status_code == 403
    confirmed = await decide(world, OWN, proposal, "confirm")
    assert confirmed.status_code == 200, confirmed.text
    assert (await stored(world, TIDEPOOL))["name"] == "Another"
    listed = (await ask(world, OWN, "GET", "/v1/organization-proposals?state=open")).json()
    assert listed == {"items": [], "next": None}


async def test_where_nobody_else_can_speak_a_plans_word_is_enough(world):
    await load(world.database)
    assert (await change(world, STAFF, FOGHORN, name="Another")).status_code == 200
    assert (await change(world, STAFF, "Organization/plan-hpsm", name="Us")).status_code == 200
    async with world.database.begin() as connection:
        # Of its clients none can say it: a word that cannot come is not waited for.
        deaf = NewClient("x", "org-foghorn", frozenset({"system/Organization.rs"}), "TREAT")
        await register(connection, deaf, START)
    assert (await change(world, STAFF, FOGHORN, name="One more")).status_code == 200


async def test_nobody_gives_the_second_word_to_what_they_proposed(world):
    await shared(world)
    proposal = await proposed(world, STAFF, FOGHORN, name="Another")
    again = Caller("staff-hpsm-2", "plan-hpsm", "HPSM", STAFF_SCOPES)
    for caller in (STAFF, again):
        for word, body in (("confirm", {}), ("reject", {"note": "Not now"})):
            answer = await decide(world, caller, proposal, word, **body)
            assert answer.status_code == 403, answer.text
    nurse = Caller("nurse", "plan-hpsj", "HPSJ", STAFF_SCOPES - {NETWORK})
    assert (await decide(world, nurse, proposal, "confirm")).status_code == 403
    assert (await ask(world, nurse, "GET", "/v1/organization-proposals")).status_code == 403
    for caller in (THIRD_STAFF, HOSPITAL):
        assert (await decide(world, caller, proposal, "confirm")).status_code == 404
        assert (await ask(world, caller, "GET", proposal)).status_code == 404
        listed = await ask(world, caller, "GET", "/v1/organization-proposals")
        assert listed.json()["items"] == []
    assert await state(world, STAFF, proposal) == "open"
    assert (await stored(world, FOGHORN))["meta"]["versionId"] == "1"


async def test_a_rejection_says_why_and_is_the_last_word(world):
    await shared(world)
    proposal = await proposed(world, STAFF, FOGHORN, name="Another")
    for body in ({}, {"note": ""}, {"note": "Write your own note here."}, {"note": "x", "by": "y"}):
        answer = await decide(world, OTHER_STAFF, proposal, "reject", **body)
        assert answer.status_code == 422, answer.text
    rejected = await decide(world, OTHER_STAFF, proposal, "reject", note="They did not move")
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    read = (await ask(world, STAFF, "GET", proposal)).json()
    assert (read["note"], read["links"]["confirm"]) == ("They did not move", None)
    assert (await decide(world, OTHER_STAFF, proposal, "confirm")).status_code == 409
    assert (await decide(world, OTHER_STAFF, proposal, "reject", note="No")).status_code == 409
    assert (await stored(world, FOGHORN))["meta"]["versionId"] == "1"


@pytest.mark.parametrize("how", ["by an update", "by a file", "by another proposal"])
async def test_a_proposal_about_a_version_that_is_no_more_is_overtaken(world, how):
    await shared(world)
    proposal = await proposed(world, STAFF, FOGHORN, name="Another")
    if how == "by an update":
        assert (await change(world, OTHER_STAFF, FOGHORN, language="en")).status_code == 200
    elif how == "by a file":
        async with world.database.begin() as connection:
            loaded = await stored(world, FOGHORN) | {"name": "Loaded"}
            await load_resources(connection, [loaded], START)
        assert (await stored(world, FOGHORN))["name"] == "Loaded"
    else:
        other = await proposed(world, OTHER_STAFF, FOGHORN, name="A third")
        assert (await decide(world, STAFF, other, "confirm")).status_code == 200
    now = await stored(world, FOGHORN)
    assert await state(world, STAFF, proposal) == "overtaken"
    assert (await decide(world, OTHER_STAFF, proposal, "confirm")).status_code == 409
    assert await stored(world, FOGHORN) == now


async def test_the_same_update_again_is_the_same_proposal_and_another_takes_its_place(world):
    await shared(world)
    first = await proposed(world, STAFF, FOGHORN, name="Another")
    assert await proposed(world, STAFF, FOGHORN, name="Another") == first
    second = await proposed(world, STAFF, FOGHORN, name="Yet another")
    assert await state(world, STAFF, first) == "overtaken"
    assert (await change(world, STAFF, FOGHORN)).status_code == 200  # as it is: taken back
    assert await state(world, STAFF, second) == "overtaken"


async def test_an_npi_of_anothers_is_refused_before_it_waits_and_when_it_has_waited(world):
    await shared(world)
    taken = [{"system": NPI, "value": "9000000111"}]
    assert (await change(world, STAFF, FOGHORN, identifier=taken)).status_code == 409
    free = [{"system": NPI, "value": "9000000798"}]
    proposal = await proposed(world, STAFF, FOGHORN, identifier=free)
    made = await world.send(THIRD_STAFF, "POST", "Organization", organization(None, "9000000798"))
    assert made.status_code == 201
    answer = await decide(world, OTHER_STAFF, proposal, "confirm")
    assert answer.status_code == 409
    assert answer.json()["issue"][0]["code"] == "duplicate"
    assert await state(world, STAFF, proposal) == "open"


async def test_of_two_words_at_once_one_holds(world):
    await shared(world)
    for number in range(4):
        before = int((await stored(world, FOGHORN))["meta"]["versionId"])
        proposal = await proposed(world, STAFF, FOGHORN, name=f"Name {number}")
        words = await asyncio.gather(
            *(decide(world, OTHER_STAFF, proposal, "confirm") for _ in range(3)),
            decide(world, OTHER_STAFF, proposal, "reject", note="No"),
            change(
                world, OTHER_STAFF, FOGHORN, {"If_Match": f'W/"{before}"'}, language=f"en-{number}"
            ),
        )
        statuses = [word.status_code for word in words]
        assert statuses.count(200) >= 1
        assert set(statuses[:4]) <= {200, 409}
        assert statuses[4] in (200, 412)
        confirmed, rejected = statuses[:3].count(200), statuses[3] == 200
        assert confirmed + rejected <= 1
        now = await stored(world, FOGHORN)
        assert int(now["meta"]["versionId"]) == before + confirmed + (statuses[4] == 200)
        assert (now["name"] == f"Name {number}") == bool(confirmed)
        expected = "confirmed" if confirmed else "rejected" if rejected else "overtaken"
        assert await state(world, STAFF, proposal) == expected


async def test_two_plans_propose_at_once_and_both_wait(world):
    await shared(world)
    answers = await asyncio.gather(
        *(change(world, staff, FOGHORN, name=staff.plan) for staff in (STAFF, OTHER_STAFF) * 3)
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.headers["location"] for answer in answers}) == 2
    listed = await ask(world, STAFF, "GET", "/v1/organization-proposals?limit=1")
    page = listed.json()
    assert len(page["items"]) == 1
    following = await ask(world, STAFF, "GET", page["next"].partition("8000")[2])
    assert len(following.json()["items"]) == 1
    assert following.json()["next"] is None


async def test_the_database_takes_no_second_word_of_the_first_speakers(world, database_settings):
    await shared(world)
    await proposed(world, STAFF, FOGHORN, name="Another")
    connection = await asyncpg.connect(driver_url(database_settings.database_url))
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE organization_proposal SET state = 'confirmed', decided_at = now(),"
                " decided_by = 'staff-hpsm', decided_for = 'plan-hpsm'"
            )
    finally:
        await connection.close()


VALUES = st.sampled_from([None, "a", "b"])
NPIS = st.lists(st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["old", None])), max_size=3)


@given(
    before=st.tuples(VALUES, VALUES, NPIS, VALUES), after=st.tuples(VALUES, VALUES, NPIS, VALUES)
)
def test_what_waits_is_what_others_find_it_by(before, after):
    def made(name, city, npis, language):
        one = organization("o", *({"system": NPI, "value": v, "use": u} for v, u in npis))
        one |= {"name": name, "address": [{"city": city}], "language": language}
        return {key: value for key, value in one.items() if value is not None}

    found = changed(made(*before), made(*after))
    assert ("name" in found) == (before[0] != after[0])
    assert ("address" in found) == (before[1] != after[1])
    if before[2] == after[2]:
        assert "npi" not in found
    used = [{value for value, use in one[2] if use != "old"} for one in (before, after)]
    if all(used) and used[0] != used[1]:
        assert "npi" in found
