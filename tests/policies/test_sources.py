"""Citations: every rule of a plan begins with the plan's own line, and is told in plain words."""

import re
import shutil
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from app.policy.check import check_policies
from app.policy.citations import citation_in_words, cited_documents
from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate_under
from app.policy.library import FILES, load_library
from app.policy.model import EligibilityQuestion, Fact, Facts
from app.policy.own_lines import is_own
from app.policy.sources import own_pages, places, registry, source_id

LIBRARY = load_library()
LANGUAGES = ("en", "es", "hmn")
PAGES = {"HPSJ": {"S000", "S001"}, "HPSM": {"S003"}, "CCAH": {"S004"}, "GEN002": {"S002"}}
SILENT = "silent"
#: Codes that nobody should read in a sentence.
CODE = re.compile(r"\bS\d{3}\b|\bG26\b|\bCO-\d|GH:|\bW:|#f|\bfacts \d|\d{8,}|; (E|U)\b|\bfn\b")

#: Plan → service → the line of its own page, first in the criteria of the service; `-`: its page
#: does not offer it, and says so.
OWN = {
    "HPSJ": {
        "HTNS": "S000:L128",
        "HD": "S000:L129",
        "HTSS": "S000:L130",
        "STPHH": "S000:L131",
        "RC": "S000:L132",
        "MTM": "S000:L133",
        "SC": "S000:L134",
        "AR": "S000:L135",
        "EAA": "S000:L136",
        "DH": "S000:L137",
        "PCHS": "S000:L138",
        "RESP": "S000:L139",
        "NFTD": "S000:L140",
        "CTS": "S000:L141",
        "TR": SILENT,
    },
    "HPSM": {
        "HTNS": "S003:L92",
        "HD": "S003:L93",
        "HTSS": "S003:L94",
        "STPHH": SILENT,
        "RC": SILENT,
        "MTM": "S003:L98",
        "SC": SILENT,
        "AR": SILENT,
        "EAA": "S003:L97",
        "DH": SILENT,
        "PCHS": "S003:L100",
        "RESP": "S003:L99",
        "NFTD": "S003:L95",
        "CTS": "S003:L96",
        "TR": SILENT,
    },
    "CCAH": {
        "HTNS": "S004:L51",
        "HD": "S004:L53",
        "HTSS": "S004:L55",
        "STPHH": "S004:L69",
        "RC": "S004:L65-67",
        "MTM": "S004:L57",
        "SC": "S004:L63",
        "AR": "S004:L77",
        "EAA": "S004:L71",
        "DH": SILENT,
        "PCHS": "S004:L75",
        "RESP": "S004:L73",
        "NFTD": SILENT,
        "CTS": SILENT,
        "TR": SILENT,
    },
}


@pytest.mark.parametrize(
    ("plan", "service"), [(plan, service) for plan, lines in OWN.items() for service in lines]
)
def test_the_criteria_of_a_support_begin_with_the_plans_own_line_at_every_date(plan, service):
    versions = [policy for policy in LIBRARY.versions.values() if policy.plan == plan]
    assert len(versions) == 5
    for policy in versions:
        ways = policy.data.supports[service].any_of
        assert {way.citation.split("; ")[0] for way in ways} == {OWN[plan][service]}
        others = {place.key for way in ways for place in places(way.citation)}
        assert not others & set().union(*(p for name, p in PAGES.items() if name != plan))


#: Plan → population → the first source of its criteria.
POPULATIONS = {
    "HPSJ": {"POF1A": "S000:L41,L51,L60", "POF3": "S000:L43,L53,L64", "POF9": "S000:L69"},
    "CCAH": {"POF1A": "S004:L28", "POF4": "S004:L28"},
    "HPSM": {"POF2": "S003:L35-37", "POF4": "S003:L59-69"},
    "GEN002": {"POF2": "S002:L21"},
}


@pytest.mark.parametrize(
    ("plan", "code", "first"),
    [(plan, code, line) for plan, each in POPULATIONS.items() for code, line in each.items()],
)
def test_the_criteria_of_a_population_begin_with_the_plans_own_line(plan, code, first):
    for policy in (policy for policy in LIBRARY.versions.values() if policy.plan == plan):
        assert policy.data.populations[code].any_of[0].citation.split("; ")[0] == first


def _nodes(criteria):
    for node in criteria:
        yield node
        yield from _nodes(node.children)


