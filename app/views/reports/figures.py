"""Computes the figures of the reports from the history, and writes reports as CSV.

Each report is one statement, which selects the plan first, and runs each time the report is asked
for. The time to a decision runs from the actual receipt. Decided means approved or denied: void and
cancelled referrals end without a decision. The period of a report is whole days in California,
without a period the last full month. The CSV (RFC 4180) holds no formula that a spreadsheet would
run.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from app.base.local_time import LOCAL, local_date
from app.fhir.r4 import codes
from app.policy.deadlines import URGENT
from app.store.database import Row, Source
from app.views.reports.model import Outcomes, PriorAuthorization, Reasons, Sources, Timeliness

_LONGEST = timedelta(days=3660)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """A period from the first to the last day, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), LOCAL)

    @property
    def end(self) -> datetime:
        """Return the first moment after the period."""
        return datetime.combine(self.last + timedelta(days=1), time(), LOCAL)


def period(first: date | None, last: date | None, now: datetime) -> ReportPeriod | None:
    """Make the period asked for. One day alone stands for its month: from its first day, or to its
    last. None: the days make no allowed period.
    """
    if first is None and last is None:
        last = local_date(now).replace(day=1) - timedelta(days=1)
    if first is None and last is not None:
        first = last.replace(day=1)
    elif last is None and first is not None:
        last = _end_of_month(first)
    if first is None or last is None or not _EARLIEST <= first <= last <= _LATEST:
        return None
    return ReportPeriod(first, last) if last - first <= _LONGEST else None


def _end_of_month(day: date) -> date:
    if day >= _LATEST.replace(day=1):
        return _LATEST
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(days=1)


#: Decisions by track. A due moment is a whole second; a decision within that second is still in
#: time (`is_over` of `app.policy.deadlines`).
_DECISIONS = """SELECT t.track, count(d.hours) AS decided,
    count(*) FILTER (WHERE d.in_time) AS in_time,
    count(*) FILTER (WHERE d.to_state = 'approved') AS approved,
    count(*) FILTER (WHERE d.to_state = 'denied') AS denied,
    avg(d.hours) AS average, max(d.hours) AS longest,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY d.hours) AS median,
    (SELECT count(*) FROM referral r WHERE r.plan = $1 AND r.state = 'pending'
        AND r.decision_due <= $4::timestamptz - interval '1 second'
        AND (r.priority = ANY ($5::text[])) = (t.track = 'expedited')) AS overdue
FROM (VALUES (1, 'standard'), (2, 'expedited')) t(number, track) LEFT JOIN (
    SELECT CASE WHEN r.priority = ANY ($5::text[]) THEN 'expedited' ELSE 'standard' END AS track,
        h.to_state, h.at < r.decision_due + interval '1 second' AS in_time,
        (extract(epoch FROM h.at - r.received_at) / 3600)::float8 AS hours
    FROM referral_history h JOIN referral r ON r.plan = h.plan AND r.id = h.referral_id
    WHERE h.plan = $1::text AND h.event IN ('approve', 'deny')
        AND h.at >= $2::timestamptz AND h.at < $3::timestamptz
) d ON d.track = t.track
GROUP BY t.number, t.track ORDER BY t.number"""

_OUTCOMES = """SELECT coalesce(r.service, 'unknown') AS service, count(*) AS received,
    count(*) FILTER (WHERE r.state = 'approved') AS approved,
    count(*) FILTER (WHERE r.state = 'denied') AS denied,
    count(*) FILTER (WHERE r.state = 'void') AS void,
    count(*) FILTER (WHERE r.state = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE r.state = 'pending') AS pending
FROM referral r WHERE r.plan = $1::text
    AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
GROUP BY 1 ORDER BY 2 DESC, 1"""

_REASONS = """SELECT h.to_state AS outcome, c->>'code' AS code,
    count(DISTINCT h.referral_id) AS referrals
FROM referral_history h CROSS JOIN LATERAL jsonb_array_elements(h.reason::jsonb) c
WHERE h.plan = $1::text AND h.event IN ('approve', 'deny', 'void', 'cancel')
    AND h.at >= $2::timestamptz AND h.at < $3::timestamptz
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""

_SOURCES = """SELECT s.source, coalesce(k.kind, 'Unknown') AS kind,
    sum(s.referrals)::int AS referrals, sum(s.urgent)::int AS urgent
