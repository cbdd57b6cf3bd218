"""Renders the published forms, each with the criteria of its services, plan by plan, at the top.

The criteria come from the policies in force, so that they change with them (S001:L69). Plans with
the same criteria stand together. The form for Enhanced Care Management then asks for the population
of focus (S004:L100), which is read like the codes of `reasonCode`.
"""

from collections.abc import Iterator, Sequence

from app.fhir.r4 import codes
from app.policy.criteria import Node
from app.policy.dictionary import POPULATION, Dictionary
from app.policy.library import Library
from app.policy.phrases import criterion_in_words, phrases
from app.policy.policy import Policy
from app.policy.vocabulary import translated
from app.views.forms.form import (
    Both,
    FormsWords,
    FormTree,
    build_forms,
    in_both,
    load_words,
    render,
)

_ECM = "ECM"
#: A criterion of one plan in English and in Spanish.
_Said = tuple[str, str]


def render_all(library: Library, policies: Sequence[Policy]) -> dict[str, FormTree]:
    """Render every form, by name. `policies`: those in force, of the plans that are served."""
    words = load_words()
    rendered = {}
    for name, form in build_forms(library).items():
        beginning = list(_summary(library, policies, form.words.services, words))
        if _ECM in form.words.services:
            beginning.append(_population_section(library.dictionary, policies, words))
        rendered[name] = render(form, words, beginning)
    return rendered


def _population_section(
    dictionary: Dictionary, policies: Sequence[Policy], words: FormsWords
) -> FormTree:
    """Make the section that asks for the population of focus."""
    named = {p.code: p.data.name for policy in policies for p in policy.populations}
    options = [
        {
            "system": codes.POPULATION,
            "code": code,
            **in_both(
                "display",
                Both(en=codes.POPULATIONS.get(code, name.en), es=translated(name, "es")),
            ),
        }
        for code, name in named.items()
    ]
    question = Both(en=dictionary.question(POPULATION), es=dictionary.question(POPULATION, "es"))
    item: FormTree = {
        "linkId": POPULATION,
        **in_both("text", question),
        "type": "choice",
        "repeats": True,
        "answerOption": [{"valueCoding": option} for option in options],
    }
    return _group("section-population", words.population, [item])


def _summary(
    library: Library, policies: Sequence[Policy], services: Sequence[str], words: FormsWords
) -> Iterator[FormTree]:
    """Make the group with the criteria of the services that the plans know; or nothing."""
    groups = []
    for service in services:
        known = [policy for policy in policies if service in policy.data.services]
        if known:
            name = known[0].data.services[service].name
            text = Both(en=name.en, es=translated(name, "es"))
            items = list(_of_service(library, known, service, words))
            groups.append(_group(f"summary-{service}", text, items))
    if groups:
        yield _group("summary", words.summary, groups)


def _of_service(
    library: Library, policies: Sequence[Policy], service: str, words: FormsWords
) -> Iterator[FormTree]:
    offered = [policy for policy in policies if service in policy.data.availability]
    for code in dict.fromkeys(_populations(offered, service)):
        listed = [(policy, p) for policy in offered for p in policy.populations if p.code == code]
        name = listed[0][1].data.name
        heading = Both(en=f"{name.en}. ", es=f"{translated(name, 'es')}. ")
        said = [(policy, _in_words(library, policy, p.everybody)) for policy, p in listed]
        yield from _displays(f"summary-{service}-{code}", heading, said)
    if policies[0].family(service) != "ecm":
        said = [(policy, _of_support(library, policy, service, words)) for policy in offered]
        yield from _displays(f"summary-{service}", Both(en="", es=""), said)
    family = policies[0].family(service)
    silent = [p for p in policies if _offers(p, family) and service not in p.data.availability]
    if silent:
        plans = "; ".join(policy.data.name.en for policy in silent)
        en, es = (text.format(plans=plans) for text in (words.not_offered.en, words.not_offered.es))
        yield _display(f"summary-{service}-not-offered", Both(en=en, es=es))


def _offers(policy: Policy, family: str) -> bool:
    """Tell whether the plan offers any service of a family."""
    return any(policy.family(service) == family for service in policy.data.availability)


def _populations(policies: Sequence[Policy], service: str) -> Iterator[str]:
    for policy in policies:
        if policy.family(service) == "ecm":
            yield from (population.code for population in policy.populations)


def _of_support(library: Library, policy: Policy, service: str, words: FormsWords) -> _Said:
    """Word the criteria of a support, with what the plan asks for before every support."""
    english, spanish = _in_words(library, policy, policy.supports[service])
    if all(cell.tbd for cell in policy.data.availability[service].values()):
        english, spanish = f"{words.announced.en}\n{english}", f"{words.announced.es}\n{spanish}"
    if policy.gate is None:
        return english, spanish
    gate_english, gate_spanish = _in_words(library, policy, policy.gate)
    return (
        f"{words.gate.en}\n{gate_english}\n{words.then.en}\n{english}",
        f"{words.gate.es}\n{gate_spanish}\n{words.then.es}\n{spanish}",
    )


def _in_words(library: Library, policy: Policy, node: Node) -> _Said:
    return (
        criterion_in_words(node, phrases(library, policy.version)),
        criterion_in_words(node, phrases(library, policy.version, "es")),
    )


def _displays(link: str, heading: Both, said: Sequence[tuple[Policy, _Said]]) -> Iterator[FormTree]:
    """Make one item for each wording, under the names of the plans that share it."""
    plans: dict[_Said, list[Policy]] = {}
    for policy, wording in said:
        plans.setdefault(wording, []).append(policy)
    for number, ((english, spanish), sharing) in enumerate(plans.items(), start=1):
        names = _names(sharing)
        text = Both(en=f"{heading.en}{names}:\n{english}", es=f"{heading.es}{names}:\n{spanish}")
        yield _display(f"{link}-{number}", text)


def _names(policies: Sequence[Policy]) -> str:
    return "; ".join(policy.data.name.en for policy in policies)


def _group(link: str, text: Both, items: list[FormTree]) -> FormTree:
    return {"linkId": link, **in_both("text", text), "type": "group", "item": items}


def _display(link: str, text: Both) -> FormTree:
    return {"linkId": link, **in_both("text", text), "type": "display"}