def _no_to_all():
    """Everything answered against the member, so that every criterion is read."""
    values = {}
    for name, fact in load_dictionary().items():
        none = {"boolean": False, "code-list": frozenset(), "integer": 0, "money": 0}
        if fact.type in none:
            values[name] = Fact(none[fact.type], "test")
    return values


@pytest.mark.parametrize("version", sorted(LIBRARY.versions))
def test_no_criterion_of_a_determination_cites_another_plans_page(version):
    policy = LIBRARY.versions[version]
    own = own_pages(policy.plan)
    foreign = {key for key, source in registry().items() if source.plan} - own
    for service, age in product(policy.data.services, (15, 40)):
        values = _no_to_all() | {"age": Fact(age, "test")}
        for county in policy.data.counties or (None,):
            asked = EligibilityQuestion(
                policy.plan, service, policy.start, county, (), Facts(values, (), True)
            )
            answer = evaluate_under(policy, LIBRARY.dictionary, asked)
            assert answer.criteria
            for node in _nodes(answer.criteria):
                cited = {place.key for place in places(node.citation)}
                assert not cited & foreign, (service, node.name, node.citation)
                assert is_own(node.citation, own), (service, node.name, node.citation)


@pytest.mark.parametrize(
    ("plan", "cited"),
    [
        ("HPSM", "S003:L15,L84"),
        ("HPSJ", "S000:L13,L120"),
        ("CCAH", "S004:L6,L29"),
        ("GEN002", "S002:L7"),
    ],
)
def test_coverage_is_cited_to_the_page_of_the_plan_that_is_asked(plan, cited):
    for policy in (policy for policy in LIBRARY.versions.values() if policy.plan == plan):
        assert policy.coverage.citation.split("; ")[0] == cited


@pytest.mark.parametrize(
    ("plan", "first"),
    [("HPSM", "S003:L114"), ("HPSJ", "S001:L70"), ("CCAH", "S004:L28"), ("GEN002", SILENT)],
)
def test_the_term_of_ecm_is_cited_to_the_plan_or_to_the_guide(plan, first):
    policy = LIBRARY.policy(plan, date(2026, 3, 1))
    citation = policy.data.terms["ECM"].citation
    assert citation.split("; ")[0] == first
    assert plan == "HPSM" or "G26 p.103" in citation


def test_what_a_switch_adds_is_not_told_as_the_plans_own_words():
    def said(library):
        [way] = library.policy("HPSJ", date(2026, 3, 1)).data.supports["SC"].any_of
        return citation_in_words(way.citation)

    page = "Health Plan of San Joaquin, page for members, line 134"
    turned = load_library(chosen={"sobering-center-age": True})
    assert said(LIBRARY) == page
    assert said(turned) == f"{page}; for what that page leaves open, not verified"


# Refused by check-policies


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("HPSJ/2022-01-01", '    DH: {citation: "S000', '    XX: {citation: "S000', "S000, S001"),
        ("HPSJ/2022-01-01", '  coverage: "S000:L13,L120"\n', "", "coverage"),
        ("HPSM/2022-01-01", '    adult: "S003:L19; G26 p.11"\n', "", "definitions.adult.citation"),
        ("HPSM/2022-01-01", '  live: {"*": silent}\n', "", "live_citation"),
        ("HPSM/2022-01-01", 'citation: "S003:L80-86"', "citation: E", "gate.citation"),
        ("CCAH/2022-01-01", "  default_term: silent\n", "", "default_term.citation"),
        ("CCAH/2022-01-01", '"S004:L48", quote: TBD', '"G26 p.3", quote: TBD', "availability.AR"),
        ("HPSM/2022-01-01", '"S003:L95; in-part"', '"S003:L950; in-part"', "S003 ends at 124"),
        ("DHCS/2022-01-01", "citation: G26 p.42", "citation: G26 p.420", "G26 ends at 145"),
        ("DHCS/2022-01-01", '"W:lacare/76591"', '"W:nobody"', "W:nobody has no title"),
        ("DHCS/2022-01-01", "      citation: U", "      citation: W:x", "W:x has no"),
        ("GEN002/2022-01-01", "source: S002", "source: S003", "the page of another plan"),
    ],
)  # fmt: skip
def test_a_rule_without_a_line_of_the_plan_is_refused(tmp_path: Path, file, old, new, fault):
    files = tmp_path / "files"
    shutil.copytree(FILES, files)
    path = files / f"{file}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    told = check_policies(files)
    assert [one for one in told if fault in one], told
    assert all(re.match(r"\w+/[\w-]+\.yaml:\d+: ", one) for one in told)
    load_library(files)  # a service that runs is not stopped by a citation


