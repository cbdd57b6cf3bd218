"""The invariants of a Bundle: which type has requests, responses and searches, and unique names.

What a transaction may hold when it is a referral's is left to `app.fhir.bundle`.
"""

from collections.abc import Iterator
from typing import Any

from app.fhir.r4.bindings import binding_of

_REQUESTS = ("batch", "transaction", "history")
_RESPONSES = ("batch-response", "transaction-response", "history")


def bundle_faults(bundle: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """bdl-1 to bdl-12, as (element within the Bundle, sentence)."""
    kind = bundle.get("type")
    bound = binding_of("Bundle.type")
    if not isinstance(kind, str) or bound is None or kind not in bound.codes:
        return  # said already; what the entries need depends on it
    if "total" in bundle and kind not in ("searchset", "history"):
        yield "total", "belongs to a searchset or a history only (bdl-1)."
    listed = bundle.get("entry")
    entries = listed if isinstance(listed, list) else []
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield from _entry_faults(kind, entry, f"entry[{index}]")
            yield from _name_faults(kind, entry, f"entry[{index}].fullUrl", seen)
    yield from _first_faults(kind, bundle, entries)


def _entry_faults(kind: str, entry: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    if not any(name in entry for name in ("resource", "request", "response")):
        yield at, "must have a resource, a request or a response (bdl-5)."
    if "search" in entry and kind != "searchset":
        yield f"{at}.search", "belongs to a searchset only (bdl-2)."
    for name, kinds, key in (("request", _REQUESTS, "bdl-3"), ("response", _RESPONSES, "bdl-4")):
        if (name in entry) != (kind in kinds):
            word = "is required" if kind in kinds else "may not stand"
            yield f"{at}.{name}", f"{word} in a Bundle of this type ({key})."


def _name_faults(
    kind: str, entry: dict[str, Any], at: str, seen: set[str]
) -> Iterator[tuple[str, str]]:
    url = entry.get("fullUrl")
    if not isinstance(url, str):
        return
    if "/_history/" in url:
        yield at, "must not name a version (bdl-8)."
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    name = f"{url}|{version}"
    if name in seen and kind != "history":
        yield at, "is the fullUrl of another entry too; each has its own (bdl-7)."
    seen.add(name)


def _first_faults(
    kind: str, bundle: dict[str, Any], entries: list[Any]
) -> Iterator[tuple[str, str]]:
    wanted = {"document": "Composition", "message": "MessageHeader"}.get(kind)
    if wanted is None:
        return
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    resource = first.get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != wanted:
        key = "bdl-11" if kind == "document" else "bdl-12"
        yield "entry", f"must begin with a {wanted} ({key})."
    if kind == "document":
        identifier = bundle.get("identifier")
        if not (isinstance(identifier, dict) and {"system", "value"} <= identifier.keys()):
            yield "identifier", "of a document needs a system and a value (bdl-9)."
        if "timestamp" not in bundle:
            yield "timestamp", "is required in a document (bdl-10)."