FROM (SELECT coalesce(d.source, 'not-stated') AS source, r.organization_id, count(*) AS referrals,
        count(*) FILTER (WHERE r.priority = ANY ($4::text[])) AS urgent
    FROM referral r LEFT JOIN LATERAL (
        SELECT d.question::jsonb #>> '{facts,values,referral_source,value}' AS source
        FROM determination d WHERE d.plan = r.plan AND d.referral_id = r.id
        ORDER BY d.seq DESC LIMIT 1) d ON true
    WHERE r.plan = $1::text
        AND r.received_at >= $2::timestamptz AND r.received_at < $3::timestamptz
    GROUP BY 1, 2) s
LEFT JOIN LATERAL (
    SELECT coalesce(v.body #>> '{type,0,coding,0,display}', v.body #>> '{type,0,text}') AS kind
    FROM (SELECT convert_from(v.body, 'UTF8')::jsonb AS body FROM directory_version v
        WHERE v.plan = '*' AND v.type = 'Organization' AND v.id = s.organization_id
        ORDER BY v.version DESC LIMIT 1) v) k ON true
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""


async def timeliness(
    source: Source, plan: str, period: ReportPeriod, now: datetime
) -> list[Timeliness]:
    """Compare the decisions of the period with their due dates, by track."""
    rows = await _decisions(source, plan, period, now)
    return [
        Timeliness(
            track=row["track"],
            decided=row["decided"],
            in_time=row["in_time"],
            late=row["decided"] - row["in_time"],
            in_time_percent=percent(row["in_time"], row["decided"]),
            average_hours=_rounded(row["average"]),
            median_hours=_rounded(row["median"]),
            longest_hours=_rounded(row["longest"]),
            overdue_now=row["overdue"],
        )
        for row in rows
    ]


async def outcomes(
    source: Source, plan: str, period: ReportPeriod, _now: datetime
) -> list[Outcomes]:
    """Count the referrals received in the period by their present state, for each service."""
    rows = await source.fetch(_OUTCOMES, plan, period.start, period.end)
    return [
        Outcomes(
            service=row["service"],
            received=row["received"],
            approved=row["approved"],
            denied=row["denied"],
            void=row["void"],
            cancelled=row["cancelled"],
            pending=row["pending"],
            approved_percent=percent(row["approved"], row["approved"] + row["denied"]),
        )
        for row in rows
    ]


async def reasons(source: Source, plan: str, period: ReportPeriod, _now: datetime) -> list[Reasons]:
    """Count how often each reason was given, by outcome."""
    rows = await source.fetch(_REASONS, plan, period.start, period.end)
    return [
        Reasons(
            outcome=row["outcome"],
            reason=row["code"] or "text",
            meaning=codes.REASONS.get(row["code"], "In words only"),
            referrals=row["referrals"],
        )
        for row in rows
    ]


async def sources(source: Source, plan: str, period: ReportPeriod, _now: datetime) -> list[Sources]:
    """Count the referrals by source (as the form states) and by kind of organization."""
    rows = await source.fetch(_SOURCES, plan, period.start, period.end, sorted(URGENT))
    return [
        Sources(
            source=row["source"],
            organization_kind=row["kind"],
            referrals=row["referrals"],
            urgent=row["urgent"],
        )
        for row in rows
    ]


async def prior_authorization(
    source: Source, plan: str, period: ReportPeriod, now: datetime
) -> list[PriorAuthorization]:
    """Compute the figures of CMS-0057-F, by track."""
    rows = await _decisions(source, plan, period, now)
    return [
        PriorAuthorization(
            track=row["track"],
            requests=row["decided"],
            approved=row["approved"],
            denied=row["denied"],
            approved_percent=percent(row["approved"], row["decided"]),
            denied_percent=percent(row["denied"], row["decided"]),
            approved_after_extension_percent=None,
            approved_after_appeal_percent=None,
            average_hours=_rounded(row["average"]),
            median_hours=_rounded(row["median"]),
            average_days=_rounded(row["average"], 24),
            median_days=_rounded(row["median"], 24),
        )
        for row in rows
    ]


async def _decisions(source: Source, plan: str, period: ReportPeriod, now: datetime) -> list[Row]:
    """Computes the figures of the decisions of the period, a row for each track."""
    values = (plan, period.start, period.end, now, sorted(URGENT))
    return await source.fetch(_DECISIONS, *values)


def percent(part: int, whole: int) -> float | None:
    """Return a share of 100, with one decimal; None of nothing."""
    return round(100 * part / whole, 1) if whole else None


def _rounded(hours: float | None, by: int = 1) -> float | None:
    return None if hours is None else round(hours / by, 2)


# CSV

#: A spreadsheet reads a cell that begins so as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a header line, and a line for each row; a null becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value
