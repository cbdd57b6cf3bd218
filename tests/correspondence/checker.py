"""Reads a letter as a strict reader does: no code, no riddle, whole sentences, each once."""

import re
from functools import cache

import yaml

from app.policy.dictionary import FACTS_FILE
from app.policy.vocabulary import LANGUAGES, words, words_of
from tests.correspondence.samples import LIBRARY

_SNAKE = re.compile(r"\b[a-z]+_[a-z_0-9]+\b")
_SOURCES = re.compile(
    r"\bS00\d\b|\bG26\b|\bCO-\d|#f\b|\bW:|\bGH:|\bfacts \d|\d{4}-\d\d-\d\d/|/\d{4}-\d\d-\d\d"
)
_CLIENTS = re.compile(r"\bstaff-|\bclient\b|\borg-")
_CUT = re.compile(r"\.\.|\. \.|,\.|\?\.|:\.|\s{2,}|\s[.,;:?](?:\s|$)")
_WORDED = yaml.safe_load(FACTS_FILE.with_name("choices.yaml").read_text())["facts"]
#: Codes that are no words: `residential-sud` and "residential sud", while "hospital" is a word.
_CODES = sorted(
    form
    for codes in _WORDED.values()
    for code, (english, _) in codes.items()
    for form in (code, code.replace("-", " "))
    if "-" in code and code.replace("-", " ") not in english.lower() and code not in english
)
_KEBAB = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, _CODES))})(?![\w-])")
_REASONS = "|".join(code for code in words_of("reasons") if "-" in code)
_PATTERNS = {
    "a fact's name": _SNAKE,
    "a source's code": _SOURCES,
    "a client's id": _CLIENTS,
    "a placeholder": re.compile(r"[{}]|(?<!; )\bNone\b(?! of these)"),
    "marks": _CUT,
    "a code": _KEBAB,
    "a reason's code": re.compile(rf"(?<![\w-])({_REASONS})(?![\w-])"),
}


def faults(letter, names=()):
    """What a strict reader finds in a letter: (what, text). `names` may look like anything."""
    found = [fault for text in _texts(letter) for fault in _in_text(text, tuple(names))]
    for section in letter.sections:
        listed = list(_sentences(section))
        found += [("no end", each) for each in listed if not each.endswith((".", "?", ":"))]
        said = [one for each in listed for one in _split(each)]
        twice = {one for one in said if said.count(one) > 1 and len(one.split()) > 4}
        found += [("said twice", one) for one in twice]
    return found


@cache
def _in_text(text, names):
    bare = _without(text, names)
    found = [(what, text) for what, pattern in _PATTERNS.items() if pattern.search(bare)]
    return found + ([("begins small", text)] if re.match(r"[a-zñáéíóú]", text) else [])


def _texts(letter):
    yield from (letter.title, letter.greeting)
    for section in letter.sections:
        yield section.heading
        yield from (*section.paragraphs, *section.after)
        for item in section.items:
            yield from item.texts
        for lead, text in section.points:
            yield from (lead, text)
    yield from (text for _, text in letter.taglines)


def _sentences(section):
    """The texts of a section that are sentences; the rest are names, or a label with its value."""
    yield from section.paragraphs
    yield from (text for _, text in section.points)
    yield from (item.text for item in section.items if not _labelled(item.text))


def _labelled(text):
    labels = (f"{each}:" for language in LANGUAGES for each in words(language)["labels"].values())
    periods = (words(language)["labels"]["period"] for language in LANGUAGES)
    return text.startswith((*labels, *periods))


def _split(text):
    return [one.strip() for one in re.split(r"(?<=[.?])\s", text) if one.strip()]


def _without(text, names):
    for name in names:
        text = text.replace(name, "Name")
    return text


# The reading grade

_SYLLABLE = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?:[^aeiouyl]e|[^aeioutdy]ed|[^aeiouscxzgh]es)$")


def syllables(word):
    """About how many syllables an English word has."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    if not plain:
        return 1
    count = len(_SYLLABLE.findall(plain))
    return max(1, count - bool(_SILENT.search(plain) and count > 1))


def grade(texts):
    """The Flesch-Kincaid grade of English texts; a line of a list is a sentence of its own."""
    sentences = [
        one for text in texts for one in re.split(r"(?<=[.?!])\s", text) if re.search("[a-z]", one)
    ]
    said = [word for one in sentences for word in re.findall(r"[A-Za-z][A-Za-z'’-]*", one)]
    if not said:
        return 0.0
    per_sentence = len(said) / len(sentences)
    return 0.39 * per_sentence + 11.8 * sum(map(syllables, said)) / len(said) - 15.59


def names_of(plan):
    """The proper names of a plan's letters: the plan, its contacts, services and populations."""
    found = {"Sacramento", "California", "P.O. Box", "MS"}
    for policy in LIBRARY.versions.values():
        if policy.plan != plan:
            continue
        data = policy.data
        named = (
            data.name,
            *(s.name for s in data.services.values()),
            *(p.name for p in data.populations.values()),
        )
        found.update(each for name in named for each in (name.en, name.es, name.hmn) if each)
        found.update(contact.name for contact in data.contacts.values())
        found.update(contact.mail for contact in data.contacts.values() if contact.mail)
    return sorted(found, key=len, reverse=True)
