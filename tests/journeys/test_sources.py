"""What a denial rests on, as people read it: the plan's own page first, and never a code."""

import re
from html import unescape

import pytest

from tests.journeys.payloads import a_referral, because, parameters
from tests.journeys.test_letters import letters, printed

#: Codes of sources, which no sentence may hold.
CODE = re.compile(r"\bS00\d|\bG26|GH:|\bW:|CO-1|5353178|#f\b|facts \d|\bfn \d")
NO = {
    "RESP": {"caregiver_relief_needed": False},
    "EAA": {"at_risk_institutionalization": False, "home_adaptation_needed": False},
    "MTM": {"nutrition_sensitive_conditions": []},
    "HTSS": {"housing_secured": False},
    "PCHS": {"needs_adl_or_iadl_help": False},
}
PLANS = {
    "HPSJ": "Health Plan of San Joaquin, page for members",
    "CCAH": "Central California Alliance for Health, page for providers",
}


async def letter(service, referral, staff):
    member = (await letters(service, referral, staff))["member"]
    return " ".join(unescape(await printed(service, member, staff)).split())


@pytest.mark.parametrize(
    ("plan", "cin", "code", "lines"),
    [
        ("HPSJ", "9000013XA", "RESP", "line 139"),
        ("HPSJ", "9000014XA", "EAA", "line 136"),
        ("HPSJ", "9000016XA", "MTM", "line 133"),
        ("CCAH", "9000019XA", "HTSS", "line 55"),
        ("CCAH", "9000020XA", "PCHS", "line 75"),
    ],
)
async def test_a_denied_support_names_the_plans_own_page(service, plan, cin, code, lines):
    body = a_referral(cin, plan=plan, service=code, facts=NO[code], visits=())
    referral, staff = await service.refer(body), f"staff-{plan.lower()}"
    reason = parameters(reason=because("service-criteria-not-met"))
    answer = await service.do(staff, "deny", referral, reason)
    assert answer.status_code == 200, answer.text
    page = await letter(service, referral, staff)
    assert f"{PLANS[plan]}, {lines}" in page
    assert "another Medi-Cal plan" in page
    assert not [name for other, name in PLANS.items() if other != plan and name in page]
    assert "Health Plan of San Mateo" not in page
    assert not CODE.search(page)


async def test_a_denial_for_want_of_coverage_names_the_members_own_plan(service):
    coverage = await service.read("Coverage", "coverage-17", "staff-hpsj")
    ended = {**coverage, "period": {"start": "2022-07-01", "end": "2026-11-10"}}
    path = "/fhir/Coverage/coverage-17"
    headers = {"If-Match": f'W/"{coverage["meta"]["versionId"]}"'}
    answer = await service.ask("staff-hpsj", "PUT", path, ended, headers=headers)
    assert answer.is_success, answer.text
    referral = await service.refer(a_referral("9000017XA", plan="HPSJ"))
    page = await letter(service, referral, "staff-hpsj")
    assert "Health Plan of San Joaquin, page for members, lines 13, 120" in page
    assert "Health Plan of San Mateo" not in page
    assert not CODE.search(page)


async def test_check_and_determinations_say_sources_in_words_beside_the_citation(service):
    body = a_referral("9000018XA", plan="HPSJ", service="EAA", facts=NO["EAA"], visits=())
    said = await service.check(body)
    [criteria] = [
        part["part"]
        for part in said.parts
        if part["name"] == "criterion" and {"name": "name", "valueString": "EAA"} in part["part"]
    ]
    told = {part["name"]: part.get("valueString") for part in criteria}
    assert told["citation"].startswith("S000:L136; in-part; ")
    assert told["source"].startswith("Health Plan of San Joaquin, page for members, line 136")
    referral = await service.refer(body)
    answer = await service.ask("hospital", "GET", f"/v1/referrals/{referral}/determinations")
    made = answer.json()["determinations"][-1]
    [eaa] = [one for one in made["criteria"] if one["name"] == "EAA"]
    assert eaa["sources"][0] == {
        "words": "Health Plan of San Joaquin, page for members, line 136",
        "href": "/v1/catalog/sources/s000",
    }
    assert all(not part["sources"] for part in eaa["criteria"])
    found = await service.ask("hospital", "GET", eaa["sources"][0]["href"])
    assert found.json()["title"]["en"] == "Health Plan of San Joaquin, page for members"
    assert not CODE.search(made["text"])
