"""The floor of delivering: so many posts by aiohttp, 64 at once, and nothing else.

`python -m bench.bare_sender URL COUNT`
"""

import asyncio
import sys

import aiohttp
import uvloop

_AT_ONCE = 64


async def send(url: str, count: int) -> None:
    """Posts `count` times a body of a thin payload's size."""
    left = iter(range(count))
    body = b'{"type":"bench","data":"' + b"x" * 700 + b'"}'

    async def work(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, data=body) as answer:
                await answer.read()

    connector = aiohttp.TCPConnector(limit=_AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session) for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    uvloop.run(send(sys.argv[1], int(sys.argv[2])))
