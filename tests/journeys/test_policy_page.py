"""The commands of docs/policy.md, as they stand there, over a referral that was decided."""

import asyncio
import re
import shlex
from pathlib import Path

from app.__main__ import main
from app.base import settings as settings_module
from tests.journeys.payloads import a_referral
from tests.policies.test_replay import NEW

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
COMMANDS = re.findall(r"^    python -m app ([^#\n]+)", PAGE.read_text("utf-8"), re.MULTILINE)


async def test_every_command_of_the_page_does_what_it_says(service, tmp_path, monkeypatch, capfd):
    await service.refer(a_referral(identifier="P-1"))
    (tmp_path / "NEW.yaml").write_text(NEW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", service.settings.database_url)
    settings_module.settings.cache_clear()
    told = {}
    for command in COMMANDS:
        given = shlex.split(command)
        told[given[-1] if given[0] != "policy" else given[1]] = await asyncio.to_thread(main, given)
    settings_module.settings.cache_clear()
    assert told == dict.fromkeys(("check-policies", "diff", "export", "simulate", "replay"), 0)
    said = capfd.readouterr().out
    assert "From HPSM/2024-01-01 to HPSM/2026-01-01:" in said
    assert "of 1 would be answered otherwise" in said
    (line,) = (tmp_path / "determinations.ndjson").read_text().splitlines()
    assert '"HPSM"' in line
    assert "9100000XA" not in line
