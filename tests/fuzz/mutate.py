"""Requests that nobody should send: the contract's own examples, each changed in a few places.

One seed, one request: `Mutator(seed)` gives the same ones again.
"""

import copy
import random
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from tests.edge.test_r4_models import CORPUS, JUNK, NAMES, places
from tests.fuzz.contract import OPERATIONS, Operation

#: Texts that have broken something somewhere: dates, numbers, escapes, lengths, other alphabets.
TEXTS = [
    "", " ", "\t", "x", "x" * 3000, "漢" * 300, "é", "e\u0301", "\u0000", "\u200b", "\ud7ff", "%",
    "%zz", "%DC", "%00", "\\", "\\|", "|", "||", "a|b", "a|", "|b", "a\\|b|c", "a,b", ",", ",,",
    "$", "a$b", "0", "-1", "1", "99999999999999999999", "1e400", "NaN", "null", "true", "[]", "{}",
    "*", "'", '"', "2026", "2026-02-30", "2026-11", "9999-12-31", "0001-01-01", "ge2026", "ap2026",
    "zz2026", "2016-12-31T23:59:60Z", "2026-11-20T10:00:00." + "1" * 130 + "Z", "2026-11-20T10:00",
    "infinity", "-infinity", "epoch", "now", "Patient/1", "Patient/1/_history/2", "; DROP TABLE x",
    "http://x.example/Patient/1", "urn:uuid:00000000-0000-0000-0000-000000000000", "URN:UUID:X",
    "../../etc/passwd", "..", "/", "$check", "_history", "_search", "<script>", "${x}", "ECM",
    "HPSM", "9000001XA", "san_mateo", "San Mateo", "application/fhir+json", "xml", "count", "desc",
    "-_id",
]  # fmt: skip
#: Parameters that any search may meet, served or not.
QUERIES = [
    "_id", "_lastUpdated", "_count", "_sort", "_include", "_revinclude", "_summary", "_elements",
    "_format", "_pretty", "_cursor", "_total", "_has:Task:focus:_id", "_filter", "_text", "_since",
    "_at", "patient", "patient.identifier", "subject:Patient.name", "identifier", "identifier:not",
    "status:missing", "code:in", "code:text", "date", "authored", "birthdate:missing", "name:exact",
    "name:contains", "asOf", "plan", "on", "from", "to", "_type", "", "a b", "é",
]  # fmt: skip
HEADERS = [
    "Accept", "If-Match", "If-None-Match", "If-None-Exist", "Prefer", "Idempotency-Key",
    "X-Request-ID", "X-Correlation-ID", "Content-Type", "If-Modified-Since", "Range",
    "Accept-Encoding", "Authorization",
]  # fmt: skip
HEADER_VALUES = [
    "*", 'W/"1"', '"1"', 'W/"1", W/"2"', "W/1", ",", ";", "a;q=2", "application/xml", "*/*",
    "text/html", "application/fhir+json; fhirVersion=3.0", "application/json; charset=latin-1",
    "return=minimal", "return=OperationOutcome", "handling=strict", "handling=lenient",
    "identifier=a|b", "identifier=%DC", "ServiceRequest?identifier=a|b", "_id=1", "Basic Og==",
    "Bearer x", "Bearer ", "bytes=0-1", "x" * 300, "gzip", "é", "application/json-patch+json",
]  # fmt: skip
CLIENTS = [
    "hospital", "practice", "community", "ecm-provider", "cs-provider", "staff-hpsm", "staff-hpsj",
    "staff-ccah",
]  # fmt: skip
PATCHES = [
    {"op": "add", "path": "/note/-", "value": {"text": "a"}},
    {"op": "replace", "path": "/status", "value": "accepted"},
    {"op": "remove", "path": "/status"},
    {"op": "test", "path": "/status", "value": "requested"},
    {"op": "copy", "from": "/note", "path": "/note/0/text"},
    {"op": "move", "from": "/code", "path": "/code/coding"},
    {"op": "add", "path": "/a~2/b"},
    {"op": "add"},
    {},
]


WRITES = [operation for operation in OPERATIONS if operation.bodies]
_ID = re.compile(r"[A-Za-z0-9\-.]*[A-Za-z0-9][A-Za-z0-9\-.]*")


@dataclass
class Request:
    """One request as it goes out; `client` None carries no token."""

    operation: Operation
    path: str
    client: str | None
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def path_fits(self) -> bool:
        """Whether the path can only mean this operation: ids are ids."""
        wanted = self.operation.path.split("/")
        sent = self.path.split("/")
        values = [value for part, value in zip(wanted, sent, strict=True) if part != value]
        return all(_ID.fullmatch(value) for value in values)

    def __str__(self) -> str:
        body = "" if self.body is None else f"\n{self.body[:3000]!r}"
        return f"{self.operation.label}\n{self.path}?{self.query[:900]} {self.headers}{body}"


