"""What an answer means for its delivery, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from app.journey.notification.retry import (
    SCHEDULE,
    Blocked,
    Dead,
    Delivered,
    Gone,
    ReceiverAnswer,
    Retry,
    outcome,
    retry_after,
    scheduled_wait,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDDLE = 0.5  # no jitter


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status):
    assert outcome(ReceiverAnswer(status), 1, NOW, MIDDLE) == Delivered()


@pytest.mark.parametrize(
    "status",
    [
        100,
        199,
        *range(300, 309),
        *range(400, 410),
        *range(411, 429),
        *range(430, 452),
        500,
        501,
        *range(505, 600),
    ],
)
def test_everything_else_is_tried_again(status):
    assert outcome(ReceiverAnswer(status), 1, NOW, MIDDLE) == Retry(NOW + timedelta(seconds=5))


AWAY = [
    *(ReceiverAnswer(status) for status in (429, 502, 503, 504)),
    *(
        ReceiverAnswer(error=error)
        for error in ("timeout", "dns_error", "tls_error", "connection_refused", "connection_error")
    ),
]


@pytest.mark.parametrize("answer", AWAY)
@pytest.mark.parametrize(
    ("tried", "waits", "pauses"),
    [
        (1, timedelta(seconds=5), timedelta(seconds=5)),
        (2, timedelta(minutes=5), timedelta(minutes=1)),
        (9, timedelta(hours=24), timedelta(minutes=1)),
    ],
)
def test_an_endpoint_that_is_away_is_left_alone_a_while(answer, tried, waits, pauses):
    assert outcome(answer, tried, NOW, MIDDLE) == Retry(NOW + waits, NOW + pauses)


def test_gone_ends_the_endpoint_even_at_the_last_attempt():
    assert outcome(ReceiverAnswer(410), 1, NOW, MIDDLE) == Gone()
    assert outcome(ReceiverAnswer(410), 10, NOW, MIDDLE) == Gone()


def test_a_blocked_address_is_no_failed_attempt():
    assert outcome(ReceiverAnswer(error="blocked"), 10, NOW, MIDDLE) == Blocked()


def test_ten_attempts_over_at_least_72_hours_even_with_the_least_jitter():
    assert len(SCHEDULE) == 9
    assert sum(SCHEDULE, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert isinstance(outcome(ReceiverAnswer(500), 9, NOW, MIDDLE), Retry)
    assert outcome(ReceiverAnswer(500), 10, NOW, MIDDLE) == Dead()


@pytest.mark.parametrize("tried", range(1, 10))
def test_jitter_stays_within_a_fifth(tried):
    assert scheduled_wait(tried, 0.0) == SCHEDULE[tried - 1] * 0.8
    assert scheduled_wait(tried, MIDDLE) == SCHEDULE[tried - 1]
    assert scheduled_wait(tried, 0.999999) < SCHEDULE[tried - 1] * 1.2


@pytest.mark.parametrize(
    ("value", "waits"),
    [
        (None, None),
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("99999999999999999999", timedelta(hours=24)),
        ("Mon, 02 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 02 Mar 2026 11:05:00 GMT", timedelta(0)),
        ("Mon, 02 Mar 2026 04:05:00 -0800", timedelta(minutes=5)),
        ("Mon, 99 Mar 2026 12:05:00 GMT", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, waits):
    assert retry_after(value, NOW) == waits


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("60", timedelta(seconds=60)),
        ("3600", timedelta(hours=1)),
        ("1", timedelta(seconds=5)),  # never earlier than the schedule
        ("900000", timedelta(hours=24)),  # never later than a day
        ("whenever", timedelta(seconds=5)),
    ],
)
def test_a_receiver_may_ask_for_time_between_the_schedule_and_a_day(status, asked, waits):
    answer = ReceiverAnswer(status, retry_after=asked)
    assert outcome(answer, 1, NOW, MIDDLE) == Retry(NOW + waits, NOW + waits)


def test_time_that_is_asked_for_with_another_answer_is_given_to_that_message():
    answer = ReceiverAnswer(302, retry_after="60")
    assert outcome(answer, 1, NOW, MIDDLE) == Retry(NOW + timedelta(seconds=60))


def test_the_long_wait_of_one_message_is_not_the_endpoints():
    later = outcome(ReceiverAnswer(429, retry_after="120"), 6, NOW, MIDDLE)
    assert later == Retry(NOW + timedelta(hours=10), NOW + timedelta(minutes=2))