# Words


@pytest.mark.parametrize(
    ("citation", "said"),
    [
        ("S003:L36", "Health Plan of San Mateo, page for providers, line 36"),
        (
            "S004:L28,L30-32",
            "Central California Alliance for Health, page for providers, lines 28, 30-32",
        ),
        (
            "S003:L50; S003:L53; S003:L53; G26 p.19",
            (
                "Health Plan of San Mateo, page for providers, lines 50, 53; the ECM Policy Guide "
                "of the California Department of Health Care Services, page 19"
            ),
        ),
        (
            "G26 p.24-25; G26 p.25",
            (
                "the ECM Policy Guide of the California Department of Health Care Services, "
                "pages 24-25"
            ),
        ),
        (
            "G26 p.12-13 fn 9",
            (
                "the ECM Policy Guide of the California Department of Health Care Services, "
                "pages 12-13, footnote 9"
            ),
        ),
        (
            "S000:L128; named; W:lacare",
            (
                "Health Plan of San Joaquin, page for members, line 128, which names the service "
                "without criteria; these are from a published policy of another Medi-Cal plan "
                "(L.A. Care Health Plan)"
            ),
        ),
        (
            "S004:L28; points-to; G26 p.14",
            (
                "Central California Alliance for Health, page for providers, line 28, which points "
                "to the ECM Policy Guide of the California Department of Health Care Services, "
                "page 14"
            ),
        ),
        (
            "silent; CO-1355 III.I.5",
            (
                "not said on the plan's own page; taken from a published policy of another "
                "Medi-Cal plan (CalOptima Health policy GG.1355 on Community Supports), "
                "section III.I.5"
            ),
        ),
        (
            "S003:L94; in-part; W:healthnet",
            (
                "Health Plan of San Mateo, page for providers, line 94; for what that page leaves "
                "open, a published policy of another Medi-Cal plan (Health Net)"
            ),
        ),
        (
            "S000:L41; S001:L17,L70; points-to; G26 p.14",
            (
                "Health Plan of San Joaquin, page for members, line 41; page for providers, "
                "lines 17, 70, which points to the ECM Policy Guide of the California Department "
                "of Health Care Services, page 14"
            ),
        ),
        ("S003", "Health Plan of San Mateo, page for providers"),
        ("E", "a rule of this referral service (No Wrong Door)"),
        ("", "a rule of this referral service (No Wrong Door)"),
        ("W:nobody-knows", "another published document"),
        ("W:plan.example/page", "plan.example/page"),
        ("silent", "not said on the plan's own page"),
    ],
)
def test_a_citation_is_told_in_words(citation, said):
    assert citation_in_words(citation) == said


def _all_citations(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("citation", "live_citation"):
                yield inner
            else:
                yield from _all_citations(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_citations(inner)


ALL = sorted(
    {
        *_all_citations([p.data.model_dump(mode="json") for p in LIBRARY.versions.values()]),
        *(fact.citation for fact in load_dictionary().values()),
    }
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_code_stands_in_the_words_of_any_citation(language):
    assert len(ALL) > 200
    for citation in ALL:
        told = citation_in_words(citation, language)
        assert not CODE.search(told.replace("CMS-0057-F", "")), (citation, told)
        assert not re.search(r"[{}]|\bNone\b|;;|  |another published document", told)
        for document in cited_documents(citation, language):
            source = registry()[document.key]
            assert document.words.removeprefix(f"{source.publisher}, ") in told


def test_every_source_has_a_title_in_every_language_and_an_address_of_its_own():
    ids = [source_id(key) for key in registry()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", one) for one in ids)
    for source in registry().values():
        assert source.title.es
        assert source.title.hmn


def test_the_pages_are_as_long_and_as_old_as_the_registry_says():
    seeds = Path(__file__).parents[1] / "seeds"
    for key in ("S000", "S001", "S002", "S003", "S004"):
        [seed] = seeds.glob(f"{key[1:]}_*.txt")
        lines = seed.read_text("utf-8").split("\n")
        source = registry()[key]
        assert source.length == len(lines)
        if source.dated_by:
            [at] = re.findall(r"L(\d+)$", source.dated_by)
            assert "2023" in lines[int(at) - 1]
    assert registry()["S000"].modified == date(2023, 12, 7)
