"""Files of a whole plan: in batches, member by member, with memory that does not grow."""

import asyncio
import tracemalloc
from itertools import pairwise

import orjson
import pytest

from app.__main__ import main
from app.base.errors import Stopped
from app.base.settings import settings
from app.store.directory.lines import LONGEST
from app.store.directory.load import MOST, STAGES, LoadRefused, Order, load
from bench.roster import lines
from tests.postgres import execute, statements
from tests.reading.scene import DATA


@pytest.fixture(autouse=True)
def _fresh_settings():
    """Settings are read once a process; each of these tests is one."""
    settings.cache_clear()
    yield
    settings.cache_clear()


NETWORK = DATA / "network.ndjson"


def written(path, *parts):
    path.write_bytes(b"".join(part for some in parts for part in some))
    return path


def changed(line, **values):
    return orjson.dumps(orjson.loads(line) | values) + b"\n"


def number_of(roster, kind, id_):
    """Where a resource stands in a list of lines."""
    resources = [orjson.loads(line) for line in roster]
    return next(
        n for n, r in enumerate(resources, 1) if (r["resourceType"], r["id"]) == (kind, id_)
    )


async def rows(database, sql):
    async with database.begin() as connection:
        return await connection.fetch(sql)


WHOLE = """SELECT count(*), min(json_array_length(facts::json -> 'coverages')),
    max(json_array_length(facts::json -> 'coverages')), max(version) FROM member"""


async def test_each_member_is_written_once_and_whole_wherever_their_lines_stand(
    database, database_settings, tmp_path
):
    mixed = list(lines(600))
    patients = [line for line in mixed if b'"resourceType":"Patient"' in line]
    others = [line for line in mixed if line not in set(patients)]
    files = [
        written(tmp_path / "coverages", others),
        written(tmp_path / "patients", patients),
        NETWORK,
    ]
    told = []
    loaded = await load(files, database_settings, told.append)
    assert loaded.counts.created == {
        "Organization": 18, "HealthcareService": 39,
        "Patient": 600, "Coverage": 600, "QuestionnaireResponse": 60,
    }  # fmt: skip
    assert (loaded.left_out, told) == (0, [])
    assert await rows(database, WHOLE) == [(600, 1, 1, 1)]
    again = await load(files[::-1], database_settings, told.append)
    assert (again.counts.written, again.left_out, told) == (0, 0, [])
    assert await rows(database, "SELECT max(version) FROM directory_version") == [(1,)]


async def test_a_bundle_is_loaded_as_its_entries_would_be(database, database_settings, tmp_path):
    resources = [orjson.loads(line) for line in lines(30)]
    body = {"resourceType": "Bundle", "type": "collection"}
    body["entry"] = [{"resource": resource} for resource in resources]
    file = written(tmp_path / "roster.json", [orjson.dumps(body, option=orjson.OPT_INDENT_2)])
    loaded = await load([file, NETWORK], database_settings, print)
    assert loaded.counts.created["Patient"] == 30
    assert await rows(database, WHOLE) == [(30, 1, 1, 1)]
    body["entry"][3]["resource"].pop("resourceType")
    written(file, [orjson.dumps(body)])
    with pytest.raises(LoadRefused) as refused:
        await load([file], database_settings, print)
    assert refused.value.faults[0].startswith(f"{file}:entry[3]: ")
    written(file, [orjson.dumps(body)[:-5]])
    with pytest.raises(LoadRefused) as refused:
        await load([file], database_settings, print)
    assert refused.value.faults[-1] == f"{file}: the file ends before the Bundle does."


class Ended(Exception):
    """Stands for whatever ends a load in the middle."""


async def test_what_was_interrupted_is_repeated(database, database_settings, tmp_path):
    roster = written(tmp_path / "roster", lines(900))
    done = []

    def step(name, _size):
        def advance(by):
            if name == "writing":
                done.append(by)
            if len(done) == 2:
                raise Ended

        return advance

    await load([NETWORK], database_settings, print)
    with pytest.raises(Ended):
        await load([roster], database_settings, print, step)
    [(some,)] = await rows(database, "SELECT count(*) FROM member")
    assert 0 < some < 900
    loaded = await load([roster], database_settings, print)
    assert loaded.counts.created["Patient"] == 900 - some
    assert loaded.counts.unchanged["Patient"] == some
    assert await rows(database, WHOLE) == [(900, 1, 1, 1)]


