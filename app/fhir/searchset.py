"""Bundles of stored resources: the answer to a search or a history, joined from bytes.

Stored bodies are complete FHIR JSON and are never parsed again on their way out.

The full payload of a webhook: the referral's resources as they stood, as `data` of the message.

The Bundle is a `collection`: the ServiceRequest first, then its Tasks, the authorization, the
member and the coverage. Stored bodies are complete FHIR JSON and are not parsed again.
Who may have it is `app.journey.notification.subscription_content`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from app.base.errors import Issue
from app.fhir.dates import instant
from app.fhir.outcome import operation_outcome
from app.fhir.r4 import codes


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one resource, ready to send."""

    type: str
    id: str
    version: int
    body: bytes
    #: When it was stored, where that is told beside it.
    at: datetime | None = None


def searchset(
    base: str,
    found: Sequence[Stored],
    *,
    included: Sequence[Stored] = (),
    links: Sequence[tuple[str, str]],
    total: int | None = None,
    warnings: Sequence[Issue] = (),
) -> bytes:
    """A `searchset`: matches in order, what they refer to where that was asked for, then one
    OperationOutcome where something is to be said.
    """
    entries = [
        b'{"fullUrl":"%b","resource":%b,"search":{"mode":"%b"}}'
        % (_url(base, entry), entry.body, mode)
        for mode, entries_of in ((b"match", found), (b"include", included))
        for entry in entries_of
    ]
    if warnings:
        outcome = orjson.dumps(operation_outcome(warnings))
        entries.append(b'{"resource":%b,"search":{"mode":"outcome"}}' % outcome)
    return _bundle(b"searchset", entries, links, total)


def history(
    base: str, versions: Sequence[Stored], *, links: Sequence[tuple[str, str]], total: int
) -> bytes:
    """The versions of one resource, newest first (FHIR R4, "history")."""
    entries = []
    for entry in versions:
        url = _url(base, entry)
        first = entry.version == 1
        request = b'{"method":"%b","url":"%b"}' % (
            b"POST" if first else b"PUT",
            entry.type.encode() if first else b"%b/%b" % (entry.type.encode(), entry.id.encode()),
        )
        entries.append(
            b'{"fullUrl":"%b","resource":%b,"request":%b,"response":%b}'
            % (url, entry.body, request, _response(entry, b"201" if first else b"200"))
        )
    return _bundle(b"history", entries, links, total)


def _response(entry: Stored, status: bytes) -> bytes:
    changed = f',"lastModified":"{instant(entry.at)}"' if entry.at else ""
    return b'{"status":"%b","etag":"W/\\"%d\\""%b}' % (status, entry.version, changed.encode())


def _url(base: str, entry: Stored) -> bytes:
    return f"{base}/{entry.type}/{entry.id}".encode()


def _bundle(
    kind: bytes, entries: Sequence[bytes], links: Sequence[tuple[str, str]], total: int | None
) -> bytes:
    parts = [b'{"resourceType":"Bundle","type":"%b"' % kind]
    if total is not None:
        parts.append(b',"total":%d' % total)
    linked = [{"relation": relation, "url": url} for relation, url in links]
    parts.append(b',"link":' + orjson.dumps(linked))
    if entries:
        parts.append(b',"entry":[' + b",".join(entries) + b"]")
    parts.append(b"}")
    return b"".join(parts)


#: What the Bundle holds, in its order.
TYPES = ("ServiceRequest", "Task", "ClaimResponse", "Patient", "Coverage")


def full_payload(
    event_type: str, occurred_at: datetime, message_id: str, base: str, found: Sequence[Stored]
) -> bytes:
    """`{type, timestamp, data}` with the Bundle as `data`; the same bytes for the same message."""
    entries = [
        {"fullUrl": f"{base}/{one.type}/{one.id}", "resource": orjson.Fragment(one.body)}
        for one in sorted(found, key=lambda one: (TYPES.index(one.type), one.id))
    ]
    bundle = {
        "resourceType": "Bundle",
        "identifier": codes.uuid_identifier(message_id),
        "type": "collection",
        "timestamp": instant(occurred_at),
        "entry": entries,
    }
    return orjson.dumps({"type": event_type, "timestamp": instant(occurred_at), "data": bundle})
