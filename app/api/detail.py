"""The parameter `detail`: how much of the criteria an explanation shows."""

from enum import StrEnum
from typing import Annotated

from fastapi import Query


class Detail(StrEnum):
    """What decided, or every criterion."""

    SHORT = "short"
    FULL = "full"


DetailAsked = Annotated[
    Detail,
    Query(
        description="`short`: the explanation says what decided, in at most 25 lines. `full`: it "
        "shows every criterion with all its parts.",
        examples=["full"],
    ),
]
