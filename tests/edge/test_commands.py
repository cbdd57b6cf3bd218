"""The commands say what they did, and fail with a sentence."""

import pytest

from app import settings as settings_module
from app.__main__ import main


@pytest.fixture(autouse=True)
def _fresh_settings():
    """Settings are read once a process; each of these tests is one."""
    settings_module.settings.cache_clear()
    yield
    settings_module.settings.cache_clear()


def test_the_shipped_policies_are_fit():
    assert main(["check-policies"]) == 0


def test_a_policy_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "HPSM").mkdir()
    (tmp_path / "HPSM" / "2024-01-01.yaml").write_text("nonsense: [")
    monkeypatch.setenv("POLICY_PATH", str(tmp_path))
    assert main(["check-policies"]) == 1
    assert "2024-01-01.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("chosen", "said"),
    [("cms-0057-f=off", ""), ("cms=off", "no policy has the switch cms"), ("cms", "name=on")],
)
def test_the_choice_of_switches_is_checked_too(monkeypatch, capsys, chosen, said):
    monkeypatch.setenv("POLICY_SWITCHES", chosen)
    assert main(["check-policies"]) == (1 if said else 0)
    assert said in capsys.readouterr().err


def test_migrating_without_a_database_says_what_to_set(monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "")
    assert main(["migrate"]) == 1
    assert "DATABASE_URL" in capsys.readouterr().err


def test_a_database_that_is_migrated_already_stays_as_it_is(database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main(["migrate"]) == 0


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["client"], ["load"], ["client", "add"]])
def test_a_misused_command_is_told_how(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m app" in capsys.readouterr().err
