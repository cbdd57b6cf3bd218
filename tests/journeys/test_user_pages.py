"""docs/referring.md, serving.md, staff.md and operating.md: what they tell to type, typed."""

import asyncio
import re
import shlex

import orjson
import pytest
from cryptography.fernet import Fernet

from app.__main__ import main
from app.base import settings as settings_module
from app.views.workqueue.model import Counts, Item
from tests.callers.signer import jwks
from tests.journeys.pages import read_page
from tests.journeys.payloads import EXAMPLES, EXTRA, a_referral, hopeless, performer
from tests.journeys.typed import Typed


async def test_a_hospital_refers_answers_and_takes_back_by_the_page(service):
    page = Typed("referring.md")
    token, *curls = page.curls
    assert token[token.index("-u") + 1] == "hospital:demo-hospital"
    assert token[-1] == "$BASE/oauth/token"
    check, refer, task, timeline, asked, add, authorization, consent, cancel = curls
    said = await page.run(service, check, "hospital")
    assert said.json()["resourceType"] == "Parameters"
    sent = await page.run(service, refer, "hospital")
    assert sent.status_code == 201, sent.text
    again = await page.run(service, refer, "hospital")
    assert (again.status_code, again.json()["id"]) == (200, sent.json()["id"])
    page.names["REFERRAL"] = sent.json()["id"]
    words = (await page.run(service, task, "hospital")).json()["businessStatus"]["coding"]
    assert [word["code"] for word in words] == ["pending", "information-needed"]
    assert (await page.run(service, timeline, "hospital")).json()["urgent"]
    (request,) = (await page.run(service, asked, "hospital")).json()["entry"]
    facts = [one["extension"][0] for one in request["resource"]["payload"]]
    assert all(fact["url"].endswith("requested-fact") for fact in facts)
    answers = re.findall(r'"linkId": "(\w+)"', page.files["answers.json"])
    assert set(answers) <= {fact["valueString"] for fact in facts}
    assert (await page.run(service, add, "hospital")).status_code == 200
    held = await page.run(service, authorization, "hospital")
    assert held.json()["resourceType"] == "ClaimResponse"
    permitted = await page.run(service, consent, "hospital")
    assert permitted.status_code == 200, permitted.text
    assert (await service.rows("SELECT covers, decision, recipients FROM consent_rule")) == [
        ("sensitive", "permit", "Organization/org-tidepool")
    ]
    assert (await page.run(service, cancel, "hospital")).status_code == 200
    assert await service.words(page.names["REFERRAL"]) == ["cancelled"]


async def test_a_provider_answers_and_says_its_room_by_the_page(service):
    page = Typed("serving.md")
    page.names["ORGANIZATION"] = "org-tidepool"
    listed, accept, reject, manager, offers, capacity = page.curls
    first, second = [
        await service.refer(a_referral(cin, performer=performer("org-tidepool")))
        for cin in EXTRA[:2]
    ]

    async def look():
        found = (await page.run(service, listed, "ecm-provider")).json().get("entry", ())
        return [each["resource"] for each in found if each["resource"]["resourceType"] == "Task"]

    def on(task):
        page.names |= {"TASK": task["id"], "VERSION": task["meta"]["versionId"]}

    tasks = {task["focus"]["reference"].rpartition("/")[2]: task for task in await look()}
    assert set(tasks) == {first, second}
    on(tasks[first])
    accepted = await page.run(service, accept, "ecm-provider")
    assert accepted.json()["status"] == "accepted", accepted.text
    assert (await page.run(service, accept, "ecm-provider")).status_code == 412
    on(accepted.json())
    named = await page.run(service, manager, "ecm-provider")
    assert named.json()["output"][0]["valueString"].startswith("Carmen Example")
    on(tasks[second])
    assert (await page.run(service, reject, "ecm-provider")).status_code == 200
    assert await look() == []
    (offer,) = (await page.run(service, offers, "ecm-provider")).json()["entry"]
    page.names["OFFER"] = offer["resource"]["id"]
    answer = await page.run(service, capacity, "ecm-provider")
    assert answer.status_code == 200, answer.text


async def test_the_staffs_page_names_what_is_there(service):
    text = Typed("staff.md").text
    document = (await service.http.get("/openapi.json")).json()
    there = set(document["paths"])
    named = set(re.findall(r"`(/v1/[\w{}/.-]+)", text))
    assert named <= there, named - there
    summaries = {one["summary"] for path in document["paths"].values() for one in path.values()}
    titles = re.findall(r"\*\*((?:What waits|Why one|Take a referral|The outbox)[^*]*)\*\*", text)
    assert len(titles) == 4
    assert set(titles) <= summaries
    table = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    fields = [field for row in table for field in re.findall(r"`(\w+)`", row) if field in row]
    assert {"waits", "why", "due_in_words", "questions", "next"} <= set(fields)
    known = {*Item.model_fields, *Counts.model_fields, "timeliness", "outcomes", "sources"}
    assert set(fields) - {"reasons"} <= known
    await service.refer(hopeless())
    read_page(await service.ask("staff-hpsm", "GET", "/v1/reports"))


@pytest.fixture
def operator(service, tmp_path, monkeypatch):
    """The folder and the environment of whoever runs the service."""
    for name in ("network", "roster"):
        (tmp_path / f"{name}.ndjson").write_bytes((EXAMPLES / f"{name}.ndjson").read_bytes())
    (tmp_path / "jwks.json").write_bytes(orjson.dumps(jwks()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", service.settings.database_url)
    monkeypatch.setenv("WEBHOOK_KEY", Fernet.generate_key().decode())
    settings_module.settings.cache_clear()
    yield
    settings_module.settings.cache_clear()


@pytest.mark.usefixtures("operator")
async def test_an_operator_starts_by_the_page(service):
    text = Typed("operating.md").text
    lines = re.findall(r"^    python -m app ([^\n]+)", text, re.MULTILINE)
    runs = [shlex.split(line) for line in lines]
    assert [words[0] for words in runs].count("client") == 9
    try:
        for words in runs:
            # Two stay up: tests/demo, tests/clocks. The record's: tests/record/test_commands.py.
            if words[0] not in ("serve", "deliver", "audit"):
                assert await asyncio.to_thread(main, words) == 0, words
    finally:
        await service.store.execute(
            "DELETE FROM client WHERE id IN ('harbor-lantern','hpsm-nurses','open-gate','tidepool')"
        )
