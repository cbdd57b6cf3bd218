"""The parts of a running service, and the ways in which a handler gets them.

One frozen object, `Deployment`, holds the parts; `deployment(request)` finds the object. Most
handlers send each statement by itself (`Statements`). The transaction of a handler that has one
(`Connection`) is committed before the response leaves, because of `scope="function"`: without this
scope FastAPI runs the code after `yield` when the response is already sent.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from app.api.bearer import Tokens, tokens
from app.api.limits import Limits
from app.api.login.key_sets import KeySets
from app.api.outside import OutsideTokens
from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.journey.notification.targets import Guard
from app.policy.rules import Rules
from app.store.audit.writer import RecordWriter
from app.store.database import Database, Transaction
from app.views.figures import DeliveryMetrics


@dataclass(frozen=True, slots=True)
class Started:
    """The parts that a process opens as it starts, and closes as it ends."""

    rules: Rules
    database: Database
    record: RecordWriter


@dataclass(frozen=True, slots=True)
class Deployment:
    """The parts of one service process. `started` is None until its lifespan has begun."""

    settings: Settings
    clock: ServiceClock
    tokens: Tokens
    limits: Limits
    key_sets: KeySets
    outside: OutsideTokens
    figures: DeliveryMetrics
    started: Started | None = None

    @classmethod
    def of(cls, settings: Settings, clock: ServiceClock | None = None) -> "Deployment":
        """The parts that need no file and no connection."""
        return cls(
            settings,
            clock or ServiceClock.of(settings),
            tokens(settings),
            Limits.of(settings),
            KeySets(Guard.of(settings)),
            OutsideTokens(settings),
            DeliveryMetrics(),
        )

    @property
    def rules(self) -> Rules:
        """The policy library, and the plans served by it."""
        return self._running().rules

    @property
    def database(self) -> Database:
        """The connections to the database."""
        return self._running().database

    @property
    def record(self) -> RecordWriter:
        """Writes the record of who reached what."""
        return self._running().record

    def _running(self) -> Started:
        if self.started is None:
            raise RuntimeError("the service has not started: its rules and database are not there")
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


async def transaction(request: Request) -> AsyncIterator[Transaction]:
    """The request's transaction; rolled back unless the handler returns."""
    parts = deployment(request)
    async with parts.database.begin() as connection:
        yield connection


Connection = Annotated[Transaction, Depends(transaction, scope="function")]


async def database(request: Request) -> Database:  # async: the framework runs others in a thread
    """Gives a handler the pool: each of its statements is its own transaction."""
    return deployment(request).database


Statements = Annotated[Database, Depends(database)]
