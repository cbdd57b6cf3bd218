"""Conditions of what a message may carry to its organization, asked at each attempt.

A message waits, and meanwhile its organization may cease to be a party, or its client lose a scope.
The conditions are on `D`, a delivery, with its endpoint `E` and its message `M`.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from app.store.reading.access import part_in
from app.store.reading.standing import standing_of
from app.store.reading.tables import last_beside, part_of
from app.store.statement import constant
from app.store.tables.directory import client, organization
from app.store.tables.notification import delivery, message, webhook_endpoint

D, E, M = delivery.alias("d"), webhook_endpoint.alias("e"), message.alias("m")
#: The message of a delivery (the referral names its partition), and the endpoint.
MESSAGE_OF = and_(
    M.c.plan == D.c.plan, M.c.id == D.c.message_id, M.c.referral_id == D.c.referral_id
)
ENDPOINT_OF = and_(E.c.organization_id == D.c.organization_id, E.c.id == D.c.endpoint_id)

_o = organization.alias("o")
_PLAN_OF_REFERRAL = (
    select(_o.c.id).where(_o.c.id == D.c.organization_id, _o.c.plan == D.c.plan).exists()
)
#: Whether the organization may see the referral now, by the rules of `app.store.reading.access`.
ENTITLED = or_(
    part_in(D.c.plan, D.c.organization_id, D.c.referral_id).exists(),
    _PLAN_OF_REFERRAL,
)
#: The organization's standing in the referral, at `at` and for `purpose`.
STANDING = standing_of(D.c.organization_id, D.c.plan, D.c.referral_id, _PLAN_OF_REFERRAL).label(
    "standing"
)
#: The purpose for which a message tells its organization (HL7 v3 PurposeOfUse).
PURPOSE = "TREAT"
#: The resource in focus, in its last version at the time of the message.
FOCUS_THEN = last_beside(
    D.c.plan,
    D.c.referral_id,
    func.split_part(D.c.focus, constant("/"), constant(1)),
    part_of(D.c.focus),
    "body",
    until=M.c.occurred_at,
).scalar_subquery()


def vouched(types: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tests whether a client may still read each of these types, an array.

    The client is the one that asked for full content at the endpoint; if it is not on record, any
    client of its organization will do.
    """
    c = client.alias("c")
    kind = func.unnest(types).column_valued("t")
    scope = func.unnest(c.c.scopes).column_valued("s")
    resource = func.split_part(scope, constant("."), constant(1))
    letters = func.split_part(
        func.split_part(scope, constant("."), constant(2)), constant("?"), constant(1)
    )
    reads = select(scope).where(
        scope.like(constant("system/%")),
        or_(
            resource == constant("system/*"),
            resource == func.concat(constant("system/"), kind),
        ),
        letters.like(constant("%r%")),
    )
    unread = select(kind).where(not_(reads.exists()))
    return (
        select(c.c.id)
        .where(
            c.c.organization_id == E.c.organization_id,
            c.c.active,
            or_(E.c.client_id.is_(None), c.c.id == E.c.client_id),
            not_(unread.exists()),
        )
        .exists()
    )
