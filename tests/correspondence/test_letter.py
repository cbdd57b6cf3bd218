"""What letters say: complete, in the reader's language, and no more than the reader may know."""

import itertools
import re
from dataclasses import replace
from datetime import date

import pytest

from app.fhir.r4.codes import REASONS
from app.model.notices import ANNOUNCED
from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate
from app.policy.model import EligibilityQuestion, Fact, Facts, Missing, Reason
from app.policy.phrases import _WORDS, phrases
from app.policy.vocabulary import LANGUAGES, language_of, words, words_of
from app.store.referral.letters import summary
from app.store.referral.snapshot import Authorized, LetterSnapshot
from app.views.letters.criteria import decisive
from app.views.letters.letter import compose_letter
from tests.correspondence.samples import LIBRARY, LUIS, NOBODY, content, denied, snapshot, texts
from tests.policies.vectors import stated_facts

LUIS_BY_PHONE = replace(LUIS, phones=("209-555-0112",))
RECIPIENTS = ("requesting", "servicing", "member")


def flat(tree, path=""):
    """Every string of a template under the path of its keys."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from flat(value, f"{path}[{index}]")
    else:
        yield path, tree


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_templates_have_the_same_keys_and_placeholders_in_every_language(language):
    english, other = dict(flat(words("en"))), dict(flat(words(language)))
    assert list(english) == list(other)
    for path, text in english.items():
        assert isinstance(other[path], str), path
        assert other[path].strip(), path
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", other[path])), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_words(language):
    assert set(words_of("reasons", "member", language)) == set(REASONS)
    said_to_others = words_of("reasons", "others", language)
    assert set(said_to_others) == set(words_of("reasons", "others")) < set(REASONS)
    every = [*words_of("reasons", "member", language).values(), *said_to_others.values()]
    assert not [text for text in every if not text.strip() or re.search(r"{\w*}", text)]


@pytest.mark.parametrize(
    ("language", "outcome", "recipient", "person", "decided_by"),
    list(
        itertools.product(
            LANGUAGES, ANNOUNCED, RECIPIENTS, (False, True), ("rules", "clock", "staff")
        )
    ),
)
def test_every_letter_is_whole(language, outcome, recipient, person, decided_by):
    letter = compose_letter(
        content(outcome, recipient, language, person=person, decided_by=decided_by)
    )
    said = texts(letter)
    assert all(isinstance(text, str) and text.strip() for text in said)
    assert not [text for text in said if re.search(r"{\w*}|None|S00\d|G26", text)]
    headings = [section.heading for section in letter.sections]
    assert len(set(headings)) == len(headings)
    assert next(tag for tag, _ in letter.taglines) == language
    assert sorted(tag for tag, _ in letter.taglines) == sorted(LANGUAGES)


def test_a_denial_holds_all_that_a_notice_of_action_must():
    letter = compose_letter(content(decided_by="staff-hpsj"))
    said = "\n".join(texts(letter))
    for words_ in (
        "Notice of action: denial",
        "Health Plan of San Joaquin did not approve Housing Deposits for you.",
        "the rules for this service are not met",
        "The rules for Housing Deposits: not met. Source: Health Plan of San Joaquin, page for",
        "line 129, which names the service without criteria; these are from a published policy",
        "Does the member receive housing transition navigation now? no",
        "A person looked at your request",
        "free copy of the rules",
        "HPSJ Customer Service. Phone: 888.936.7526. TTY: 711",
        "staff decided this (staff-hpsj)",
        "60 calendar days",
        "expedited appeal",
        "72 hours",
        "State Hearing",
        "1-800-743-8525",
        "you may keep it while you appeal",
        "civil rights",
        "November 23, 2026",
    ):
        assert words_ in said, words_


def test_in_spanish_the_criteria_are_spanish_where_the_dictionary_is():
    said = "\n".join(texts(compose_letter(content(language="es"))))
    assert "Aviso de acción: denegación" in said
    assert "Depósitos de Vivienda" in said
    assert "23 de noviembre de 2026" in said
    assert "Does the member" not in said


def test_in_hmong_the_service_has_its_hmong_name():
    said = "\n".join(texts(compose_letter(content(language="hmn"))))
    assert "tsis pom zoo muab Cov Nyiaj Tso Them Vaj Tsev Nyob rau koj" in said


def test_advice_of_the_plan_is_in_the_language_of_the_letter():
    answer = denied("HPSM", "ECM", {"line_of_business": "CAREADVANTAGE"}, county="san_mateo")
    english = "\n".join(texts(compose_letter(content(answer=answer, service="ECM"))))
    spanish = "\n".join(texts(compose_letter(content(language="es", answer=answer, service="ECM"))))
    assert "CareAdvantage members do not qualify for ECM" in english
    assert "Los miembros de CareAdvantage no califican para ECM" in spanish
    assert "Health Plan of San Mateo, page for providers, line 15" in english


def test_what_a_person_wrote_is_the_reason_as_written():
    reasons = (Reason("", "The member moved to another state."),)
    said = texts(compose_letter(content(reasons=reasons, decided_by="staff-hpsj")))
    assert "The member moved to another state." in said


def test_the_performer_learns_no_reasons():
    letter = compose_letter(content(recipient="servicing"))
    headings = [section.heading for section in letter.sections]
    assert not {"Why", "Your rights"} & set(headings)
    assert "rules for this service are not met" not in "\n".join(texts(letter))


def test_an_approval_names_number_period_amount_and_provider():
    said = "\n".join(texts(compose_letter(content("approved"))))
    for words_ in (
        "Authorization number: HPSJ-1",
        "Authorized from November 23, 2026 through May 22, 2027",
        "Amount: 5000 US dollars",
        "Your provider is Redwood Slope.",
        "Provider: Redwood Slope, 1 Example Way, Lodi, CA 95240. Phone: 209-555-0100",
    ):
        assert words_ in said, words_


@pytest.mark.parametrize(
    ("assignment", "words_"),
    [
        ("waitlisted", "You are on the waiting list"),
        ("unassigned", "No provider has been found yet"),
        ("alternate", "so another was chosen"),
    ],
)
def test_an_approval_says_how_it_stands_with_the_place(assignment, words_):
    letter = compose_letter(content("approved", assignment=assignment))
    assert words_ in "\n".join(texts(letter))


def test_a_request_for_information_asks_and_says_by_when():
    said = "\n".join(texts(compose_letter(content("information-needed", "requesting"))))
    assert "Is the member experiencing homelessness?" in said
    assert "Please answer by: December 1, 2026" in said  # the last second of that day, local time
    assert "209.762.4720" in said


def test_without_a_name_plan_or_service_the_letter_still_stands():
    bare = content("void", "requesting", to=NOBODY, member=None, service=None)
    bare = replace(bare, policy=None)
    letter = compose_letter(bare)
    said = texts(letter)
    assert letter.addressee == ()
    assert "To whom it may concern:" in said
    assert any("a service that nobody has named yet" in text for text in said)


def told_of(answer, claimed=(), language="en"):
    """name → parts of the criteria that decided."""
    spoken = phrases(LIBRARY, answer.policy, language)
    found = decisive(answer, claimed, spoken, words(language), language)
    return {each.name: each.parts for each in found}


def without_need(plan, on=date(2026, 11, 20), **facts):
    """A denial of ECM to somebody of whom every fact was answered with no, but those given."""
    stated = dict(stated_facts({"service": "ECM", "facts": {}})) | facts
    known = Facts(
        {name: Fact(value, "form") for name, value in stated.items()}, events_complete=True
    )
    county = {"HPSM": "san_mateo", "CCAH": "monterey"}[plan]
    answer = evaluate(LIBRARY, EligibilityQuestion(plan, "ECM", on, county, ("POF1A",), known))
    assert answer.outcome == "denied", answer.reasons
    return answer


def test_of_populations_only_the_claimed_one_is_told_in_detail():
    told = told_of(without_need("HPSM"), ("POF1A",))
    assert len(told) == 10
    assert "Is the member homeless? no" in told.pop("Adults Experiencing Homelessness: not met")
    assert not any(told.values())


def test_of_an_administrative_denial_no_need_is_told():
    facts = {"line_of_business": "CAREADVANTAGE", "homeless": False, "coverage_active": True}
    answer = denied("HPSM", "ECM", facts, ["POF1A"], "san_mateo")
    assert list(told_of(answer, ("POF1A",))) == ["Excluded (CareAdvantage): yes"]
    assert list(told_of(answer, ("POF1A",), "es")) == ["Excluido (CareAdvantage): sí"]


def test_a_service_that_is_not_offered_is_named_in_the_language_of_the_letter():
    answer = denied("HPSJ", "TR", {"coverage_active": True})
    assert list(told_of(answer)) == ["The plan offers Transitional Rent in the county: no"]
    assert list(told_of(answer, (), "es")) == ["El plan ofrece Renta Transitoria en el condado: no"]


def test_a_population_that_is_met_too_early_is_among_what_decided():
    answer = without_need("HPSM", date(2023, 3, 1), foster_current=True, age=9)
    assert [reason.code for reason in answer.reasons] == ["no-population", "not-yet-live"]
    early = [name for name in told_of(answer) if "has not begun for this group" in name]
    assert len(early) == 1


def test_what_is_counted_is_counted_in_the_language_of_the_letter():
    told = told_of(without_need("HPSM", age=40), ("POF2",), "es")
    (parts,) = filter(None, told.values())
    visits, stays, age = parts
    assert visits == (
        "Visitas a emergencias evitables en 6 meses cualesquiera de los últimos 12: 5 o más: no"
    )
    assert stays == (
        "Hospitalizaciones o estancias cortas en un centro de enfermería no planificadas "
        "en los últimos 6 meses: 3 o más: no"
    )
    assert age == "¿Es el miembro menor de 21 años? no"


def test_the_words_of_criteria_are_the_same_in_both_languages():
    english, spanish = (dict(flat(words_)) for words_ in map(_WORDS.get, ("en", "es")))
    assert list(english) == list(spanish)
    for path, text in english.items():
        assert spanish[path] != text or path.endswith("<"), path
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", spanish[path])), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_service_is_asked_for_in_the_words_of_the_forms(language):
    asked = words(language)["questions_of_ours"]["service"]
    if language != "hmn":  # which the dictionary has not
        assert asked == load_dictionary().question("service", language)
    missing = (Missing("service", load_dictionary().question("service")),)
    assert asked in texts(
        compose_letter(content("information-needed", language=language, missing=missing))
    )


def test_a_limit_says_how_much_was_used():
    used = {"receiving_htns": True, "moving_into_permanent_housing": True, "cs_used_hd_times": 2}
    answer = denied(facts={"coverage_active": True, **used})
    (parts,) = told_of(answer).values()
    assert parts[0].startswith("used 2 times, at most 1")


def test_an_office_reads_of_the_member_and_the_member_of_themselves():
    answer = without_need("HPSM")
    member = texts(compose_letter(content(answer=answer, service="ECM")))
    office = texts(compose_letter(content(recipient="requesting", answer=answer, service="ECM")))
    theirs = "From what we know, the member does not belong to any of the groups"
    assert any(text.startswith(theirs) for text in office)
    assert not any(text.startswith(theirs) for text in member)
    assert "In the lines below, “the member” is you." in member
    assert "In the lines below, “the member” is you." not in office
    assert "Your rights" in member
    assert "The member's rights, as the notice to the member tells them" in office
    assert any("on your plan card" in text for text in member)


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_every_letter_has_the_members_number(recipient):
    letter = compose_letter(content("approved", recipient, cin="9000012XA"))
    assert ("Member number", "9000012XA") in letter.about


def test_the_performer_learns_how_to_reach_the_member_and_nothing_of_itself():
    letter = compose_letter(content("approved", "servicing", member_reached=LUIS_BY_PHONE))
    said = texts(letter)
    assert (
        "Member: Luis Ejemplo Ñandú, 112 Example Street, Stockton, CA 95201. Phone: 209-555-0112"
    ) in said
    assert not any("Redwood Slope" in text for text in said)


@pytest.mark.parametrize(("language", "said"), [("en", "1 time"), ("es", "1 vez")])
def test_one_of_something_is_said_in_the_singular(language, said):
    once = Authorized(
        "HPSJ-1", date(2026, 11, 23), date(2027, 5, 22), {"quantity": 1, "unit": "time"}
    )
    letter = compose_letter(content("approved", language=language, authorized=once))
    assert any(text.endswith(f": {said}") for text in texts(letter))


def test_what_was_asked_and_never_came_is_named_when_it_is_void():
    said = texts(compose_letter(content("void", "requesting")))
    assert "What we asked for" in said
    assert "Is the member experiencing homelessness?" in said
    assert not any("Please answer by" in text for text in said)


@pytest.mark.parametrize(
    ("language", "question"),
    [("en", "Who is the member?"), ("es", "¿Quién es el miembro?"), ("hmn", "Tus tswv cuab yog")],
)
def test_a_question_that_no_form_asks_is_in_the_language_of_the_letter(language, question):
    asked = (Missing("", words("en")["questions_of_ours"]["who"]),)
    said = texts(compose_letter(content("information-needed", language=language, missing=asked)))
    assert any(text.startswith(question) for text in said)


def test_an_approval_or_nothing_has_no_decisive_criteria():
    spoken = phrases(LIBRARY, None)
    assert decisive(None, (), spoken, words("en"), "en") == ()


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("en-US", "en"),
        ("es", "es"),
        ("ES-mx", "es"),
        ("hmn", "hmn"),
        ("mww", "hmn"),
        ("hnj-Latn", "hmn"),
        ("vi", "en"),
    ],
)
def test_languages_are_found_by_their_tags(tag, language):
    assert language_of(tag) == language


@pytest.mark.parametrize("assignment", [None, "assigned", "waitlisted"])
def test_an_occasion_is_kept_and_read_back(assignment):
    made = snapshot(denied(), assignment=assignment)
    assert LetterSnapshot.from_json(made.to_json()) == made
    bare = LetterSnapshot(1, 1, None, made.received_at)
    assert LetterSnapshot.from_json(bare.to_json()) == bare


def test_the_essence_tells_each_what_they_may_know():
    made = snapshot(denied())
    assert "rules for this service are not met" in summary("denied", "requesting", made)
    assert summary("denied", "servicing", made) == "Housing Deposits: not approved."
    assert "Authorization HPSJ-1, from 2026-11-23 to 2027-05-22" in summary(
        "approved", "servicing", made
    )
    assert "Please answer by 2026-12-01." in summary("information-needed", "requesting", made)
