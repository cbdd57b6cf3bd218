"""What nobody may do to another's referrals, members and organizations, tried from outside."""

from tests.journeys.payloads import EXTRA, a_coverage, a_member, a_referral, parameters


async def put(service, resource, by, **headers):
    path = f"/fhir/{resource['resourceType']}/{resource['id']}"
    return await service.ask(by, "PUT", path, resource, headers=headers)


async def claimed_by_hpsj(service, cin):
    """HPSJ loads a number that HPSM's roster has."""
    patient, coverage = a_member(cin, "HPSJ", "San Joaquin")
    patient["id"], coverage["id"] = "theirs", "theirs"
    coverage["beneficiary"] = {"reference": "Patient/theirs"}
    for resource in (patient, coverage):
        answer = await put(service, resource, "staff-hpsj")
        assert answer.status_code in (200, 201), answer.text


async def test_a_number_in_two_rosters_gives_the_referral_to_neither_plan(service):
    await claimed_by_hpsj(service, EXTRA[30])
    try:
        body = a_referral(EXTRA[30], plan=None)
        assert (await service.check(body)).outcome == "pending"
        assert (await service.check(body)).codes("reason") == ["member-unidentified"]
        referral = await service.refer(body)
        assert await service.rows("SELECT plan, state FROM referral WHERE id = $1", referral) == [
            ("unassigned", "pending")
        ]
        for staff in ("staff-hpsm", "staff-hpsj"):
            queue = (await service.ask(staff, "GET", "/v1/work-queue")).json()
            assert [item["referral"] for item in queue["items"]] == [referral]
        # The plan's staff say whose member it is: then it goes on as every referral.
        plan = a_coverage("HPSM")
        del plan["beneficiary"]
        plan["beneficiary"] = {"display": "The member"}
        told = parameters(resource={"resource": plan})
        answer = await service.do("staff-hpsm", "add-information", referral, told)
        assert answer.status_code == 200, answer.text
        assert await service.words(referral) == ["approved", "assigned"]
    finally:
        await service.rows("DELETE FROM member WHERE id = 'theirs' RETURNING 1")


async def test_a_number_in_two_rosters_is_the_named_plans(service):
    await claimed_by_hpsj(service, EXTRA[30])
    try:
        referral = await service.refer(a_referral(EXTRA[30], plan="HPSM"))
        assert await service.words(referral) == ["approved", "assigned"]
    finally:
        await service.rows("DELETE FROM member WHERE id = 'theirs' RETURNING 1")
