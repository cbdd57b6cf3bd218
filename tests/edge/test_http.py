"""What every request meets before a handler: ids, sizes, media types, tokens; how it is told no."""

import base64
import gzip
import logging
import re
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Request

from app.api.caller import CallerDep, require, require_scope
from app.api.deployment import deployment_of
from app.api.web.gate import read_body
from app.base.errors import Issue, Refusal
from app.base.settings import Settings
from app.main import create_app
from app.model.caller import DECIDE, Caller

#: The issue code of what is not taken here.
NO = "not-supported"
FHIR = {"Content-Type": "application/fhir+json"}


def of(media: str) -> dict[str, str]:
    return {"Content-Type": media}


def of_version(version: str) -> dict[str, str]:
    return {"Accept": f"application/fhir+json; fhirVersion={version}"}


BASIC = {"Authorization": "Basic YTpi"}
GRANT = b"grant_type=client_credentials"


def basic(pair: bytes, scheme: str = "Basic ") -> dict[str, str]:
    return {"Authorization": scheme + base64.b64encode(pair).decode()}


MEGABYTE = 1024 * 1024
HOSPITAL = Caller("hospital", "org-h", None, frozenset({"system/ServiceRequest.crus"}))


def probed():
    """The application with three routes of the test's own: an echo, a guarded one, a broken one."""
    app = create_app(Settings(database_url="postgresql://nowhere/none"))

    @app.post("/fhir/Probe")
    async def echo(request: Request):
        return {"size": len(await read_body(request)), "id": request.state.request_id}

    @app.get("/fhir/Probe/{probe}")
    async def guarded(probe: str, caller: CallerDep):
        require(caller, "ServiceRequest", "r")
        require_scope(caller, DECIDE)

    @app.post("/fhir/Guarded")
    async def kept(request: Request, caller: CallerDep):
        return {"size": len(await read_body(request))}

    @app.patch("/fhir/Patched/{probe}")
    async def patched(probe: str):
        return {}

    @app.post("/v1/strict")
    async def strict(body: dict[str, Any]):
        return body

    @app.post("/v1/probe")
    async def guarded_body(body: dict[str, Any], caller: CallerDep):
        return body

    @app.put("/v1/probe/{probe}")
    async def broken(probe: str, limit: int = 1):
        raise RuntimeError("9000001XA")

    @app.delete("/v1/probe/{probe}")
    async def refused(probe: str):
        issues = [
            Issue("conflict", "No.", "Task.status", "illegal-move"),
            Issue("value", "Nor this."),
        ]
        raise Refusal(409, issues, {"Retry-After": "1"})

    return app


@pytest.fixture
def app():
    return probed()


