"""What a literal reference names: one place that reads `Type/id`, in every form that R4 allows.

Relative or absolute to this server, with or without the version (`…/_history/2`): a resource of
ours is the same whichever way it is written. Another server's is never taken for ours.

The links between the entries of a transaction, put right when its resources get ids of ours.

R4 (http.html, transaction): "Servers SHALL replace all matching links in the bundle, whether they
are found in the resource ids, resource references, elements of type uri, url, oid, uuid, and
<a href="" & <img src="" in the narrative. Elements of type canonical are not replaced."
A string, a code, an identifier's value or an extension's name is no link, whatever it looks like.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from app.fhir.r4.tables import COMPANION, COMPLEX, Element, Table, resource_table

#: What R4 takes for an id.
ID = r"[A-Za-z0-9\-.]{1,64}"
is_id = re.compile(ID).fullmatch
_NAMED = re.compile(rf"([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?").fullmatch
_VERSION = re.compile(rf"/_history/{ID}\Z").search


class Place(NamedTuple):
    """A resource of this server."""

    type: str
    id: str


def place_of(literal: object, base: str = "") -> Place | None:
    """The resource of this server (whose FHIR base is `base`) that a reference names."""
    if not isinstance(literal, str):
        return None
    found = _NAMED(literal.removeprefix(f"{base}/") if base else literal)
    return Place(found[1], found[2]) if found else None


def id_of(literal: object, kind: str, base: str = "") -> str | None:
    """The id of a resource of this type; None where the reference names anything else."""
    place = place_of(literal, base)
    return place.id if place and place.type == kind else None


def unversioned(literal: str) -> str:
    """The same without the version that it may name."""
    found = _VERSION(literal)
    return literal[: found.start()] if found else literal


def type_in(literal: str | None) -> str | None:
    """The type that a reference itself tells: of whichever server, and of a search put for one."""
    if not literal or literal.startswith("#") or literal[:4].lower() == "urn:":
        return None
    place, searched, _ = unversioned(literal).partition("?")
    parts = place.split("/")
    if searched:  # `Organization?identifier=…`
        return parts[-1]
    return parts[-2] if len(parts) > 1 else None


_LINKS = frozenset({"uri", "url", "oid", "uuid"})
_TAG = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(r"([^\s=<>\"'/]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")
#: The attribute of an element that links.
_LINKING = {"a": "href", "img": "src"}


def base_of(full_url: str | None) -> str | None:
    """`https://host/fhir/Patient/1` → `https://host/fhir/`."""
    if not full_url or not full_url.startswith(("http://", "https://")):
        return None
    parts = full_url.rsplit("/", 2)
    return f"{parts[0]}/" if len(parts) == 3 else None


def names_within(by_url: Mapping[str, str], full_url: str | None) -> dict[str, str]:
    """What to put for each link that the entry of this `full_url` may hold; `by_url` has what each
    fullUrl of the Bundle has become.

    A relative reference belongs to the server of the entry that holds it (FHIR R4, Bundle,
    "Resolving references in Bundles"), so it is looked for under that entry's own base only.
    """
    base = base_of(full_url)
    relative = {
        url[len(base) :]: name for url, name in by_url.items() if base and url.startswith(base)
    }
    return {**by_url, **relative}


def rewrite_references(resource: dict[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """A copy in which every link that `mapping` knows is replaced; all else stays as sent.

    A version that a reference names is left out: what it named gets versions of ours. Contained
    references (`#id`) are in no mapping and so stay.
    """
    copy = dict(resource)
    stack: list[tuple[Any, Table | None]] = [(copy, _table_of(copy, None))]
    while stack:
        node, table = stack.pop()
        for key, value in node.items():
            element = table.elements.get(key) if table else None
            if isinstance(value, str):
                node[key] = _linked(key, value, table, element, mapping)
            elif isinstance(value, dict):
                node[key] = dict(value)
                stack.append((node[key], _table_of(value, element)))
            elif isinstance(value, list):
                node[key] = [dict(item) if isinstance(item, dict) else item for item in value]
                for at, item in enumerate(node[key]):
                    if isinstance(item, dict):
                        stack.append((item, _table_of(item, element)))
                    elif isinstance(item, str):
                        node[key][at] = _linked(key, item, table, element, mapping)
    return copy


def _table_of(node: Mapping[str, Any], element: Element | None) -> Table | None:
    """What an object may hold: a resource says itself what it is."""
    kind = node.get("resourceType")
    if isinstance(kind, str):
        return resource_table(kind)
    return element.table if element is not None and element.kind in (COMPLEX, COMPANION) else None


def _linked(
    key: str, value: str, table: Table | None, element: Element | None, mapping: Mapping[str, str]
) -> str:
    if key == "reference" and (table is None or table.name == "Reference"):
        return mapping.get(value) or mapping.get(unversioned(value), value)
    if element is None or table is None:
        return value
    if element.type == "xhtml":
        return _narrative(value, mapping)
    if element.type in _LINKS and (table.name, key) != ("Extension", "url"):
        return mapping.get(value, value)
    return value


def _narrative(div: str, mapping: Mapping[str, str]) -> str:
    """The same text with its links put right; what is no XML stays."""
    starts: list[int] = []
    parser = ParserCreate("UTF-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        linking = _LINKING.get(name.rpartition(":")[2])
        if linking and attributes.get(linking) in mapping:
            starts.append(parser.CurrentByteIndex)

    parser.StartElementHandler = start
    raw = div.encode("utf-8", "surrogatepass")
    try:
        parser.Parse(raw, True)
    except ExpatError:
        return div
    parts: list[bytes] = []
    done = 0
    for at in starts:
        tag = _TAG.match(raw, at)
        if tag is not None:
            parts += [raw[done:at], _tag(tag[0].decode(), mapping).encode()]
            done = tag.end()
    return b"".join([*parts, raw[done:]]).decode("utf-8", "surrogatepass")


def _tag(tag: str, mapping: Mapping[str, str]) -> str:
    def put(found: re.Match[str]) -> str:
        name, between, quoted = found.groups()
        new = mapping.get(unescape(quoted[1:-1]))
        return f'{name}{between}"{new}"' if new and name in _LINKING.values() else found[0]

    return _ATTRIBUTE.sub(put, tag)
