"""Who sees a referral and what belongs to it; who sees network and rosters."""

import pytest

from app.base.ids import new_id
from app.model.caller import ROSTER, Caller
from tests.reading.scene import HOSPITAL, OTHER_STAFF, PROVIDER, STAFF, START, STRANGER, load

KINDS = ("ServiceRequest", "Task", "ClaimResponse")
ANOTHER_PROVIDER = Caller("other", "org-redwood-slope", None, frozenset({"system/*.cruds"}))
MATRIX = [
    (HOSPITAL, 200),
    (PROVIDER, 200),
    (STAFF, 200),
    (STRANGER, 404),
    (OTHER_STAFF, 404),
    (ANOTHER_PROVIDER, 404),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("caller", "status"), MATRIX, ids=lambda value: getattr(value, "client_id", value)
)
async def test_parties_and_the_plans_staff_see_a_referral_and_nobody_else(
    world, kind, caller, status
):
    passed_over = ("org-redwood-slope", "asked", START)
    referral_id = await world.refer(
        parties=(
            ("org-harbor-lantern", "requester", None),
            ("org-tidepool", "performer", None),
            passed_over,
        )
    )
    seen = status == 200
    for path in (
        f"{kind}/{referral_id}",
        f"{kind}/{referral_id}/_history/1",
        f"{kind}/{referral_id}/_history",
    ):
        assert (await world.get(caller, path)).status_code == status
    assert (referral_id in await world.ids(caller, kind)) is seen
    assert (referral_id in await world.ids(caller, kind, {"_id": referral_id})) is seen
    everything = await world.get(caller, kind, {"_total": "accurate"})
    assert (everything.json()["total"] > 0) is seen


async def test_a_referral_without_a_plan_is_seen_by_every_plans_staff(world):
    referral_id = await world.refer(plan="unassigned", state="pending", business_status="in-review")
    assert await world.ids(STAFF, "ServiceRequest") == [referral_id]
    assert await world.ids(OTHER_STAFF, "ServiceRequest") == [referral_id]
    assert await world.ids(HOSPITAL, "ServiceRequest") == [referral_id]
    assert await world.ids(STRANGER, "ServiceRequest") == []


async def test_a_roster_is_its_plan_staffs_alone(world):
    await load(world.database)
    roster_only = Caller("roster", "plan-hpsm", "HPSM", frozenset({"system/Patient.rs", ROSTER}))
    for caller, status in (
        (STAFF, 200),
        (roster_only, 200),
        (OTHER_STAFF, 404),
        (HOSPITAL, 404),
    ):
        assert (await world.get(caller, "Patient/member-01")).status_code == status
        found = await world.ids(caller, "Patient", {"identifier": "9000001XA"})
        assert found == (["member-01"] if status == 200 else [])


@pytest.mark.parametrize("kind", ["Organization", "HealthcareService"])
async def test_the_network_is_everybodys_to_read(world, kind):
    await load(world.database)
    referral_id = {"Organization": "org-tidepool", "HealthcareService": "offer-tidepool-ecm"}[kind]
    for caller in (HOSPITAL, STRANGER, STAFF, OTHER_STAFF):
        assert (await world.get(caller, f"{kind}/{referral_id}")).status_code == 200
        assert await world.ids(caller, kind, {"_id": referral_id}) == [referral_id]


async def test_copies_that_came_with_a_referral_follow_it(world):
    await load(world.database)
    copy = {"identifier": [{"system": "urn:mrn", "value": "77"}], "name": [{"family": "Sample"}]}
    one = new_id()
    patient, condition = f"{one}.patient", f"{one}.condition"
    await world.refer(
        referral_id=one,
        patient=patient,
        copies=(
            ("Patient", "patient", copy),
            ("Condition", "condition", {"code": {"coding": [{"code": "F20.9"}]}}),
        ),
    )
    for caller, seen in ((HOSPITAL, True), (PROVIDER, True), (STAFF, True), (STRANGER, False)):
        status = 200 if seen else 404
        assert (await world.get(caller, f"Patient/{patient}")).status_code == status
        assert (await world.get(caller, f"Condition/{condition}")).status_code == status
        found = await world.ids(caller, "Patient", {"identifier": "urn:mrn|77"})
        assert found == ([patient] if seen else [])
        found = await world.ids(caller, "Condition", {"patient": f"Patient/{patient}"})
        assert found == ([condition] if seen else [])


async def test_who_is_passed_over_later_sees_it_no_more(world):
    referral_id = await world.refer()
    assert await world.ids(PROVIDER, "Task", {"owner": "Organization/org-tidepool"}) != []
    async with world.database.begin() as connection:
        await connection.execute(
            "UPDATE party SET until = now() WHERE organization_id = 'org-tidepool'"
        )
    assert (await world.get(PROVIDER, f"ServiceRequest/{referral_id}")).status_code == 404
    assert await world.ids(PROVIDER, "Task") == []


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("system/ServiceRequest.r", "ServiceRequest/x", 404),
        ("system/ServiceRequest.s", "ServiceRequest/x", 403),
        ("system/ServiceRequest.r", "ServiceRequest", 403),
        ("system/ServiceRequest.s", "ServiceRequest", 200),
        ("system/Task.rs", "ServiceRequest", 403),
        ("system/ServiceRequest.s", "ServiceRequest/x/_history", 403),
    ],
)
async def test_scopes_come_first(world, scope, path, status):
    caller = Caller("narrow", "org-harbor-lantern", None, frozenset({scope}))
    assert (await world.get(caller, path)).status_code == status


@pytest.mark.parametrize(
    "referral_id",
    ["%00", "a" * 65, "..%2f..%2fetc", "%ff", "a b", "'; DROP TABLE referral; --", "é"],
)
async def test_an_id_that_cannot_be_is_not_found(world, referral_id):
    for path in (f"ServiceRequest/{referral_id}", f"ServiceRequest/{referral_id}/_history"):
        answer = await world.get(HOSPITAL, path)
        assert answer.status_code == 404
        assert answer.json()["resourceType"] == "OperationOutcome"
