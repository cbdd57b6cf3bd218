"""The counties of California, and a member's: one rule for the rules, for places and for the codec.

PURE. What counties are called for people is `app/fhir/words.yaml`.
"""

from collections.abc import Sequence

from app.base.text import plain

_COUNTIES = """
alameda alpine amador butte calaveras colusa contra_costa del_norte el_dorado fresno glenn humboldt
imperial inyo kern kings lake lassen los_angeles madera marin mariposa mendocino merced modoc mono
monterey napa nevada orange placer plumas riverside sacramento san_benito san_bernardino san_diego
san_francisco san_joaquin san_luis_obispo san_mateo santa_barbara santa_clara santa_cruz shasta
sierra siskiyou solano sonoma stanislaus sutter tehama trinity tulare tuolumne ventura yolo yuba
"""
COUNTIES = frozenset(_COUNTIES.split())


def county_code(written: str) -> str | None:
    """`San Mateo`, `SAN-MATEO COUNTY`, `san_mateo` → `san_mateo`; None: no county of California."""
    words = plain(written).split()
    code = "_".join(words[:-1] if len(words) > 1 and words[-1] == "county" else words)
    return code if code in COUNTIES else None


def member_county(stated: object, served: Sequence[str]) -> str | None:
    """The county that is stated; else, where the plan serves only one, that one (facts.md 1.3).

    None: unknown. A word that is no county of California states none, and so denies nobody.
    """
    code = county_code(stated) if isinstance(stated, str) else None
    if code is None and len(served) == 1:
        return served[0]
    return code
