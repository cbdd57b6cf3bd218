"""Names the errors of the database: the one family that service, clocks and workers act on.

`DatabaseLost`, `DatabaseBusy` and `StatementTooLong` are refusals: a request that meets one is
answered by it. Every other error of the driver (`asyncpg.PostgresError`) is raised as it is: the
database has refused a statement or a value. `constraint` tells which rule of the schema refused it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import asyncpg

from app.base.errors import Refusal, busy, too_costly, unavailable

#: SQLSTATE classes and codes of a database that is away, out of room, or a standby (25006).
_AWAY = ("08", "25006", "53", "57P", "58")
#: The SQLSTATE class of an error inside PostgreSQL.
_GIVEN_UP = ("XX",)
#: SQLSTATEs of a database that is busy with other transactions.
_LOCKED = ("55P03", "40001", "40P01")
#: The SQLSTATE of a statement that took longer than the limit.
_TOO_LONG = "57014"

#: The errors of the driver, whether the database is away or refuses a statement. It raises the last
#: one for a connection that is lost while it is made.
DRIVER_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class DatabaseLost(Refusal):
    """The database cannot be reached: 503, and the same may be sent again."""

    def __init__(self) -> None:
        answer = unavailable()
        super().__init__(answer.status, answer.issues, answer.headers)


class StatementLost(DatabaseLost):
    """The database gave a statement up, or did not answer it in time: 503, too.

    The database may be away, or the fault is in the statement: the next statement shows which.
    """


class DatabaseBusy(Refusal):
    """Another transaction holds what this one needs: 409 with `Retry-After`."""

    def __init__(self) -> None:
        answer = busy()
        super().__init__(answer.status, answer.issues, answer.headers)


class StatementTooLong(Refusal):
    """The database stopped a statement at its time limit: 400."""

    def __init__(self) -> None:
        answer = too_costly()
        super().__init__(answer.status, answer.issues, answer.headers)


#: The database refused a statement; `sqlstate` says why.
StatementRefused = asyncpg.PostgresError
#: A unique index, an exclusion or a check of the schema refused a row.
ConstraintViolated = asyncpg.IntegrityConstraintViolationError
#: What every statement may raise.
DATABASE_ERRORS = (DatabaseLost, DatabaseBusy, StatementTooLong, StatementRefused)


def named(error: BaseException) -> BaseException:
    """Returns the error of this module that stands for a driver's error; else the error itself."""
    state = sqlstate(error)
    if isinstance(error, TimeoutError) or state.startswith(_GIVEN_UP):
        return StatementLost()
    if isinstance(error, ValueError):  # a value that cannot be sent
        return error
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # a migration changed the table
        return DatabaseLost()
    if not isinstance(error, asyncpg.PostgresError) or not state or state.startswith(_AWAY):
        return DatabaseLost()
    if state in _LOCKED:
        return DatabaseBusy()
    return StatementTooLong() if state == _TOO_LONG else error


@contextmanager
def named_errors() -> Iterator[None]:
    """Turns the driver's errors into those of this module."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise_named(error)


def raise_named(error: BaseException) -> NoReturn:
    """Raises the error of this module that stands for a driver's error; else the error itself."""
    known = named(error)
    if known is error:
        raise error
    raise known from error


def sqlstate(error: BaseException | None) -> str:
    """Returns the SQLSTATE of a driver's error, or an empty string."""
    return getattr(error, "sqlstate", None) or ""


def constraint(error: BaseException) -> str:
    """Returns the name of the constraint that a driver's error is about, or an empty string."""
    return getattr(error, "constraint_name", None) or ""


def worth_waiting(error: BaseException) -> bool:
    """Tells whether the database is away or busy, so that the unchanged statement may be retried.

    Otherwise the database has refused the statement, or did not finish it in time: the fault is in
    the statement or in a value, and every retry would fail, too.
    """
    lost = isinstance(error, DatabaseLost) and not isinstance(error, StatementLost)
    return lost or isinstance(error, DatabaseBusy)


def report(log: logging.Logger, error: BaseException, **about: str) -> None:
    """Logs an error of the database: one line while the database is away, else with a traceback.

    Neither has a value of a row: the log leaves out PostgreSQL's details (`app.base.logs`).
    """
    fields = {**about, "error": type(error.__cause__ or error).__name__}
    if worth_waiting(error):
        log.warning("database lost; trying again", extra=fields)
    else:
        log.error("refused by the database; trying again", extra=fields, exc_info=error)
