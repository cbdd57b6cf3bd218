"""What comes along with the matches of a search: what they refer to, and what refers to them."""

import pytest

from app.model.caller import Caller
from app.store.reading.catalog import PARAMETERS, referring
from app.store.reading.revinclude import MAX_SHOWN
from tests.reading.scene import (
    HOSPITAL,
    OTHER_STAFF,
    PROVIDER,
    STAFF,
    STRANGER,
    link,
    load,
    matches,
)

BASE = "http://127.0.0.1:8000/fhir"


def entries(bundle, mode):
    return [
        (entry["resource"]["resourceType"], entry["resource"].get("id"))
        for entry in bundle.get("entry", ())
        if entry["search"]["mode"] == mode
    ]


def told(bundle):
    return [
        issue["diagnostics"]
        for entry in bundle.get("entry", ())
        if entry["search"]["mode"] == "outcome"
        for issue in entry["resource"]["issue"]
    ]


async def asked(world, caller, path, **parameters):
    answer = await world.get(caller, path, parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def copies(referral):
    """What stands beside a referral, each under the letters of its type; `x`: of no use here."""
    based = {"basedOn": [{"reference": f"ServiceRequest/{referral}"}]}
    versioned = {"basedOn": [{"reference": f"{BASE}/ServiceRequest/{referral}/_history/1"}]}
    return [
        ("Communication", "co", based),
        ("QuestionnaireResponse", "qr", versioned),
        ("QuestionnaireResponse", "qx", {}),
        ("Observation", "ob", based),
        ("Condition", "cd", {}),
        ("Provenance", "pr", {}),
    ]


async def a_referral(world, name="one", **more):
    return await world.refer(
        referral_id=name,
        number=f"N-{name}",
        cin=f"CIN-{name}",
        identifiers=(),
        copies=copies(name),
        **more,
    )


REVERSE = [
    ("Task:focus", {"Task"}, 2),
    ("Task:focus:ServiceRequest", {"Task"}, 2),
    ("Task:referral", {"Task"}, 2),
    ("ClaimResponse:referral", {"ClaimResponse"}, 1),
    ("Communication:based-on", {"Communication"}, 1),
    ("Communication:referral", {"Communication"}, 1),
    ("QuestionnaireResponse:based-on", {"QuestionnaireResponse"}, 1),
    ("QuestionnaireResponse:referral", {"QuestionnaireResponse"}, 2),
    ("Observation:based-on", {"Observation"}, 1),
    ("Condition:referral", {"Condition"}, 1),
    ("Provenance:target", {"Provenance"}, 1),
]


@pytest.mark.parametrize(("wanted", "kinds", "number"), REVERSE, ids=[row[0] for row in REVERSE])
@pytest.mark.parametrize("caller", [HOSPITAL, PROVIDER, STAFF], ids=["asks", "serves", "staff"])
async def test_what_refers_to_the_matches_comes_along(world, caller, wanted, kinds, number):
    await a_referral(world)
    await a_referral(world, "other")
    bundle = await asked(world, caller, "ServiceRequest", _id="one", _revinclude=wanted)
    assert matches(bundle) == ["one"]
    included = entries(bundle, "include")
    assert {kind for kind, _ in included} == kinds
    assert len(set(included)) == len(included) == number
    assert told(bundle) == []
    assert f"_revinclude={wanted}" in link(bundle, "self")


async def test_of_all_matches_of_the_page_and_of_no_other(world):
    for name in ("a", "b", "c"):
        await a_referral(world, name)
    path, pages = "ServiceRequest?_count=2&_revinclude=ClaimResponse:referral", []
    while path:
        bundle = (await world.get(HOSPITAL, path)).json()
        pages.append((matches(bundle), sorted(id_ for _, id_ in entries(bundle, "include"))))
        following = link(bundle, "next")
        path = following and following.split("/fhir/", 1)[1]
    assert pages == [(["a", "b"], ["a", "b"]), (["c"], ["c"])]


async def test_several_at_once_and_each_resource_once(world):
    await a_referral(world)
    wanted = ["Task:focus", "Task:referral", "Task:focus", "ClaimResponse:referral"]
    bundle = await asked(world, HOSPITAL, "ServiceRequest", _id="one", _revinclude=wanted)
    found = entries(bundle, "include")
    assert len(found) == len(set(found)) == 3
    bundle = await asked(
        world, HOSPITAL, "Task", focus="one", _include="Task:focus", _revinclude="Task:part-of"
    )
    assert len(matches(bundle)) == 2
    assert entries(bundle, "include") == [("ServiceRequest", "one")]
    bundle = await asked(world, HOSPITAL, "Task", _id="one", _revinclude="Task:part-of")
    [(kind, service)] = entries(bundle, "include")
    assert (kind, service != "one") == ("Task", True)


@pytest.mark.parametrize("asked_for", [{"_count": "0"}, {"_summary": "count"}, {"_id": "none"}])
async def test_nothing_comes_along_with_no_match(world, asked_for):
    await a_referral(world)
    bundle = await asked(world, HOSPITAL, "ServiceRequest", _revinclude="Task:focus", **asked_for)
    assert entries(bundle, "include") == []


async def test_only_what_the_caller_sees(world):
    """An organization is everybody's to read; the Tasks that it owns are its parties'."""
    await load(world.database)
    await a_referral(world)
    await a_referral(world, "two", parties=(("org-open-gate", "requester", None),))
    by = {"_id": "org-tidepool", "_revinclude": "Task:owner"}
    seen = {}
    for caller in (HOSPITAL, STRANGER, STAFF, OTHER_STAFF):
        bundle = await asked(world, caller, "Organization", **by)
        assert matches(bundle) == ["org-tidepool"]
        seen[caller.client_id] = len(entries(bundle, "include"))
    assert seen == {"hospital": 1, "community": 1, "staff-hpsm": 2, "staff-hpsj": 0}


@pytest.mark.parametrize(
    ("scopes", "kinds"),
    [
        ("system/ServiceRequest.rs", set()),
        ("system/ServiceRequest.rs system/Task.r", set()),
        ("system/ServiceRequest.rs system/Task.s", {"Task"}),
        ("system/ServiceRequest.rs system/Task.rs system/ClaimResponse.cud", {"Task"}),
        ("system/*.s", {"Task", "ClaimResponse"}),
    ],
)
async def test_only_types_that_the_token_may_search(world, scopes, kinds):
    await a_referral(world)
    caller = Caller("hospital", "org-harbor-lantern", None, frozenset(scopes.split()))
    wanted = ["Task:focus", "ClaimResponse:referral"]
    bundle = await asked(world, caller, "ServiceRequest", _id="one", _revinclude=wanted)
    assert {kind for kind, _ in entries(bundle, "include")} == kinds


async def test_an_offer_that_comes_along_shows_its_present_numbers(world):
    await load(world.database)
    offer = (await world.get(HOSPITAL, "HealthcareService/offer-tidepool-ecm")).json()
    bundle = await asked(
        world, HOSPITAL, "Organization", _id="org-tidepool",
        _revinclude="HealthcareService:organization",
    )  # fmt: skip
    shown = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    assert offer in shown


async def test_a_member_and_what_covers_them(world):
    await load(world.database)
    wanted = ["Coverage:beneficiary", "QuestionnaireResponse:patient"]
    bundle = await asked(world, STAFF, "Patient", _id="member-01", _revinclude=wanted)
    assert set(entries(bundle, "include")) == {
        ("Coverage", "coverage-01"),
        ("QuestionnaireResponse", "roster-01"),
    }


async def test_what_comes_along_is_bounded_in_number(world):
    many = [
        ("Condition", f"cd-{number:03}", {"code": {"text": "x"}}) for number in range(MAX_SHOWN + 1)
    ]
    await world.refer(referral_id="one", copies=many)
    bundle = await asked(world, HOSPITAL, "ServiceRequest", _revinclude="Condition:referral")
    assert len(entries(bundle, "include")) == MAX_SHOWN
    [said] = told(bundle)
    assert "`_revinclude`" in said
    assert "Condition" in said


async def test_what_comes_along_is_bounded_in_bytes(world):
    large = {"note": [{"text": "x" * 2_000_000}]}
    many = [("Condition", f"cd-{number}", large) for number in range(4)]
    await world.refer(referral_id="one", copies=many)
    bundle = await asked(world, HOSPITAL, "ServiceRequest", _revinclude="Condition:referral")
    assert len(entries(bundle, "include")) == 2
    assert "`_revinclude`" in told(bundle)[0]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("Task:requester", {"Organization"}),
        ("Task:requester:Organization", {"Organization"}),
        ("Task:requester:Patient", set()),
        ("Task:focus:ServiceRequest", {"ServiceRequest"}),
        ("Task:focus:Task", set()),
    ],
)
async def test_references_to_one_type_are_followed(world, wanted, found):
    await load(world.database)
    await a_referral(world)
    bundle = await asked(world, HOSPITAL, "Task", _include=wanted)
    assert {kind for kind, _ in entries(bundle, "include")} == found


