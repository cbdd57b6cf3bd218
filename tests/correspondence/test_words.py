"""Every text of every letter, read by a strict reader: as a kind, not one by one."""

import itertools
import re
from dataclasses import replace
from datetime import date

import pytest

from app.fhir.r4.codes import REASONS
from app.model.notices import ANNOUNCED
from app.policy.asking import questions_of
from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate
from app.policy.model import EligibilityQuestion, Fact, Facts, Missing, Reason
from app.policy.phones import with_member_phone
from app.policy.vocabulary import LANGUAGES, words
from app.store.referral.snapshot import Authorized
from app.views.letters.letter import compose_letter, html
from app.views.letters.reasons import _FORMERLY
from app.views.letters.spoken import to_member, written_date
from tests.correspondence.checker import faults, grade, names_of
from tests.correspondence.samples import LIBRARY, LUIS, PROVIDER, content, texts, without_need

RECIPIENTS = ("requesting", "servicing", "member")
PLANS = ("HPSJ", "HPSM", "CCAH")
COUNTIES = {"HPSJ": "san_joaquin", "HPSM": "san_mateo", "CCAH": "monterey"}
DICTIONARY = load_dictionary()
#: Sentences of the plans' pages about other plans, which keep their terms.
_OF_OTHERS = [
    each
    for name, each in LIBRARY.policy("HPSJ", date(2026, 1, 1)).data.advice.items()
    if name in ("reassignment", "turn-to-delegate", "waiver-1915c")
]
EVERY_QUESTION = tuple(Missing(fact, DICTIONARY.question(fact)) for fact in DICTIONARY)
TODAY = {plan: LIBRARY.policy(plan, date(2026, 11, 20)) for plan in LIBRARY.plans}


def letters(plan, outcome, recipient, language, **more):
    """The letters of a plan: of each of its services, to an office and to family."""
    policy = TODAY[plan]
    family = (False, True) if recipient == "requesting" else (False,)
    made = content(outcome, recipient, language, **more)
    for service, person in itertools.product([*policy.data.services, None], family):
        about = replace(made.snapshot, service=service)
        yield compose_letter(replace(made, policy=policy, person=person, snapshot=about))


@pytest.mark.parametrize("plan", TODAY)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_every_letter_reads_well_whatever_its_outcome_and_service(plan, language, recipient):
    names = [*names_of(plan), LUIS.name, PROVIDER.name]
    for outcome, decided_by in itertools.product(ANNOUNCED, ("rules", "clock", "staff-hpsj")):
        for letter in letters(plan, outcome, recipient, language, decided_by=decided_by):
            assert faults(letter, names) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("recipient", ["requesting", "member"])
@pytest.mark.parametrize("plan", TODAY)
def test_every_reason_reads_well_with_all_advice_of_the_plan(plan, language, recipient):
    policy = TODAY[plan]
    advice = [each.en.replace("{date}", "2026-12-01") for each in policy.data.advice.values()]
    typed = [None, "The member moved", "the member moved to Oregon.", "Ask again in May.."]
    for code, text in itertools.product([*REASONS, ""], [*advice, *typed]):
        if not code and text is None:
            continue
        made = content(recipient=recipient, language=language, reasons=(Reason(code, text),))
        letter = compose_letter(replace(made, policy=policy, decisive=()))
        assert faults(letter, names_of(plan)) == [], (code, text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("recipient", ["requesting", "member"])
def test_every_question_reads_well(language, recipient):
    for question in EVERY_QUESTION:
        made = content("information-needed", recipient, language, missing=(question,))
        assert faults(compose_letter(made), names_of("HPSJ")) == [], question


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("outcome", ANNOUNCED)
def test_a_members_letter_is_read_after_eight_years_of_school(plan, outcome):
    names = [*names_of(plan), LUIS.name, PROVIDER.name]
    for letter in letters(plan, outcome, "member", "en", decided_by="staff-hpsj"):
        said = [[_bare(text, names) for text in _said(section)] for section in letter.sections]
        for section in said:
            assert grade(section) <= 8, section
        assert grade(itertools.chain(*said)) <= 8


def test_every_reason_is_read_after_eight_years_of_school():
    for plan in PLANS:
        for code, each in itertools.product(REASONS, [*TODAY[plan].data.advice.values(), None]):
            reason = Reason(code, each.en.replace("{date}", "2026-12-01") if each else None)
            letter = compose_letter(replace(content(reasons=(reason,)), policy=TODAY[plan]))
            (why,) = [section for section in letter.sections if section.heading == "Why"]
            said = [_bare(text, names_of(plan)) for text in why.paragraphs]
            assert grade(said) <= 8 or each in _OF_OTHERS, said


def _bare(text, names):
    for name in names:
        text = text.replace(name, "Ann")
    return text


def _said(section):
    yield from (*section.paragraphs, *section.after)
    yield from (text for item in section.items for text in item.texts)
    yield from (text for point in section.points for text in point)


@pytest.mark.parametrize(("language", "member"), [("en", "the member"), ("es", "el miembro")])
def test_the_member_is_spoken_to_in_every_question(language, member):
    for fact in DICTIONARY:
        said = to_member(DICTIONARY.question(fact, language), language)
        assert member not in said.lower(), said
        assert not re.search(r"\byou (is|has|was|does|lives?s|owns)\b", said), said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("recipient", "person"), [("member", False), ("requesting", True)])
