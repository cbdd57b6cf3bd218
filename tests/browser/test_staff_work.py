"""Plan staff who do not program, at work in /docs: the queue, the reasons, a yes and a no.

Everything is done with the mouse and the keyboard on what the page shows.
"""

import json
import urllib.request

import pytest

from tests.browser.devtools import Page, a_page
from tests.journeys.payloads import EXTRA, hopeless
from tests.outside import Tokens

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

REASON = "https://nowrongdoor.example/fhir/CodeSystem/determination-reason"
STAFF = "#operations-Plan_staff"
QUEUE, APPROVE, DENY = (
    f"{STAFF}-{name}" for name in ("readWorkQueue", "approveReferral", "denyReferral")
)


def refer(url: str, cin: str) -> str:
    """The id of a referral that a hospital sends and that the rules leave to a person."""
    headers = {
        "Authorization": f"Bearer {Tokens(url).of('hospital')}",
        "Content-Type": "application/fhir+json",
    }
    body = json.dumps(hopeless(cin)).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}/fhir/ServiceRequest", body, headers), timeout=30
    ) as answer:
        return json.load(answer)["id"]


async def sign_in(page: Page, client: str) -> None:
    await page.click(".btn.authorize")
    await page.type("#client_id_clientCredentials", client)
    await page.type("#client_secret_clientCredentials", f"demo-{client}")
    await page.click(".auth-btn-wrapper .btn.authorize")
    assert "Authorized" in await page.text(".auth-container h6")
    await page.click(".auth-btn-wrapper .btn-done")


async def answer(page: Page, operation: str) -> dict:
    """Executes an operation as it is filled in; what the page shows of the answer."""
    shown = f"{operation} .live-responses-table tbody"
    await page.run(f"document.querySelector('{operation} .btn-clear')?.click()")
    await page.when(f"!document.querySelector('{shown}')")  # a former answer is gone
    await page.click(f"{operation} .execute")
    status = await page.text(f"{shown} .response-col_status")
    text = await page.text(f"{shown} .response-col_description pre")
    assert status.startswith("200"), text
    return json.loads(text)


async def fill_in(page: Page, operation: str, referral: str) -> None:
    """Opens an operation and names the referral; all else is left as the page offers it."""
    await page.click(f"{operation} .opblock-summary-control")
    await page.type(f'{operation} tr[data-param-name="id"] input', referral)
    headers = f'{operation} tr[data-param-in="header"] input'
    offered = await page.run(f"[...document.querySelectorAll('{headers}')].map(i => i.value)")
    assert offered == ["", "", ""]  # no version, no request and no conversation but their own


async def write(page: Page, operation: str, **parameters: dict) -> None:
    """Puts the person's own words where the page offers an example, which says nothing."""
    place = f"{operation} textarea.body-param__text"
    assert "Write your own" in await page.when(f"document.querySelector('{place}')?.value")
    await page.click(place)
    await page.run(f"document.querySelector('{place}').select()")
    listed = [{"name": name, **value} for name, value in parameters.items()]
    body = {"resourceType": "Parameters", "parameter": listed}
    await page.do("Input.insertText", text=json.dumps(body))


async def test_staff_read_why_a_referral_waits_approve_one_and_deny_another(service_url, tmp_path):
    first, second = refer(service_url, EXTRA[0]), refer(service_url, EXTRA[1])
    async with a_page() as page:
        await page.open(f"{service_url}/docs")
        await sign_in(page, "staff-hpsm")
        await page.type(".operation-filter-input", "Plan staff")

        await page.click(f"{QUEUE} .opblock-summary-control")
        queue = await answer(page, QUEUE)
        await page.photograph(tmp_path / "queue.png")
        items = {item["referral"]: item for item in queue["items"]}
        for referral in (first, second):
            waits = items[referral]
            assert waits["waits_in_words"] == "A person must decide. The rules recommend to deny."
            assert "due in" in waits["due_in_words"]
            assert [why["code"] for why in waits["why"]] == ["no-population"]
            assert {"approve", "deny"} <= {step["name"] for step in waits["next"]}

        await fill_in(page, APPROVE, first)
        exception = {"system": REASON, "code": "exception-granted"}
        note = {"valueString": "Her doctor has told us on the telephone what the form left out."}
        await write(page, APPROVE, reason={"valueCoding": exception}, note=note)
        await page.photograph(tmp_path / "approve.png")
        assert (await answer(page, APPROVE))["status"] == "active"
        await fill_in(page, DENY, second)
        await write(page, DENY, reason={"valueString": "She has moved to another county."})
        await page.photograph(tmp_path / "deny.png")
        assert (await answer(page, DENY))["status"] == "revoked"

        queue = await answer(page, QUEUE)
        assert not {first, second} & {item["referral"] for item in queue["items"]}
        assert page.complaints == []
