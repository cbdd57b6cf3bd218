"""`python -m app policy replay|export|diff|simulate`: shows the effect of a change of policy files.

Policy people run the commands before and after they change a file. The commands print, and never
print a member's facts. Exit status: 0 done, 1 differences found or a file refused.

The second part of this file reads stored determinations, one page at a time, and writes nothing to
the database. `app.policy.replay` defines what a difference is.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.base.errors import Refusal
from app.base.settings import settings
from app.policy.citations import citation_in_words
from app.policy.library import Choice, Library, load_library, policy_folder, read_choice
from app.policy.model import EligibilityQuestion
from app.policy.read_files import FileFault
from app.policy.replay import Difference, depersonalize, replay
from app.policy.simulate import Change, PolicyChange, diff, read_candidate, simulate
from app.policy.stored_form import question_from_json, question_to_json
from app.store.database import Database, opened

ReportDone = Callable[[int], None]
Work = Callable[[Database], Awaitable[int]]

#: The most differences or changes that are listed; all are counted.
_LISTED = 50


class BadLine(ValueError):
    """An unreadable line in the file of determinations; names the line."""


def replay_command() -> int:
    """Asks the question of every stored determination again; returns 1 if any answer differs."""
    return _with_database(_replay)


def export_command(output: Path | None) -> int:
    """Writes every stored question, without persons, one on each line."""
    try:
        with output.open("wb") if output else nullcontext(sys.stdout.buffer) as file:
            return _with_database(lambda database: _export(database, file))
    except OSError:
        return _fail(f"{output}: cannot be written.")


def diff_command(old: str, new: str) -> int:
    """Prints the changes from one policy to another, each named like `HPSM/2024-01-01`."""
    try:
        library = _library()
    except FileFault as fault:
        return _fail(str(fault))
    for version in (old, new):
        if version not in library.versions:
            known = ", ".join(sorted(library.versions))
            return _fail(f"There is no policy {version}. Expected one of: {known}")
    changes = diff(library.versions[old], library.versions[new])
    _show_changes(old, new, changes)
    return 0


def simulate_command(plan: str, file: Path, over: Path) -> int:
    """Prints which past answers a new file would change, and why."""
    try:
        library = _library()
        candidate = read_candidate(plan, file, _files(), _switches())
        with over.open("rb") as lines, _progress(over.stat().st_size) as advance:
            counted, changes = Counter[str](), list[Change]()
            for change in simulate(library, candidate, _questions(lines, advance)):
                counted["same" if change is None else _turn(change)] += 1
                if change is not None and len(changes) < _LISTED:
                    changes.append(change)
    except (FileFault, BadLine) as fault:
        return _fail(str(fault))
    except OSError:
        return _fail(f"{over}: cannot be read.")
    _show_simulation(candidate.version, counted, changes)
    return 0


def _with_database(work: Work) -> int:
    async def run() -> int:
        async with opened(settings(), size=1) as database:
            return await work(database)

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        return _fail(refusal.issues[0].diagnostics)
    except FileFault as fault:
        return _fail(str(fault))


async def _replay(database: Database) -> int:
    library, console = _library(), Console()
    asked = differing = 0
    with _progress(await count(database)) as advance:
        async for row in stored(database):
            asked += 1
            differing_parts = differences(library, row)
            differing += bool(differing_parts)
            if differing_parts and differing <= _LISTED:
                text = "\n".join(f"  {difference}" for difference in differing_parts)
                console.print(f"{row.plan} {row.referral_id} ({row.seq})\n{escape(text)}")
            advance(1)
    console.print(f"{asked} determinations asked again, {differing} answered otherwise.")
    return 1 if differing else 0


async def _export(database: Database, file: BinaryIO) -> int:
    library = _library()
    with _progress(await count(database)) as advance:
        async for row in stored(database):
            file.write(exported(library, row))
            advance(1)
    file.flush()
    return 0


def _questions(lines: BinaryIO, advance: ReportDone) -> Iterator[tuple[str, EligibilityQuestion]]:
    for number, line in enumerate(lines, 1):
        advance(len(line))
        if not line.strip():
            continue
        try:
            read = orjson.loads(line)
            question = question_from_json(orjson.dumps(read["question"]).decode())
            referral = str(read["referral"])
        except (KeyError, ValueError, TypeError, AttributeError):
            raise BadLine(f"line {number}: no determination as `policy export` writes it") from None
        yield referral, question


def _turn(change: Change) -> str:
    before, after = change.before.outcome.value, change.after.outcome.value
    return f"{before}, other reasons" if before == after else f"{before} → {after}"


def _show_simulation(version: str, counted: Counter[str], changes: list[Change]) -> None:
    console = Console()
    table = Table(title=f"Answers under {escape(version)}", title_justify="left")
    table.add_column("outcome")
    table.add_column("referrals", justify="right")
    for turn, number in counted.most_common():
        table.add_row(turn, str(number))
    console.print(table)
    total = counted.total()
    console.print(f"{total - counted['same']} of {total} would be answered otherwise.")
    for change in changes:
        why = [str(d).replace("criteria > ", "", 1) for d in change.why[:3]]
        reasons = ", ".join(reason.code for reason in change.after.reasons)
        console.print(f"{escape(change.referral)}: {_turn(change)} ({reasons})")
        for cause in why:
            console.print(f"  {escape(cause)}")


def _show_changes(old: str, new: str, changes: list[PolicyChange]) -> None:
    console = Console()
    console.print(f"From {old} to {new}: {len(changes)} changes.", highlight=False, soft_wrap=True)
    section = ""
    for change in changes:
        if change.section != section:
            section = change.section
            console.print(f"\n[bold]{section}[/bold]")
        source = f"  ({citation_in_words(change.citation)})" if change.citation else ""
        console.print(escape(f"{change.where}{source}"), highlight=False, soft_wrap=True)
        console.print(f"  - {escape(change.before or 'nothing')}", highlight=False, soft_wrap=True)
        console.print(f"  + {escape(change.after or 'nothing')}", highlight=False, soft_wrap=True)


@contextmanager
def _progress(total: int) -> Iterator[ReportDone]:
    """Shows a progress bar on standard error, so that standard output stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("determinations", total=total)
        yield lambda by: bar.advance(task, by)


