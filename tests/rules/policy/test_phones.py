"""The number that members call: from the plan's page, else from the deployment."""

from datetime import date
from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.base.settings import Settings, WrongSettings
from app.journey.intake.context import rules, rules_of
from app.policy.library import load_library
from app.policy.phones import read_member_phones, without_member_phone

LIBRARY = load_library()
OURS = {"HPSM": "650-555-0190", "HPSJ": "209-555-0100"}


def in_production(phones: str, **more: Any) -> Settings:
    return Settings(
        environment="production",
        database_url="postgresql://nwd@db.example/nwd",
        token_secret="s" * 40,
        webhook_key=Fernet.generate_key().decode(),
        public_url="https://referrals.example.org",
        plan_member_phones=phones,
        **more,
    )


def test_the_deployment_gives_the_number_that_the_page_has_not() -> None:
    library = load_library(phones=OURS)
    for on in (date(2022, 6, 1), date(2026, 6, 1)):
        assert said(library, "HPSM", on) == "650-555-0190"
        assert said(library, "HPSJ", on) == "888.936.7526"  # the number of the page wins
    version = library.version("HPSM/2026-01-01!cms-0057-f")  # a version of other switches
    assert version is not None
    assert version.data.contacts["member"].phone == "650-555-0190"


def said(library: Any, plan: str, on: date) -> str | None:
    policy = library.policy(plan, on)
    number: str | None = policy.data.contacts["member"].phone
    return number


def test_only_the_plan_whose_page_has_none_lacks_a_number() -> None:
    assert without_member_phone(LIBRARY.versions.values(), LIBRARY.plans) == ["HPSM"]
    heard = load_library(phones=OURS)
    assert without_member_phone(heard.versions.values(), LIBRARY.plans) == []


def test_production_demands_the_number() -> None:
    with pytest.raises(WrongSettings, match=r"PLAN_MEMBER_PHONES must give .* for HPSM"):
        rules(in_production(""), LIBRARY)
    assert rules_of(in_production("HPSM = 650-555-0190")).plans
    assert rules(in_production("", plans="HPSJ,CCAH"), LIBRARY).plans == ("HPSJ", "CCAH")
    assert rules(Settings(), LIBRARY).plans  # development does not


def test_a_plan_that_is_not_there_has_no_number() -> None:
    with pytest.raises(WrongSettings, match="PLAN_MEMBER_PHONES names NOPE"):
        rules(Settings(plan_member_phones="NOPE=650-555-0190"), LIBRARY)


@pytest.mark.parametrize("wrong", ["650-555-0190", "HPSM=", "HPSM=call us", "HPSM:650-555-0190"])
def test_numbers_are_written_as_pairs(wrong: str) -> None:
    with pytest.raises(ValueError, match="write each as plan=number"):
        Settings(plan_member_phones=wrong)


def test_several_plans_are_read() -> None:
    both = read_member_phones("HPSM=650-555-0190, HPSJ = (209) 555-0100")
    assert both == {"HPSM": "650-555-0190", "HPSJ": "(209) 555-0100"}