@pytest.fixture
async def client(app) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def outcome(answer: httpx.Response) -> list[dict]:
    """The issues of an OperationOutcome, which it must be."""
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.headers["x-request-id"]
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert all(issue["details"]["text"] == issue["diagnostics"] for issue in body["issue"])
    return body["issue"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/nowhere", {}, b"", 404, "not-found"),
        ("GET", "/fhir/Nothing/1", {}, b"", 404, "not-found"),
        ("DELETE", "/fhir/metadata", {}, b"", 405, NO),
        ("POST", "/fhir/Probe", of("text/plain"), b"{}", 415, NO),
        ("POST", "/fhir/Probe", {}, b"{}", 415, NO),
        ("POST", "/fhir/Probe", of("application/fhir+xml"), b"<a/>", 415, NO),
        ("POST", "/fhir/Probe", of("multipart/form-data; boundary=x"), b"x", 415, NO),
        ("POST", "/fhir/Probe", of("application/json; charset=iso-8859-1"), b"{}", 415, NO),
        ("POST", "/fhir/Probe", of("application/json; charset=utf-16"), b"{}", 415, NO),
        ("POST", "/fhir/Probe", {**FHIR, "Content-Encoding": "br"}, b"x", 415, NO),
        ("POST", "/fhir/Probe", {**FHIR, "Content-Encoding": "gzip, gzip"}, b"x", 415, NO),
        ("GET", "/fhir/metadata", {"Host": ""}, b"", 400, "structure"),
        ("GET", "/fhir/metadata", {"Host": "a/b?c"}, b"", 400, "structure"),
        ("GET", "/fhir/metadata", {"Host": "a@b"}, b"", 400, "structure"),
        ("GET", "/fhir/metadata", {f"X-{n}": "a" for n in range(101)}, b"", 431, "too-long"),
        ("POST", "/fhir/Probe/_search", {}, b"_format=xml", 406, NO),
        ("POST", "/fhir/Guarded", FHIR, b"x" * (5 * MEGABYTE), 401, "login"),
        ("POST", "/fhir/Guarded", FHIR, b"x" * (5 * MEGABYTE + 1), 413, "too-long"),
        ("POST", "/v1/probe", of("application/json"), b"{}", 401, "login"),
        ("PATCH", "/fhir/Probe/1", of("application/json"), b"[]", 405, NO),
        ("GET", "/fhir/ServiceRequest/_search", of("text/plain"), b"x", 405, NO),
        ("POST", "/fhir/Probe/_search", FHIR, b"{}", 405, NO),
        ("POST", "/v1/strict", FHIR, b"{}", 415, NO),
        ("GET", "/fhir/metadata", {"Accept": "application/fhir+xml"}, b"", 406, NO),
        ("GET", "/fhir/metadata", {"Accept": "text/html"}, b"", 406, NO),
        ("GET", "/fhir/metadata", of_version("3.0"), b"", 406, NO),
        ("POST", "/fhir/Probe", of("application/fhir+json; fhirVersion=5.0"), b"{}", 415, NO),
        ("GET", "/fhir/metadata", {"Accept": "application/json;q=0"}, b"", 406, NO),
        ("GET", "/fhir/metadata?_format=xml", {}, b"", 406, NO),
        ("POST", "/fhir/Probe", FHIR, b"x" * (5 * MEGABYTE + 1), 413, "too-long"),
        ("POST", "/v1/strict", of("application/json"), b" " * (256 * 1024 + 1), 413, "too-long"),
        ("POST", "/fhir/Probe/_search", {}, b"a" * (64 * 1024 + 1), 413, "too-long"),
        ("GET", "/fhir/Probe/" + "a" * 9000, {}, b"", 414, "too-long"),
        ("GET", "/fhir/Probe?name=" + "a" * 9000, {}, b"", 414, "too-long"),
        ("GET", "/fhir/metadata", {"X-Long": "a" * 40_000}, b"", 431, "too-long"),
        ("GET", "/fhir/Probe/1", {}, b"", 401, "login"),
        ("GET", "/fhir/Probe/1", {"Authorization": "Bearer"}, b"", 401, "login"),
        ("GET", "/fhir/Probe/1", {"Authorization": "Basic aG9zcGl0YWw6eA=="}, b"", 401, "login"),
        ("GET", "/fhir/Probe/1", {"Authorization": "Bearer a.b.c"}, b"", 401, "login"),
        ("PUT", "/v1/probe/1?limit=9000001XA", {}, b"", 400, "value"),
        ("PUT", "/v1/probe/1", {}, b"", 500, "exception"),
    ],
)  # fmt: skip
async def test_what_cannot_be_served_is_told_so(client, method, path, headers, body, status, code):
    answer = await client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status
    assert [issue["code"] for issue in outcome(answer)] == [code]
    assert "9000001XA" not in answer.text


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/fhir/metadata", {"Accept": "application/fhir+json; fhirVersion=4.0"}),
        ("/fhir/metadata", {"Accept": "application/json"}),
        ("/fhir/metadata", {"Accept": "application/fhir+json, */*; q=0.1"}),
        ("/fhir/metadata", {"Accept": "text/html, application/json;q=0.5"}),
        ("/fhir/metadata", {"Accept": "not a media type"}),
        ("/fhir/metadata?_format=json", {"Accept": "application/fhir+xml"}),
        ("/fhir/metadata?_format=application/fhir+json", {}),
        ("/fhir/metadata?_format=application%2Ffhir%2Bjson", {}),
        ("/fhir/.well-known/smart-configuration", {"Accept": "text/html"}),
        ("/health/live", {"Accept": "text/plain"}),
    ],
)
async def test_whoever_takes_json_gets_it(client, path, headers):
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0].endswith("json")


@pytest.mark.parametrize(
    "media",
    [
        "application/fhir+json",
        "application/json; charset=UTF-8",
        'application/fhir+json; fhirVersion="4.0"',
    ],
)
async def test_a_body_of_five_megabytes_is_taken(client, media):
    body = b"x" * (5 * MEGABYTE)
    answer = await client.post("/fhir/Probe", content=body, headers={"Content-Type": media})
    assert answer.json()["size"] == 5 * MEGABYTE


