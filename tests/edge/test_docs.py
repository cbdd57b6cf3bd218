"""The documentation page needs no network but ours."""

import re

import httpx
import pytest

from app.api.contract.docs import takes_gzip
from app.base.settings import Settings
from app.main import create_app


@pytest.fixture
async def http():
    app = create_app(Settings(database_url="postgresql://nowhere/none"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


async def test_the_page_loads_only_what_we_serve_and_runs_nothing_inline(http):
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"].partition("style-src")[0]
    assert not re.search(r"https?://", page.text)
    assert not re.search(r"<script>|\son\w+=", page.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        asset = await http.get(f"/{address}")
        assert asset.status_code == 200, address


async def test_the_page_asks_for_our_document_and_no_validator(http):
    script = (await http.get("/docs/docs.js")).text
    assert 'url: "openapi.json"' in script
    assert "validatorUrl: null" in script
    found = (await http.get("/openapi.json")).json()
    assert found["components"]["securitySchemes"]["client"]["type"] == "oauth2"


@pytest.mark.parametrize("name", ["docs.html", "README.md", "..%2f..%2fmain.py", "nothing"])
async def test_nothing_but_the_assets_can_be_fetched(http, name):
    assert (await http.get(f"/docs/{name}")).status_code == 404


async def test_the_assets_do_not_ask_for_source_maps(http):
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert "sourceMappingURL=swagger" not in (await http.get(f"/docs/{name}")).text


async def test_the_document_travels_compressed_and_once(http):
    plain = await http.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    small = await http.get("/openapi.json", headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"})
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert small.json() == plain.json()
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 5
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != small.headers["etag"]
    for tag in (plain.headers["etag"], f'"x", W/{small.headers["etag"]}', "*"):
        again = await http.get("/openapi.json", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == small.headers["etag"]
    other = await http.get("/openapi.json", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*", True),
        ("br, *;q=0", False),
        ("deflate ,\tgzip ; q=1.0", True),
        (",,;q=1", False),
    ],
)
def test_what_a_client_says_it_can_unpack(accepted, takes):
    assert takes_gzip(accepted) is takes
