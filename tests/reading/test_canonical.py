"""A canonical is found by its address whatever its version, and by a version that one alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.reading.match import tokens
from app.store.reading.parameters import Parameter
from app.store.reading.values import canonical
from app.store.reading.words import of_parameter
from tests.reading.scene import HOSPITAL

FORM = "http://forms.example/fhir/Questionnaire/x"
#: What is stored under one letter each.
STORED = {
    "a": FORM,
    "b": f"{FORM}|1.0",
    "c": f"{FORM}|2.0",
    "d": f"{FORM}|1.0#part",
    "e": f"{FORM}#part",
    "f": "http://forms.example/fhir/Questionnaire/y|1.0",
    "g": "urn:oid:1.2.3|1.0",
}
ASKED = [
    (FORM, "abcde"),
    (f"{FORM}|1.0", "bd"),
    (f"{FORM}|2.0", "c"),
    (f"{FORM}|3.0", ""),
    (f"{FORM}|1", ""),
    (f"{FORM}|", "abcde"),
    (f"{FORM}#other", "abcde"),
    (f"{FORM}|1.0,{FORM}|2.0", "bcd"),
    ("http://forms.example/fhir/Questionnaire/X", ""),
    ("http://forms.example/fhir/Questionnaire/", ""),
    ("http://forms.example/fhir/Questionnaire/y", "f"),
    ("urn:oid:1.2.3", "g"),
    ("1.0", ""),
]


@pytest.mark.parametrize(("asked", "found"), ASKED)
async def test_answers_are_found_by_their_form(world, asked, found):
    copies = [
        ("QuestionnaireResponse", name, {"status": "completed", "questionnaire": stored})
        for name, stored in STORED.items()
    ]
    await world.refer(copies=copies)
    ids = await world.ids(HOSPITAL, "QuestionnaireResponse", {"questionnaire": asked})
    assert "".join(sorted(id_[-1] for id_ in ids)) == found


@pytest.mark.parametrize(("asked", "found"), ASKED)
async def test_referrals_are_found_by_the_protocol_that_they_follow(world, asked, found):
    names = {
        await world.refer(
            number=None, identifiers=[("urn:his", name)], body={"instantiatesCanonical": [stored]}
        ): name
        for name, stored in STORED.items()
    }
    ids = await world.ids(HOSPITAL, "ServiceRequest", {"instantiates-canonical": asked})
    assert "".join(sorted(names[one] for one in ids)) == found


async def test_a_protocol_elsewhere_is_found_by_its_whole_address(world):
    address = "https://protocols.example/a|1?b=c#d"
    referral = await world.refer(body={"instantiatesUri": ["urn:x", address]})
    written = address.replace("|", r"\|")
    for asked, found in (
        (written, [referral]),
        ("urn:x", [referral]),
        ("https://protocols.example/a", []),
    ):
        assert await world.ids(HOSPITAL, "ServiceRequest", {"instantiates-uri": asked}) == found


async def test_a_version_of_nothing_cannot_be_read(world):
    answer = await world.get(HOSPITAL, "QuestionnaireResponse", {"questionnaire": "|1.0"})
    assert answer.status_code == 400


ADDRESS = st.text("abc:/.?=&%-_~é", min_size=1)
VERSION = st.text("0123456789.-a", min_size=1)
PARAMETER = Parameter("questionnaire", "canonical", "", "questionnaire")


@given(ADDRESS, VERSION, st.one_of(st.none(), VERSION), st.sampled_from(["", "#", "#part"]))
def test_any_address_and_version(address, version, other, fragment):
    stored = {"questionnaire": address + (f"|{other}" if other else "") + fragment}
    words = set(of_parameter(stored, PARAMETER))
    assert set(tokens([canonical(address)])) <= words
    assert (set(tokens([canonical(f"{address}|{version}")])) <= words) is (version == other)