@pytest.mark.parametrize("outcome", ["information-needed", "void"])
def test_a_person_is_asked_to_call_and_no_clinical_question(language, recipient, person, outcome):
    own = Missing("", "Which door may we knock at?")
    made = content(outcome, recipient, language, person=person, missing=(*EVERY_QUESTION, own))
    letter = compose_letter(made)
    said = "\n".join(texts(letter))
    asked = {*(each.question for each in EVERY_QUESTION)}
    asked |= {DICTIONARY.question(fact, "es") for fact in DICTIONARY}
    asked |= {to_member(each, language) for each in asked}
    assert not [each for each in asked if each in said]
    assert own.question in said
    if outcome == "information-needed":
        assert "888.936.7526" in said  # whom to call, until when, and what to have at hand
        assert written_date(date(2026, 12, 1), words(language)) in said
        assert words(language)["headings"]["ready"] in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_the_reminder_is_another_letter_with_the_same_last_day(language, recipient):
    first, second = (
        compose_letter(content("information-needed", recipient, language, reminder=reminder))
        for reminder in (False, True)
    )
    assert first.title != second.title
    assert first.sections[0].paragraphs != second.sections[0].paragraphs
    assert faults(second, names_of("HPSJ")) == []
    due = written_date(date(2026, 12, 1), words(language))
    for letter in (first, second):
        assert recipient == "servicing" or any(due in text for text in texts(letter))


@pytest.mark.parametrize(
    ("service", "units", "said"),
    [
        (
            "EAA",
            {"quantity": 7500, "unit": "USD"},
            "as the plan and the provider agree, at most 7,500 US dollars",
        ),
        ("EAA", {"quantity": 1200, "unit": "USD"}, "1,200 US dollars"),
        ("CTS", {"quantity": 7500, "unit": "USD"}, "at most 7,500 US dollars"),
    ],
)
def test_the_most_that_a_plan_gives_is_not_told_as_granted(service, units, said):
    held = Authorized("HPSJ-1", date(2026, 11, 23), date(2027, 5, 22), units)
    made = content("approved", service=service, authorized=held)
    letter = compose_letter(replace(made, policy=TODAY["CCAH" if service == "EAA" else "HPSJ"]))
    assert f"Amount: {said}" in texts(letter)


@pytest.mark.parametrize(
    ("language", "hours"),
    [
        ("en", "8 a.m. to 5:30 p.m., Monday through Friday"),
        ("es", "de lunes a viernes"),
        ("hmn", "teev"),
    ],
)
def test_hours_are_in_the_language_of_the_letter(language, hours):
    made = replace(content(language=language), policy=TODAY["CCAH"])
    (contact,) = [
        text for text in texts(compose_letter(made)) if "Alliance Member Services" in text
    ]
    assert hours in contact
    assert ("Monday through" in contact) is (language == "en")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", ANNOUNCED)
def test_nobody_is_told_to_call_a_number_that_is_not_there(language, outcome):
    policy = TODAY["HPSM"]
    for recipient in RECIPIENTS:
        made = replace(content(outcome, recipient, language, decided_by="staff"), policy=policy)
        silent = " ".join(texts(compose_letter(made)))
        assert not re.search("number below|número de abajo|xov tooj hauv qab", silent)
        assert "650-555-0190" not in silent
        heard = replace(made, policy=with_member_phone(policy, {"HPSM": "650-555-0190"}))
        assert "650-555-0190" in " ".join(texts(compose_letter(heard)))


def test_a_person_who_named_themselves_is_named_and_no_client_is():
    said = "\n".join(
        texts(compose_letter(content(decided_by="staff-hpsj", decider="Ada Example, RN")))
    )
    assert "Ada Example, RN, of Health Plan of San Joaquin, decided this." in said
    assert "staff-hpsj" not in said


