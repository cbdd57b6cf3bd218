"""Stored determinations read back, one page at a time: to be asked again, or handed on.

Reads only. What a difference is belongs to `app.policy.replay`; what is printed to
`app.commands.policy`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.policy.depersonalize import depersonalize
from app.policy.library import Library
from app.policy.question_json import question_from_json, question_to_json
from app.policy.replay import Difference, replay
from app.store.database import begin, fetch, fetch_one

#: Rows held at once: memory stays bounded however many determinations there are.
PAGE = 500
_NEXT = """SELECT plan, referral_id, seq, outcome, policy, question, answer FROM determination
WHERE (plan, referral_id, seq) > ($1::text, $2::text, $3::int) AND basis = 'rules'
ORDER BY plan, referral_id, seq LIMIT $4::int"""


@dataclass(frozen=True, slots=True)
class StoredDetermination:
    """One row, its question and answer as stored."""

    plan: str
    referral_id: str
    seq: int
    outcome: str
    policy: str | None
    question: str
    answer: str


async def count(engine: AsyncEngine) -> int:
    """How many determinations the rules have made."""
    async with begin(engine) as connection:
        row = await fetch_one(
            connection, "SELECT count(*) FROM determination WHERE basis = 'rules'"
        )
    return int(row[0]) if row else 0


async def stored(engine: AsyncEngine, size: int = PAGE) -> AsyncIterator[StoredDetermination]:
    """Every determination of the rules, by plan and referral; a short transaction a page."""
    after: tuple[str, str, int] = ("", "", 0)
    while True:
        async with begin(engine) as connection:
            rows = await fetch(connection, _NEXT, (*after, size))
        page = [StoredDetermination(*row) for row in rows]
        for row in page:
            yield row
        if len(page) < size:
            return
        after = (page[-1].plan, page[-1].referral_id, page[-1].seq)


def differences(library: Library, row: StoredDetermination) -> list[Difference]:
    """What the policy of then says otherwise today; the row's own columns are held to it too."""
    found = replay(library, row.question, row.answer)
    said = orjson.loads(row.answer)
    if isinstance(said, dict) and said.get("outcome") != row.outcome:
        found.append(Difference("outcome column", row.outcome, str(said.get("outcome"))))
    return found


def exported(library: Library, row: StoredDetermination) -> bytes:
    """One line of `determinations.ndjson`: the facts, and nobody's name, number or birthday."""
    texts = frozenset(n for n, fact in library.dictionary.items() if fact.type == "text")
    question = depersonalize(question_from_json(row.question), texts)
    line = {
        "referral": row.referral_id,
        "seq": row.seq,
        "policy": row.policy,
        "outcome": row.outcome,
        "question": orjson.loads(question_to_json(question)),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
