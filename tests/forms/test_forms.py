"""The published forms: what they ask, how they read, and that what comes back is understood."""

import time
from datetime import date

import httpx
import pytest

from app.api.deployment import deployment_of
from app.base.clock import ServiceClock
from app.base.local_time import local_date
from app.base.settings import Settings
from app.fhir.facts_answers import read_response
from app.fhir.r4 import codes
from app.fhir.r4.check import check_resource
from app.main import create_app
from app.model.caller import Caller
from app.policy.consistency import facts_used
from app.policy.dictionary import POPULATION
from app.policy.library import load_library
from app.views.forms.form import ROSTER, build_forms, load_words, render
from app.views.forms.summary import render_all
from tests.deployed import start

LIBRARY = load_library()
FACTS = LIBRARY.dictionary
WORDS = load_words()
FORMS = build_forms(LIBRARY)
ON = local_date(ServiceClock().now())
IN_FORCE = [LIBRARY.policy(plan, ON) for plan in LIBRARY.plans]
RENDERED = render_all(LIBRARY, IN_FORCE)
#: Asked beside the facts: the populations that the sender claims.
CLAIM = POPULATION
#: Known from resources, never asked (facts.md 3.1).
RESOURCES = {"age", "county", "line_of_business", "coverage_active", "delegated_to", "race"}
#: Read by no rule, and kept: what a form may ask beside.
KEPT = {"referral_source", "referral_channel", "consent_attested", "ihss_status"}
KEPT |= {"waiver_1915c_waitlisted"}
SERVICES = {s for policy in LIBRARY.versions.values() for s in policy.data.services}
every_form = pytest.mark.parametrize("name", FORMS)


def used(service):
    return facts_used(LIBRARY.versions.values(), service, FACTS)


def items(form):
    """Every item of a form, however deep."""
    stack = list(form["item"])
    while stack:
        item = stack.pop(0)
        yield item
        stack += item.get("item", [])


def test_there_is_one_form_for_every_service():
    of = [service for words in WORDS.forms.values() for service in words.services]
    assert sorted(of) == sorted(SERVICES)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_fact_that_a_policy_reads_is_asked_or_known_from_resources(service):
    (name,) = [n for n, words in WORDS.forms.items() if service in words.services]
    assert used(service) - set(FORMS[name].facts) <= RESOURCES
    assert {"coverage_active", "county"} <= used(service)


@pytest.mark.parametrize("name", [name for name in FORMS if name != ROSTER])
def test_a_form_asks_nothing_that_no_policy_reads_for_its_services(name):
    read = frozenset().union(*(used(service) for service in WORDS.forms[name].services))
    assert set(FORMS[name].facts) - read <= KEPT


def test_the_roster_form_is_what_the_dictionary_says_of_rosters():
    assert set(FORMS[ROSTER].facts) == {f.name for f in FACTS.values() if "roster" in f.forms}


@every_form
def test_a_form_is_valid_r4_and_requires_nothing(name):
    form = RENDERED[name]
    assert check_resource(form) == []
    assert form["url"] == f"https://nowrongdoor.example/fhir/Questionnaire/{name}"
    assert not [item["linkId"] for item in items(form) if item.get("required")]


@every_form
def test_every_text_is_there_in_spanish_too(name):
    for item in items(RENDERED[name]):
        (translation,) = item["_text"]["extension"]
        said = {part["url"]: part for part in translation["extension"]}
        assert said["lang"]["valueCode"] == "es"
        assert said["content"]["valueString"] not in ("", item["text"])


@every_form
def test_a_code_is_offered_with_its_words_and_a_list_with_none(name):
    for item in items(RENDERED[name]):
        fact = FACTS.get(item["linkId"])
        options = [option["valueCoding"] for option in item.get("answerOption", [])]
        if item["linkId"] == CLAIM:
            assert {o["code"] for o in options} == set(codes.POPULATIONS)
            continue
        if fact is None or not fact.codes:
            assert options == []
            continue
        listed = fact.type == "code-list"
        assert [o["code"] for o in options] == [*fact.codes, *(["none"] if listed else [])]
        assert {o["system"] for o in options} == {codes.fact_system(fact.name)}
        assert all(o["display"] for o in options)
        assert item.get("repeats", False) is listed


def test_every_code_of_a_form_has_words_of_its_own():
    asked = {fact for form in FORMS.values() for fact in form.facts}
    bare = {
        (fact, code)
        for fact in asked - {"current_authorizations"}
        for code in FACTS[fact].codes
        if code not in FACTS[fact].choices
    }
    assert bare == set()


