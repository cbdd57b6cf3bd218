"""Each move of a referral is a Provenance, for whoever is party to it."""

from fhir.resources.R4B.provenance import Provenance

from tests.journeys.payloads import a_bundle, a_referral, because, hopeless, parameters


async def moves(service, referral, by="hospital", more=""):
    return await service.found(f"Provenance?target=ServiceRequest/{referral}{more}", by)


def events(found):
    return [one["activity"]["coding"][0]["code"] for one in found]


async def denied(service):
    referral = await service.refer(hopeless())
    service.later(hours=1)
    given = parameters(reason=because("no-population"), note="Spoke with the clinic.")
    assert (await service.do("staff-hpsm", "deny", referral, given)).status_code == 200
    return referral


async def test_every_move_says_who_when_why_and_which_version(service):
    referral = await denied(service)
    found = await moves(service, referral)
    assert events(found) == ["receive", "review", "deny"]
    for one in found:
        Provenance.model_validate(one)
    whos = [one["agent"][0]["who"] for one in found]
    assert whos == [
        {"reference": "Organization/org-harbor-lantern"},
        {"display": "The rules of the plan"},
        {"reference": "Organization/plan-hpsm"},
    ]
    assert [one["target"][0]["reference"] for one in found] == [
        f"ServiceRequest/{referral}/_history/{version}" for version in (1, 1, 2)
    ]
    assert found[2]["reason"][0]["coding"][0]["code"] == "no-population"
    assert "reason" not in found[0]
    assert "Spoke" not in str(found)
    assert found[0]["recorded"] < found[2]["recorded"]


async def test_one_is_read_as_it_is_found(service):
    referral = await denied(service)
    for one in await moves(service, referral):
        path = f"/fhir/Provenance/{one['id']}"
        answer = await service.ask("hospital", "GET", path)
        assert (answer.json(), answer.headers["etag"]) == (one, 'W/"1"')
        assert (await service.ask("hospital", "GET", f"{path}/_history/1")).json() == one
        history = (await service.ask("hospital", "GET", f"{path}/_history")).json()
        assert [entry["resource"] for entry in history["entry"]] == [one]
        for query, total in (
            (f"_since={one['recorded']}", 1),
            ("_since=2026-11-21", 0),
            ("_at=2026-11-20", 1),
            ("_at=2026-11-19", 0),
            ("_at=2030", 1),
            ("_count=0", 1),
        ):
            asked = (await service.ask("hospital", "GET", f"{path}/_history?{query}")).json()
            shown = 0 if query == "_count=0" else total
            assert (asked["total"], len(asked.get("entry", ()))) == (total, shown), query
        assert (await service.ask("hospital", "GET", f"{path}/_history/2")).status_code == 404
    answer = await service.ask("hospital", "GET", f"/fhir/Provenance/{referral}-00009")
    assert answer.status_code == 404


async def test_searched_by_day_by_agent_and_page_by_page(service):
    referral = await denied(service)
    assert len(await moves(service, referral, more="&recorded=2026-11-20")) == 3
    assert await moves(service, referral, more="&recorded=lt2026-11-20") == []
    by_plan = await moves(service, referral, more="&agent=Organization/plan-hpsm")
    assert events(by_plan) == ["deny"]
    first = await service.ask(
        "hospital", "GET", f"/fhir/Provenance?referral=ServiceRequest/{referral}&_count=2"
    )
    links = {link["relation"]: link["url"] for link in first.json()["link"]}
    path = links["next"].removeprefix(service.settings.public_url)
    second = await service.ask("hospital", "GET", path)
    assert events(e["resource"] for e in second.json()["entry"]) == ["deny"]


async def test_who_is_no_party_finds_none(service):
    referral = await denied(service)
    for by in ("practice", "staff-hpsj"):
        assert await moves(service, referral, by) == []
        answer = await service.ask(by, "GET", f"/fhir/Provenance/{referral}-00001")
        assert answer.status_code == 404
    assert len(await moves(service, referral, "staff-hpsm")) == 3


async def test_what_a_referrer_sent_is_found_beside_ours(service):
    sent = {
        "resourceType": "Provenance",
        "recorded": "2026-11-19T08:00:00Z",
        "agent": [{"who": {"display": "Discharge desk"}}],
    }
    body = a_bundle(a_referral(), sent)
    sent["target"] = [{"reference": body["entry"][-1]["fullUrl"]}]
    referral = await service.refer(body)
    found = await moves(service, referral)
    assert len(found) == 3
    (theirs,) = [one for one in found if "activity" not in one]
    assert (await service.read("Provenance", theirs["id"])) == theirs
