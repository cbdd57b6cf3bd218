"""Sending the same thing again, once or sixteen times at once: one referral, one answer."""

import asyncio

import orjson
import pytest

from app.fhir.r4.strict_json import parse
from app.journey.intake.fingerprint import fingerprint
from tests.journeys.payloads import EXTRA, a_bundle, a_referral, example, incomplete, responses
from tests.journeys.service import id_of, issue

CONDITION = "identifier=https://referrer.example/ids|{}"


async def at_once(service, makes, *, times=16, **headers):
    """The answers to `times` posts sent in the same moment."""
    await service.token("hospital")
    return await asyncio.gather(*(service.post(makes(), **headers) for _ in range(times)))


async def referrals(service) -> int:
    return (await service.counts())["referral"]


async def test_sixteen_with_the_requesters_identifier_are_one_referral(service):
    answers = await at_once(service, lambda: a_referral(identifier="R-1"))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({id_of(answer) for answer in answers}) == 1
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert await referrals(service) == 1
    assert await service.taken("offer-tidepool-ecm") == 1


async def test_sixteen_with_a_key_get_the_first_answer(service):
    answers = await at_once(service, a_referral, Idempotency_Key="key-1")
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    replays = [answer.headers.get("idempotency-replayed") for answer in answers]
    assert replays.count("true") == 15
    assert await referrals(service) == 1


