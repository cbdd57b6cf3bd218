"""An organization with good credentials and bad intent learns nothing about another's referral.

It knows the ids, the member's number and every other value of the referral, and uses them wherever
the contract lets a client put something. Each request is sent twice: with a value of the referral,
and with its twin, a value of the same form that nobody has. Both get the same answer and cost the
same statements: neither content, nor counts, nor existence, nor the time tells them apart.
"""

import os
import re
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.contract import OPERATIONS, Operation
from tests.journeys.payloads import CIN, OURS, a_referral, unique
from tests.postgres import statements

#: Who is no party to the referral; the last one is the staff of another plan.
HOSTILE = ("community", "cs-provider", "staff-hpsj")
NUMBER = "9000001XA"
#: What is no answer about anybody, or never twice the same: a look into one's own record adds to
#: it.
_NOT_TRIED = {
    "POST /oauth/token",
    "GET /metrics",
    "GET /fhir/AuditEvent",
    "POST /fhir/AuditEvent/_search",
}
_QUERIES = (
    "_id", "identifier", "patient", "subject", "patient.identifier", "referral", "focus", "part-of",
    "target", "based-on", "_include", "_revinclude", "owner", "requester", "request", "about",
)  # fmt: skip
TRIED = [operation for operation in OPERATIONS if operation.label not in _NOT_TRIED]
#: What differs between two answers to the same request.
_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+[-+Z:0-9]*|wh[a-z]+_[A-Za-z0-9+/=]+|\bN-[0-9]+"
)


@dataclass(frozen=True)
class Secret:
    """A value that belongs to the referral, and its twin."""

    value: str
    twin: str


def _twin(value: str) -> str:
    """A value of the same form: its last digit before a dot is another one, or its letters are."""
    if "|" in value:
        system, _, code = value.rpartition("|")
        return f"{system}|{_twin(code)}"
    head, dot, part = value.partition(".")
    for place in range(len(head) - 1, -1, -1):
        if head[place].isdigit():
            other = str((int(head[place]) + 5) % 10)
            return head[:place] + other + head[place + 1 :] + dot + part
    return head[::-1] + dot + part


@pytest.fixture
async def secrets(service, receiver):
    """Everything that names a referral of the hospital, which a provider has in hand."""
    await service.listen(receiver, "hospital", "/theirs")
    body = a_referral(NUMBER, asks_for="org-tidepool", identifier="R-2026-17")
    id_ = await service.refer(body)
    assert await service.words(id_, "ecm-provider") == ["approved", "assigned"]
    named = await service.rows(
        "SELECT referral_id || substr(n, strpos(n || '.', '.')) FROM resource_set,"
        " unnest(names) n WHERE referral_id = $1"
        " UNION SELECT id FROM message WHERE referral_id = $1"
        " UNION SELECT id FROM correspondence WHERE referral_id = $1"
        " UNION SELECT number FROM service_authorization WHERE referral_id = $1"
        " UNION SELECT id FROM webhook_endpoint"
        " UNION SELECT member_id FROM referral WHERE id = $1",
        id_,
    )
    values = {id_, NUMBER, f"{CIN}|{NUMBER}", "patient-1", "member-01", *(row[0] for row in named)}
    values |= {f"{each['system']}|{each['value']}" for each in body["identifier"]}
    return [Secret(value, _twin(value)) for value in sorted(values)]


@st.composite
def attempts(draw):
    """An operation, who calls it, and the places of the secrets, as numbers."""
    return (
        draw(st.sampled_from(TRIED)),
        draw(st.sampled_from(HOSTILE)),
        draw(st.integers(0, 10_000)),
        draw(st.lists(st.tuples(st.sampled_from(_QUERIES), st.integers(0, 10_000)), max_size=2)),
        draw(st.integers(0, 10_000)),
    )


