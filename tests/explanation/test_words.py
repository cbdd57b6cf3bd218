"""Every name that a person may read has words, in English and in Spanish."""

import re

import pytest

from app.policy.dictionary import load_dictionary
from app.policy.phrases import criterion_in_words, phrases
from tests.rules.policy.asking import LIBRARY

#: What no reader should see: names of facts, notation, codes of populations.
NOTATION = re.compile(r"\w_\w|[<>=]=|[<>]|\bPOF\d|\bHPSJ_|\bn\(|\b12m\b|\b6m\b")
VERSIONS = sorted(LIBRARY.versions)
languages = pytest.mark.parametrize("language", ["en", "es"])


def roots(policy):
    yield from (population.everybody for population in policy.populations)
    for population in policy.populations:
        yield from (population.adults, population.children)
    yield from policy.supports.values()
    yield from (limit.unless for limit in policy.limits if limit.unless)
    yield from (exclusion.node for exclusion in policy.exclusions)
    if policy.gate:
        yield policy.gate


def named(node):
    yield node.name
    for child in node.children:
        yield from named(child)


def names(policy):
    for root in roots(policy):
        yield from named(root)
    yield "plan gate"
    yield from (f"within limit: {limit.name}" for limit in policy.limits)
    yield from (f"{service} offered" for service in policy.data.availability)
    yield from (population.code for population in policy.populations)


@languages
@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_of_every_policy_has_words(version, language):
    words = phrases(LIBRARY, version, language)
    for name in set(names(LIBRARY.versions[version])):
        if name.endswith(" criteria"):
            continue  # a wrapper that is never shown
        said = words.of(name)
        assert not NOTATION.search(said), (name, said)
        assert said.lstrip("¿“«")[0].isupper() or said[0].isdigit(), (name, said)
        assert said != name, name


@languages
@pytest.mark.parametrize("fact", sorted(load_dictionary()))
def test_the_question_of_every_fact_is_whole_where_it_is_shown(fact, language):
    """A question is cut at its question mark: what follows must be no second question."""
    said = phrases(LIBRARY, None, language).question(fact)
    assert said.count("?") <= 1
    assert not re.match(r"(Adult|Adulto|Under 21|Menor de 21)\b", said)
    assert not NOTATION.search(said)
    definition = load_dictionary()[fact]
    asked = definition.question_es if language == "es" else definition.question
    cut = asked.partition("?")[2]
    assert "?" not in cut or said not in asked, (fact, said)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_criteria_in_the_catalog_are_words(version):
    policy = LIBRARY.versions[version]
    words = phrases(LIBRARY, version)
    for root in roots(policy):
        assert not NOTATION.search(criterion_in_words(root, words))


LEANS = re.compile(
    r"^(Do|Are|Did) they\b|^Could it\b|\bthat need\b|^¿(Viven|Comparten|Están en)\b|de allí\?|"
    r"esa necesidad|desde entonces|de esas exenciones|lo logre"
)


@languages
def test_no_question_leans_on_the_one_before_it(language):
    """On a form a question follows another; in an explanation it stands alone."""
    words = phrases(LIBRARY, None, language)
    for fact in load_dictionary():
        if not fact.startswith("utilization."):
            assert not LEANS.search(words.question(fact)), fact
