"""Makes the statements that select letters and messages, each with its status at that moment.

Three statuses are computed at each read, from deliveries, parties and rosters: `failed`, a message
that the endpoint of the organization never took, so that a later delivery makes it `sent` again;
`skipped`, a letter to a performer that no longer has the referral; and `waiting`, a letter that
must be released. Each statement is made once; that of a page once for each status and set of
filters, because each uses other indexes. The conditions are on `c`, a row of `correspondence`.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    false,
    func,
    or_,
    select,
    tuple_,
)

from app.store.reading.access import part_in
from app.store.reading.standing import contact_is_unsafe
from app.store.reading.tables import current
from app.store.statement import (
    Compiled,
    compiled,
    constant,
    moment_given,
    number_given,
    text_given,
    texts_given,
)
from app.store.tables.directory import member, organization
from app.store.tables.notification import correspondence, delivery
from app.store.tables.referral import referral

c = correspondence.alias("c")
_LETTER_WAITS = c.c.status == constant("to-send")


def _delivery_in(*states: str) -> ColumnElement[bool]:
    """Tests whether the organization has a delivery of the message in one of these states."""
    d = delivery.alias("d")
    return (
        select(d.c.plan)
        .where(
            d.c.plan == c.c.plan,
            d.c.message_id == c.c.message_id,
            d.c.organization_id == c.c.organization_id,
            d.c.state.in_([constant(state) for state in states]),
        )
        .exists()
    )


_UNHEARD = and_(
    c.c.status == constant("sent"),
    c.c.medium == constant("endpoint"),
    _delivery_in("dead", "held"),
    ~_delivery_in("pending", "delivered"),
)

#: The letter is for a performer that has declined since, or that another performer replaced.
_OVERTAKEN = and_(
    _LETTER_WAITS,
    c.c.recipient == constant("servicing"),
    ~part_in(c.c.plan, c.c.organization_id, c.c.referral_id).exists(),
)

_r, _s, _m = referral.alias("r"), organization.alias("s"), member.alias("m")
_ABOUT = and_(_r.c.plan == c.c.plan, _r.c.id == c.c.referral_id)
_KNOWN = select(_r.c.plan).where(_ABOUT, _r.c.member_id.is_not(None)).exists()
#: Staff of the plan entered the referral: they asked for the address themselves.
_ENTERED = (
    select(_r.c.plan)
    .join(_s, _s.c.id == _r.c.organization_id)
    .where(_ABOUT, _s.c.plan.is_not(None))
    .exists()
)
#: The roster has an address of the member, who then needs no release.
_REACHED = (
    select(_r.c.plan)
    .join(_m, and_(_m.c.plan == _r.c.plan, _m.c.id == _r.c.member_id))
    .where(_ABOUT, _m.c.reachable)
    .exists()
)
#: The letter is for a person whose address only the referral states, and no staff have released the
#: address yet: it might be a stranger's.
_UNRELEASED = and_(
    _LETTER_WAITS,
    c.c.released_at.is_(None),
    case(
        (c.c.recipient == constant("member"), ~_REACHED),
        (c.c.recipient == constant("requesting"), c.c.organization_id.is_(None)),
        else_=false(),
    ),
    ~_ENTERED,
)
#: The letter is for a person whom it is unsafe to contact.
_UNSAFE = and_(
    or_(c.c.recipient == constant("member"), c.c.organization_id.is_(None)),
    contact_is_unsafe(c.c.plan, c.c.referral_id),
)
_STATUS = case(
    (_UNHEARD, constant("failed")),
    (_OVERTAKEN, constant("skipped")),
    (_UNRELEASED, constant("waiting")),
    else_=c.c.status,
).label("status")
_REASON = case(
    (_OVERTAKEN, constant("The organization has the referral no more.")),
    (
        and_(_LETTER_WAITS, _UNSAFE),
        constant(
            "Contact is unsafe, the referral says. Do not post or fax it: hand it over in person, "
            "or tell it in the way that the member agreed to."
        ),
    ),
    (
        and_(_UNRELEASED, _KNOWN),
        constant(
            "Only the referral states where to send it. Release it once you know that the "
            "address is right."
        ),
    ),
    (_UNRELEASED, constant("Nobody knows yet who the member is: first identify them.")),
    else_=c.c.reason,
).label("reason")

_OF_PLANS = c.c.plan == func.any(texts_given("plans"))
#: The one row of a referral that has an id: the key of the table.
_NAMED = and_(_OF_PLANS, c.c.referral_id == text_given("referral"), c.c.id == text_given("id"))
_d = delivery.alias("undelivered")
_TO_SEND = and_(_LETTER_WAITS, ~_OVERTAKEN, ~_UNRELEASED)
# The further condition lets PostgreSQL begin with the few deliveries that did not arrive.
_FAILED = and_(
    _UNHEARD,
    c.c.message_id.in_(
        select(_d.c.message_id).where(
            _d.c.plan == func.any(texts_given("plans")),
            _d.c.state.in_([constant("dead"), constant("held")]),
        )
    ),
)
_CONDITIONS = {
    "to-send": _TO_SEND,
    "unsent": or_(_TO_SEND, _FAILED),
    "waiting": and_(_LETTER_WAITS, _UNRELEASED),
    "skipped": or_(c.c.status == constant("skipped"), _OVERTAKEN),
    "sent": and_(c.c.status == constant("sent"), ~_UNHEARD),
    "failed": _FAILED,
}


def _rows() -> Select[Any]:
    o = organization.alias("o")
    return (
        select(
            c.c.plan, c.c.id, c.c.referral_id, c.c.outcome, c.c.recipient, c.c.organization_id,
            o.c.name.label("organization"), _STATUS, _REASON, c.c.medium, c.c.sent_at,
            c.c.sent_by, c.c.note, c.c.released_at, c.c.released_by, c.c.release_note,
            c.c.created_at, c.c.about,
        )
        .outerjoin_from(c, o, o.c.id == c.c.organization_id)
        .order_by(c.c.created_at, c.c.id)
    )  # fmt: skip


@cache
def page_of(status: str | None, outcome: bool, referral: bool, after: bool) -> Compiled:
    """Makes the statement of a page, one for each status and set of filters, by their indexes."""
    rows = _rows().where(_OF_PLANS)
    if status is not None:
        rows = rows.where(_CONDITIONS[status])
    if outcome:
        rows = rows.where(c.c.outcome == text_given("outcome"))
    if referral:
        rows = rows.where(c.c.referral_id == text_given("referral"))
    if after:
        at = moment_given("at")
        rows = rows.where(tuple_(c.c.created_at, c.c.id) > tuple_(at, text_given("id")))
    return compiled(rows.limit(number_given("rows")))


@cache
def single() -> Compiled:
    """Selects one row; `may_go`: to the address that only the referral states; `unsafe`: contact
    with the member is.
    """
    released = or_(c.c.released_at.is_not(None), _ENTERED).label("may_go")
    unsafe = contact_is_unsafe(c.c.plan, c.c.referral_id).label("unsafe")
    return compiled(_rows().add_columns(released, unsafe).where(_NAMED))


@cache
def of_referral() -> Compiled:
    """Selects the letters and messages about one referral."""
    about = (c.c.plan == text_given("plan"), c.c.referral_id == text_given("referral"))
    return compiled(_rows().where(*about))


@cache
def to_send() -> Compiled:
    """Counts the letters that wait to be sent or released."""
    letters = select(func.count().label("letters")).select_from(c)
    return compiled(letters.where(_OF_PLANS, _LETTER_WAITS, ~_OVERTAKEN))


@cache
def locking() -> Compiled:
    """Locks a row, with its Communication (`body`), and whether the member is `known`, or the
    person `unsafe` to contact.
    """
    communication = constant("Communication")
    body = current(c.c.plan, communication, c.c.id, "body", listed=False).scalar_subquery()
    row = select(
        c.c.plan, c.c.id, c.c.referral_id, _STATUS, body.label("body"), _KNOWN.label("known"),
        _UNSAFE.label("unsafe"),
    )  # fmt: skip
    return compiled(row.where(_NAMED).with_for_update(of=c))
