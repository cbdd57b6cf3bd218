"""Searches the forms. PURE: the forms are few, and stay in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.base.errors import Issue
from app.base.text import plain
from app.store.reading.reader import Search, read_into
from app.store.reading.subset import unknown
from app.store.reading.values import (
    ABOUT_THE_FORM,
    Token,
    UnreadableValue,
    canonical,
    split,
    token,
    words,
)

FormResource = Mapping[str, Any]

#: Parameter → its kind, and the forms that it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The form's id: `ecm`, `cs-housing` …"),
    "context": ("token", "A service that the form is for: `EAA`, or `system|EAA`"),
    "name": ("string", "How its computer-friendly name begins; case does not matter"),
    "status": ("token", "Published forms are `active`"),
    "title": ("string", "How its English title begins; case does not matter"),
    "url": ("uri", "Its canonical address, exactly; `address|version` for one version alone"),
    "version": ("token", "Its version, which follows from what it asks"),
}
#: Modifier of a string parameter → its meaning.
MODIFIERS: Mapping[str, str] = {
    "exact": "exactly as it is written",
    "contains": "anywhere in the text",
}


@dataclass(slots=True)
class FormSearch(Search):
    """The conditions on a form, the size of a page, and the form after which the page begins."""

    kind: str = "Questionnaire"
    tests: list[Callable[[FormResource], bool]] = field(default_factory=list)

    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM | {"_total"}

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Add the condition of one parameter."""
        plain, modifier = self.named(name)
        if plain not in PARAMETERS:
            return unknown(self.kind, name, strict=strict)
        self.tests.append(_test(plain, modifier, value))
        self.used.append((name, value))
        return None

    def find(self, forms: Iterable[FormResource]) -> tuple[list[FormResource], int, str | None]:
        """Return the page, the number of all matches, and the last id of the page if another page
        follows.
        """
        matches = [form for form in forms if all(test(form) for test in self.tests)]
        matches.sort(key=lambda form: str(form["id"]))
        rest = [form for form in matches if form["id"] > (self.cursor or "")]
        page = [] if self.subset.counts else rest[: self.count]
        more = 0 < len(page) < len(rest)
        return page, len(matches), page[-1]["id"] if more else None


def read_search(asked: Sequence[tuple[str, str]], *, strict: bool) -> FormSearch:
    """Read a search from its parameters. Raises `Refusal` (400) with every fault at once."""
    search = FormSearch()
    read_into(search, asked, strict=strict)
    return search


def _test(name: str, modifier: str, value: str) -> Callable[[FormResource], bool]:
    wanted = words(value)
    if not wanted:
        raise UnreadableValue("needs a value.")
    kind = PARAMETERS[name][0]
    if modifier and (kind != "string" or modifier not in MODIFIERS):
        raise UnreadableValue("does not take this modifier.")
    if kind == "token":
        tokens = [token(word) for word in split(value) if word.strip()]
        return lambda form: any(_has(form, name, one) for one in tokens)
    if kind == "uri":
        named = [canonical(word) for word in split(value) if word.strip()]
        return lambda form: any(_is(form, one) for one in named)
    return lambda form: any(_reads(str(form[name]), word, modifier) for word in wanted)


def _reads(text: str, word: str, modifier: str) -> bool:
    if modifier == "exact":
        return text == word
    text, word = plain(text), plain(word)
    return word in text if modifier == "contains" else text.startswith(word)


def _is(form: FormResource, named: Token) -> bool:
    """Tell whether a form has this canonical address, and this version if a version is given."""
    if named.system is None:
        return bool(form["url"] == named.code)
    return (form["url"], form["version"]) == (named.system, named.code)


def _has(form: FormResource, name: str, wanted: Token) -> bool:
    if name == "context":
        codings = [
            coding
            for use in form.get("useContext", ())
            for coding in use["valueCodeableConcept"]["coding"]
        ]
        return any(
            wanted.system in (None, coding["system"]) and wanted.code in (None, coding["code"])
            for coding in codings
        )
    return not wanted.system and wanted.code == form["id" if name == "_id" else name]