def test_who_cannot_be_placed_is_left_out_with_all_their_lines_and_all_others_are_loaded(
    fresh_database, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DATABASE_URL", fresh_database)
    roster = list(lines(600))
    at = number_of(roster, "Patient", "roster-member-590")
    other = orjson.loads(roster[number_of(roster, "Patient", "roster-member-11") - 1])
    plan = orjson.loads(roster[number_of(roster, "Coverage", "roster-coverage-11") - 1])["payor"][0]
    good = roster[at - 1]
    taken = {"managingOrganization": plan, "identifier": other["identifier"]}
    roster[at - 1] = changed(good, **taken)
    lost = roster[number_of(roster, "Coverage", "roster-coverage-20") - 1]
    roster.append(changed(lost, id="nobodys", beneficiary={"reference": "Patient/nobody"}))
    file = written(tmp_path / "roster.ndjson", roster)
    assert main(["load", str(NETWORK), str(file)]) == 1
    said = capsys.readouterr()
    assert f"{file}:{at}: Patient.identifier: Another member of the plan has this CIN" in said.err
    assert f"{file}:{len(roster)}: Coverage.beneficiary: Name a member" in said.err
    assert "4 lines were left out; all others are loaded." in said.err
    assert other["identifier"][0]["value"] not in said.err + said.out
    assert "599" in said.out
    roster[at - 1] = good
    assert main(["load", str(written(file, roster[:-1]))]) == 0
    assert capsys.readouterr().err == ""


def test_while_a_line_cannot_be_read_nothing_is_written(
    fresh_database, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DATABASE_URL", fresh_database)
    file = written(tmp_path / "roster.ndjson", lines(20), [b"{not json\n"])
    assert main(["load", str(NETWORK), str(file)]) == 1
    said = capsys.readouterr()
    assert "Nothing was loaded: 1 faults." in said.err
    nothing = "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM directory_version); END $$"
    asyncio.run(execute(fresh_database, nothing))


def test_whoever_is_in_two_rosters_is_told_of_both(fresh_database, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", fresh_database)
    roster = list(lines(3))
    mine = [_of_plan(line, b"HPSM") for line in roster]
    theirs = [_of_plan(line, b"HPSJ").replace(b"roster-m", b"their-m") for line in roster]
    theirs = [line.replace(b"roster-c", b"their-c").replace(b"roster-a", b"a") for line in theirs]
    files = [written(tmp_path / "mine", mine), written(tmp_path / "theirs", theirs)]
    assert main(["load", str(NETWORK), *map(str, files)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6
    assert (
        "HPSM Patient/roster-member-1: HPSJ Patient/their-member-1 has the same CIN, too." in said
    )
    assert (
        "HPSJ Patient/their-member-1: HPSM Patient/roster-member-1 has the same CIN, too." in said
    )


def _of_plan(line, plan):
    for other in (b"HPSM", b"HPSJ", b"CCAH"):
        line = line.replace(b'"' + other + b'"', b'"' + plan + b'"')
    return line


@pytest.fixture
def sent():
    """Every statement that any database sends."""
    with statements() as sent:
        yield sent


async def test_every_batch_takes_the_same_few_statements(
    database, database_settings, tmp_path, sent
):
    await load([NETWORK], database_settings, print)
    counted = []
    for batches, first in ((1, 10_000), (2, 20_000), (4, 30_000)):
        roster = written(tmp_path / str(first), lines(batches * 245, first))
        before = len(sent)
        await load([roster], database_settings, print)
        counted.append(len(sent) - before)
    steps = [(after - before) for before, after in pairwise(counted)]
    assert steps[1] == 2 * steps[0]
    assert steps[0] < 20


def test_members_of_one_cin_come_last_in_the_order_of_their_ids(tmp_path):
    roster = list(lines(600))
    for one in (590, 11):
        at = number_of(roster, "Patient", f"roster-member-{one}")
        cin = [{"system": "https://nowrongdoor.example/fhir/sid/cin", "value": "90000000XA"}]
        roster[at - 1] = changed(roster[at - 1], identifier=cin)
    with Order([written(tmp_path / "roster", roster)]) as order:
        order.read()
        written_at_once = [one for batch in order.batches(2) for one in batch.whose.values()]
        (last,) = order.batches(3)
    assert not {"roster-member-11", "roster-member-590"} & set(written_at_once)
    names = [one["id"] for one in last.resources if one["resourceType"] == "Patient"]
    assert names == ["roster-member-11", "roster-member-590"]


def test_the_memory_of_reading_does_not_grow_with_the_roster(tmp_path):
    peaks = []
    for members in (600, 600, 3_000):
        file = written(tmp_path / str(members), lines(members))
        tracemalloc.start()
        with Order([file]) as order:
            order.read()
            seen = sum(len(b.resources) for stage in STAGES for b in order.batches(stage))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert seen == members * 21 // 10
    assert peaks[2] < 1.2 * peaks[1]


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path):
    file = written(tmp_path / "roster", lines(2))
    with Order([file]) as order:
        order.read()
        written(file, lines(2, 50))
        with pytest.raises(Stopped, match="changed while it was loaded"):
            list(order.batches(2))


def test_a_line_without_end_is_told_by_its_number_and_so_are_those_after_it(tmp_path):
    long = b'{"resourceType":"Patient","id":"' + b"x" * (2 * LONGEST) + b'"}\n'
    file = written(tmp_path / "long", lines(1), [long, b"\n", b"[]\n"])
    number = sum(1 for _ in lines(1))
    with Order([file]) as order, pytest.raises(LoadRefused) as refused:
        order.read()
    at = [fault.split(": ")[0].rpartition(":")[2] for fault in refused.value.faults]
    assert at == [str(number + 1), str(number + 3)]


def test_nobody_is_told_of_a_hundred_thousand_faults(tmp_path):
    file = written(tmp_path / "bad", [b"{\n"] * 5_000)
    with Order([file]) as order, pytest.raises(LoadRefused) as refused:
        order.read()
    assert len(refused.value.faults) == 1_001
    assert "stopped here" in refused.value.faults[-1]


def test_a_member_with_more_lines_than_anybody_has_is_told(tmp_path):
    [coverage] = (one for one in lines(1) if b'"Coverage"' in one)
    made = [changed(coverage, id=f"c-{n}") for n in range(MOST + 1)]
    with Order([written(tmp_path / "many", made)]) as order, pytest.raises(LoadRefused) as refused:
        order.read()
    [fault] = refused.value.faults
    assert fault.endswith(f"more than {MOST} lines are about the same member.")


@pytest.mark.parametrize("path", [".", "nothing-there"])
def test_what_is_no_file_is_told(path, tmp_path):
    with Order([tmp_path / path]) as order, pytest.raises(LoadRefused) as refused:
        order.read()
    assert "cannot be read" in refused.value.faults[0]
