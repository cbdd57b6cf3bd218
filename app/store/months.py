"""Makes the partitions of the tables that are partitioned by month (`by_month` of the tables).

Ids are UUIDv7: their first 48 bits are the millisecond in which they were made. So a month (of UTC)
is a range of ids, and no row needs a column for it. `nwd_month_bounds`, a function of the schema,
tells the range: its bounds are as long as every id, so that the order is the same under every
collation.

Partitions are made some months ahead, each in a transaction of its own, by another function of the
schema (`nwd_make_month`), since the service's role may make no table. Rows of a month that has none
are in the table's default partition.
"""

import logging
from datetime import date

from app.store.database import Database
from app.store.database_errors import DatabaseBusy, StatementRefused, StatementTooLong, sqlstate
from app.store.tables.metadata import metadata

_log = logging.getLogger(__name__)

#: How many months after the present one have partitions.
_AHEAD = 3
#: The tables that are partitioned by month.
MONTHLY = sorted(
    name
    for name, table in metadata.tables.items()
    if table.dialect_options["postgresql"]["partition_by"]
)

_MISSING = """SELECT name FROM unnest($1::text[]) AS made(name)
WHERE to_regclass('public.' || name) IS NULL"""
#: All others wait meanwhile, so that a second has to do.
_LIMIT = "SET LOCAL statement_timeout = '1s'"
_MAKE = "SELECT nwd_make_month($1::text, $2::date)"
#: The SQLSTATE of a partition whose rows are in the default partition.
_ELSEWHERE = "23514"


def month_after(month: date, count: int = 1) -> date:
    """Returns the first day of the month so many months after that of a day, or before it."""
    years, place = divmod(month.month - 1 + count, 12)
    return date(month.year + years, place + 1, 1)


def partition(table: str, month: date) -> str:
    """Names the partition of a table for a month."""
    return f"{table}_{month:%Y_%m}"


async def make_months(database: Database, today: date) -> bool:
    """Makes the partitions of this month and the next ones that are not there; False: not all.

    Any number of processes may call it at once. A partition is left for another time, with a line
    in the log, if its table is in use for longer than the function waits, or if it takes too long.
    If the default partition has rows of the month already, they stay there, with all that follow.
    """
    months = [month_after(today, count) for count in range(_AHEAD + 1)]
    wanted = {partition(table, month): (table, month) for month in months for table in MONTHLY}
    whole = True
    for row in await database.fetch(_MISSING, list(wanted)):
        whole = await _make(database, row["name"], *wanted[row["name"]]) and whole
    return whole


async def _make(database: Database, name: str, table: str, month: date) -> bool:
    try:
        async with database.begin() as transaction:
            await transaction.execute(_LIMIT)
            await transaction.execute(_MAKE, table, month)
    except (DatabaseBusy, StatementTooLong) as error:
        about = {"partition": name, "error": type(error).__name__}
        _log.warning("partition not made yet", extra=about)
        return False
    except StatementRefused as error:
        state = sqlstate(error)
        reason = "the default partition has rows of it" if state == _ELSEWHERE else state
        _log.warning("no partition for a month", extra={"partition": name, "reason": reason})
    else:
        _log.info("partition made", extra={"partition": name})
    return True
