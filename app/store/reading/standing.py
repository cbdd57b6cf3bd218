"""Finds what the member's Consents say for a reader now, and shows a resource accordingly.

The rules of `consent_rule` hold for a reader if they name it or nobody, name its purpose or none,
and their time is now. Of these, for each thing that is covered, the latest Consent decides; within
it the deepest provision; of two Consents of one moment the one that refuses. The result is a list
of words such as `sensitive:permit`, and `app.fhir.withheld` leaves out what they do not allow.

The sender of a referral and the plan's staff see all: their standing is null.
"""

from collections.abc import Sequence

from sqlalchemy import Text, and_, any_, case, cast, false, func, not_, null, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.sensitive import NEEDED
from app.fhir.withheld import PLAIN, shown
from app.store.reading.tables import REFERRAL
from app.store.reading.words import WITHHELD
from app.store.statement import (
    SqlCondition,
    SqlExpression,
    constant,
    moment_given,
    text_given,
    texts_given,
)
from app.store.tables.directory import organization_npi
from app.store.tables.referral import consent_rule, party

_WORDS = ARRAY(Text)
_ALL: SqlExpression = cast(null(), _WORDS)


def standing(plan: SqlExpression, referral_id: SqlExpression, *, staff: bool) -> SqlExpression:
    """Makes the caller's standing in a referral; null also for what belongs to no referral."""
    return standing_of(
        text_given("organization"),
        plan,
        referral_id,
        *([plan == any_(texts_given("staff"))] if staff else []),
    )


def standing_of(
    organization: SqlExpression,
    plan: SqlExpression,
    referral_id: SqlExpression,
    *sees_all: SqlCondition,
) -> SqlExpression:
    """Makes an organization's standing in a referral; null too under one of the conditions."""
    p = party.alias("sender")
    sent = (
        select(constant(1))
        .where(
            p.c.plan == plan,
            p.c.organization_id == organization,
            p.c.referral_id == referral_id,
            p.c.role == constant("requester"),
        )
        .correlate_except(p)
    )
    everything = (referral_id.is_(None), *sees_all, sent.exists())
    said = _said(organization, plan, referral_id)
    return case(*((each, _ALL) for each in everything), else_=said)


def _said(
    organization: SqlExpression, plan: SqlExpression, referral_id: SqlExpression
) -> SqlExpression:
    g, n = consent_rule.alias("g"), organization_npi.alias("n")
    named = func.string_to_array(g.c.recipients, constant("\n"))
    numbered = (
        select(constant(1))
        .where(n.c.organization_id == organization, constant("npi|").concat(n.c.npi) == any_(named))
        .correlate_except(n)
        .exists()
    )
    to_it = constant("Organization/").concat(organization) == any_(named)
    for_it = text_given("purpose") == any_(func.string_to_array(g.c.purposes, constant("\n")))
    now = moment_given("at")
    holding = (
        select(
            g.c.covers,
            g.c.decision,
            func.rank().over(partition_by=g.c.covers, order_by=g.c.dated.desc()).label("newest"),
            func.row_number()
            .over(
                partition_by=[g.c.covers, g.c.document], order_by=[g.c.depth.desc(), g.c.decision]
            )
            .label("deepest"),
        )
        .where(
            g.c.plan == plan,
            g.c.referral_id == referral_id,
            or_(g.c.recipients.is_(None), to_it, numbered),
            or_(g.c.purposes.is_(None), for_it),
            g.c.starts <= now,
            or_(g.c.ends.is_(None), g.c.ends > now),
        )
        .correlate_except(g)
        .subquery("holding")
    )
    # `deny` comes before `none`, and this before `permit`.
    decided = (
        select(holding.c.covers.concat(":").concat(func.min(holding.c.decision)).label("word"))
        .where(holding.c.newest == constant(1), holding.c.deepest == constant(1))
        .group_by(holding.c.covers)
        .correlate_except(holding)
        .subquery("decided")
    )
    listed = select(func.array_agg(decided.c.word)).correlate_except(decided).scalar_subquery()
    return func.coalesce(listed, cast(constant("{}"), _WORDS))


def contact_is_unsafe(plan: SqlExpression, referral_id: SqlExpression) -> SqlCondition:
    """Makes the condition that a referral says last that contact with the member is unsafe."""
    g = consent_rule.alias("unsafe")
    last = (
        select(g.c.decision)
        .where(g.c.plan == plan, g.c.referral_id == referral_id, g.c.covers == constant("contact"))
        .order_by(g.c.dated.desc(), g.c.decision)
        .limit(constant(1))
        .correlate_except(g)
        .scalar_subquery()
    )
    return func.coalesce(last == constant("deny"), false())


def may_find(kind: str, words: SqlExpression, *, staff: bool) -> list[SqlCondition]:
    """Makes the conditions that a search shows a row to the caller; `REFERRAL` is its referral."""
    if kind in NEEDED:
        return []
    said = _said(text_given("organization"), REFERRAL.c.plan, REFERRAL.c.id)
    hidden = func.strpos(words, constant(WITHHELD)) > constant(0)
    found = or_(not_(hidden), constant("sensitive:permit") == any_(said))
    if kind not in PLAIN:
        found = and_(found, constant("clinical:deny") != func.all(said))
    sender = REFERRAL.c.organization_id == text_given("organization")
    own = or_(sender, REFERRAL.c.plan == any_(texts_given("staff"))) if staff else sender
    return [or_(own, found)]


async def part_shown(kind: str, body: bytes, said: Sequence[str] | None) -> bytes | None:
    """Returns the part of a resource that a reader of this standing may see; None: nothing."""
    if said is None:
        return body
    mark_if_heavy(len(body))
    return await to_thread_if_heavy(shown, kind, body, said)
