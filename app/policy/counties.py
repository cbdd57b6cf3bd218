"""The counties of California, and the county of a member. PURE.

The rules, the places of offers and the FHIR codec all use the functions here. The names of the
counties for people are in `app/fhir/words.yaml`.
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
    """Read a county: `San Mateo`, `SAN-MATEO COUNTY` → `san_mateo`; None: not in California."""
    words = plain(written).split()
    code = "_".join(words[:-1] if len(words) > 1 and words[-1] == "county" else words)
    return code if code in COUNTIES else None


def member_county(stated: object, served: Sequence[str]) -> str | None:
    """Return the stated county; without one, the only county that the plan serves (facts.md 1.3).

    None: unknown. A stated word that is no county of California counts as not stated, so that no
    member is denied because of the word.
    """
    code = county_code(stated) if isinstance(stated, str) else None
    if code is None and len(served) == 1:
        return served[0]
    return code
