"""Times in words, what a caller prefers to read, and what staff are offered to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.api.web.media import prefers
from app.model.lifecycle import State
from app.model.record import Details
from app.policy.model import Missing, Reason
from app.views.spans import due_in_words, moment, span
from app.views.workqueue.show import QueueStanding, steps

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "said"),
    [
        ({"seconds": 0}, "1 minute"),
        ({"minutes": 59}, "59 minutes"),
        ({"minutes": 61}, "1 hour"),
        ({"hours": 47, "minutes": 59}, "47 hours"),
        ({"hours": 48}, "2 days"),
        ({"days": 9, "hours": 23}, "9 days"),
    ],
)
def test_a_span(length, said):
    assert span(timedelta(**length)) == said


@pytest.mark.parametrize(
    ("hours", "said"), [(72, "due in 3 days"), (0, "due in 1 minute"), (-5, "5 hours overdue")]
)
def test_a_due_date(hours, said):
    assert due_in_words(NOW + timedelta(hours=hours), NOW) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-20T08:05:00+00:00", "Fri 20 Nov 2026, 12:05 am"),
        ("2026-07-01T19:00:00+00:00", "Wed 1 Jul 2026, 12:00 pm"),
        ("2026-07-02T06:59:59+00:00", "Wed 1 Jul 2026, 11:59 pm"),
    ],
)
def test_a_moment_is_californias(at, said):
    assert moment(datetime.fromisoformat(at)) == said


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/html", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("TEXT/HTML ; Q=0.9", True),
        ("application/json, text/html", True),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
        (";;,,q", False),
    ],
)
def test_what_a_caller_prefers(accept, wanted):
    assert prefers(accept, "text/html") is wanted


PENDING = QueueStanding("r1", "HPSM", State.PENDING, "ECM", "m1", None, Details())
DENY = Details(reasons=(Reason("no-population"), Reason("facts-missing")), recommendation="denied")
ASK = Details(missing=(Missing("homeless", "Is the member homeless?"), Missing("", "Who?")))


@pytest.mark.parametrize(
    ("standing", "names"),
    [
        (PENDING, ["approve", "deny", "request-information", "add-information"]),
        (replace(PENDING, details=DENY), ["deny", "approve", "request-information"]),
        (replace(PENDING, plan="unassigned"), ["deny", "request-information", "add-information"]),
        (replace(PENDING, service=None), ["deny", "request-information", "add-information"]),
        (replace(PENDING, member_id=None), ["deny", "request-information", "add-information"]),
        (
            replace(PENDING, void_due=NOW),
            ["void", "add-information", "request-information", "approve", "deny"],
        ),
        (replace(PENDING, state=State.APPROVED), ["assign", "cancel", "claim"]),
    ],
)
def test_the_likeliest_steps_come_first(standing, names):
    found = [step.name for step in steps(standing, NOW, "https://x.example")]
    assert found[: len(names)] == names
    assert found[-5:] == ["cancel", "claim", "release", "timeline", "read"]


def body(standing, name):
    (step,) = [one for one in steps(standing, NOW, "https://x.example") if one.name == name]
    return step.send["parameter"] if step.send else None


def test_a_denial_is_filled_in_with_the_reasons_that_deny():
    (reason,) = body(replace(PENDING, details=DENY), "deny")
    assert reason["valueCodeableConcept"]["coding"][0]["code"] == "no-population"
    (otherwise,) = body(replace(PENDING, service="RC"), "deny")
    coding = otherwise["valueCodeableConcept"]["coding"][0]
    assert coding["code"] == "service-criteria-not-met"


def test_an_exception_asks_for_its_reason_and_an_approval_for_nothing():
    reason, note = body(replace(PENDING, details=DENY), "approve")
    assert (reason["valueCoding"]["code"], note["name"]) == ("exception-granted", "note")
    assert body(PENDING, "approve") is None


def test_questions_are_filled_in_with_what_is_missing():
    asking = replace(PENDING, details=ASK)
    assert body(asking, "request-information") == [{"name": "fact", "valueString": "homeless"}]
    (part,) = body(asking, "add-information")
    assert part["resource"]["item"] == [{"linkId": "homeless", "text": "Is the member homeless?"}]
    (question,) = body(PENDING, "request-information")
    assert question["name"] == "question"
