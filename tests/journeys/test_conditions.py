"""A condition that is understood finds what is there; any other creates nothing."""

import pytest

from app.journey.intake.condition import read_condition
from tests.journeys.payloads import EXTRA, a_referral

HEADS = (
    "",
    "?",
    "ServiceRequest?",
    "/fhir/ServiceRequest?",
)


async def conditional(service, condition):
    body = {**a_referral(EXTRA[1])}
    return await service.ask(
        "hospital",
        "POST",
        "/fhir/ServiceRequest",
        body,
        headers={b"If-None-Exist": condition},
    )


async def test_one_identifier_however_its_condition_is_written(service):
    own = [{"system": "http://x.example", "value": r"Ü|1,2\3+4"}]
    first = await service.refer({**a_referral(), "identifier": own})
    for head in HEADS:
        for value in (r"Ü\|1\,2\\3+4".encode(), rb"%C3%9C%5C%7C1%5C%2C2%5C%5C3%2B4"):
            answer = await conditional(
                service, head.encode() + b"identifier=http://x.example|" + value
            )
            assert (answer.status_code, answer.json()["id"]) == (200, first)


@pytest.mark.parametrize(
    "condition",
    [
        b"identifier=http://x.example|%DC",
        b"identifier=http://x.example|\xdc",
        b"identifier=http://x.example|%zz",
        b"identifier=http://x.example|A%20",
        b"identifier=http://x.example|A%09",
        b"identifier=http://x.example|A%00",
        b"identifier=http://x.example|A%E2%80%8B",
        b"identifier=http://x.example|A%",
        b"Patient?identifier=http://x.example|A",
        b"https://other.example/fhir/ServiceRequest?identifier=http://x.example|A",
        b"identifier=",
        b"identifier=&identifier=http://x.example|A",
        b"identifier=http://x.example|A&status=",
        b"identifier=http://x.example|A&_sort=authored",
        b"identifier=http://x.example|A&flavour=x",
        b"&".join([b"identifier=A"] * 11),
        b"identifier=" + b",".join([b"A"] * 21),
    ],
)
async def test_what_is_not_understood_to_the_last_character_is_400(service, condition):
    assert (await conditional(service, condition)).status_code == 400


def test_blanks_around_the_header_are_no_part_of_it():
    asked = [" identifier=urn:x|1 \t"]
    assert read_condition(asked, b"", "http://b/fhir") == read_condition(
        ["identifier=urn:x|1"], b"", "http://b/fhir"
    )