def test_a_question_is_shown_when_its_answer_can_matter():
    found = {item["linkId"]: item for item in items(RENDERED["ecm"])}
    (shown,) = found["release_date"]["enableWhen"]
    system = codes.fact_system("ji_status")
    assert shown == {
        "question": "ji_status",
        "operator": "=",
        "answerCoding": {"system": system, "code": "released"},
    }
    assert found["utilization.unplanned"]["enableBehavior"] == "any"
    assert found["utilization"]["repeats"] is True
    assert "utilization.date" in {part["linkId"] for part in found["utilization"]["item"]}
    for form in RENDERED.values():
        links = [item["linkId"] for item in items(form)]
        assert len(links) == len(set(links))
        for item in items(form):
            assert {c["question"] for c in item.get("enableWhen", [])} <= set(links)


ANSWERS = {
    "boolean": {"valueBoolean": True},
    "integer": {"valueInteger": 3},
    "decimal": {"valueDecimal": 12.5},
    "text": {"valueString": "words"},
    "date": {"valueDate": "2024-01-31"},
}


def filled(item):
    """An answered copy of an item of a form: the first option of each choice."""
    made = {"linkId": item["linkId"]}
    if item["type"] == "group":
        return made | {"item": [filled(part) for part in item["item"]]}
    if item["type"] == "choice":
        return made | {"answer": [item["answerOption"][0]]}
    return made | {"answer": [ANSWERS[item["type"]]]}


@every_form
def test_what_comes_back_from_a_form_is_read_to_the_last_answer(name):
    form = RENDERED[name]
    response = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form["url"],
        "status": "completed",
        "item": [filled(item) for item in form["item"] if item["linkId"] != "summary"],
    }
    assert check_resource(response) == []
    read = read_response(response, "QuestionnaireResponse/1")
    asked = {f for f in FORMS[name].facts if not f.startswith("utilization")}
    assert set(read.values) == asked
    assert not read.unreadable
    assert not read.notes
    assert (len(read.events), read.events_complete) == ((1, True) if name == "ecm" else (0, None))


@every_form
def test_the_answer_none_is_a_list_that_is_known_and_empty(name):
    for item in items(RENDERED[name]):
        if not item.get("repeats") or item["type"] == "group" or item["linkId"] == CLAIM:
            continue
        answered = {"linkId": item["linkId"], "answer": [item["answerOption"][-1]]}
        response = {"status": "completed", "item": [answered]}
        assert read_response(response, "x").values[item["linkId"]].value == frozenset()


def test_another_text_is_another_version():
    form = FORMS[ROSTER]
    name = ROSTER
    words = WORDS.model_copy(update={"introduction": WORDS.summary})
    assert render(form, WORDS)["version"] == RENDERED[name]["version"]
    assert render(form, words)["version"] != RENDERED[name]["version"]


def summary_of(form, service):
    """The texts at the beginning of a form, for one service."""
    (summary,) = [item for item in form["item"] if item["linkId"] == "summary"]
    (group,) = [item for item in summary["item"] if item["linkId"] == f"summary-{service}"]
    return [item["text"] for item in group["item"]]


@pytest.mark.parametrize("name", [name for name in FORMS if name != ROSTER])
def test_a_form_begins_with_the_criteria_of_every_plan_for_each_service(name):
    form = RENDERED[name]
    assert form["item"][0]["linkId"] == "summary"
    for service in WORDS.forms[name].services:
        texts = "\n".join(summary_of(form, service))
        for policy in IN_FORCE:
            if any(policy.family(s) == policy.family(service) for s in policy.data.availability):
                assert policy.data.name.en in texts, (service, policy.plan)


def test_the_summary_says_what_differs_between_plans():
    (ours,) = [t for t in summary_of(RENDERED["cs-housing"], "RC") if "Joaquin" in t and "?" in t]
    assert "unstable living environment" not in ours
    (theirs,) = [t for t in summary_of(RENDERED["cs-housing"], "RC") if "Alliance" in t]
    assert "unstable living environment" in theirs
    meals = summary_of(RENDERED["cs-meals"], "MTM")
    gated = [text for text in meals if "First, for every Community Support" in text]
    assert [text.partition(":")[0] for text in gated] == ["Health Plan of San Mateo"]
    assert any(
        t.startswith("Not offered by Health Plan of San Mateo")
        for t in summary_of(RENDERED["cs-home"], "AR")
    )
    assert any("Announced, without a date." in t for t in summary_of(RENDERED["cs-home"], "AR"))


def test_the_summary_follows_the_policy_in_force():
    def homeless(on):
        policies = [LIBRARY.policy(plan, on) for plan in LIBRARY.plans]
        return "\n".join(summary_of(render_all(LIBRARY, policies)["ecm"], "ECM"))

    assert "Transitional Rent" in homeless(date(2026, 1, 1))
    assert "Transitional Rent" not in homeless(date(2025, 12, 31))