def test_denials_fit_a_page_of_criteria():
    """No claimed population: one sentence and one list of names."""
    letter = compose_letter(content(answer=without_need("HPSM"), service="ECM"))
    (rule,) = [each for each in letter.sections if each.heading.startswith("The rule")]
    (groups,) = rule.items
    assert groups.text.startswith("Enhanced Care Management is for certain groups of people.")
    assert "Adults Experiencing Homelessness" in groups.parts
    assert groups.parts[-1].startswith("Source: Health Plan of San Mateo")
    assert len(groups.parts) <= 12
    assert len(set(groups.parts)) == len(groups.parts)


def asked(plan, service, language="en", recipient="requesting", **facts):
    """The letter that asks for what the rules miss of a member who is hardly known."""
    stated = {"coverage_active": True, "line_of_business": "MEDI-CAL", "age": 45} | facts
    known = Facts({name: Fact(value, "form") for name, value in stated.items()})
    question = EligibilityQuestion(plan, service, date(2026, 11, 20), COUNTIES[plan], (), known)
    answer = evaluate(LIBRARY, question)
    missing, asking = questions_of(answer, LIBRARY.versions[answer.policy])
    more = {"missing": missing, "asking": asking, "service": service}
    return compose_letter(content("information-needed", recipient, language, answer, **more))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("plan", PLANS)
def test_a_request_asks_the_best_first_and_folds_the_rest(plan, language):
    letter = asked(plan, "ECM", language)
    heading = words(language)["headings"]
    (always,) = [each for each in letter.sections if each.heading == heading["questions"]]
    (front,) = [each for each in letter.sections if each.heading == heading["any_one"]]
    (rest,) = [each for each in letter.sections if each.heading == heading["further"]]
    assert len(always.items) == 1  # the population of focus
    assert any(item.lead and len(item.either) > 1 for item in front.items)
    every = [text for item in (*always.items, *front.items) for text in item.texts]
    assert sum("?" in text for text in set(every)) <= 8
    assert (front.folded, rest.folded) == (False, True)
    assert len(rest.items) > 3
    assert faults(letter, names_of(plan)) == []
    page = html(letter)
    assert page.count("<details>") == 1
    assert page.index(front.items[0].text[:20]) < page.index("<details>")


def test_a_population_of_focus_is_asked_for_in_the_language_of_the_letter():
    english, spanish = asked("HPSM", "ECM"), asked("HPSM", "ECM", "es")
    assert any("Choices: Adults Experiencing Homelessness" in text for text in texts(english))
    (said,) = [text for text in texts(spanish) if "Opciones: Adultos sin hogar" in text]
    assert "Which population" not in said


def test_questions_name_their_choices():
    """The seven conditions of S003:L62-69."""
    said = " ".join(texts(asked("HPSM", "ECM", ji_status="released", ji_facility="jail")))
    for choice in ("Mental illness", "Substance use disorder", "Traumatic brain injury", "HIV"):
        assert choice in said, choice


def test_what_a_service_needs_together_is_asked_together():
    letter = asked("HPSM", "MTM")
    (front,) = [each for each in letter.sections if each.heading == "What we need to know"]
    (together,) = front.items
    assert together.text == "All of these:"
    assert "Is the member engaged with a care manager?" in together.parts
    assert len(together.parts) == 3


def test_without_an_order_of_asking_eight_questions_stand_in_front():
    """So are older requests: only the list of what was missing is known of them."""
    made = content("information-needed", "requesting", missing=EVERY_QUESTION, asking=None)
    sections = {each.heading: each for each in compose_letter(made).sections}
    assert len(sections["What we need to know"].items) == 8
    assert len(sections["Other questions"].items) >= 30


def test_an_open_question_of_staff_stands_in_front():
    own = Missing("", "Which door may we knock at?")
    made = content("information-needed", "requesting", missing=(*EVERY_QUESTION, own), asking=None)
    front = next(each for each in compose_letter(made).sections if each.items)
    assert front.items[0].text == own.question


@pytest.mark.parametrize("key", sorted(_FORMERLY))
@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_of_older_determinations_is_said_in_the_words_of_now(key, language):
    plan = {"careadvantage": "HPSM"}.get(key, "HPSJ")
    now = TODAY[plan].data.advice[key]
    said = []
    for text in (_FORMERLY[key], now.en):
        reason = Reason("review-required", text.replace("{date}", "2026-12-01"))
        made = content(language=language, reasons=(reason,))
        letter = compose_letter(replace(made, policy=TODAY[plan], decisive=()))
        said.append(texts(letter))
    assert said[0] == said[1]


def test_what_a_person_repeats_of_the_code_is_said_once():
    reason = Reason("service-criteria-not-met", "The criteria of the service are not met")
    (why,) = [each for each in compose_letter(content(reasons=(reason,), decisive=())).sections
              if each.heading == "Why"]  # fmt: skip
    assert why.paragraphs == ("From what we know, the rules for this service are not met.",)
