"""The statements that read one resource by its id, each made once: one for staff, one for others.

Each finds the plan of the id, whether the caller may see the resource, and the bytes to send. Their
values are those of `app.store.reading.access.at_id`, and what a function here names besides.
`listed`: the directory may have the resource; else only a referral has it.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    true,
)

from app.store.reading import provenance
from app.store.reading.access import AT_ID, ID, KIND, sees_place, whole_or_least
from app.store.reading.standing import standing
from app.store.reading.tables import MOVE, PLACE, current, listed_now, people_of, versions
from app.store.statement import (
    Compiled,
    compiled,
    constant,
    moment_given,
    number_given,
)
from app.store.tables.directory import offer

_COLUMNS = ("version", "updated_at", "body")
#: Whose data it is, for the record.
_WHOSE = (PLACE.c.plan, people_of(PLACE.c.plan, PLACE.c.referral_id))
#: What `_standing` and `whole_or_least` say of a resource of the network.
_SEEN_BY_ALL = (true().label("whole"), null().label("standing"))


def _standing(*, staff: bool) -> Any:
    return standing(PLACE.c.plan, PLACE.c.referral_id, staff=staff).label("standing")


@cache
def current_by_id(*, staff: bool, listed: bool) -> Compiled:
    """Reads the current version."""
    whole, seen = whole_or_least(staff=staff)
    v = current(PLACE.c.plan, KIND, ID, *_COLUMNS, listed=listed).lateral("v")
    return compiled(
        select(
            v.c.version,
            v.c.updated_at,
            v.c.body,
            whole.label("whole"),
            _standing(staff=staff),
            *_WHOSE,
        )
        .select_from(PLACE.join(v, true()))
        .where(AT_ID, seen)
    )


@cache
def numbered_by_id(*, staff: bool, listed: bool) -> Compiled:
    """Reads one version, by `version`."""
    whole, seen = whole_or_least(staff=staff)
    v = versions(PLACE.c.plan, KIND, ID, listed=listed).lateral("v")
    return compiled(
        select(
            v.c.version,
            v.c.updated_at,
            v.c.body,
            whole.label("whole"),
            _standing(staff=staff),
            *_WHOSE,
        )
        .select_from(PLACE.join(v, v.c.version == number_given("version")))
        .where(AT_ID, seen)
    )


@cache
def offer_by_id() -> Compiled:
    """Reads an offer with its present numbers, which change without a new version."""
    v = listed_now(PLACE.c.plan, KIND, ID, *_COLUMNS).lateral("v")
    of_place = and_(offer.c.plan == PLACE.c.plan, offer.c.id == PLACE.c.id)
    taken = (offer.c.taken + offer.c.taken_outside).label("taken")
    numbers = (offer.c.places, taken, offer.c.capacity_status)
    return compiled(
        select(v.c.version, v.c.updated_at, v.c.body, *_SEEN_BY_ALL, *_WHOSE, *numbers)
        .select_from(PLACE.join(v, true()).outerjoin(offer, of_place))
        .where(AT_ID, sees_place())
    )


@cache
def move_by_id() -> Compiled:
    """Reads a move of a referral by `number`, as a Provenance: for all who see the referral."""
    of_referral = and_(
        MOVE.c.plan == PLACE.c.plan,
        MOVE.c.referral_id == PLACE.c.referral_id,
        MOVE.c.seq == number_given("number"),
    )
    return compiled(
        select(
            constant(1).label("version"),
            MOVE.c.at.label("updated_at"),
            provenance.body().label("body"),
            *_WHOSE,
        )
        .select_from(PLACE.join(MOVE, of_referral))
        .where(AT_ID, sees_place())
    )


@cache
def history_by_id(*, staff: bool, listed: bool) -> Compiled:
    """Reads a page of a history, and how many versions are known, fit, and are left (`rest`).

    Versions fit if stored at `since` or later, and current at some point from `from` to before
    `until`; the page begins before the version `before`, and has at most `count` versions and
    `bytes` bytes, or one version. Times are compared by the millisecond that is shown, not by the
    stored microsecond.
    """
    known = _known(staff=staff, listed=listed).cte("known")
    fitting = (
        select(known)
        .where(
            known.c.since >= moment_given("since"),
            known.c.since < moment_given("until"),
            func.coalesce(known.c.until > moment_given("from"), true()),
        )
        .cte("fitting")
    )
    size = func.sum(fitting.c.size).over(order_by=fitting.c.version.desc()) - fitting.c.size
    before = number_given("before")
    rest = (
        select(fitting, size.label("before"))
        .where(fitting.c.version < func.coalesce(before, fitting.c.version + constant(1)))
        .cte("rest")
    )
    most = bindparam("bytes", type_=BigInteger())
    page = (
        select(rest)
        .where(or_(rest.c.before == constant(0), rest.c.before + rest.c.size <= most))
        .order_by(rest.c.version.desc())
        .limit(number_given("count"))
        .cte("page")
    )
    counted = select(
        *(
            select(func.count()).select_from(each).scalar_subquery().label(each.name)
            for each in (known, fitting, rest)
        )
    ).subquery("t")
    v = versions(page.c.plan, KIND, ID, listed=listed).lateral("v")
    return compiled(
        select(
            counted,
            page.c.version,
            page.c.updated_at,
            v.c.body,
            page.c.whole,
            page.c.standing,
            page.c.plan,
            people_of(page.c.plan, page.c.referral_id),
        )
        .select_from(counted.outerjoin(page, true()).outerjoin(v, v.c.version == page.c.version))
        .order_by(page.c.version.desc())
    )


def _known(*, staff: bool, listed: bool) -> Any:
    """Selects all versions, with the stretch of time in which each was current, but no body."""
    whole, seen = whole_or_least(staff=staff)
    v = versions(PLACE.c.plan, KIND, ID, listed=listed).lateral("v")
    shown = func.date_trunc(constant("milliseconds"), v.c.updated_at)
    return (
        select(
            PLACE.c.plan,
            PLACE.c.referral_id,
            v.c.version,
            v.c.updated_at,
            func.octet_length(v.c.body).label("size"),
            whole.label("whole"),
            _standing(staff=staff),
            shown.label("since"),
            func.lead(shown).over(order_by=v.c.version).label("until"),
        )
        .select_from(PLACE.join(v, true()))
        .where(AT_ID, seen)
    )
