"""The commands say what they did, and fail with a sentence."""

import re
from pathlib import Path

import pytest

from app.__main__ import main
from app.base import settings as settings_module
from app.base.settings import Settings, WrongSettings
from app.main import create_app


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


COMMANDS = [
    ["serve"],
    ["deliver"],
    ["migrate"],
    ["check-places"],
    ["client", "rotate", "x"],
    ["policy", "replay"],
    ["load", str(Path(__file__).parents[2] / "demo/data/network.ndjson")],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_its_database_every_command_ends_with_a_sentence(arguments, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:hidden@127.0.0.1:1/nwd")
    monkeypatch.setenv("DATABASE_START_WAIT_S", "0")
    monkeypatch.setenv("TOKEN_SECRET", "hidden " * 8)
    monkeypatch.setenv("PORT", "59371")
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert re.search("database did not answer|cannot reach its database", said.err)
    assert "Traceback" not in said.err + said.out
    assert "hidden" not in said.err + said.out


WRONG = {
    "DATABASE_URL": ("mysql://app:hidden@db/nwd", "write it as postgresql://"),
    "MIGRATION_DATABASE_URL": ("postgresql://app:hidden@db:port/nwd", "write it as postgresql://"),
    "ATTACHMENT_TYPES": ("hidden", "type/subtype"),
    "WEBHOOK_ALLOW_PRIVATE": ("hidden:80", "organization=host:port"),
    "WEBHOOK_KEY": ("hidden", "must be 32 bytes in URL-safe base64"),
    "PORT": ("hidden", "valid integer"),
    "ENVIRONMENT": ("hidden", "'development' or 'production'"),
    "TOKEN_LIFETIME_S": ("3600", "less than or equal to 300"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named_and_never_quoted(name, monkeypatch, capsys):
    value, sentence = WRONG[name]
    monkeypatch.setenv(name, value)
    assert main(["deliver"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{name}: ")
    assert sentence in said
    assert "hidden" not in said


def test_all_that_production_lacks_is_said_at_once_and_no_secret(monkeypatch, capsys):
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:hidden@db/nwd")
    monkeypatch.setenv("TOKEN_SECRET", "hidden")
    monkeypatch.setenv("DEMONSTRATION", "true")
    assert main(["serve"]) == 1
    said = capsys.readouterr().err
    for name in ("TOKEN_SECRET", "WEBHOOK_KEY", "DEMONSTRATION", "PUBLIC_URL"):
        assert f"{name} must" in said
    assert "hidden" not in said


@pytest.mark.parametrize("command", ["serve", "deliver"])
@pytest.mark.parametrize("secret", ["", "hidden, and too short"])
def test_nothing_serves_without_a_secret(command, secret, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere/none")
    monkeypatch.setenv("TOKEN_SECRET", secret)
    assert main([command]) == 1
    said = capsys.readouterr().err
    assert "TOKEN_SECRET must have 32 characters or more" in said
    assert "hidden" not in said


async def test_no_server_starts_the_application_without_a_secret():
    """However it is run: `uvicorn --factory app.main:create_app` knows no commands."""
    app = create_app(Settings(database_url="postgresql://nowhere/none"))
    with pytest.raises(WrongSettings, match="TOKEN_SECRET"):
        async with app.router.lifespan_context(app):
            pass


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["client"], ["load"], ["client", "add"]])
def test_a_misused_command_is_told_how(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m app" in capsys.readouterr().err
