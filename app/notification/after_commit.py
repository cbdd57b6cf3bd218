"""Hints for the delivery workers, given when the request's transaction has been committed.

A handler that names `HintsDep` before its `Connection` is left in the reverse order: the commit
comes first, and a handler that fails gives no hint.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request


async def hints(request: Request) -> AsyncIterator[set[str]]:
    """The plans that the handler wrote deliveries for; an empty word stands for any plan."""
    plans: set[str] = set()
    yield plans
    for plan in plans:
        request.app.state.waker.hint(plan)


HintsDep = Annotated[set[str], Depends(hints, scope="function")]
