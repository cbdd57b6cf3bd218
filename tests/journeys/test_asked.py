"""What a referrer is asked: the shortest way first, and nothing that cannot concern the member."""

from tests.journeys.payloads import a_referral, adding, incomplete, responses
from tests.journeys.service import Said

POPULATIONS = "https://nowrongdoor.example/fhir/CodeSystem/ecm-population-of-focus"
MEALS = {"nutrition_sensitive_conditions": ["diabetes"], "willing_to_receive_cs": True}


def ways(said: Said) -> list[tuple[str | None, list[str]]]:
    found = []
    for part in said.parts:
        if part["name"] == "way":
            codes = [each["valueCode"] for each in part["part"] if each["name"] == "population"]
            facts = [each["valueString"] for each in part["part"] if each["name"] == "fact"]
            found.append((codes[0] if codes else None, facts))
    return found


async def asked(service, referral):
    found = await service.found(f"CommunicationRequest?based-on=ServiceRequest/{referral}")
    return found[-1]


def facts(request):
    return [
        each["extension"][0]["valueString"] for each in request["payload"] if "extension" in each
    ]


def claim(code: str) -> dict[str, object]:
    coding = {"system": POPULATIONS, "code": code}
    return {"linkId": "population_of_focus", "answer": [{"valueCoding": coding}]}


async def test_asking_first_names_the_ways_best_first(service):
    claimed = [{"coding": [{"system": POPULATIONS, "code": "POF6"}]}]
    said = await service.check(incomplete(reasonCode=claimed))
    assert ways(said)[0] == (
        "POF6",
        ["nf_resident", "wants_to_move_out", "likely_success", "can_reside_community"],
    )
    assert ("POF2", ["utilization"]) in ways(said)
    assert {fact for _, way in ways(said) for fact in way} <= set(said.missing)


async def test_meals_wait_for_one_answer_and_it_is_the_first_asked(service):
    referral = await service.refer(a_referral(service="MTM", facts=MEALS, visits=()))
    request = await asked(service, referral)
    assert facts(request)[0] == "engaged_with_care_manager"
    assert request["note"] == [{"text": "Answers to these questions may be enough: 1."}]
    told = adding(responses({"engaged_with_care_manager": True}))
    assert (await service.do("hospital", "add-information", referral, told)).is_success
    assert (await service.words(referral))[0] == "approved"


async def test_a_man_of_62_is_not_asked_for_a_pregnancy(service):
    body = incomplete()
    body["contained"][0] |= {"gender": "male"}
    asks = facts(await asked(service, await service.refer(body)))
    assert "homeless" in asks
    assert not {"pregnant", "postpartum_12m", "racial_ethnic_disparity"} & set(asks)


async def test_who_names_no_population_of_focus_is_asked_for_it_with_the_open_ones(service):
    request = await asked(service, await service.refer(incomplete()))
    first = request["payload"][0]
    assert first["extension"][0]["valueString"] == "population_of_focus"
    assert "Choices: Adults Experiencing Homelessness; " in first["contentString"]
    assert request["note"][0]["text"].startswith("Answers to these questions may be enough: 2; or ")


async def test_a_population_named_on_the_form_is_a_claim(service):
    referral = await service.refer(incomplete(items=[claim("POF4")]))
    request = await asked(service, referral)
    assert facts(request)[:2] == ["ji_status", "ji_conditions"]
    conditions = request["payload"][1]["contentString"]
    assert "Choices: Mental illness; Substance use disorder; Chronic" in conditions
    said = await service.check(incomplete(items=[claim("POF4")]))
    assert said.codes("reason") == ["facts-missing"]


async def test_a_population_named_later_orders_what_is_asked_next(service):
    referral = await service.refer(incomplete())
    told = adding({**responses({}), "item": [claim("POF6")]})
    assert (await service.do("hospital", "add-information", referral, told)).is_success
    assert facts(await asked(service, referral))[0] == "nf_resident"
    assert "population_of_focus" not in facts(await asked(service, referral))
