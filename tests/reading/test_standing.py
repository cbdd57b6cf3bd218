"""Which of the member's Consents holds: the statement, against the rule written plainly."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.store.database import driver_url
from app.store.reading.standing import standing_of
from app.store.statement import compiled, text_given

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
DAYS = [NOW + timedelta(days=day) for day in range(-2, 3)]
OURS, ANOTHER, NUMBER = "org-ours", "org-another", "9000000101"
RECIPIENTS = (f"Organization/{OURS}", f"Organization/{ANOTHER}", f"npi|{NUMBER}")
_ASKED = compiled(
    select(standing_of(text_given("organization"), text_given("plan"), text_given("referral")))
)
_REFERRAL = """INSERT INTO referral (plan, id, version, state, organization_id, priority, intent,
    received_at, decision_due, holds_place, moves, announced, created_at, updated_at, details)
VALUES ('HPSM', $1, 1, 'approved', 'o', 'routine', 'order', $2, $2, false, 1, 1, $2, $2, '{}')"""
_RULE = """INSERT INTO consent_rule (plan, referral_id, document, number, covers, decision, dated,
    starts, ends, recipients, purposes, depth)
VALUES ('HPSM', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
_numbers = count(1)


def lines(of):
    return st.none() | st.lists(st.sampled_from(of), min_size=1, max_size=2).map("\n".join)


def rules():
    return st.tuples(
        st.sampled_from(["sensitive", "clinical", "contact"]),
        st.sampled_from(["permit", "deny", "none"]),
        st.sampled_from(DAYS),  # starts
        st.none() | st.sampled_from(DAYS),  # ends
        lines(RECIPIENTS),
        lines(["TREAT", "HRESCH"]),
        st.integers(0, 2),  # depth
    )


#: When the member said it, and the rules.
documents = st.lists(
    st.tuples(st.sampled_from(DAYS), st.lists(rules(), min_size=1, max_size=4)), max_size=4
)


def expected(told, purpose):
    """The latest Consents that speak to us; in each the deepest rule; of these the strictest."""
    said = []
    for covers in ("clinical", "contact", "sensitive"):
        speaking = []
        for dated, stated in told:
            mine = [
                (-depth, decision)
                for about, decision, starts, ends, recipients, purposes, depth in stated
                if about == covers
                and (
                    recipients is None or {RECIPIENTS[0], RECIPIENTS[2]} & {*recipients.split("\n")}
                )
                and (purposes is None or purpose in purposes.split("\n"))
                and starts <= NOW
                and (ends is None or ends > NOW)
            ]
            if mine:
                speaking.append((dated, min(mine)[1]))
        if speaking:
            latest = max(dated for dated, _ in speaking)
            said.append(f"{covers}:{min(word for dated, word in speaking if dated == latest)}")
    return said


async def write(connection, told):
    referral = f"r{next(_numbers)}"
    await connection.execute(_REFERRAL, referral, NOW)
    for name, (dated, stated) in enumerate(told):
        for number, (covers, decision, starts, ends, to, why, depth) in enumerate(stated):
            row = (covers, decision, dated, starts, ends, to, why, depth)
            await connection.execute(_RULE, referral, f"c{name}", number, *row)
    return referral


async def standing(connection, referral, purpose="TREAT"):
    values = {"organization": OURS, "plan": "HPSM", "referral": referral}
    return await connection.fetchval(*_ASKED.called(**values, at=NOW, purpose=purpose))


def test_the_statement_finds_what_holds(fresh_database):
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(driver_url(fresh_database)))
        runner.run(connection.execute("INSERT INTO organization_npi VALUES ($1, $2)", OURS, NUMBER))

        @settings(max_examples=150, deadline=None)
        @given(documents, st.sampled_from(["TREAT", "HRESCH", "HPAYMT"]))
        def check(told, purpose):
            referral = runner.run(write(connection, told))
            said = runner.run(standing(connection, referral, purpose))
            assert sorted(said) == expected(told, purpose)

        check()
        runner.run(connection.close())
