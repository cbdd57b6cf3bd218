"""Dates in query parameters, read as they are written."""

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _written(value: object) -> object:
    """Only `2024-03-04`: a number would be read as seconds since 1970."""
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("expected a date such as 2024-03-04")
    return value


#: A day, or nothing.
Day = Annotated[date | None, BeforeValidator(_written)]
