"""Requests with large bodies, one at a time: each until its answer begins.

So neither memory nor the database's connections are used up by them, and the garbage collector,
which would walk over all that such a body holds, can rest meanwhile: those are trees, which go with
their request without its help.
"""

import asyncio
import gc

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.web.refusals import respond
from app.base.aside import SMALL, weigh
from app.base.errors import refuse

#: How many may wait, and how long.
_MOST_WAITING = 30
_LONGEST_WAIT_S = 30.0


class Heavy:
    """The one place for a heavy request, and those who wait for it."""

    def __init__(self) -> None:
        self._place = asyncio.Semaphore(1)
        self._waiting = 0

    async def answer(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, size: int
    ) -> None:
        """Answers by `app`: at once where the body is small, else in its turn."""
        if size <= SMALL:
            await app(scope, receive, send)
            return
        if not await self._enter():
            said = "Many large bodies are being read just now. Send this one again in a moment."
            refusal = refuse(503, "transient", said, Retry_After="5")
            await respond(scope["path"], refusal)(scope, receive, send)
            return
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                gc.enable()
                self._place.release()

        async def sending(message: Message) -> None:
            leave()  # the work is done: a slow reader keeps nobody waiting
            await send(message)

        weigh(size)
        try:
            await app(scope, receive, sending)
        finally:
            leave()

    async def _enter(self) -> bool:
        if self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._place.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        gc.disable()
        return True