async def test_a_chunked_body_is_taken_whole_and_no_more_than_the_limit(client):
    async def chunks(count: int):
        for _ in range(count):
            yield b"x" * MEGABYTE

    taken = await client.post("/fhir/Probe", content=chunks(5), headers=FHIR)
    assert taken.json()["size"] == 5 * MEGABYTE
    refused = await client.post("/fhir/Probe", content=chunks(6), headers=FHIR)
    assert refused.status_code == 413
    assert outcome(refused)[0]["code"] == "too-long"


async def test_the_drain_of_a_body_that_is_too_large_has_an_end(client):
    read = 0

    async def endless():
        nonlocal read
        while read < 100:
            read += 1
            yield b"x" * MEGABYTE

    answer = await client.post("/fhir/Probe", content=endless(), headers=FHIR)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert read == 33


@pytest.mark.parametrize(
    "given",
    ["abc", "7f3e-1", "urn:x:1", "A.b_c-d:e", "a" * 128, "discharge-2026-11-20-0007",
     "20261120T101500Z", "1764500000000", "69000012XA", "9000000b" + "0" * 24,
     "9000000b-0000-4000-8000-000000000000"],
)  # fmt: skip
async def test_a_harmless_request_id_is_echoed_and_handed_on(client, given):
    headers = {**FHIR, "X-Request-ID": given, "X-Correlation-ID": given}
    answer = await client.post("/fhir/Probe", content=b"{}", headers=headers)
    assert answer.headers["x-request-id"] == answer.headers["x-correlation-id"] == given
    assert answer.json()["id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, "<script>", "ü".encode(), b"a\tb",
                                   "9000012XA", "visit-91234567a-2", "x:123-45-6789",
                                   "9000000b-0000-4000-8000-000000000000-9000012XA"])  # fmt: skip
async def test_a_harmful_request_id_is_replaced(client, given):
    headers = {**FHIR, "X-Request-ID": given, "X-Correlation-ID": given}
    answer = await client.get("/nowhere", headers=headers)
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert "x-correlation-id" not in answer.headers


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nowhere", "GET", 404), ("/v1/probe/1", "PUT", 500), ("/v1/probe/1", "DELETE", 409),
     ("/health/live", "GET", 200)],
)  # fmt: skip
async def test_every_answer_carries_the_standing_headers_once(client, path, method, status):
    answer = await client.request(method, path, headers={"X-Request-ID": "r1"})
    assert answer.status_code == status
    for name, value in (("x-request-id", "r1"), ("cache-control", "no-store"),
                        ("x-content-type-options", "nosniff")):  # fmt: skip
        assert answer.headers.get_list(name) == [value]
    assert "server" not in answer.headers


async def test_a_refusal_keeps_its_issues_headers_and_codes(client):
    answer = await client.delete("/v1/probe/1")
    first, second = outcome(answer)
    assert answer.headers["retry-after"] == "1"
    assert first["expression"] == ["Task.status"]
    assert first["details"]["coding"][0]["code"] == "illegal-move"
    assert "expression" not in second


async def test_a_wrong_method_is_told_every_method_of_the_path(client):
    answer = await client.post("/v1/probe/1")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, PUT"


async def test_a_token_opens_the_door_as_far_as_its_scopes_reach(app, client):
    def bearing(*scopes: str) -> dict[str, str]:
        holder = Caller("hospital", "org-h", None, frozenset(scopes))
        return {"Authorization": f"bearer {deployment_of(app).tokens.issue(holder, time.time())}"}

    short = await client.get("/fhir/Probe/1", headers=bearing("system/Task.r"))
    assert short.status_code == 403
    assert 'error="insufficient_scope"' in short.headers["www-authenticate"]
    assert 'scope="system/ServiceRequest.r"' in short.headers["www-authenticate"]
    staff_only = await client.get("/fhir/Probe/1", headers=bearing("system/*.rs"))
    assert staff_only.status_code == 403
    assert outcome(staff_only)[0]["code"] == "forbidden"
    enough = await client.get("/fhir/Probe/1", headers=bearing("system/*.rs", DECIDE))
    assert enough.status_code == 200


