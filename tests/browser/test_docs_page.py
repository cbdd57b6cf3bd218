"""/docs as a person meets it: opened, authorized, tried out; and nobody else is asked.

An operation that is opened is ready to be tried: `tryItOutEnabled` saves a click.
"""

from urllib.parse import urlsplit

import pytest

from tests.browser.devtools import a_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

SEARCH = "#operations-Referrals-searchServiceRequest"


async def test_a_person_authorizes_and_tries_an_operation(service_url, tmp_path):
    async with a_page() as page:
        await page.open(f"{service_url}/docs")
        assert "No Wrong Door" in await page.text(".info .title")
        assert (await page.run("document.title")).startswith("No Wrong Door")

        await page.click(".btn.authorize")
        await page.type("#client_id_clientCredentials", "staff-hpsm")
        await page.type("#client_secret_clientCredentials", "demo-staff-hpsm")
        await page.photograph(tmp_path / "authorize.png")
        await page.click(".auth-btn-wrapper .btn.authorize")
        assert "Authorized" in await page.text(".auth-container h6")
        await page.click(".auth-btn-wrapper .btn-done")

        await page.click(f"{SEARCH} .opblock-summary-control")
        await page.click(f"{SEARCH} .execute")
        status = await page.text(f"{SEARCH} .live-responses-table tbody .response-col_status")
        assert status.startswith("200")
        body = await page.text(
            f"{SEARCH} .live-responses-table tbody .response-col_description pre"
        )
        assert '"searchset"' in body
        await page.photograph(tmp_path / "answered.png")

        assert page.hosts == {urlsplit(service_url).netloc}
        assert page.complaints == []


async def test_every_heading_of_the_contract_is_on_the_page_in_its_order(service_url, tmp_path):
    async with a_page() as page:
        await page.open(f"{service_url}/docs")
        await page.look_at_all_of_it()
        await page.when("document.querySelectorAll('.opblock-tag').length >= 7")
        headings = await page.run(
            "[...document.querySelectorAll('.opblock-tag')].map(h => h.dataset.tag)"
        )
        await page.photograph(tmp_path / "page.png")
        assert headings == [
            "Referrals",
            "Providers",
            "Plan staff",
            "Directory",
            "Notifications",
            "Access",
            "Operations",
        ]
        assert page.hosts == {urlsplit(service_url).netloc}
