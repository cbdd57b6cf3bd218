"""`python -m app policy replay|export|diff|simulate`: what policy people ask before they change a
file, and after.

Prints; never a member's facts. Exit status: 0 done, 1 differences found or a file refused.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import orjson
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.errors import Refusal
from app.base.settings import settings
from app.commands.replay import count, differences, exported, stored
from app.policy.diff import PolicyChange, diff
from app.policy.library import FILES, Library, load_library
from app.policy.model import Question
from app.policy.question_json import question_from_json
from app.policy.read_files import FileFault
from app.policy.simulate import Change, read_candidate, simulate
from app.policy.switches import Choice, read_choice
from app.store.database import create_engine

Advance = Callable[[int], None]
Work = Callable[[AsyncEngine], Awaitable[int]]

#: Differences and changes that are listed; all are counted.
_LISTED = 50


class BadLine(ValueError):
    """A line of the file of determinations that cannot be read; names the line."""


def replay_command() -> int:
    """Asks every stored determination again. 1 where any answer differs."""
    return _with_engine(_replay)


def export_command(output: Path | None) -> int:
    """Writes every stored question, without persons, one a line."""
    try:
        with output.open("wb") if output else nullcontext(sys.stdout.buffer) as file:
            return _with_engine(lambda engine: _export(engine, file))
    except OSError:
        return _fail(f"{output}: cannot be written.")


def diff_command(old: str, new: str) -> int:
    """Prints what changed from one policy to another (`HPSM/2024-01-01`)."""
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
    """Prints which answers of the past a new file would change, and why."""
    try:
        library = _library()
        candidate = read_candidate(plan, file, _files(), _switches())
        with over.open("rb") as lines, _progress(over.stat().st_size) as advance:
            counted, changes = Counter[str](), list[Change]()
            for found in simulate(library, candidate, _questions(lines, advance)):
                counted["same" if found is None else _turn(found)] += 1
                if found is not None and len(changes) < _LISTED:
                    changes.append(found)
    except (FileFault, BadLine) as fault:
        return _fail(str(fault))
    except OSError:
        return _fail(f"{over}: cannot be read.")
    _show_simulation(candidate.version, counted, changes)
    return 0


def _with_engine(work: Work) -> int:
    async def run() -> int:
        engine = create_engine(settings(), pool_size=1)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except Refusal as refusal:
        return _fail(refusal.issues[0].diagnostics)
    except FileFault as fault:
        return _fail(str(fault))


async def _replay(engine: AsyncEngine) -> int:
    library, console = _library(), Console()
    asked = differing = 0
    with _progress(await count(engine)) as advance:
        async for row in stored(engine):
            asked += 1
            found = differences(library, row)
            differing += bool(found)
            if found and differing <= _LISTED:
                told = "\n".join(f"  {difference}" for difference in found)
                console.print(f"{row.plan} {row.referral_id} ({row.seq})\n{escape(told)}")
            advance(1)
    console.print(f"{asked} determinations asked again, {differing} answered otherwise.")
    return 1 if differing else 0


async def _export(engine: AsyncEngine, file: BinaryIO) -> int:
    library = _library()
    with _progress(await count(engine)) as advance:
        async for row in stored(engine):
            file.write(exported(library, row))
            advance(1)
    file.flush()
    return 0


def _questions(lines: BinaryIO, advance: Advance) -> Iterator[tuple[str, Question]]:
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
        console.print(
            escape(f"{change.where}  [{change.citation}]"), highlight=False, soft_wrap=True
        )
        console.print(f"  - {escape(change.before or 'nothing')}", highlight=False, soft_wrap=True)
        console.print(f"  + {escape(change.after or 'nothing')}", highlight=False, soft_wrap=True)


@contextmanager
def _progress(total: int) -> Iterator[Advance]:
    """A bar on standard error; what is printed stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("determinations", total=total)
        yield lambda by: bar.advance(task, by)


def _files() -> Path:
    named = settings().policy_path
    return Path(named) if named else FILES


def _switches() -> Choice:
    return read_choice(settings().policy_switches)


def _library() -> Library:
    return load_library(_files(), _switches())


def _fail(said: str) -> int:
    sys.stderr.write(said + "\n")
    return 1
