"""What a connection may do before the application sees anything of it: over real sockets."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
import uvicorn

from app.api.web.connection import limited

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def answering(scope, receive, send):
    """Says OK to whatever comes through."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(most=50, head_wait_s=5.0, linger_s=20.0, app=answering):
    """A port."""
    kind = limited(most, head_wait_s, linger_s)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=kind, ws="none", lifespan="off", log_config=None)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn's own way
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def said(port, *parts: bytes) -> tuple[bytes, dict]:
    """Everything that is answered to these bytes until the other side closes: head and outcome."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, json.loads(body) if body else {}


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
async def test_what_is_no_http_is_told_so_as_everything_else_is(request_):
    async with served() as port:
        head, outcome = await said(port, request_)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/fhir+json\r\n" in head
    assert b"x-request-id: " in head
    assert (outcome["resourceType"], outcome["issue"][0]["code"]) == (
        "OperationOutcome",
        "structure",
    )


@pytest.mark.parametrize("part", [b"A: b\r\n", b"x" * 1000])
async def test_a_head_without_an_end_is_cut_off(part):
    async with served() as port:
        head, outcome = await said(port, b"GET / HTTP/1.1\r\nX:", *[part] * (70_000 // len(part)))
    assert head.startswith(b"HTTP/1.1 431 ")
    assert outcome["issue"][0]["code"] == "too-long"


async def test_an_answer_is_read_although_the_body_was_not():
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")  # answered: whatever follows comes too late
        for _ in range(9):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
        assert await reader.read() == b"ok"
        writer.close()


async def talking_on(writer):
    """Until the other side has gone: it then resets what it no longer takes."""
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", GET + b"nonsense\r\n\r\n"])
async def test_who_does_not_end_is_ended(sent):
    async with served(linger_s=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(20):
            assert b"HTTP/1.1 400 " in await reader.read()
            with pytest.raises(ConnectionError):
                await talking_on(writer)
        writer.close()


async def test_nothing_follows_an_answer_that_ended_the_connection():
    asked = asyncio.Event()

    async def slow(scope, receive, send):
        await asked.wait()
        await answering(scope, receive, send)

    async with served(app=slow) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + GET + b"nonsense\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        asked.set()
        answer += await reader.read()
        writer.close()
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", b""), (b"GET / HTTP/1.1\r\nHos", b"408"), (b"\r\n", b"408"), (GET + b"GET / H", b"200")],
)
async def test_a_silent_connection_is_ended(sent, status):
    async with served(head_wait_s=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    assert answer[9:12] == status


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
BODIES = {
    "sized": b"Content-Length: 5\r\n\r\nhello",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}


async def echoing(scope, receive, send):
    """Says what came through."""
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    said = b"%b %b" % (scope["path"].encode(), body)
    size = (b"content-length", str(len(said)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [size]})
    await send({"type": "http.response.body", "body": said})


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("offer", [OFFER, b"Upgrade: websocket\r\nConnection: upgrade\r\n"])
async def test_an_offer_to_change_the_protocol_loses_no_body(offer, body):
    """As Java's HttpClient makes it with every request, in one packet or in two."""
    request_ = b"POST /a HTTP/1.1\r\nHost: a\r\n" + offer + body
    async with served(app=echoing) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for cut in range(1, len(request_)):
            writer.write(request_[:cut])
            for _ in range(3):  # so that the server reads it by itself
                await asyncio.sleep(0)
            writer.write(request_[cut:])
            answer = await reader.readuntil(b"/a hello")
            assert answer.startswith(b"HTTP/1.1 200 ")
        writer.write(request_ + GET)
        await reader.readuntil(b"/a hello")
        await reader.readuntil(b"/ ")
        writer.close()


async def test_very_many_offers_at_once_cost_no_more_than_their_size():
    count = 4_000
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((b"GET / HTTP/1.1\r\nHost: a\r\n" + OFFER + b"\r\n") * count)
        async with asyncio.timeout(20):
            for _ in range(count):
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_tunnel_is_refused():
    async with served() as port:
        head, _ = await said(port, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")


async def test_one_connection_too_many_is_told_when_to_come_back():
    async with served(most=2) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in held:
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        head, outcome = await said(port, GET)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 2" in head
        assert outcome["issue"][0]["code"] == "throttled"
        for reader, writer in held:
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()
