"""Links from a citation to the catalog of sources: each source in words, with its address."""

from functools import lru_cache

from pydantic import BaseModel, Field

from app.policy.citations import cited_documents
from app.policy.sources import source_id

_SOURCES = "/v1/catalog/sources"
_PAGE = "Health Plan of San Mateo, page for providers, line 97"


class SourceLink(BaseModel):
    """One source of a citation, in words, and where the catalog tells more of the source."""

    words: str = Field(examples=[_PAGE])
    href: str | None = Field(
        description="The source in this service's catalog; null for a source that it has not.",
        examples=["/v1/catalog/sources/s003"],
    )


@lru_cache(maxsize=4096)
def _linked(citation: str) -> tuple[SourceLink, ...]:
    return tuple(
        SourceLink(words=one.words, href=source_address(one.key) if one.key else None)
        for one in cited_documents(citation)
    )


def source_links(citation: str) -> list[SourceLink]:
    """List the sources of a citation, each once, those of the plan's own page first."""
    return list(_linked(citation))


def source_address(key: str) -> str:
    """Return the address of a source in the catalog."""
    return f"{_SOURCES}/{source_id(key)}"