def _filled(tree, secret: str, cin: str):
    """A body of the contract's examples, with the secret where it names a resource or a member."""
    if isinstance(tree, dict):
        made = {key: _filled(value, secret, cin) for key, value in tree.items()}
        if isinstance(made.get("reference"), str) and "/" in made["reference"]:
            made["reference"] = made["reference"].split("/")[0] + "/" + secret
        if made.get("system") == CIN:
            made["value"] = cin
        elif "system" in made and "value" in made:  # its own: a repeat would be one
            made["value"] = unique() if OURS not in str(made["system"]) else made["value"]
        if "birthDate" in made:  # who knows it as well as the number may ask about the member
            made["birthDate"] = "1901-02-03"
        return made
    return [_filled(each, secret, cin) for each in tree] if isinstance(tree, list) else tree


class Attempt:
    """One request in two forms: with values of the referral, and with their twins."""

    def __init__(self, drawn, secrets: list[Secret]) -> None:
        self.operation: Operation = drawn[0]
        self.client: str = drawn[1]
        at = secrets[drawn[2] % len(secrets)]
        queries = [(name, secrets[number % len(secrets)]) for name, number in drawn[3]]
        number = next(each for each in secrets if each.value == NUMBER)
        body = None
        media = "application/fhir+json"
        if self.operation.bodies:
            media, body = self.operation.bodies[drawn[4] % len(self.operation.bodies)]
        self.forms = []
        for form in ("value", "twin"):
            known = getattr(at, form)
            path = re.sub(
                r"\{(\w+)\}",
                lambda m: "1" if m[1] == "version" else quote(known, safe=""),  # noqa: B023
                self.operation.path,
            )
            query = "&".join(f"{k}={quote(getattr(s, form), safe='')}" for k, s in queries)
            filled = None if body is None else _filled(body, known, getattr(number, form))
            content = filled if isinstance(filled, str) else orjson.dumps(filled)
            content = None if body is None else content
            self.forms.append((path + (f"?{query}" if query else ""), content))
        self.media = media
        self.hidden = sorted({(s.value, s.twin) for s in secrets}, key=lambda p: -len(p[0]))

    def plain(self, text: str) -> str:
        """An answer without what varies: the values themselves, new ids, moments."""
        for value, twin in self.hidden:
            for each in (value, twin):
                text = text.replace(each, "…").replace(quote(each, safe=""), "…")
        return _VARIES.sub("…", text)


async def _send(service, attempt, path, content):
    with statements() as sent:
        answer = await service.ask(
            attempt.client,
            attempt.operation.method.upper(),
            path,
            content.encode() if isinstance(content, str) else content,
            headers={"Content-Type": attempt.media, "If-Match": 'W/"1"'},
        )
    held = {
        name: value
        for name, value in answer.headers.items()
        if name in ("location", "etag", "content-type", "retry-after")
    }
    said = attempt.plain(orjson.dumps(held).decode()), attempt.plain(answer.text)
    return (answer.status_code, *said), len(sent)


@pytest.mark.timeout(3600)
async def test_a_hostile_organization_learns_nothing(service, secrets):
    tried = settings(
        max_examples=int(os.environ.get("HOSTILE_REQUESTS", "400")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    found = []
    drawn = []

    @tried
    @given(attempts())
    def draw(each):
        drawn.append(each)

    draw()
    for client in HOSTILE:
        await service.token(client)
    for each in drawn:
        attempt = Attempt(each, secrets)
        for _ in range(4):  # what the process does beside a request may be counted with it
            (told, cost), (nothing, usual) = [
                await _send(service, attempt, *form) for form in attempt.forms
            ]
            if cost == usual:
                break
        if told != nothing or cost != usual:
            where = (attempt.operation.label, attempt.client, attempt.forms[0][0])
            found.append((*where, *_first_difference(told, nothing), cost, usual))
    assert not found, "\n".join(map(str, found))


def _first_difference(told, nothing) -> tuple[str, str]:
    one, other = "\n".join(map(str, told)), "\n".join(map(str, nothing))
    at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return one[max(0, at - 80) : at + 120], other[max(0, at - 80) : at + 120]
