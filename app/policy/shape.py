"""What every part of a policy file is made of: words, citations, and no unknown keys."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_SOURCE = re.compile(
    r"S00[0-4]:L\d+(-\d+)?(,L?\d+(-\d+)?)*"  # a line of a plan's own page
    r"|G26 p\.\d+(-\d+)?(,\d+(-\d+)?)*( fn ?\d+(-\d+)?)?"  # a page of the DHCS ECM Policy Guide
    r"|(W|GH):\S+|CO-\d+( \S+)?|facts \d+(\.\d+)*|E|U"
)


def _cited(text: str) -> str:
    for source in text.split("; "):
        if not _SOURCE.fullmatch(source):
            raise ValueError(
                f"{source!r} is no citation; expected S003:L36, G26 p.19, W:…, GH:…, CO-…, "
                "facts 6.2, E or U, separated by '; '"
            )
    return text


Citation = Annotated[str, AfterValidator(_cited)]
County = Annotated[str, Field(pattern=r"^[a-z_]+$")]
Text = Annotated[str, Field(min_length=1)]


class Shape(BaseModel):
    """Unknown keys are faults, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Shape):
    """Words that a person reads, by language."""

    en: Text
    es: str | None = None
    hmn: str | None = None
