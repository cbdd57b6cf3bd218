"""Secrets come from the environment or from files, and are replaced without a gap."""

from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet, InvalidToken

from app.base.errors import Stopped
from app.base.secret_files import IN_FILES
from app.base.settings import Settings, WrongSettings, read_settings
from app.commands.rotate_keys import rotate_keys
from app.journey.notification.secrets import Secret, Vault
from tests.journeys.service import furnish
from tests.postgres import execute

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
URL = "postgresql://app:hidden@db/nwd"


@pytest.mark.parametrize("name", IN_FILES)
def test_a_secret_may_be_in_a_file(name, monkeypatch, tmp_path):
    values = {"token_secret": "s" * 40, "webhook_key": OLD}
    value = values.get(name, URL)
    file = tmp_path / "secret"
    file.write_text(f"{value}\n")
    monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(f"{name.upper()}_FILE", str(file))
    read = getattr(read_settings(), name)
    assert (read.get_secret_value() if name in values else read) == value


@pytest.mark.parametrize(
    ("content", "beside", "sentence"),
    [
        (None, "", "TOKEN_SECRET_FILE: the file cannot be read as text"),
        (b"\xff\xfe", "", "TOKEN_SECRET_FILE: the file cannot be read as text"),
        (b"s" * 40, "hidden" * 8, "TOKEN_SECRET_FILE: set this or TOKEN_SECRET, not both"),
    ],
)
def test_a_file_at_fault_is_named_and_never_quoted(
    content, beside, sentence, monkeypatch, tmp_path
):
    file = tmp_path / "hidden"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("TOKEN_SECRET", beside)
    monkeypatch.setenv("TOKEN_SECRET_FILE", str(file))
    with pytest.raises(WrongSettings) as wrong:
        read_settings()
    assert sentence in str(wrong.value)
    assert "hidden" not in str(wrong.value)


def test_the_first_key_encrypts_and_all_decrypt():
    old, both, new = (Vault(Settings(webhook_key=k)) for k in (OLD, f"{NEW}, {OLD}", NEW))
    sealed = old.seal_secrets([Secret("whsec_a")])
    assert both.open_secrets(sealed, NOW) == [Secret("whsec_a")]
    with pytest.raises(InvalidToken):
        new.open_secrets(sealed, NOW)
    for renewed in (both.renew(sealed), both.seal_secrets([Secret("whsec_a")])):
        assert new.open_secrets(renewed, NOW) == [Secret("whsec_a")]


ENDPOINT = """INSERT INTO webhook_endpoint (organization_id, id, url, event_types, plans, payload,
    status, secrets, headers, created_at, updated_at)
VALUES ('org-harbor-lantern', '{}', 'https://hooks.example.org/', '{{}}', '{{}}', 'thin', 'active',
    '\\x{}', {}, now(), now())"""


async def test_the_command_encrypts_everything_with_the_first_key(database, database_settings):
    await furnish(database_settings)
    old = Vault(Settings(webhook_key=OLD))
    for number in range(3):
        headers = old.seal_headers({"x-key": "v"} if number else {})
        stored = f"'\\x{headers.hex()}'" if headers else "NULL"
        sealed = old.seal_secrets([Secret(f"whsec_{number}")]).hex()
        await execute(database_settings.database_url, ENDPOINT.format(number, sealed, stored))
    settings = database_settings.model_copy(
        update={"webhook_key": Settings(webhook_key=f"{NEW},{OLD}").webhook_key}
    )
    for _ in range(2):
        assert await rotate_keys(settings) == 0
    new = Vault(Settings(webhook_key=NEW))
    rows = await database.fetch("SELECT secrets, headers FROM webhook_endpoint ORDER BY id")
    found = [new.open_secrets(row["secrets"], NOW)[0].value for row in rows]
    assert found == ["whsec_0", "whsec_1", "whsec_2"]
    assert [new.open_headers(row["headers"]) for row in rows] == [
        {},
        {"x-key": "v"},
        {"x-key": "v"},
    ]
    wrong = settings.model_copy(update={"webhook_key": Settings(webhook_key=OTHER).webhook_key})
    with pytest.raises(Stopped, match="encrypted with none of the keys"):
        await rotate_keys(wrong)
