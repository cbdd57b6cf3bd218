"""What is handed to those who deploy says what the code does."""

import re
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from app.base.secret_files import IN_FILES
from app.base.settings import Settings
from demo.postgres import _SETTINGS

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = (ROOT / "deploy" / "env.example").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()

#: Read by the database of compose.yaml, not by the service.
OF_COMPOSE = {"POSTGRES_PASSWORD", "SERVICE_PASSWORD"}
#: Name the files of secrets; they are no settings of their own.
FILES = {f"{name.upper()}_FILE" for name in IN_FILES}
OURS = ("migrate", "serve", "deliver")


def shown() -> dict[str, tuple[bool, str]]:
    """Name → whether it is set (not commented out), value."""
    found = re.findall(r"^(#?)([A-Z][A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE)
    return {name: (not mark, value) for mark, name, value in found}


def test_every_setting_is_in_the_example_and_nothing_else():
    assert set(shown()) == {name.upper() for name in Settings.model_fields} | OF_COMPOSE | FILES


@pytest.mark.parametrize("name", sorted(shown()))
def test_every_setting_of_the_example_is_explained(name):
    before = re.split(rf"^#?{name}=", EXAMPLE, flags=re.MULTILINE)[0].rstrip("\n").split("\n")
    own = before[-1]
    assert own.startswith(("# ", "#   ", "HOST=")) or {name, own.strip("#=")} <= FILES, name


def test_what_is_commented_out_has_the_default_shown():
    for name, (is_set, value) in shown().items():
        if not is_set and name not in FILES:
            field = name.lower()
            default = Settings.model_fields[field].default
            assert getattr(Settings(**{field: value}), field) == default, name


def in_production(**changes: str) -> Settings:
    example = {name.lower(): value for name, (is_set, value) in shown().items() if is_set}
    filled = {"token_secret": "s" * 40, "webhook_key": Fernet.generate_key().decode()}
    return Settings(**example | filled | changes)


def test_the_example_filled_in_is_a_production(monkeypatch):
    assert in_production().environment == "production"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", ""),
        ("public_url", "http://referrals.example.org"),
        ("token_secret", "short"),
        ("webhook_key", ""),
        ("demonstration", "true"),
        ("clock_offset_s", "3600"),
        ("clock_offset_file", "offset"),
    ],
)
def test_production_refuses_what_is_for_rehearsals(name, value):
    with pytest.raises(ValidationError, match=name.upper()):
        in_production(**{name: value})


def test_no_secret_stands_in_the_files():
    for name in (*OF_COMPOSE, "TOKEN_SECRET", "WEBHOOK_KEY"):
        assert shown()[name] == (True, "")
    for name in OF_COMPOSE:
        password = COMPOSE["services"]["database"]["environment"][name]
        assert password.startswith(f"${{{name}:?")


def test_owner_and_service_have_logins_of_their_own():
    urls = [make_url(shown()[n][1]) for n in ("DATABASE_URL", "MIGRATION_DATABASE_URL")]
    login, owner = (url.username for url in urls)
    assert owner == COMPOSE["services"]["database"]["environment"]["POSTGRES_USER"]
    made = (ROOT / "deploy" / "logins.sh").read_text()
    assert f"CREATE ROLE {login} LOGIN" in made
    for name in ("serve", "deliver"):
        assert COMPOSE["services"][name]["environment"] == {"MIGRATION_DATABASE_URL": ""}


def test_the_databases_log_names_nobody():
    quiet = {
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_parameter_max_length_on_error": "0",
    }
    command = COMPOSE["services"]["database"]["command"]
    assert command == ["postgres", *(f"--{name}={value}" for name, value in quiet.items())]
    assert quiet.items() <= _SETTINGS.items()
    guide = (ROOT / "docs" / "operating.md").read_text()
    for name, value in quiet.items():
        assert f"ALTER SYSTEM SET {name} = {value}" in guide


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name):
    service = COMPOSE["services"][name]
    assert service["command"] == [name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["env_file"] == ".env"


def test_nothing_starts_before_what_it_needs():
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    for name in ("serve", "deliver"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_the_image_is_run_by_an_ordinary_user():
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert [all(int(part) >= 10000 for part in pair) for pair in user] == [True]
    assert "HEALTHCHECK" in DOCKERFILE


def test_the_image_is_made_of_files_that_exist():
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
