"""A name is judged by the addresses it has at the moment of connecting (DNS rebinding)."""

import socket

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from app.journey.notification.deliver import error_class, open_session
from app.journey.notification.retry import BLOCKED, DNS
from app.journey.notification.targets import BlockedTarget, Guard, GuardedResolver


class Names(AbstractResolver):
    """Answers each question with the next of the prepared addresses."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        answer = self.answers.pop(0)
        if answer is None:
            raise OSError("no such name")
        return [
            {"hostname": host, "host": a, "port": port, "family": family, "proto": 0, "flags": 0}
            for a in answer
        ]

    async def close(self):
        pass


OURS = "org-ours"
STRICT = Guard(frozenset(), plain_http=False)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["64:ff9b::a9fe:a9fe"]]
)
async def test_one_private_address_is_enough_to_refuse(addresses):
    with pytest.raises(BlockedTarget):
        await GuardedResolver(STRICT, Names(addresses)).resolve("hooks.example.org", 443)


async def test_a_name_that_turns_private_after_registration_is_refused():
    resolver = GuardedResolver(STRICT, Names(["8.8.8.8"], ["127.0.0.1"]))
    assert len(await resolver.resolve("hooks.example.org", 443)) == 1
    with pytest.raises(BlockedTarget):
        await resolver.resolve("hooks.example.org", 443)


async def test_a_receiver_in_the_house_is_admitted_on_its_own_port_only():
    guard = Guard(frozenset({(OURS, "intake.internal:8443")}), plain_http=False)
    resolver = GuardedResolver(guard, Names(["10.0.0.1"], ["10.0.0.1"]))
    assert len(await resolver.resolve("intake.internal", 8443)) == 1
    with pytest.raises(BlockedTarget):
        await resolver.resolve("intake.internal", 443)


async def test_a_port_that_is_not_sent_to_is_not_asked_about():
    names = Names(["8.8.8.8"])
    with pytest.raises(BlockedTarget):
        await GuardedResolver(STRICT, names).resolve("hooks.example.org", 5432)
    assert len(names.answers) == 1


@pytest.mark.parametrize(("answer", "expected"), [(["127.0.0.1"], BLOCKED), (None, DNS)])
async def test_the_client_dials_nothing_and_says_which_it_was(answer, expected):
    resolver = GuardedResolver(STRICT, Names(answer))
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError) as caught:
            await session.post("https://hooks.example.org/")
    assert error_class(caught.value) == expected


async def test_two_receivers_at_one_address_never_share_a_connection():
    """The pool is kept by name: what is meant for one does not go down the other's connection."""
    peers = []

    async def take(request):
        peers.append((request.host.partition(":")[0], request.transport.get_extra_info("peername")))
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    names = ("one.example", "other.example")
    guard = Guard(frozenset((OURS, f"{name}:{port}") for name in names), plain_http=True)
    async with open_session(guard) as session:
        session.connector._resolver = GuardedResolver(guard, Names(*[["127.0.0.1"]] * 2))
        for name in (*names, *names):
            async with session.post(f"http://{name}:{port}/", allow_redirects=False) as answer:
                await answer.read()
    await runner.cleanup()
    by_name = {name: {peer for host, peer in peers if host == name} for name in names}
    assert [len(found) for found in by_name.values()] == [1, 1]  # each kept its own alive
    assert not set.intersection(*by_name.values())
