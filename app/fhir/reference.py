"""Reads references (`Type/id`), and replaces the links of a transaction when resources get our ids.

Reading: `Patient/1`, `https://this.server/fhir/Patient/1` and `Patient/1/_history/2` name one
resource of ours. A reference to another server is never taken for a resource of ours.

Replacing follows R4 (http.html, transaction): "Servers SHALL replace all matching links in the
bundle, whether they are found in the resource ids, resource references, elements of type uri, url,
oid, uuid, and <a href="" & <img src="" in the narrative. Elements of type canonical are not
replaced." A string, a code, an identifier's value or an extension's `url` is no link, even if its
text looks like one.
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from app.fhir.r4.tables import COMPANION, COMPLEX, Element, Table, resource_table

#: Pattern of an R4 id.
ID = r"[A-Za-z0-9\-.]{1,64}"
is_id = re.compile(ID).fullmatch
_NAMED = re.compile(rf"([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?").fullmatch
_VERSION = re.compile(rf"/_history/{ID}\Z").search


class Place(NamedTuple):
    """A resource of this server."""

    type: str
    id: str


def place_of(literal: object, base: str = "") -> Place | None:
    """Read the resource of this server (whose FHIR base is `base`) that a reference names."""
    if not isinstance(literal, str):
        return None
    match = _NAMED(literal.removeprefix(f"{base}/") if base else literal)
    return Place(match[1], match[2]) if match else None


def id_of(literal: object, kind: str, base: str = "") -> str | None:
    """Read the id of a resource of type `kind`; None where the reference names anything else."""
    place = place_of(literal, base)
    return place.id if place and place.type == kind else None


def unversioned(literal: str) -> str:
    """Cut the version off a reference: `Patient/1/_history/2` → `Patient/1`."""
    match = _VERSION(literal)
    return literal[: match.start()] if match else literal


def type_in(literal: str | None) -> str | None:
    """Read the type that a reference names, on any server; `Patient?identifier=…` has one too."""
    if not literal or literal.startswith("#") or literal[:4].lower() == "urn:":
        return None
    place, searched, _ = unversioned(literal).partition("?")
    parts = place.split("/")
    if searched:  # `Organization?identifier=…`
        return parts[-1]
    return parts[-2] if len(parts) > 1 else None


# Links of a transaction
#: Types of elements that are links.
_LINK_TYPES = frozenset({"uri", "url", "oid", "uuid"})
_TAG = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(r"([^\s=<>\"'/]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")
#: XHTML element → its attribute that is a link.
_LINK_ATTRIBUTES = {"a": "href", "img": "src"}


def base_of(full_url: str | None) -> str | None:
    """Read the server's base in a fullUrl: `https://host/fhir/Patient/1` → `https://host/fhir/`."""
    if not full_url or not full_url.startswith(("http://", "https://")):
        return None
    parts = full_url.rsplit("/", 2)
    return f"{parts[0]}/" if len(parts) == 3 else None


def names_within(by_url: Mapping[str, str], full_url: str | None) -> dict[str, str]:
    """Map each link that the entry of `full_url` may hold to its replacement.

    `by_url` maps each fullUrl of the Bundle to the new name of its resource (`Patient/1`).
    A relative reference belongs to the server of the entry that holds it (FHIR R4, Bundle,
    "Resolving references in Bundles"), so relative links are added for that entry's own base only.
    """
    base = base_of(full_url)
    relative = {
        url[len(base) :]: name for url, name in by_url.items() if base and url.startswith(base)
    }
    return {**by_url, **relative}


def rewrite_references(resource: dict[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Copy the resource with every link that `mapping` knows replaced; all else stays as sent.

    The version of a replaced reference is dropped, because the resource it names gets our versions.
    References to contained resources (`#id`) are in no mapping, so they stay.
    """
    copy = dict(resource)
    stack: list[tuple[Any, Table | None]] = [(copy, _table_of(copy, None))]
    while stack:
        node, table = stack.pop()
        for key, value in node.items():
            element = table.elements.get(key) if table else None
            if isinstance(value, str):
                node[key] = _replaced(key, value, table, element, mapping)
            elif isinstance(value, dict):
                node[key] = dict(value)
                stack.append((node[key], _table_of(value, element)))
            elif isinstance(value, list):
                node[key] = [dict(item) if isinstance(item, dict) else item for item in value]
                for at, item in enumerate(node[key]):
                    if isinstance(item, dict):
                        stack.append((item, _table_of(item, element)))
                    elif isinstance(item, str):
                        node[key][at] = _replaced(key, item, table, element, mapping)
    return copy


def _table_of(node: Mapping[str, Any], element: Element | None) -> Table | None:
    """The element table of an object: a resource names its type, other objects have `element`'s."""
    kind = node.get("resourceType")
    if isinstance(kind, str):
        return resource_table(kind)
    return element.table if element is not None and element.kind in (COMPLEX, COMPANION) else None


def _replaced(
    key: str, value: str, table: Table | None, element: Element | None, mapping: Mapping[str, str]
) -> str:
    if key == "reference" and (table is None or table.name == "Reference"):
        return mapping.get(value) or mapping.get(unversioned(value), value)
    if element is None or table is None:
        return value
    if element.type == "xhtml":
        return _replaced_in_narrative(value, mapping)
    if element.type in _LINK_TYPES and (table.name, key) != ("Extension", "url"):
        return mapping.get(value, value)
    return value


def _replaced_in_narrative(div: str, mapping: Mapping[str, str]) -> str:
    """Replace the links of a narrative; text that is no XML stays as sent."""
    starts: list[int] = []
    parser = ParserCreate("UTF-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        linking = _LINK_ATTRIBUTES.get(name.rpartition(":")[2])
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
            parts += [raw[done:at], _replaced_in_tag(tag[0].decode(), mapping).encode()]
            done = tag.end()
    return b"".join([*parts, raw[done:]]).decode("utf-8", "surrogatepass")


def _replaced_in_tag(tag: str, mapping: Mapping[str, str]) -> str:
    def replace(attribute: re.Match[str]) -> str:
        name, between, quoted = attribute.groups()
        new = mapping.get(unescape(quoted[1:-1]))
        return (
            f'{name}{between}"{new}"' if new and name in _LINK_ATTRIBUTES.values() else attribute[0]
        )

    return _ATTRIBUTE.sub(replace, tag)
