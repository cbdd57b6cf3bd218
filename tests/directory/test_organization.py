"""Who changes an organization of the network: the plans that contract with it, and no other."""

import asyncio

import orjson
import pytest

from tests.directory.network import PLAN, THIRD_STAFF, TIDEPOOL, change, offered_by, stored
from tests.reading.scene import HOSPITAL, OTHER_STAFF, PROVIDER, STAFF, load

STRANGERS = [
    (OTHER_STAFF, TIDEPOOL),
    (THIRD_STAFF, TIDEPOOL),
    (STAFF, "Organization/org-delta-willow"),
    (STAFF, "Organization/org-harbor-lantern"),
    (STAFF, "Organization/plan-hpsj"),
    (OTHER_STAFF, "Organization/plan-hpsm"),
    (PROVIDER, TIDEPOOL),
    (HOSPITAL, "Organization/org-harbor-lantern"),
]


async def test_whoever_does_not_contract_with_it_changes_nothing(world):
    await load(world.database)
    for caller, path in STRANGERS:
        before = await stored(world, path)
        for elements in ({"name": "Mine"}, {"active": False}, {"identifier": None}, {}):
            answer = await change(world, caller, path, **elements)
            assert answer.status_code == 403, answer.text
            (issue,) = answer.json()["issue"]
            assert issue["code"] == "forbidden"
        assert await stored(world, path) == before


async def test_an_active_offer_is_a_contract_and_one_that_ended_is_none(world):
    await load(world.database)
    assert (await change(world, STAFF, TIDEPOOL, active=False)).status_code == 200
    assert (await change(world, OTHER_STAFF, TIDEPOOL, active=True)).status_code == 403
    await offered_by(world, "HPSJ", TIDEPOOL, active=False)
    assert (await change(world, OTHER_STAFF, TIDEPOOL, active=True)).status_code == 403
    await offered_by(world, "HPSJ", TIDEPOOL, active=True)
    assert (await change(world, OTHER_STAFF, TIDEPOOL, active=True)).status_code == 200


async def test_every_plan_adds_organizations_and_changes_those_that_it_added(world):
    await load(world.database)
    made = await world.send(
        OTHER_STAFF, "POST", "Organization", {"resourceType": "Organization", "name": "New"}
    )
    path = f"Organization/{made.json()['id']}"
    assert (await change(world, OTHER_STAFF, path, name="Newer")).status_code == 200
    assert (await change(world, STAFF, path, name="Mine")).status_code == 403
    # It stays the maker's, whatever is changed later.
    assert (await change(world, OTHER_STAFF, path, name="Newest")).status_code == 200


async def test_of_two_plans_that_make_one_id_at_once_one_has_it(world):
    await load(world.database)
    for number in range(5):
        path = f"Organization/new-{number}"
        bodies = {
            caller: {"resourceType": "Organization", "id": f"new-{number}", "name": caller.plan}
            for caller in (STAFF, OTHER_STAFF, THIRD_STAFF)
        }
        answers = await asyncio.gather(
            *(world.send(caller, "PUT", path, body) for caller, body in bodies.items())
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 201
        assert set(statuses[1:]) <= {403, 409}
        first = next(answer.json() for answer in answers if answer.status_code == 201)
        now = await stored(world, path)
        assert (now["name"], now["meta"]["versionId"]) == (first["name"], "1")


async def test_changes_at_once_lose_none(world):
    """Each is in the history, or was told that another came first."""
    await load(world.database)
    body = await stored(world, TIDEPOOL)
    answers = await asyncio.gather(
        *(
            world.send(STAFF, "PUT", TIDEPOOL, {**body, "language": f"en-{n}"}, **headers)
            for n, headers in enumerate([{"If_Match": 'W/"1"'}, {}] * 3)
        )
    )
    written = [answer for answer in answers if answer.status_code == 200]
    assert written
    assert {answer.status_code for answer in answers} <= {200, 409, 412}
    assert (await stored(world, TIDEPOOL))["meta"]["versionId"] == str(1 + len(written))


HPSM, HPSJ = ({"system": PLAN, "value": plan} for plan in ("HPSM", "HPSJ"))


@pytest.mark.parametrize(
    ("identifier", "status"),
    [
        (None, 422),
        ([{"system": "urn:other", "value": "HPSM"}], 422),
        ([{"system": PLAN, "value": " "}], 422),
        ([{"system": PLAN, "value": "hpsm"}], 422),
        ([HPSJ], 422),
        ([HPSM, HPSJ], 403),
        ([HPSJ | {"use": "old"}, HPSM], 403),
        ([HPSM], 200),
    ],
    ids=str,
)
async def test_a_plan_stays_the_plan_that_it_is(world, identifier, status):
    await load(world.database)
    answer = await change(
        world, STAFF, "Organization/plan-hpsm", identifier=identifier, language="en"
    )
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["issue"][0]["expression"] == ["Organization.identifier"]
    plans = await world.ids(STAFF, "Organization", {"identifier": f"{PLAN}|HPSM"})
    assert plans == ["plan-hpsm"]
    assert await world.ids(STAFF, "Organization", {"identifier": f"{PLAN}|HPSJ"}) == ["plan-hpsj"]


@pytest.mark.parametrize(
    "claimed", [[HPSM], [HPSJ], [HPSJ | {"use": "old"}], [{**HPSM, "value": "X"}]]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_nobody_becomes_a_plan_through_the_api(world, claimed, method):
    await load(world.database)
    body = {"resourceType": "Organization", "id": "org-foghorn", "name": "I", "identifier": claimed}
    path = "Organization" if method == "POST" else "Organization/org-foghorn"
    answer = await world.send(STAFF, method, path, orjson.dumps(body))
    assert answer.status_code == 403, answer.text
