"""The parts of a running service, and the ways in which a handler gets them.

One frozen object, `Deployment`, holds the parts; `deployment(request)` finds the object. The
transaction of a request is committed before the response leaves, because of `scope="function"`:
without this scope FastAPI runs the code after `yield` when the response is already sent.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.api.bearer import Tokens, tokens
from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.journey.notification.wake import Waker
from app.policy.rules import Rules
from app.store.database import Reader, begin, has_due_deliveries
from app.views.figures import DeliveryMetrics


@dataclass(frozen=True, slots=True)
class Started:
    """The parts that a process opens as it starts, and closes as it ends."""

    rules: Rules
    engine: AsyncEngine
    waker: Waker


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts of one service process. `started` is None until its lifespan has begun."""

    settings: Settings
    clock: ServiceClock
    tokens: Tokens
    figures: DeliveryMetrics
    started: Started | None = None

    @classmethod
    def of(cls, settings: Settings, clock: ServiceClock | None = None) -> "Deployment":
        """The parts that need no file and no connection."""
        return cls(
            settings, clock or ServiceClock.of(settings), tokens(settings), DeliveryMetrics()
        )

    @property
    def rules(self) -> Rules:
        """The policy library, and the plans served by it."""
        return self._running().rules

    @property
    def engine(self) -> AsyncEngine:
        """The connections to the database."""
        return self._running().engine

    @property
    def waker(self) -> Waker:
        """Hints to the delivery workers."""
        return self._running().waker

    def _running(self) -> Started:
        if self.started is None:
            raise RuntimeError("the service has not started: its rules and engine are not there")
        return self.started


def deployment(request: Request) -> Deployment:
    """The parts of the service that received this request."""
    return deployment_of(request.app)


def deployment_of(app: FastAPI) -> Deployment:
    """The parts of an application that `create_app` has made."""
    parts: Deployment = app.state.deployment
    return parts


def deploy(app: FastAPI, parts: Deployment) -> None:
    """Gives an application its parts, and replaces earlier parts."""
    app.state.deployment = parts


async def transaction(request: Request) -> AsyncIterator[AsyncConnection]:
    """The request's transaction; rolled back unless the handler returns.

    Where the transaction made deliveries due, the delivery workers get a hint after the commit.
    """
    parts = deployment(request)
    async with begin(parts.engine) as connection:
        yield connection
        due = has_due_deliveries(connection)
    if due:
        parts.waker.hint()


Connection = Annotated[AsyncConnection, Depends(transaction, scope="function")]


async def reader(request: Request) -> Reader:  # async: the framework runs others in a thread
    """Gives a handler that sends single reads one connection for each read."""
    return Reader(deployment(request).engine)


SingleRead = Annotated[Reader, Depends(reader)]