@pytest.mark.parametrize("name", ["_include", "_revinclude"])
@pytest.mark.parametrize(
    "wanted", ["Task:flavour", "ServiceRequest:patient", "*", "Task", ":", "Task:focus:Patient:x"]
)
async def test_one_that_is_not_known_is_named(world, name, wanted):
    await a_referral(world)
    params = {name: wanted, "_id": "one"}
    bundle = (await world.get(HOSPITAL, "Task", params)).json()
    assert matches(bundle) == ["one"]
    assert f"`{name}`" in told(bundle)[0]
    strict = await world.get(HOSPITAL, "Task", params, Prefer="handling=strict")
    assert (strict.status_code, strict.json()["issue"][0]["code"]) == (400, "not-supported")


async def test_more_than_a_search_may_ask_is_too_much(world):
    wanted = list(referring("ServiceRequest"))[:11]
    assert len(wanted) == 11
    answer = await world.get(HOSPITAL, "ServiceRequest", {"_revinclude": wanted})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "too-costly")


@pytest.mark.parametrize("kind", sorted(PARAMETERS))
async def test_every_one_that_is_claimed_is_answered(world, kind):
    """A statement that PostgreSQL refuses would be a 500."""
    await load(world.database)
    await a_referral(world)
    for name in referring(kind):
        for caller in (HOSPITAL, STAFF):
            await asked(world, caller, kind, _revinclude=name)


@pytest.mark.parametrize(
    "reference",
    [
        "Organization/org-harbor-lantern",
        "Organization/org-harbor-lantern/_history/1",
        f"{BASE}/Organization/org-harbor-lantern",
        f"{BASE}/Organization/org-harbor-lantern/_history/1",
    ],
)
async def test_a_reference_is_followed_in_every_form(world, reference):
    await load(world.database)
    body = {"requester": {"reference": reference}}
    await world.refer(referral_id="one", body=body)
    bundle = await asked(world, HOSPITAL, "ServiceRequest", _include="ServiceRequest:requester")
    assert entries(bundle, "include") == [("Organization", "org-harbor-lantern")]
    elsewhere = {"requester": {"reference": "https://e.example/fhir/Organization/org-tidepool"}}
    await world.refer(referral_id="two", number=None, identifiers=(), body=elsewhere)
    bundle = await asked(
        world, HOSPITAL, "ServiceRequest", _id="two", _include="ServiceRequest:requester"
    )
    assert entries(bundle, "include") == []
