"""One clock for all processes, moved from outside by a file; production refuses it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.base import clock as clock_module
from app.base.clock import ServiceClock
from app.base.settings import Settings


@pytest.fixture
def ticking(monkeypatch):
    """The monotonic time that the clock asks for; a test lets it pass."""
    now = [1000.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: now[0])
    return now


def ahead(clock):
    return round((clock.now() - datetime.now(UTC)).total_seconds())


def test_the_file_moves_the_clock_while_the_process_runs(tmp_path, ticking):
    file = tmp_path / "offset"
    clock = ServiceClock.of(Settings(clock_offset_file=str(file), clock_offset_s=60))
    assert ahead(clock) == 60
    file.write_text("604800\n")
    assert ahead(clock) == 60  # read just now
    ticking[0] += 0.06
    assert ahead(clock) == 604860
    file.write_text("-86400")
    ticking[0] += 0.06
    assert ahead(clock) == 60 - 86400


@pytest.mark.parametrize("content", ["", "soon", "nan", "inf", "1e300", "6048 00", "é"])
def test_what_is_no_number_of_seconds_leaves_the_clock_as_it_is(tmp_path, ticking, content):
    file = tmp_path / "offset"
    file.write_text("3600")
    clock = ServiceClock(timedelta(0), file)
    assert ahead(clock) == 3600
    file.write_text(content, encoding="utf-8")
    ticking[0] += 0.06
    assert ahead(clock) == 3600
    file.unlink()
    ticking[0] += 0.06
    assert ahead(clock) == 3600
