"""The database itself keeps a caller from the rows of others, whatever our own conditions say."""

from itertools import product

import pytest
from sqlalchemy import true

from app.store.acting import Acting, for_caller
from app.store.database_errors import StatementRefused
from app.store.reading import access, by_id, include, search
from app.store.reading.access import NO_PLAN, plan_keys, visibility
from app.store.tables.metadata import metadata
from tests.reading.scene import HOSPITAL, OTHER_STAFF, PROVIDER, STAFF, START, STRANGER, load

#: Tables with nothing about a member in them, and nothing that one organization keeps from others.
OPEN_TABLES = {"organization", "organization_npi", "offer"}
PASSED_OVER = ("org-redwood-slope", "asked", START)
PARTIES = (
    ("org-harbor-lantern", "requester", None),
    ("org-tidepool", "performer", None),
    PASSED_OVER,
)
COPIES = (
    ("Patient", "1p", {"identifier": [{"system": "urn:mrn", "value": "77"}]}),
    ("Condition", "1c", {"subject": {"reference": "Patient/x"}}),
    ("QuestionnaireResponse", "1q", {"status": "completed"}),
    ("Coverage", "1v", {"status": "active"}),
    ("Communication", "1m", {"status": "completed"}),
)
#: Type → what its id adds to the referral's; None for one of the plan's roster.
KINDS = {
    "ServiceRequest": "", "Task": "", "ClaimResponse": "",
    **{kind: f".{part}" for kind, part, _ in COPIES}, "roster": None,
}  # fmt: skip
CALLERS = {
    "referring": (HOSPITAL, True, False),
    "performing": (PROVIDER, True, False),
    "staff": (STAFF, True, True),
    "stranger": (STRANGER, False, False),
    "other staff": (OTHER_STAFF, False, False),
    "passed over": (type(PROVIDER)("p", "org-redwood-slope", None, PROVIDER.scopes), False, False),
}
INTERACTIONS = ("read", "vread", "history", "by id", "all", "included")


async def test_every_table_has_row_security_but_the_network_that_all_may_read(database):
    rows = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition AND NOT relrowsecurity"
    )
    assert {row["relname"] for row in rows} == OPEN_TABLES | {"alembic_version"}
    assert set(metadata.tables) > OPEN_TABLES


@pytest.fixture
def forgotten(monkeypatch):
    """Our own conditions on who sees what, as if every statement had been written without them."""
    modules = (access, by_id, include, search)
    kept = [
        found
        for module in modules
        for found in vars(module).values()
        if hasattr(found, "cache_clear") and found is not plan_keys
    ]
    for module, (name, instead) in product(
        modules,
        (
            ("sees_place", true),
            ("sees_referral", lambda **_: true()),
            ("whole_or_least", lambda **_: (true(), true())),
            ("directory_plans", lambda *_: (*plan_keys(), NO_PLAN)),
        ),
    ):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, instead)
    for each in kept:
        each.cache_clear()
    yield
    monkeypatch.undo()
    for each in kept:
        each.cache_clear()


async def tried(world, caller, kind, id_, interaction) -> bool:
    """Whether the caller finds the resource."""
    if interaction in ("read", "vread", "history"):
        rest = {"read": "", "vread": "/_history/1", "history": "/_history"}[interaction]
        answer = await world.get(caller, f"{kind}/{id_}{rest}")
        assert answer.status_code in (200, 404)
        return answer.status_code == 200
    if interaction == "included":
        if kind != "Task":
            return id_ in (await world.get(caller, f"{kind}?_include=*")).text
        answer = await world.get(caller, "ServiceRequest", {"_revinclude": "Task:focus"})
        return f"Task/{id_}" in answer.text
    params = {"_id": id_} if interaction == "by id" else {"_total": "accurate"}
    answer = await world.get(caller, kind, params)
    found = [entry["resource"]["id"] for entry in answer.json().get("entry", ())]
    if not found and interaction == "all":
        assert answer.json()["total"] == 0  # a number would tell as well
    return id_ in found


async def matrix(world):
    """Everything that a caller finds and should not, or should and does not."""
    await load(world.database)
    referral = await world.refer(parties=PARTIES, copies=COPIES)
    wrong = []
    for (name, (caller, party, roster)), (kind, part), interaction in product(
        CALLERS.items(), KINDS.items(), INTERACTIONS
    ):
        at = ("Patient", "member-01") if part is None else (kind, referral + part)
        found = await tried(world, caller, *at, interaction)
        if found is not (roster if part is None else party):
            wrong.append((name, kind, interaction, found))
    return wrong


async def test_who_finds_what(world):
    assert await matrix(world) == []


async def test_without_our_own_conditions_the_database_still_refuses(world, forgotten):
    assert await matrix(world) == []


async def test_without_row_security_those_conditions_are_all_there_is(
    world, forgotten, monkeypatch
):
    """The matrix can fail: without either everybody finds everything."""
    for module in (by_id, include, search):
        monkeypatch.setattr(module, "for_caller", lambda source, _: source, raising=False)
    monkeypatch.setattr("app.store.reading.read.for_caller", lambda source, _: source)
    assert ("stranger", "ServiceRequest", "read", True) in await matrix(world)


async def test_a_caller_writes_nothing_of_others(world):
    referral = await world.refer()
    stranger = Acting(world.database, visibility(STRANGER).who)
    change = "UPDATE referral SET state = 'denied' WHERE id = $1 RETURNING id"
    assert await stranger.fetch(change, referral) == []
    with pytest.raises(StatementRefused):
        await stranger.execute(
            "INSERT INTO party (plan, organization_id, referral_id, role, since)"
            " VALUES ('HPSM', 'org-tidepool', $1, 'performer', now())",
            referral,
        )


async def test_no_session_keeps_for_whom_a_statement_acted(world):
    referral = await world.refer()
    count = "SELECT count(*) AS n FROM referral WHERE id = $1"
    for _ in range(20):  # more than there are connections
        (row,) = await Acting(world.database, visibility(STRANGER).who).fetch(count, referral)
        assert row["n"] == 0
        (row,) = await world.database.fetch(count, referral)
        assert row["n"] == 1


async def test_a_transaction_acts_for_whom_it_was_opened(world):
    referral = await world.refer()
    count = "SELECT count(*) AS n FROM referral WHERE id = $1"
    async with Acting(world.database, visibility(STRANGER).who).begin() as transaction:
        assert for_caller(transaction, visibility(STAFF).who) is transaction
        (row,) = await transaction.fetch(count, referral)
        assert row["n"] == 0


@pytest.mark.parametrize("who", ["", "org", "o'; DROP TABLE x; --||", "o|p q|", "o|p|r|s"])
def test_what_no_caller_is_acts_for_nobody(database_settings, who):
    with pytest.raises(ValueError, match="no caller"):
        Acting(None, who)
