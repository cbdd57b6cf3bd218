"""Whoever makes deliveries due wakes the workers after the commit, and nobody else does."""

import re
from pathlib import Path

import pytest

from app.api.deployment import deployment_of
from tests.journeys.payloads import a_referral, because, hopeless, parameters, unique
from tests.service.scene import approved, capacity, move, put

APP = Path(__file__).parents[2] / "app"
#: What makes a delivery due, in SQL.
DUE = re.compile(r"INSERT INTO delivery\b|UPDATE delivery \w* ?SET state = 'pending'")
#: The worker's own files: it looks again by itself.
THE_WORKERS = {"claim.py"}
#: A file that makes a statement, and the one beside it that sends it.
SENT_BY = {"statement.py": "store.py"}
JSON = {"Content-Type": "application/json"}
ENDPOINTS = "/v1/webhook-endpoints"
OFFER = "offer-tidepool-ecm"


class Hints:
    """Counts the hints instead of sending them; each is to come after the commit."""

    def __init__(self):
        self.given = 0

    def hint(self, plan=""):
        self.given += 1


@pytest.fixture
async def hints(service, receiver):
    """The hints, while hospital, performer and plan listen."""
    for client in ("hospital", "ecm-provider", "staff-hpsm"):
        await service.listen(receiver, client, client)
    database, counted = deployment_of(service.app).database, Hints()
    given, database.on_due = database.on_due, counted.hint
    yield counted
    database.on_due = given


def test_every_file_that_makes_deliveries_due_notes_it():
    texts = {file: file.read_text() for file in APP.rglob("*.py")}
    writers = {file for file, text in texts.items() if DUE.search(" ".join(text.split()))}
    noting = {
        file
        for file in writers
        if ".deliveries_due()" in texts[file.with_name(SENT_BY.get(file.name, file.name))]
    }
    assert len(noting) == 3
    assert {file.name for file in writers - noting} == THE_WORKERS


async def woken(service, hints, answer):
    """Whether a request made deliveries due: the workers were given one hint then, or none."""
    due = "SELECT count(*) FROM delivery WHERE state = 'pending' AND next_attempt_at <= $1"
    ((before,),) = await service.rows(due, service.clock.now())
    hints.given = 0
    assert getattr(await answer, "status_code", 200) < 400
    ((after,),) = await service.rows(due, service.clock.now())
    assert hints.given == (after > before)
    return hints.given == 1


async def test_a_referral_and_its_moves(service, hints):
    sent = a_referral(asks_for="org-tidepool")
    assert await woken(service, hints, service.post(sent))
    denied = await service.refer(hopeless())
    reason = parameters(reason=because("no-population"))
    assert await woken(service, hints, service.do("staff-hpsm", "deny", denied, reason))
    referral = await approved(service, "9100001XA")
    assert await woken(service, hints, move(service, referral, "accepted"))
    task = await service.read("Task", referral)
    taken_back = put(service, "hospital", task, "cancelled", "A reason.")
    assert await woken(service, hints, taken_back)


async def test_an_offer_that_is_stated_or_written_anew(service, hints):
    assert await woken(service, hints, capacity(service, OFFER, places=12))
    offer = await service.read("HealthcareService", OFFER, "staff-hpsm")
    offer["comment"] = "Mornings alone."
    written = service.ask("staff-hpsm", "PUT", f"/fhir/HealthcareService/{OFFER}", offer)
    assert await woken(service, hints, written)


async def test_an_endpoint_that_is_tried_enabled_or_sent_to_again(service, receiver, hints):
    def ask(path, body=None):
        return service.ask("hospital", "POST", ENDPOINTS + path, body, headers=JSON)

    assert await woken(service, hints, ask("", {"url": receiver.url("new")}))
    first = (await service.ask("hospital", "GET", ENDPOINTS)).json()[0]["id"]
    assert await woken(service, hints, ask(f"/{first}/test"))
    await service.refer(a_referral())
    assert not await woken(service, hints, ask(f"/{first}/disable"))
    assert await woken(service, hints, ask(f"/{first}/enable"))
    await service.store.execute("UPDATE delivery SET state = 'dead'")
    since = {"since": "2026-11-01T00:00:00Z"}
    assert await woken(service, hints, ask(f"/{first}/recover", since))
    await service.store.execute("UPDATE delivery SET state = 'dead'")
    listed = await service.ask("hospital", "GET", f"{ENDPOINTS}/{first}/messages")
    message = listed.json()["messages"][0]["message_id"]
    assert await woken(service, hints, ask(f"/{first}/messages/{message}/redeliver"))


async def test_what_writes_no_delivery_wakes_nobody(service, receiver, hints):
    sent = a_referral(asks_for="org-tidepool", identifier=unique())
    referral = await service.refer(sent)
    assert not await woken(service, hints, service.post(sent))
    assert not await woken(service, hints, service.ask("hospital", "GET", f"/fhir/Task/{referral}"))
    assert not await woken(service, hints, service.listen(receiver, "hospital", "another"))
    refused = await service.do("staff-hpsm", "void", referral)
    assert (refused.status_code, hints.given) == (409, 0)
