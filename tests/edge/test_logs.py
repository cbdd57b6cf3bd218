"""A log line is JSON, has its fixed fields, and repeats nothing that an exception says."""

import json
import logging
import sys

from app.base.logs import LogLine, frames

PLANTED = "9000001XA"


def line(**given) -> dict:
    record = logging.LogRecord(
        "app.x", logging.INFO, "f.py", 1, "said", None, given.pop("exc", None)
    )
    vars(record).update(given)
    return json.loads(LogLine().format(record))


def raised(cause: bool = False):
    try:
        try:
            int(PLANTED)
        except ValueError as error:
            raise (KeyError(PLANTED) if cause else TypeError(PLANTED)) from error
    except (KeyError, TypeError) as error:
        return error


def test_a_line_has_time_level_logger_and_message_first():
    found = line(route="/fhir/Task/{id}", status=200)
    assert list(found)[:4] == ["time", "level", "logger", "message"]
    assert found["time"].endswith("Z")
    assert found["route"] == "/fhir/Task/{id}"


def test_a_field_that_is_not_foreseen_is_dropped():
    assert PLANTED not in json.dumps(line(cin=PLANTED, body=PLANTED))


def test_an_exception_is_shown_by_class_and_place_only():
    error = raised()
    found = line(exc=(type(error), error, error.__traceback__))
    assert PLANTED not in json.dumps(found)
    assert "TypeError" in found["exc_info"]
    assert any("test_logs.py" in step for step in found["exc_info"])


def test_the_causes_of_an_error_are_shown_too():
    shown = frames(raised(cause=True))
    assert {"KeyError", "ValueError"} <= set(shown)
    assert PLANTED not in str(shown)
    assert sys.exc_info() == (None, None, None)