async def test_an_expired_token_is_told_from_one_that_is_not_ours(app, client):
    old = deployment_of(app).tokens.issue(HOSPITAL, time.time() - 1000)
    answer = await client.get("/fhir/Probe/1", headers={"Authorization": f"Bearer {old}"})
    assert answer.status_code == 401
    assert outcome(answer)[0]["code"] == "expired"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        (b"", {}, 400, "invalid_request"),
        (b"grant_type=password", {}, 400, "unsupported_grant_type"),
        (b"grant_type=client_credentials", {}, 401, "invalid_client"),
        (b"grant_type=client_credentials&client_id=a", {}, 401, "invalid_client"),
        (b"grant_type=client_credentials&client_id=%00&client_secret=b", {}, 401, "invalid_client"),
        (b"grant_type=client_credentials&scope=a&scope=b", {}, 400, "invalid_request"),
        (b"\xff\xfe=1", {}, 400, "invalid_request"),
        (b"&".join(b"a%d=1" % n for n in range(64)), {}, 400, "invalid_request"),
        (b"grant_type=client_credentials", {"Authorization": "Basic !!!"}, 401, "invalid_client"),
        (b"grant_type=client_credentials", {"Authorization": "Bearer x"}, 401, "invalid_client"),
        (b"grant_type=client_credentials&client_secret=x", BASIC, 400, "invalid_request"),
        (b"{}", {"Content-Type": "application/json"}, 415, "invalid_request"),
        (b"x" * (6 * MEGABYTE), {}, 413, "invalid_request"),
        (b"x" * (64 * 1024 + 1), {}, 413, "invalid_request"),
        (b"grant_type=", {}, 400, "invalid_request"),
        (GRANT + b"&client_id=a&client_secret=", {}, 401, "invalid_client"),
        (GRANT + b"&client_id=other", BASIC, 400, "invalid_request"),
        (GRANT + b"&client_id=a&client_secret=%00", {}, 401, "invalid_client"),
        (GRANT, basic(b"a:b\x00"), 401, "invalid_client"),
        (GRANT, basic(b"a:%00"), 401, "invalid_client"),
        (GRANT, basic(b"a:\xff"), 401, "invalid_client"),
        (GRANT, basic(b"a:%ff"), 401, "invalid_client"),
        (GRANT, basic(b"a:%00", "Basic  "), 401, "invalid_client"),
    ],
)  # fmt: skip
async def test_the_token_endpoint_refuses_in_its_own_dialect(client, form, headers, status, error):
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = await client.post("/oauth/token", content=form, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert (status == 401) == ("www-authenticate" in answer.headers)


async def test_a_log_line_names_the_template_and_no_value(client, caplog):
    caplog.set_level(logging.INFO, "app.request")
    await client.put("/v1/probe/9000001XA?limit=9000001XA", headers={"X-Request-ID": "r9"})
    line = next(record for record in caplog.records if record.message == "request")
    assert (line.method, line.route, line.status) == ("PUT", "/v1/probe/{probe}", 400)
    assert (line.request_id, line.client) == ("r9", None)
    assert "9000001XA" not in str(vars(line))


async def test_metrics_count_by_template(client):
    await client.put("/v1/probe/9000002XA")
    await client.get("/9000002XA")
    shown = (await client.get("/metrics")).text
    assert 'nwd_requests_total{method="PUT",route="/v1/probe/{probe}",status="500"}' in shown
    assert 'route="unmatched"' in shown
    assert "9000002XA" not in shown


async def test_discovery_names_the_token_endpoint_absolutely(client):
    found = (await client.get("/fhir/.well-known/smart-configuration")).json()
    assert found["token_endpoint"] == "http://127.0.0.1:8000/oauth/token"
    assert found["grant_types_supported"] == ["client_credentials"]
    assert found["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"url": 1, "url": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b'{"a": "\x01"}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"[]",
        b"null",
        b" ",
        b"{} {}",
        b'{"a": 1e999999999}',
    ],
)  # fmt: skip
async def test_json_that_could_be_read_in_two_ways_is_not_read_at_all(client, body):
    for sent, more in ((body, {}), (gzip.compress(body), {"Content-Encoding": "gzip"})):
        answer = await client.post(
            "/v1/strict", content=sent, headers=of("application/json") | more
        )
        assert answer.status_code == 400
        assert {issue["code"] for issue in outcome(answer)} <= {"structure", "value"}


async def test_what_an_operation_of_ours_is_sent_twice_is_named(client):
    body = b'{"a": {"url": "https://a.example", "url": "https://b.example"}}'
    answer = await client.post("/v1/strict", content=body, headers=of("application/json"))
    assert outcome(answer)[0]["expression"] == ["a.url"]
    assert "example" not in answer.text


