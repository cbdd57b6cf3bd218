"""Which county a member lives in: as stated, however it is written, else the plan's only one."""

import pytest

from app.fhir.r4.codes import COUNTIES as NAMES
from app.policy.counties import COUNTIES, county_code, member_county
from app.policy.policy import ANY_COUNTY
from tests.rules.policy.asking import LIBRARY, ask, missing, reasons

ONE, SEVERAL, NONE = ("san_mateo",), ("merced", "monterey", "santa_cruz"), ()
ELIGIBLE = {
    "homeless": True,
    "complex_need": True,
    "unable_self_manage": True,
    "coordination_benefit": True,
}


@pytest.mark.parametrize(
    ("stated", "served", "county"),
    [
        ("san_mateo", ONE, "san_mateo"),
        ("San Mateo", ONE, "san_mateo"),
        (" SAN-MATEO  COUNTY ", ONE, "san_mateo"),
        ("Sàn Matéo", SEVERAL, "san_mateo"),
        ("Santa Cruz", SEVERAL, "santa_cruz"),
        # A county that the plan does not serve is where the member lives all the same.
        ("Los Angeles", ONE, "los_angeles"),
        ("Merced", NONE, "merced"),
        # Nobody says where: only a plan with one county tells.
        (None, ONE, "san_mateo"),
        (None, SEVERAL, None),
        (None, NONE, None),
        # No county of California, and nothing that could be one: as if nobody had said.
        ("Atlantis", ONE, "san_mateo"),
        ("Atlantis", SEVERAL, None),
        ("Atlantis", NONE, None),
        ("County", SEVERAL, None),
        ("", SEVERAL, None),
        ("any", SEVERAL, None),
        (True, SEVERAL, None),
        (frozenset({"merced"}), SEVERAL, None),
    ],
)
def test_where_a_member_lives(stated, served, county):
    assert member_county(stated, served) == county


def test_california_has_58_counties_and_each_is_read_back():
    assert len(COUNTIES) == 58
    for code in COUNTIES:
        assert county_code(code) == code
        assert county_code(code.replace("_", " ").title() + " County") == code


def test_every_county_that_a_plan_or_our_words_name_is_one():
    assert set(NAMES) <= COUNTIES
    for policy in LIBRARY.versions.values():
        named = set(policy.data.counties)
        named |= {county for cells in policy.data.availability.values() for county in cells}
        assert named - {ANY_COUNTY} <= COUNTIES, policy.version


def test_a_word_that_is_no_county_denies_nobody():
    """It is asked for where the answer depends on it, as where nobody has stated a county."""
    for county in ("Atlantis", None):
        assert ask("HPSM", county=county, **ELIGIBLE).outcome == "approved"
        said = ask("HPSJ", on="2022-03-01", county=county, **ELIGIBLE)
        assert (said.outcome, reasons(said)) == ("pending", {"facts-missing"})
        assert missing(said)[0] == "county"