async def test_sixteen_on_condition_are_one_referral(service):
    answers = await at_once(
        service, lambda: a_referral(identifier="R-2"), If_None_Exist=CONDITION.format("R-2")
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert await referrals(service) == 1


async def test_sixteen_bundles_with_fresh_names_are_one_referral(service):
    def fresh():
        return a_bundle(a_referral(identifier="R-3"), {"resourceType": "Patient"})

    answers = await at_once(service, fresh)
    assert {answer.status_code for answer in answers} == {200}
    statuses = [answer.json()["entry"][0]["response"]["status"] for answer in answers]
    assert sorted(statuses) == ["200 OK"] * 15 + ["201 Created"]
    places = {
        tuple(entry["response"]["location"] for entry in answer.json()["entry"])
        for answer in answers
    }
    assert len(places) == 1
    assert await referrals(service) == 1


async def test_sixteen_bundles_with_a_key_get_the_first_answer(service):
    answers = await at_once(service, lambda: a_bundle(a_referral()), Idempotency_Key="key-b")
    assert len({answer.content for answer in answers}) == 1
    assert await referrals(service) == 1


async def test_the_hospital_bundle_twice_is_one_referral(service):
    first, second = await service.post(example("01")), await service.post(example("01"))
    assert id_of(first) == id_of(second)
    assert await referrals(service) == 1


async def test_a_repeat_after_a_move_shows_the_referral_as_it_is_now(service):
    referral = await service.refer(incomplete(identifier="R-4"))
    await service.do("hospital", "cancel", referral)
    again = await service.post(incomplete(identifier="R-4"))
    assert (again.status_code, again.json()["status"]) == (200, "revoked")
    assert again.headers["etag"] == 'W/"2"'


async def test_another_body_under_the_same_identifier_names_the_first(service):
    first = await service.refer(a_referral(identifier="R-5"))
    answer = await service.post(a_referral(EXTRA[1], identifier="R-5"))
    assert (answer.status_code, issue(answer)["code"]) == (409, "duplicate")
    assert first in issue(answer)["diagnostics"]
    assert await referrals(service) == 1


async def test_another_body_under_the_same_key_is_refused(service):
    await service.refer(a_referral(), Idempotency_Key="key-2")
    answer = await service.post(a_referral(EXTRA[1]), Idempotency_Key="key-2")
    assert answer.status_code == 422
    assert await referrals(service) == 1


async def test_key_and_identifier_are_each_of_one_client_or_organization(service):
    await service.refer(a_referral(identifier="R-6"), Idempotency_Key="key-3")
    other = await service.post(
        a_referral(EXTRA[1], identifier="R-6"), "practice", Idempotency_Key="key-3"
    )
    assert other.status_code == 201
    assert await referrals(service) == 2


async def test_a_key_whose_first_request_is_under_way_waits_and_then_says_so(service):
    """Another request holds the key and does not end: after two seconds, come again."""
    async with service.store.transaction():
        await service.store.execute(
            "INSERT INTO idempotency_key (organization_id, client_id, key, fingerprint, status,"
            " headers, body, created_at) VALUES ('org-harbor-lantern', 'hospital', 'key-6', 'f',"
            " 201, '{}', '', now())"
        )
        answer = await service.post(a_referral(), Idempotency_Key="key-6")
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
        assert await referrals(service) == 0


async def test_white_space_and_order_make_no_other_body(service):
    body = a_referral()
    turned = dict(reversed(body.items()))
    await service.refer(body, Idempotency_Key="key-4")
    again = await service.post(turned, Idempotency_Key="key-4")
    assert again.headers["idempotency-replayed"] == "true"


KEYS = [
    ("plain-1", 201),
    ('"quoted-1"', 201),
    ("a" * 255, 201),
    ("a" * 256, 400),
    ("", 400),
    ('""', 400),
    ("two words", 400),
    ('half"', 400),
    ("semi;colon", 400),
]


@pytest.mark.parametrize(("key", "status"), KEYS, ids=[key[:20] or "empty" for key, _ in KEYS])
async def test_what_a_key_may_be(service, key, status):
    answer = await service.post(a_referral(), Idempotency_Key=key)
    assert answer.status_code == status
    assert await referrals(service) == (status == 201)


async def test_a_repeat_is_known_by_the_hash_that_an_earlier_version_stored(service):
    """Earlier versions wrote 0.000001 otherwise before hashing; what they stored stays."""
    body = a_referral(identifier="R-12", quantityQuantity={"value": 0.000001})
    created = await service.post(body, Idempotency_Key="key-7")
    assert created.status_code == 201, created.text
    former = fingerprint(parse(orjson.dumps(body))).former
    for table in ("idempotency_key", "referral_identifier"):
        changed = await service.store.execute(f"UPDATE {table} SET fingerprint = $1", former)
        assert changed == "UPDATE 1"
    replayed = await service.post(body, Idempotency_Key="key-7")
    assert replayed.headers["idempotency-replayed"] == "true"
    again = await service.post(body)
    assert (again.status_code, id_of(again)) == (200, id_of(created))
    other = {**body, "quantityQuantity": {"value": 0.000002}}
    assert (await service.post(other, Idempotency_Key="key-7")).status_code == 422
    assert (await service.post(other)).status_code == 409
    assert await referrals(service) == 1


@pytest.mark.parametrize("number", ["9007199254740993", "-1e60", "0.1", "1e-60"])
async def test_a_number_that_no_double_holds_is_sent_again(service, number):
    body = orjson.dumps(a_referral(quantityQuantity={"value": 7.5}))
    body = body.replace(b"7.5", number.encode())
    first = await service.post(body, Idempotency_Key="key-8")
    again = await service.post(body, Idempotency_Key="key-8")
    assert (first.status_code, again.content) == (201, first.content)
    assert number.encode() in first.content


async def test_quoted_or_not_it_is_the_same_key(service):
    first = await service.post(a_referral(), Idempotency_Key="key-5")
    second = await service.post(a_referral(), Idempotency_Key='"key-5"')
    assert first.content == second.content


CONDITIONS = {
    "with a question mark": "?" + CONDITION.format("R-7"),
    "escaped": "identifier=https%3A%2F%2Freferrer.example%2Fids%7CR-7",
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
async def test_how_a_condition_may_be_written(service, condition):
    first = await service.refer(a_referral(identifier="R-7"))
    again = await service.post(a_referral(identifier="R-7"), If_None_Exist=condition)
    assert (again.status_code, id_of(again)) == (200, first)


async def test_a_condition_matches_before_the_body_is_looked_at(service):
    first = await service.refer(a_referral(identifier="R-8"))
    again = await service.post(a_referral(EXTRA[1]), If_None_Exist=CONDITION.format("R-8"))
    assert (again.status_code, id_of(again)) == (200, first)


async def test_a_condition_that_matches_nothing_creates(service):
    answer = await service.post(a_referral(), If_None_Exist=CONDITION.format("nobody"))
    assert answer.status_code == 201


async def test_an_identifier_without_a_system_is_no_key(service):
    number = {"value": "7"}
    first = await service.post({**a_referral(), "identifier": [number]})
    other = await service.post({**a_referral(EXTRA[1]), "identifier": [number]})
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["identifier"][0] == number


async def test_a_condition_matches_only_what_the_caller_may_see(service):
    await service.refer(a_referral(identifier="R-9"))
    answer = await service.post(
        a_referral(EXTRA[1]), "practice", If_None_Exist=CONDITION.format("R-9")
    )
    assert answer.status_code == 201


async def test_a_condition_that_several_match_is_412(service):
    both = [{"system": "https://shared.example", "value": "one"}]
    for number in range(2):
        extra = [{"system": "https://referrer.example/ids", "value": f"M-{number}"}]
        body = a_referral(EXTRA[number])
        await service.refer({**body, "identifier": extra + both}) if number == 0 else None
    await service.refer({**a_referral(EXTRA[2]), "identifier": both}, "practice")
    answer = await service.ask(
        "staff-hpsm",
        "POST",
        "/fhir/ServiceRequest",
        a_referral(EXTRA[3]),
        headers={"If-None-Exist": "identifier=https://shared.example|one"},
    )
    assert answer.status_code == 412


@pytest.mark.parametrize(
    "condition",
    ["", "?", "status=active", "identifier=", "identifier=a|", "identifier=a|b&patient=1"],
)
async def test_a_condition_that_is_not_understood_creates_nothing(service, condition):
    answer = await service.post(a_referral(), If_None_Exist=condition)
    assert answer.status_code == 400
    assert await referrals(service) == 0


async def test_a_query_on_the_post_is_a_condition_too(service):
    first = await service.refer(a_referral(identifier="R-10"))
    params = {"identifier": "https://referrer.example/ids|R-10"}
    again = await service.ask(
        "hospital", "POST", "/fhir/ServiceRequest", a_referral(EXTRA[1]), params=params
    )
    assert (again.status_code, id_of(again)) == (200, first)
    refused = await service.ask(
        "hospital",
        "POST",
        "/fhir/ServiceRequest",
        a_referral(EXTRA[1]),
        params={"status": "active"},
    )
    assert refused.status_code == 400


async def test_a_condition_on_the_request_of_a_bundle(service):
    """Whatever else differs: what is there is named, in a transaction-response."""
    first = await service.refer(a_referral(identifier="R-11"))
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    bundle = a_bundle(a_referral(EXTRA[1]), task, responses({"homeless": True}))
    condition = "identifier=https://referrer.example/ids|R-11"
    bundle["entry"][-1]["request"]["ifNoneExist"] = condition
    again = await service.post(bundle)
    assert again.status_code == 200, again.text
    said = [entry["response"] for entry in again.json()["entry"]]
    assert {one["status"] for one in said} == {"200 OK"}
    places = [one["location"].split("/")[-4:-2] for one in said]
    assert places == [["Task", first], ["ServiceRequest", first], ["ServiceRequest", first]]
    bundle["entry"][-1]["request"]["ifNoneExist"] = "status=active"
    refused = await service.post(bundle)
    assert (refused.status_code, await referrals(service)) == (400, 1)


async def test_a_minimal_answer_has_no_body(service):
    answer = await service.post(a_referral(), Prefer="return=minimal")
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["location"]
