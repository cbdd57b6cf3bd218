"""California's time, in which plans work: due dates, ages and policy dates are local (spec.md 2).
PURE.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/Los_Angeles")


def local_date(moment: datetime) -> date:
    """The calendar date in California at a moment."""
    return moment.astimezone(LOCAL).date()