def test_the_ecm_form_asks_for_the_population_of_focus_first():
    first = RENDERED["ecm"]["item"][1]
    assert (first["linkId"], first["text"]) == ("section-population", "Population of focus")
    (item,) = first["item"]
    assert (item["linkId"], item["type"], item["repeats"]) == (CLAIM, "choice", True)
    named = {o["valueCoding"]["code"]: o["valueCoding"] for o in item["answerOption"]}
    assert named["POF9"]["system"] == codes.POPULATION
    assert named["POF9"]["display"] == codes.POPULATIONS["POF9"]
    for name in FORMS:
        assert (CLAIM in {i["linkId"] for i in items(RENDERED[name])}) == (name == "ecm")


SCOPES = frozenset({"system/Questionnaire.rs"})
HOSPITAL = Caller("hospital", "org-harbor-lantern", None, SCOPES)
PLAN = Caller("staff", "plan-hpsm", "HPSM", SCOPES)
NOBODY = Caller("nobody", "org-open-gate", None, frozenset({"system/Task.rs"}))


@pytest.fixture
async def ask():
    settings = Settings(database_url="postgresql://nowhere/none")
    app = create_app(settings, clock=ServiceClock())
    start(app, library=LIBRARY)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:

        async def send(path, by=HOSPITAL, method="GET", **more):
            headers = {
                "Authorization": f"Bearer {deployment_of(app).tokens.issue(by, time.time())}",
                **more.pop("headers", {}),
            }
            return await http.request(method, f"/fhir/{path}", headers=headers, **more)

        yield send


async def test_a_form_is_read_and_not_sent_again(ask):
    answer = await ask("Questionnaire/cs-meals")
    assert answer.json() == RENDERED["cs-meals"]
    assert answer.headers["content-type"] == "application/fhir+json"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert (await ask("Questionnaire/cs-meals", headers=tag)).status_code == 304


async def test_every_form_is_published_to_all_who_may_read(ask):
    for by in (HOSPITAL, PLAN):
        assert (await ask("Questionnaire/roster", by)).status_code == 200
        assert (await ask("Questionnaire", by)).json()["total"] == len(FORMS)
    assert (await ask("Questionnaire/nothing")).status_code == 404
    # A refusal is recorded first, and here is no database to record it.
    assert (await ask("Questionnaire/ecm", NOBODY)).status_code == 503


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("context=EAA", ["cs-home"]),
        (f"context={codes.CALAIM_SERVICE}|RC", ["cs-housing"]),
        ("context=urn:other|RC", []),
        ("_id=ecm,cs-care", ["cs-care", "ecm"]),
        ("url=https://nowrongdoor.example/fhir/Questionnaire/ecm", ["ecm"]),
        ("name=ecm", ["ecm"]),
        ("name:exact=ecm", []),
        ("title:contains=meals", ["cs-meals"]),
        ("status=active&context=SC", ["cs-care"]),
        ("url=https://nowrongdoor.example/fhir/Questionnaire/roster", ["roster"]),
        ("status=retired", []),
    ],
)
async def test_a_search_finds(ask, query, found):
    bundle = (await ask(f"Questionnaire?{query}")).json()
    assert [entry["resource"]["id"] for entry in bundle.get("entry", [])] == found
    assert bundle["total"] == len(found)


async def test_a_search_is_paged_to_its_end(ask):
    seen, path = [], "Questionnaire?_count=2"
    while path:
        bundle = (await ask(path)).json()
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links["next"].partition("/fhir/")[2] if "next" in links else None
    assert seen == sorted(FORMS)


@pytest.mark.parametrize(
    "query", ["_count=x", "context:not=EAA", "url:below=x", "context=|", "name=,"]
)
async def test_a_search_that_cannot_be_read_says_so(ask, query):
    answer = await ask(f"Questionnaire?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


@pytest.mark.parametrize("asked", ["colour=red", "title=", "_count=", "_sort=title"])
async def test_what_is_unknown_or_empty_is_pointed_out_or_refused(ask, asked):
    bundle = (await ask(f"Questionnaire?{asked}&context=EAA")).json()
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]
    [issue] = bundle["entry"][1]["resource"]["issue"]
    assert f"`{asked.partition('=')[0]}`" in issue["diagnostics"]
    strict = {"Prefer": "handling=strict"}
    assert (await ask(f"Questionnaire?{asked}", headers=strict)).status_code == 400


async def test_a_form_is_found_by_its_address_with_and_without_its_version(ask):
    form = (await ask("Questionnaire/ecm")).json()
    url, version = form["url"], form["version"]
    for asked, found in (
        (f"url={url}", ["ecm"]),
        (f"url={url}|{version}", ["ecm"]),
        (f"url={url}|0", []),
        (f"url={url}&version={version}", ["ecm"]),
        (f"url={url}&version=0", []),
    ):
        bundle = (await ask(f"Questionnaire?{asked}")).json()
        assert [entry["resource"]["id"] for entry in bundle.get("entry", ())] == found, asked


async def test_a_search_may_be_posted(ask):
    form = {"content": b"context=EAA", "method": "POST"}
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    bundle = (await ask("Questionnaire/_search", headers=kind, **form)).json()
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == ["cs-home"]
