"""A plan that has its exclusions reviewed: an exception against one is proposed, then confirmed."""

import asyncio
import shutil

import pytest

from app.base.settings import Settings
from app.policy.library import FILES
from tests.journeys.payloads import REASON, because, coded, example, parameters
from tests.journeys.service import furnish, issue, serving
from tests.postgres import token

AUTOMATIC = "ecm: {approve: automatic, deny_administrative: automatic"
YES = parameters(reason=because("exception-granted"), note="Moved to Medi-Cal next month.")


@pytest.fixture
async def reviewing(cluster, tmp_path):
    """The service of plans whose exclusions go to a person."""
    shutil.copytree(FILES, tmp_path / "files")
    file = tmp_path / "files" / "DHCS" / "2022-01-01.yaml"
    text = file.read_text()
    assert AUTOMATIC in text
    file.write_text(text.replace(AUTOMATIC, AUTOMATIC.replace("automatic", "review")))
    settings = Settings(
        database_url=await asyncio.to_thread(cluster.create, token()),
        token_secret="reviewing " * 8,
        policy_path=str(tmp_path / "files"),
    )
    await furnish(settings)
    async with serving(settings) as service:
        service.at("2026-11-20T10:00-08:00")
        yield service


async def test_an_exception_against_an_exclusion_takes_two_steps(reviewing):
    referral = await reviewing.refer(example("07"), by="practice")  # CareAdvantage
    assert await reviewing.words(referral, "practice") == ["pending", "in-review"]

    async def approve(**headers):
        return await reviewing.do("staff-hpsm", "approve", referral, YES, **headers)

    refused = await reviewing.do("staff-hpsm", "approve", referral, parameters(note="Please."))
    assert refused.status_code == 422
    proposed = await approve()
    assert proposed.status_code == 200, proposed.text
    assert await reviewing.words(referral, "practice") == ["pending", "in-review"]
    told = await reviewing.counts()
    for repeated in (await approve(), await approve(If_Match="*")):
        assert (repeated.status_code, issue(repeated)["code"]) == (428, "conflict")
    assert await reviewing.counts() == told
    assert (await approve(If_Match='W/"1"')).status_code == 412
    confirmed = await approve(If_Match=proposed.headers["etag"])
    assert confirmed.status_code == 200, confirmed.text
    assert (await reviewing.words(referral, "practice"))[0] == "approved"
    history = [(event, to) for _, event, to, _, _ in await reviewing.history(referral)]
    assert history[-2:] == [("annotate", "pending"), ("approve", "approved")]
    announced = await reviewing.rows("SELECT event_type FROM message ORDER BY seq")
    assert ("referral.approved",) in announced
    assert len(announced) == len(set(announced))


async def test_what_was_proposed_may_still_be_denied(reviewing):
    referral = await reviewing.refer(example("07"), by="practice")
    await reviewing.do("staff-hpsm", "approve", referral, YES)
    no = parameters(reason=because("line-of-business"))
    answer = await reviewing.do("staff-hpsm", "deny", referral, no)
    assert answer.status_code == 200, answer.text
    assert await reviewing.words(referral, "practice") == ["denied"]


async def test_by_its_task_an_exception_is_confirmed_by_naming_the_version_too(reviewing):
    referral = await reviewing.refer(example("07"), by="practice")
    await reviewing.do("staff-hpsm", "approve", referral, YES)
    reason = {**coded(REASON, "exception-granted"), "text": "Moved to Medi-Cal next month."}

    async def accept(tag):
        task = await reviewing.read("Task", referral, "staff-hpsm")
        body = {**task, "status": "accepted", "statusReason": reason}
        headers = {"If-Match": tag or f'W/"{task["meta"]["versionId"]}"'}
        return await reviewing.ask(
            "staff-hpsm", "PUT", f"/fhir/Task/{referral}", body, headers=headers
        )

    anyhow = await accept("*")
    assert (anyhow.status_code, issue(anyhow)["code"]) == (428, "conflict")
    assert await reviewing.words(referral, "practice") == ["pending", "in-review"]
    assert (await accept(None)).status_code == 200
    assert (await reviewing.words(referral, "practice"))[0] == "approved"