ZIPPED = {**FHIR, "Content-Encoding": "gzip"}


def zipped(body, level=9):
    """The body in gzip, the same at any second: what a test is given is a part of its name."""
    return gzip.compress(body, level, mtime=0)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity, gzip", ", gzip,"])
@pytest.mark.parametrize("size", [0, 1, 5 * MEGABYTE])
async def test_a_body_in_gzip_is_taken_as_what_it_was(client, coding, size):
    headers = {**FHIR, "Content-Encoding": coding}
    answer = await client.post("/fhir/Probe", content=gzip.compress(b"x" * size), headers=headers)
    assert answer.json()["size"] == size


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (zipped(b"x" * (5 * MEGABYTE + 1)), 413),
        (zipped(b"\0" * (200 * MEGABYTE), 1), 413),
        (zipped(b"{}")[:-1], 400),
        (zipped(b"{}")[:5], 400),
        (zipped(b"{}") + b"x", 400),
        (zipped(b"{}") * 2, 400),
        (zipped(b"") * 100_000, 400),
        (zipped(b"{}")[:-8] + bytes(8), 400),
        (b"{}", 400),
        (b"x" * (5 * MEGABYTE + 1), 413),
    ],
)
async def test_gzip_that_is_broken_or_blows_up_is_refused_with_little_work(client, body, status):
    began = time.process_time()
    answer = await client.post("/fhir/Probe", content=body, headers=ZIPPED)
    assert answer.status_code == status
    assert outcome(answer)
    assert time.process_time() - began < 1


async def test_what_is_taken_is_said_with_a_415(client):
    answer = await client.post(
        "/fhir/Probe", content=b"{}", headers={**FHIR, "Content-Encoding": "br"}
    )
    assert answer.headers["accept-encoding"] == "gzip, identity"
    answer = await client.patch("/fhir/Patched/1", content=b"[]", headers=FHIR)
    assert answer.status_code == 415
    assert answer.headers["accept-patch"] == "application/json-patch+json"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([("Accept", "application/fhir+json"), ("Accept", "text/html")], 200),
        ([("Accept", "text/html"), ("Accept", "application/fhir+json")], 200),
        ([("Accept", "text/html"), ("Accept", ""), ("Accept", "image/png")], 406),
        ([("Accept", ", application/json ,,")], 200),
        ([("If-None-Match", '"a"'), ("If-None-Match", 'TAG')], 304),
        ([("If-None-Match", 'TAG'), ("If-None-Match", '"a,b"')], 304),
        ([("If-None-Match", 'garbage, ,TAG')], 304),
        ([("If-None-Match", '"a, TAG')], 200),
        ([("If-None-Match", '*')], 304),
        ([("If-None-Match", '"a"'), ("If-None-Match", '"b"')], 200),
        ([("Host", "a"), ("Host", "b")], 400),
        ([("Content-Type", "text/html"), ("Content-Type", "application/json")], 400),
        ([("If-None-Exist", "a=b"), ("If-None-Exist", "c=d")], 400),
    ],
)  # fmt: skip
async def test_a_list_on_several_lines_is_one_list_and_nothing_else_comes_twice(
    client, lines, status
):
    tag = (await client.get("/fhir/metadata")).headers["etag"]
    sent = [(name, value.replace("TAG", tag)) for name, value in lines]
    assert (await client.get("/fhir/metadata", headers=sent)).status_code == status


@pytest.mark.parametrize("host", ["a", "a.example:80", "[::1]:8000", "127.0.0.1", "a_b"])
async def test_a_host_begins_no_link(client, host):
    found = await client.get("/fhir/.well-known/smart-configuration", headers={"Host": host})
    assert found.json()["token_endpoint"] == "http://127.0.0.1:8000/oauth/token"


async def test_the_body_of_a_stranger_is_not_kept(app, client):
    token = deployment_of(app).tokens.issue(HOSPITAL, time.time())
    body = b"x" * (5 * MEGABYTE)
    known = {**FHIR, "Authorization": f"Bearer {token}"}
    answer = await client.post("/fhir/Guarded", content=body, headers=known)
    assert answer.json()["size"] == len(body)
    tracemalloc.start()
    answer = await client.post("/fhir/Guarded", content=chunks(body), headers=FHIR)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer.status_code, peak < MEGABYTE) == (401, True)


async def chunks(body: bytes):
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]
