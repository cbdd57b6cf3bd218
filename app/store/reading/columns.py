"""SQL conditions of the search parameters that columns of our own answer.

Columns of a referral: conditions on `r` (referral) and `t` (task). Columns of an offer (the
counties it serves, and whether it has room): conditions on `v` (resource_version), the directory's
row of a HealthcareService. An offer's numbers change without a new version, so that the words of a
version cannot answer for them.

`app.store.reading.catalog` says which parameter uses which condition. All values are bound; none is
in the text of a statement.
"""

from app.base.text import as_key
from app.fhir.r4 import codes
from app.model.known import TAKING
from app.store.reading import match
from app.store.reading.access import SqlStatement, Visibility, plan_keys
from app.store.reading.parameters import IDENTIFIED, SENT_STATUS, ColumnRule, SearchCriterion
from app.store.reading.values import Token

_MISTAKEN = f"{match.END}{SENT_STATUS}{match.PART}entered-in-error{match.END}"
_BODY_STATUS = f"""(SELECT CASE WHEN strpos(s.words, '{_MISTAKEN}') > 0
    THEN 'entered-in-error' ELSE 'revoked' END FROM resource_version s
    WHERE s.plan = r.plan AND s.type = 'ServiceRequest' AND s.id = r.id
    ORDER BY s.version DESC LIMIT 1)"""
#: The FHIR status of a referral, from our columns (spec.md 7). A cancelled referral was withdrawn,
#: or was sent by mistake: its body says which of the two. An expression, so that the database does
#: not use an index on the few states.
_STATUS = f"""CASE WHEN r.state IN ('denied', 'void') THEN 'revoked'
    WHEN r.state = 'cancelled' THEN {_BODY_STATUS}
    WHEN r.state = 'approved' AND r.business_status IN ('completed', 'unfulfilled') THEN 'completed'
    ELSE 'active' END"""


def _ids(asked: SearchCriterion, kind: str) -> list[str]:
    """Lists the ids of the references to one type; references to other types match nothing."""
    return [
        as_key(reference.id) for reference in asked.references if reference.type in (None, kind)
    ]


def patient(statement: SqlStatement, asked: SearchCriterion, seen: Visibility) -> str:
    """Matches the referrer's Patient and, if the caller sees the roster, the roster's Patient."""
    if asked.modifier == "identifier":
        return member(statement, asked, seen)
    bound = statement.bind(_ids(asked, "Patient"), "text[]")
    copies = f"r.patient_id = ANY ({bound})"
    if not seen.roster_plans:
        return copies
    plans = statement.bind(list(seen.roster_plans), "text[]")
    known = (
        f"r.cin = ANY (ARRAY(SELECT m.cin FROM member m WHERE m.plan = ANY ({plans})"
        f" AND m.id = ANY ({bound}))) AND r.member_id = ANY ({bound})"
    )
    return f"({copies} OR {known})"


def member(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches a CIN in the column, any other identifier in the referral's copy of the Patient."""
    cins = [
        as_key(token.code)
        for token in asked.tokens
        if token.system in (None, codes.CIN) and token.code
    ]
    other = [token for token in asked.tokens if token.system != codes.CIN]
    conditions = [f"r.cin = ANY ({statement.bind(cins, 'text[]')})"]
    if other:
        each = [match.has(statement, "p.words", IDENTIFIED, word) for word in match.tokens(other)]
        conditions.append(
            "EXISTS (SELECT 1 FROM resource_version p WHERE p.plan = r.plan"
            " AND p.referral_id = r.id AND p.type IN ('Patient', 'ServiceRequest')"
            f" AND {match.any_of(each)})"
        )
    return match.any_of(conditions)


def _identifier(statement: SqlStatement, system: str, value: str, token: Token) -> str:
    parts = []
    if token.code is not None:
        parts.append(f"{value} = {statement.bind(as_key(token.code))}")
    if token.system:
        parts.append(f"{system} = {statement.bind(as_key(token.system))}")
    elif token.system is not None:
        parts.append(f"coalesce({system}, '') = ''")
    return f"({' AND '.join(parts)})"


def business_identifier(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches any identifier of the referral, ours included."""
    each = [_identifier(statement, "x.system", "x.value", token) for token in asked.tokens]
    own = [token.code for token in asked.tokens if token.system == codes.REFERRAL_ID and token.code]
    plans = statement.bind(list(plan_keys()), "text[]")
    return (
        "((r.plan, r.id) IN (SELECT x.plan, x.referral_id FROM referral_business_identifier x"
        f" WHERE x.plan = ANY ({plans}) AND {match.any_of(each)})"
        f" OR r.id = ANY ({statement.bind(own, 'text[]')}))"
    )


def request_status(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches the FHIR status of the ServiceRequest."""
    return _holds(statement, asked, f"({_STATUS})", codes.REQUEST_STATUS)


def _holds(statement: SqlStatement, asked: SearchCriterion, column: str, system: str) -> str:
    fitting = [token for token in asked.tokens if token.system in (None, "", system)]
    if any(token.code is None for token in fitting):
        return f"{column} IS NOT NULL"
    return f"{column} = ANY ({statement.bind([token.code for token in fitting], 'text[]')})"


def holds(column: str, system: str) -> ColumnRule:
    """Makes the rule for a column that has the code itself; the system is implied."""

    def rule(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
        return _holds(statement, asked, column, system)

    return rule


def refers(kind: str, column: str) -> ColumnRule:
    """Makes the rule for a column that has the id of the resource referred to."""

    def rule(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
        return f"{column} = ANY ({statement.bind(_ids(asked, kind), 'text[]')})"

    return rule


def business_status(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches our state or our business status: a Task has both codings."""
    each = []
    for token in asked.tokens:
        code = token.code or ""
        if token.system in (None, codes.REFERRAL_STATE):
            each.append(f"r.state = {statement.bind(code)}" if code else "true")
        if token.system in (None, codes.BUSINESS_STATUS):
            column = "t.business_status"
            each.append(f"{column} = {statement.bind(code)}" if code else f"{column} IS NOT NULL")
    return match.any_of(each)


def part_of(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches the service Task of a referral's Task; the latter has the referral's id."""
    bound = statement.bind(_ids(asked, "Task"), "text[]")
    return f"(t.kind = 'service' AND t.referral_id = ANY ({bound}))"


# Offers


def _offer(condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM offer o WHERE o.plan = v.plan AND o.id = v.id AND {condition})"


def county(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches an offer that serves one of the counties, by the county codes of its row."""
    if asked.modifier == "missing":
        return _offer("cardinality(o.counties) > 0")
    fitting = [token for token in asked.tokens if token.system in (None, codes.COUNTY_ID)]
    if any(token.code is None for token in fitting):
        return _offer("cardinality(o.counties) > 0")
    bound = statement.bind([token.code for token in fitting], "text[]")
    return _offer(f"o.counties && {bound}")


def has_room(statement: SqlStatement, asked: SearchCriterion, _seen: Visibility) -> str:
    """Matches an offer that would give a place to an approval now (spec.md 5).

    The offer is active, its status allows it, and fewer places are taken than there are.
    """
    fitting = [f for f in asked.tokens if f.system in (None, "", codes.SPECIAL_VALUES)]
    wanted = {token.code for token in fitting} & {"true", "false"}
    if len(wanted) != 1:
        return "true" if wanted else "false"
    taking = statement.bind(sorted(TAKING), "text[]")
    room = _offer(
        f"o.active AND o.capacity_status = ANY ({taking}) AND o.taken + o.taken_outside < o.places"
    )
    return room if "true" in wanted else f"NOT {room}"
