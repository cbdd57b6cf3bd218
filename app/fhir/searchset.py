"""Bundles of stored resources, joined from bytes: answers to searches and histories, full webhooks.

Stored bodies are complete FHIR JSON and are never parsed again on their way out.
The full payload of a webhook has the referral's resources as they were at the event, as `data` of
the message: a `collection` with the ServiceRequest first, then its Tasks, the authorization, the
member and the coverage. `app.journey.notification.subscription_content` decides who may have it.
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
    #: When the version was stored; None where the answer does not show the time.
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
    """A `searchset`: the matches in order, then `included`, then the warnings as OperationOutcome.

    `included` are resources that the matches refer to, where the client asked for them.
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


# The full payload of a webhook
#: Types that the Bundle holds, in its order.
TYPES = ("ServiceRequest", "Task", "ClaimResponse", "Patient", "Coverage")


def full_payload(
    event_type: str, occurred_at: datetime, message_id: str, base: str, found: Sequence[Stored]
) -> bytes:
    """The message `{type, timestamp, data}` with the Bundle as `data`; equal bytes on each call."""
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