class Mutator:
    """Makes requests; `ids` are those that the service gave out, by type (it grows meanwhile)."""

    def __init__(self, seed: int, ids: dict[str, list[str]]) -> None:
        self._chance, self._ids = random.Random(seed), ids

    def request(self) -> Request:
        chance = self._chance
        operation = chance.choice(WRITES if chance.random() < 0.6 else OPERATIONS)
        client = chance.choice(CLIENTS) if chance.random() < 0.95 else None
        found = Request(operation, self._path(operation.path), client)
        found.query = self._query(operation)
        if operation.bodies:
            found.headers["Content-Type"], found.body = self._body(operation)
        if "If-Match" in operation.headers and self._often():
            found.headers["If-Match"] = chance.choice(("*", 'W/"1"', 'W/"2"'))
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            name = chance.choice(operation.headers or HEADERS) if self._often() else None
            found.headers[name or chance.choice(HEADERS)] = self._header()
        return found

    def _often(self) -> bool:
        return self._chance.random() < 0.7

    def _text(self) -> str:
        return self._chance.choice(TEXTS)

    def _header(self) -> str:
        value = self._chance.choice(HEADER_VALUES) if self._often() else self._text()
        return "".join(sign for sign in value if sign == "\t" or sign >= " ")

    def _path(self, template: str) -> str:
        kind = template.split("/")[2] if template.startswith("/fhir/") else "ServiceRequest"
        parts = []
        for part in template.split("/"):
            if part.startswith("{"):
                known = self._ids.get(kind) or [""]
                value = self._chance.choice(known[-50:]) if self._often() else self._text()
                parts.append(
                    quote("1" if part == "{version}" and self._often() else value, safe="")
                )
            else:
                parts.append(part)
        return "/".join(parts)

    def _query(self, operation: Operation) -> str:
        pairs = []
        for _ in range(
            self._chance.choice((0, 0, 0, 1, 2) if operation.bodies else (0, 1, 1, 2, 3))
        ):
            known = operation.queries and self._often()
            name = self._chance.choice(operation.queries if known else QUERIES)
            value = self._known_value() if self._chance.random() < 0.3 else self._text()
            raw = self._chance.random() < 0.2 and value.isascii() and value.isprintable()
            pairs.append(f"{quote(name)}={value.replace(' ', '+') if raw else quote(value)}")
        return "&".join(pairs).replace("#", "%23")

    def _known_value(self) -> str:
        kind = self._chance.choice(sorted(self._ids))
        return f"{kind}/{self._chance.choice(self._ids[kind][-50:])}"

    def _body(self, operation: Operation) -> tuple[str, bytes]:
        media, example = self._chance.choice(operation.bodies)
        if "form" in media:
            return media, self._query(operation).encode()
        if media.startswith("application/json-patch"):
            example = [self._chance.choice(PATCHES) for _ in range(self._chance.randrange(4))]
        elif self._chance.random() < 0.1:
            example = self._chance.choice(CORPUS)
        tree = copy.deepcopy(example)
        for _ in range(self._chance.choice((0, 1, 1, 2, 4))):
            tree = self._changed(tree)
        body = orjson.dumps(tree)
        return media, self._torn(body) if self._chance.random() < 0.03 else body

    def _changed(self, tree: Any) -> Any:
        """One change: a value replaced, taken out or doubled, a name or a resource added."""
        found = places(tree)
        if not found or self._chance.random() < 0.01:
            return self._value()
        place = self._chance.choice(found)
        if isinstance(place, list):
            place.insert(self._chance.randrange(len(place) + 1), self._value())
            return tree
        name = self._chance.choice(sorted(place)) if place else "a"
        kind = self._chance.randrange(6) if place else 5
        if kind == 0:
            del place[name]
        elif kind == 1:
            place[f"_{name}"] = {"extension": [{"url": "urn:x", "valueCode": "a"}]}
            del place[name]
        elif kind == 2:
            place[name] = [place[name]] * 2
        elif kind == 3 and isinstance(place[name], str):
            place[name] = self._known_value() if self._often() else self._text()
        elif kind == 4:
            place[name] = self._value()
        else:
            place[self._chance.choice(NAMES)] = self._value()
        return tree

    def _value(self) -> Any:
        chance = self._chance
        if chance.random() < 0.5:
            return self._text()
        return copy.deepcopy(chance.choice(CORPUS if chance.random() < 0.1 else JUNK))

    def _torn(self, body: bytes) -> bytes:
        """Bytes lost, doubled or replaced: not JSON any more, or not UTF-8."""
        at = self._chance.randrange(len(body) + 1)
        middle = self._chance.choice((b"", b"\xff", b"\x00", b"{", b'"', b"\\ud800", body[at:]))
        return body[:at] + middle + body[at + self._chance.randrange(3) :]