def _files() -> Path:
    return policy_folder(settings().policy_path)


def _switches() -> Choice:
    return read_choice(settings().policy_switches)


def _library() -> Library:
    return load_library(_files(), _switches())


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


# Stored determinations

#: The rows held at once: memory stays bounded for any number of determinations.
PAGE = 500
_NEXT = """SELECT plan, referral_id, seq, outcome, policy, question, answer FROM determination
WHERE (plan, referral_id, seq) > ($1::text, $2::text, $3::int) AND basis = 'rules'
ORDER BY plan, referral_id, seq LIMIT $4::int"""


@dataclass(frozen=True, slots=True)
class StoredDetermination:
    """One row of `determination`, with its question and answer as stored."""

    plan: str
    referral_id: str
    seq: int
    outcome: str
    policy: str | None
    question: str
    answer: str


async def count(database: Database) -> int:
    """Counts the determinations that the rules have made."""
    (row,) = await database.fetch("SELECT count(*) FROM determination WHERE basis = 'rules'")
    return int(row["count"])


async def stored(database: Database, size: int = PAGE) -> AsyncIterator[StoredDetermination]:
    """Reads every determination of the rules, by plan and referral, a statement a page."""
    after: tuple[str, str, int] = ("", "", 0)
    while True:
        rows = await database.fetch(_NEXT, *after, size)
        page = [StoredDetermination(**row) for row in rows]
        for row in page:
            yield row
        if len(page) < size:
            return
        after = (page[-1].plan, page[-1].referral_id, page[-1].seq)


def differences(library: Library, row: StoredDetermination) -> list[Difference]:
    """Lists how the policy of that time answers otherwise today; checks the outcome column too."""
    differing = replay(library, row.question, row.answer)
    answer = orjson.loads(row.answer)
    if isinstance(answer, dict) and answer.get("outcome") != row.outcome:
        differing.append(Difference("outcome column", row.outcome, str(answer.get("outcome"))))
    return differing


def exported(library: Library, row: StoredDetermination) -> bytes:
    """Writes one line of `determinations.ndjson`: the facts, without name, number or birthday."""
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
