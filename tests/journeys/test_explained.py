"""Why the rules said what they said, for those who may know; and replay over all that is stored."""

import asyncio
from html import escape
from pathlib import Path

import orjson
import pytest

from app.api.deployment import deployment_of
from app.commands import policy as policy_command
from app.commands.policy import count, stored
from app.fhir.r4.check import check_resource
from tests.journeys.payloads import a_referral, example, hopeless
from tests.journeys.test_examples import BY


async def determinations(service, referral, by="hospital"):
    return await service.ask(by, "GET", f"/v1/referrals/{referral}/determinations")


async def test_a_determination_is_explained_to_the_parties_and_nobody_else(service):
    referral = await service.refer(example("02"))
    answer = await determinations(service, referral)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    (made,) = answer.json()["determinations"]
    assert (made["outcome"], made["basis"], made["service"]) == ("approved", "rules", "ECM")
    assert {"POF1A", "POF2"} == {population["code"] for population in made["populations"]}
    assert made["policy"].startswith("HPSM/")
    assert made["text"].startswith("The rules approve this.")
    narrative = {"status": "generated", "div": made["div"]}
    assert check_resource({"resourceType": "Patient", "text": narrative}) == []
    facts = {fact["name"]: fact for fact in made["facts"]}
    assert facts["homeless"]["source"]
    assert made["events"]
    assert {"name", "result", "citation", "criteria"} <= set(made["criteria"][0])
    for caller, status in (("staff-hpsm", 200), ("community", 404), ("staff-hpsj", 404)):
        assert (await determinations(service, referral, caller)).status_code == status
    assert (await determinations(service, "nothing")).status_code == 404
    assert (await determinations(service, "no*id")).status_code == 400


async def test_more_information_is_another_determination(service):
    referral = await service.refer(example("12"), "practice")
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "resource",
                "resource": {
                    "resourceType": "QuestionnaireResponse",
                    "status": "completed",
                    "item": [{"linkId": "homeless", "answer": [{"valueBoolean": True}]}],
                },
            }
        ],
    }
    answer = await service.do("practice", "add-information", referral, body)
    assert answer.status_code == 200, answer.text
    made = (await determinations(service, referral, "practice")).json()["determinations"]
    assert [one["number"] for one in made] == sorted({one["number"] for one in made})
    assert len(made) == 2
    assert "To be answered:" in made[-1]["text"]


async def test_the_answer_to_check_ends_with_its_explanation(service):
    said = await service.check(example("02"), on="2026-11-20")
    assert said.parts[-1]["name"] == "explanation"
    assert said.parts[-1]["valueString"].startswith("The rules approve this. As of 2026-11-20")


async def test_the_short_form_is_given_everywhere_and_the_whole_where_it_is_asked_for(service):
    referral = await service.refer(hopeless())

    async def explained(by, path, body=None, **params):
        method = "POST" if body else "GET"
        answer = await service.ask(by, method, path, body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def checked(**params):
        said = await explained("hospital", "/fhir/ServiceRequest/$check", hopeless(), **params)
        return said["parameter"][-1]["valueString"]

    async def determined(**params):
        path = f"/v1/referrals/{referral}/determinations"
        (made,) = (await explained("hospital", path, **params))["determinations"]
        assert all(escape(line.lstrip(" -"), quote=False) in made["div"] for line in
                   made["text"].splitlines())  # fmt: skip
        return made["text"]

    async def queued(**params):
        return (await explained("staff-hpsm", f"/v1/work-queue/{referral}", **params))[
            "explanation"
        ]

    for given in (checked, determined, queued):
        short, whole = await given(), await given(detail="full")
        assert await given(detail="short") == short
        assert len(short.splitlines()) <= 25 < len(whole.splitlines())
        assert "To be answered" not in whole
    path = f"/v1/referrals/{referral}/timeline"
    for detail, lines in (("short", 0), ("full", 26)):
        entries = (await explained("hospital", path, detail=detail))["entries"]
        (told,) = [e["explanation"] or "" for e in entries if e["kind"] == "determination"]
        assert len(told.splitlines()) >= lines
        assert bool(told) is (detail == "full")
    for path in ("determinations", "timeline"):
        url = f"/v1/referrals/{referral}/{path}"
        answer = await service.ask("hospital", "GET", url, params={"detail": "most"})
        assert answer.status_code == 400


@pytest.fixture
async def decided(service, monkeypatch):
    """Several referrals, and the commands on the same database."""
    for name in ("02", "03", "04", "06", "07", "12"):
        await service.refer(example(name), BY.get(name, "hospital"))
    monkeypatch.setattr(policy_command, "settings", lambda: service.settings)
    return service


async def test_every_stored_determination_is_answered_the_same_again(decided, capsys):
    assert await asyncio.to_thread(policy_command.replay_command) == 0
    assert "6 determinations asked again, 0 answered otherwise." in capsys.readouterr().out


async def test_a_determination_that_was_tampered_with_is_found(decided, capsys):
    await decided.store.execute(
        "UPDATE determination SET answer = replace(answer, '\"approved\"', '\"denied\"')"
        " WHERE referral_id = (SELECT referral_id FROM determination"
        " WHERE outcome = 'approved' LIMIT 1)"
    )
    assert await asyncio.to_thread(policy_command.replay_command) == 1
    told = capsys.readouterr().out
    assert "outcome: denied then, approved now" in told
    assert "1 answered otherwise" in told


async def test_what_is_exported_names_nobody_and_can_be_tried(decided, tmp_path, capsys):
    file: Path = tmp_path / "determinations.ndjson"
    assert await asyncio.to_thread(policy_command.export_command, file) == 0
    text = await asyncio.to_thread(file.read_text)
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert len(lines) == 6
    kept = await decided.rows("SELECT referral_id, question FROM determination")
    assert {line["referral"] for line in lines} == {referral for referral, _ in kept}
    births = {
        end
        for _, question in kept
        for birth in [orjson.loads(question)["facts"]["birth"]]
        if birth
        for end in birth.values()
    }
    assert births
    assert not [day for day in births if day in text]
    assert "QuestionnaireResponse/" not in text
    new = tmp_path / "NEW.yaml"
    new.write_text("extends: HPSM/2026-01-01\nshared: DHCS/2026-01-01\npopulations: {POF1A: null}")
    assert await asyncio.to_thread(policy_command.simulate_command, "HPSM", new, file) == 0
    assert "would be answered otherwise" in capsys.readouterr().out


async def test_more_than_a_page_is_read_to_the_end(decided):
    database = deployment_of(decided.app).database
    for size in (1, 2, 4, 6, 7):
        read = [(row.referral_id, row.seq) async for row in stored(database, size)]
        assert len(read) == len(set(read)) == await count(database) == 6


@pytest.mark.parametrize("plan", ["HPSM", "GEN002"])
@pytest.mark.parametrize(
    ("on", "status"), [("0001-01-01", 200), ("9998-12-31", 200), ("9999-12-31", 200)]
)
async def test_the_calendar_has_two_ends(service, plan, on, status):
    """Windows look back from the date asked for, due dates ahead."""
    body = a_referral(None, plan=plan)
    path = "/fhir/ServiceRequest/$check"
    answer = await service.ask("hospital", "POST", path, body, params={"asOf": on})
    assert answer.status_code == status, answer.text
