"""What was sealed cannot be quietly changed: every way of it is found, and its place is named."""

import asyncio

import asyncpg
import pytest
import rfc8785

from app.store.audit.chain import START, canonical, hashes_after, split
from app.store.audit.seal import seal
from app.store.audit.verify import BrokenChain, Head, verify
from app.store.audit.writer import insert_events
from tests.record.scene import LATER, NOW, a_chain, an_event, database_of

EVENT = "audit_event WHERE plan = 'HPSM' AND id = $1"
#: Swaps two events of the third seal, and gives the second one to the fourth.
SWAP = """UPDATE audit_seal SET events = ARRAY[events[2], events[1]], last_id = events[1]
WHERE plan = 'HPSM' AND number = 2"""
CUT = "DELETE FROM audit_seal WHERE plan = 'HPSM' AND number = 3"


async def test_a_whole_chain_has_its_head(service):
    database = database_of(service)
    await a_chain(database)
    head = await verify(database, "HPSM", LATER)
    assert (head.plan, head.seq) == ("HPSM", 6)
    assert Head.read(head.line()) == head
    seals = await service.store.fetch("SELECT number, first_seq FROM audit_seal ORDER BY number")
    assert [tuple(row) for row in seals] == [(1, 1), (2, 3), (3, 5)]


#: What is done by somebody who owns the tables → the place that is named, and the words.
BROKEN = {
    "edited": (
        (f"UPDATE {EVENT.replace(' WHERE', ' SET client = $$other$$ WHERE')}", 2),
        3,
        "chan",
    ),
    "another patient": (
        (f"UPDATE {EVENT.replace(' WHERE', ' SET about = $${Task/2}$$ WHERE')}", 2),
        3,
        "changed",
    ),
    "deleted": ((f"DELETE FROM {EVENT}", 4), 5, "deleted"),
    "reordered": ((SWAP, None), 3, "its place"),
    "a seal taken out of the middle": (
        (CUT.replace("= 3", "= 2"), None),
        None,
        "seal 2 is missing",
    ),
    "the last seal cut off": ((CUT, None), None, "never sealed"),
    "a hash replaced": (
        ("UPDATE audit_seal SET hashes = substr(hashes, 33) || substr(hashes, 1, 32)", None),
        1,
        "changed",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_was_changed_is_named(service, name):
    (statement, number), seq, words = BROKEN[name]
    database = database_of(service)
    ids = await a_chain(database)
    await service.store.execute(statement, *([] if number is None else [ids[number]]))
    with pytest.raises(BrokenChain, match=words) as raised:
        await verify(database, "HPSM", LATER)
    if seq is not None:
        assert f"event {seq} (" in str(raised.value)


async def test_an_event_inserted_behind_the_chain_is_named(service):
    database = database_of(service)
    await a_chain(database)
    row = {**an_event("HPSM", 9), "id": "01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"}
    await insert_events(database, [row])
    await seal(database, "HPSM", NOW)
    with pytest.raises(BrokenChain, match=f"{row['id']} was never sealed"):
        await verify(database, "HPSM", LATER)


async def test_an_event_sealed_twice_is_named(service):
    database = database_of(service)
    first, *_ = await a_chain(database)
    row = await service.store.fetchrow(f"SELECT * FROM {EVENT}", first)
    last = (await verify(database, "HPSM", LATER)).hash
    await service.store.execute(
        "INSERT INTO audit_seal VALUES ('HPSM', 4, 7, $1, $2, $3, $4)",
        [first],
        first,
        hashes_after(last, [row])[0],
        NOW,
    )
    with pytest.raises(BrokenChain, match="sealed twice"):
        await verify(database, "HPSM", LATER)


async def test_a_head_that_was_kept_finds_what_the_chain_alone_cannot(service):
    """The tail cut off together with its seals; an older backup; a chain written anew."""
    database = database_of(service)
    ids = await a_chain(database)
    kept = await verify(database, "HPSM", LATER)
    await a_chain(database)
    assert (await verify(database, "HPSM", LATER, kept)).seq == 12
    await service.store.execute("DELETE FROM audit_seal WHERE plan = 'HPSM' AND number >= 3")
    await service.store.execute("DELETE FROM audit_event WHERE id > $1", ids[3])
    assert (await verify(database, "HPSM", LATER)).seq == 4
    with pytest.raises(BrokenChain, match="after event 4 events were cut off"):
        await verify(database, "HPSM", LATER, kept)
    await insert_events(database, [an_event("HPSM", 1), an_event("HPSM", 2)])
    await seal(database, "HPSM", NOW)
    assert (await verify(database, "HPSM", LATER)).seq == 6
    with pytest.raises(BrokenChain, match="written anew"):
        await verify(database, "HPSM", LATER, kept)


async def test_chains_of_plans_are_apart(service):
    database = database_of(service)
    for plan in ("HPSM", "HPSJ", "*"):
        await a_chain(database, plan, events=3)
    await service.store.execute("DELETE FROM audit_event WHERE plan = 'HPSJ'")
    assert (await verify(database, "HPSM", LATER)).seq == 3
    assert (await verify(database, "*", LATER)).seq == 3
    with pytest.raises(BrokenChain):
        await verify(database, "HPSJ", LATER)


async def test_an_event_that_commits_late_is_sealed_by_a_later_pass(service):
    database = database_of(service)
    early, late = an_event("HPSM", 1), an_event("HPSM", 2)
    async with database.begin() as transaction:
        await insert_events(transaction, [early])
        await insert_events(database, [late])
        assert (await seal(database, "HPSM", NOW)).events == 1
    assert (await seal(database, "HPSM", NOW)).events == 1
    assert (await seal(database, "HPSM", NOW)).events == 0
    assert (await verify(database, "HPSM", LATER)).seq == 2


async def test_many_may_seal_at_once(service):
    database = database_of(service)
    await insert_events(database, [an_event("HPSM", number) for number in range(300)])
    for _ in range(3):
        await asyncio.gather(*(seal(database, "HPSM", NOW, 7) for _ in range(5)))
    assert (await verify(database, "HPSM", LATER)).seq == 300


@pytest.mark.parametrize("table", ["audit_event", "audit_seal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET plan = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_services_role_changes_nothing(service, table, change):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database_of(service).execute(change.format(table))


def test_a_row_is_canonical_as_rfc_8785_writes_it():
    row = {
        **an_event("HPSM", 1),
        "id": "1",
        "query": 'a="ä\x1f\u2028\U0001f600&b=/',
        "address": None,
    }
    as_json = {**row, "recorded": "2026-11-20T18:00:00.000000+00:00"}
    assert canonical(row) == rfc8785.dumps(as_json)
    first, second = hashes_after(START, [row, row])
    assert split(first + second) == [first, second] != [first, first]
