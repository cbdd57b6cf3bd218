"""What is brought in is pinned, and no secret is handed out with the code.

Known weaknesses of packages are not looked up: there is no network where this runs.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock")
#: What a secret looks like, by its issuer's own form. Made of two halves: this file is looked at.
SECRETS = [
    re.compile(one)
    for one in (
        "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----",
        "AKI" + "A[0-9A-Z]{16}",
        "gh[pousr]_" + "[A-Za-z0-9]{36}",
        "xox[abprs]-" + "[A-Za-z0-9-]{10,}",
        "eyJ[A-Za-z0-9_-]{10,}\\.eyJ" + "[A-Za-z0-9_-]{10,}\\.[A-Za-z0-9_-]{20,}",
        "://[A-Za-z0-9_-]+:" + "[^@/\\s:{}$%\"']{12,}@[a-z0-9.-]+\\.[a-z]{2,}",
    )
]
#: Made by others, minified.
NOT_OURS = ("app/api/contract/static/", "tests/released/")


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if name and not name.startswith(NOT_OURS)]


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_of_one_version_with_its_hashes(name):
    text = (ROOT / name).read_text("utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in text.replace("https://pypi.org", ""), "a package from elsewhere"


def test_the_form_of_a_secret_is_known():
    for number, made in enumerate((
        "-----BEGIN EC PRIVATE " + "KEY-----",
        "AKI" + "A" + "B2" * 8,
        "ghp_" + "a1" * 18,
        "xoxb-" + "1234567890ab",
        "eyJhbGciOiJub" + "25l.eyJzdWIiOiJ4" + "eHh4In0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "postgresql://app:" + "correct-horse-battery@db.example.org",
    )):  # fmt: skip
        assert SECRETS[number].search(made), number


def test_no_secret_is_in_the_repository():
    found = [
        (name, secret.pattern[:20])
        for name in tracked()
        for secret in SECRETS
        if (ROOT / name).is_file()
        and secret.search((ROOT / name).read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []
