"""Rules of the search parameters that columns of our own answer.

Columns of a referral: conditions on `REFERRAL` and `TASK`. Columns of an offer (the counties it
serves, and whether it has room): conditions on `LISTED`, the directory's row of a
HealthcareService. An offer's numbers change without a new version, so that the words of a version
cannot answer for them.

`app.store.reading.catalog` says which parameter uses which rule.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    JSON,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    false,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from app.base.text import as_key
from app.fhir.r4 import codes
from app.model.known import TAKING
from app.store.reading import match
from app.store.reading.access import PLANS, Visibility
from app.store.reading.parameters import (
    IDENTIFIED,
    GivenValues,
    SearchCriterion,
    SearchRule,
    Values,
)
from app.store.reading.tables import LISTED, REFERRAL, TASK
from app.store.reading.values import Token
from app.store.statement import SqlCondition, SqlExpression, constant
from app.store.tables.directory import member as roster
from app.store.tables.directory import offer
from app.store.tables.referral import referral, referral_business_identifier, resource_version


def _one_of(column: SqlExpression, *values: str) -> SqlCondition:
    return column.in_([constant(value) for value in values])


def _taken_back() -> SqlExpression:
    """Tells whether a cancelled referral was withdrawn, or was sent by mistake."""
    mistaken = cast(REFERRAL.c.details, JSON).op("->>", return_type=Text())(constant("mistaken"))
    return case(
        (mistaken == constant("true"), constant("entered-in-error")), else_=constant("revoked")
    )


def _status() -> SqlExpression:
    """Derives the FHIR status of a referral from our columns (spec.md 7).

    An expression, so that the database does not use an index on the few states.
    """
    state = REFERRAL.c.state
    ended = _one_of(REFERRAL.c.business_status, "completed", "unfulfilled")
    return case(
        (_one_of(state, "denied", "void"), constant("revoked")),
        (state == constant("cancelled"), _taken_back()),
        (and_(state == constant("approved"), ended), constant("completed")),
        else_=constant("active"),
    )


def _ids(asked: SearchCriterion, kind: str) -> list[str]:
    """Lists the ids of the references to one type; references to other types match nothing."""
    return [
        as_key(reference.id) for reference in asked.references if reference.type in (None, kind)
    ]


# The member


def _member_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    other = [token for token in asked.tokens if token.system != codes.CIN]
    found: dict[str, Any] = {
        "cins": [
            as_key(token.code)
            for token in asked.tokens
            if token.system in (None, codes.CIN) and token.code
        ]
    }
    if other:
        found["words"] = match.has_values(IDENTIFIED, match.tokens(other))
    return found


def _is_member(given: GivenValues) -> SqlCondition:
    known = REFERRAL.c.cin == any_(given.texts("cins"))
    if "words" not in given:
        return known
    p = resource_version.alias("p")
    sent = (
        select(constant(1))
        .where(
            p.c.plan == REFERRAL.c.plan,
            p.c.referral_id == REFERRAL.c.id,
            _one_of(p.c.type, "Patient", "ServiceRequest"),
            match.has_any(p.c.words, given.texts("words")),
        )
        .correlate_except(p)
    )
    return or_(known, sent.exists())


#: Matches a CIN in the column, any other identifier in the referral's copy of the Patient.
member = SearchRule(_is_member, _member_values)


def _patient_values(asked: SearchCriterion, seen: Visibility) -> Values:
    if asked.modifier == "identifier":
        return _member_values(asked, seen)
    ids = _ids(asked, "Patient")
    return {"ids": ids, "roster": seen.roster_plans} if seen.roster_plans else {"ids": ids}


def _is_patient(given: GivenValues) -> SqlCondition:
    if given.modifier == "identifier":
        return _is_member(given)
    ids = any_(given.texts("ids"))
    copies = REFERRAL.c.patient_id == ids
    if "roster" not in given:
        return copies
    cins = select(roster.c.cin).where(
        roster.c.plan == any_(given.texts("roster")), roster.c.id == ids
    )
    found = func.array(cins.scalar_subquery(), type_=match.TEXTS)
    return or_(copies, and_(REFERRAL.c.cin == any_(found), REFERRAL.c.member_id == ids))


#: Matches the referrer's Patient and, if the caller sees the roster, the roster's Patient.
patient = SearchRule(_is_patient, _patient_values)


# Identifiers


def _identifier_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    coded = [token for token in asked.tokens if token.code is not None]
    systems = [as_key(token.system or "") for token in asked.tokens if token.code is None]
    own = [token.code for token in coded if token.system == codes.REFERRAL_ID]
    found: dict[str, Any] = {}
    if coded:
        found |= identifier_values(coded)
    if systems:
        found["systems"] = systems
    if own:
        found["own"] = own
    return found


def identifier_values(coded: Iterable[Token]) -> dict[str, list[str | None]]:
    """Returns the keys of identifiers, and their systems; None where any system fits."""
    return {
        "values": [as_key(token.code or "") for token in coded],
        "of": [None if token.system is None else as_key(token.system) for token in coded],
    }


def with_identifier(values: SqlExpression, of: SqlExpression) -> Select[Any]:
    """Selects plan and id of the referrals with one of these identifiers (`identifier_values`)."""
    x = referral_business_identifier.alias("x")
    asked = (
        func.unnest(values, of)
        .table_valued(column("value", Text()), column("system", Text()))
        .render_derived(name="asked")
    )
    return select(x.c.plan, x.c.referral_id).where(
        x.c.plan == any_(PLANS),
        x.c.value == asked.c.value,
        or_(asked.c.system.is_(None), x.c.system == asked.c.system),
    )


def _has_identifier(given: GivenValues) -> SqlCondition:
    found: list[Select[Any]] = []
    if "values" in given:
        found.append(with_identifier(given.texts("values"), given.texts("of")))
    if "systems" in given:
        x = referral_business_identifier.alias("x")
        of_systems = and_(x.c.plan == any_(PLANS), x.c.system == any_(given.texts("systems")))
        found.append(select(x.c.plan, x.c.referral_id).where(of_systems))
    if "own" in given:
        o = referral.alias("o")
        ours = and_(o.c.plan == any_(PLANS), o.c.id == any_(given.texts("own")))
        found.append(select(o.c.plan, o.c.id).where(ours))
    keys = found[0] if len(found) == 1 else union_all(*found)
    return tuple_(REFERRAL.c.plan, REFERRAL.c.id).in_(keys)


#: Matches any identifier of the referral, ours included.
business_identifier = SearchRule(_has_identifier, _identifier_values)


# Codes and references


def holds(column: SqlExpression, system: str) -> SearchRule:
    """Makes the rule for a column that has the code itself; the system is implied."""

    def values(asked: SearchCriterion, _seen: Visibility) -> Values:
        fitting = [token.code for token in asked.tokens if token.system in (None, "", system)]
        return {} if None in fitting else {"codes": fitting}

    def condition(given: GivenValues) -> SqlCondition:
        return column == any_(given.texts("codes")) if "codes" in given else column.is_not(None)

    return SearchRule(condition, values)


#: Matches the FHIR status of the ServiceRequest.
request_status = holds(_status(), codes.REQUEST_STATUS)


def refers(kind: str, column: SqlExpression) -> SearchRule:
    """Makes the rule for a column that has the id of the resource referred to."""
    return SearchRule(
        lambda given: column == any_(given.texts("ids")),
        lambda asked, _: {"ids": _ids(asked, kind)},
    )


def _business_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    found: dict[str, Any] = {}
    for name, system in (("states", codes.REFERRAL_STATE), ("statuses", codes.BUSINESS_STATUS)):
        fitting = [token.code or "" for token in asked.tokens if token.system in (None, system)]
        if fitting:
            found["any_" + name if "" in fitting else name] = fitting
    return found


def _has_business_status(given: GivenValues) -> SqlCondition:
    each: list[SqlCondition] = []
    if "states" in given:
        each.append(REFERRAL.c.state == any_(given.texts("states")))
    if "any_states" in given:
        each.append(true())
    if "statuses" in given:
        each.append(TASK.c.business_status == any_(given.texts("statuses")))
    if "any_statuses" in given:
        each.append(TASK.c.business_status.is_not(None))
    return or_(false(), *each)


#: Matches our state or our business status: a Task has both codings.
business_status = SearchRule(_has_business_status, _business_values)

#: Matches the service Task of a referral's Task; the latter has the referral's id.
part_of = SearchRule(
    lambda given: and_(
        TASK.c.kind == constant("service"), TASK.c.referral_id == any_(given.texts("ids"))
    ),
    lambda asked, _: {"ids": _ids(asked, "Task")},
)


# Offers


def _offer(condition: SqlCondition) -> SqlCondition:
    of_row = and_(offer.c.plan == LISTED.c.plan, offer.c.id == LISTED.c.id, condition)
    return select(constant(1)).where(of_row).correlate_except(offer).exists()


def _county_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    fitting = [token.code for token in asked.tokens if token.system in (None, codes.COUNTY_ID)]
    return {} if asked.modifier == "missing" or None in fitting else {"counties": fitting}


def _serves(given: GivenValues) -> SqlCondition:
    if "counties" in given:
        return _offer(offer.c.counties.op("&&")(given.texts("counties")))
    return _offer(func.cardinality(offer.c.counties) > constant(0))


#: Matches an offer that serves one of the counties, by the county codes of its row.
county = SearchRule(_serves, _county_values)


def _room_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    fitting = [f for f in asked.tokens if f.system in (None, "", codes.SPECIAL_VALUES)]
    return {code: True for code in ("true", "false") if code in {each.code for each in fitting}}


def _has_room(given: GivenValues) -> SqlCondition:
    if ("true" in given) == ("false" in given):
        return true() if "true" in given else false()
    room = _offer(
        and_(
            offer.c.active,
            _one_of(offer.c.capacity_status, *sorted(TAKING)),
            offer.c.taken + offer.c.taken_outside < offer.c.places,
        )
    )
    return room if "true" in given else not_(room)


#: Matches an offer that would give a place to an approval now (spec.md 5): the offer is active, its
#: status allows it, and fewer places are taken than there are.
has_room = SearchRule(_has_room, _room_values)
