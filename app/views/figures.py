"""Metrics of the deliveries for Prometheus: waiting deliveries, the age of the oldest, recent
attempts, and disabled endpoints.

The figures come from the database, so that every process of the service shows the same figures. The
database is asked at most every 5 seconds, for 2 seconds at most; the figures are left out if the
database does not answer. Labels are words of this service: never an organization, a member or an
address.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.base.clock import ServiceClock
from app.base.errors import Refusal
from app.journey.notification.retry import BLOCKED, BROKEN, DNS, REFUSED, TIMEOUT, TLS
from app.store.database import Database, Row
from app.store.reading.access import plan_keys

#: Attempts of the last five minutes are counted.
RECENT = timedelta(minutes=5)
#: An answer of the database is kept, and waited for, so many seconds.
_GOOD_S, _PATIENCE_S = 5.0, 2.0

WAITING = ("pending", "held", "dead")
#: The results of an attempt: a class of HTTP statuses, or a class of errors.
RESULTS = ("2xx", "3xx", "4xx", "5xx", BLOCKED, TIMEOUT, DNS, TLS, REFUSED, BROKEN)

_LIMITS = """SELECT set_config('statement_timeout', '2000', true),
    set_config('plan_cache_mode', 'force_custom_plan', true)"""
#: Each state by itself, because each has its own partial index.
_FIGURES = """SELECT 'state' AS kind, 'pending' AS word, '' AS reason, count(*) AS number,
    min(d.created_at) AS since
FROM unnest($1::text[]) AS known(plan)
JOIN delivery d ON d.plan = known.plan AND d.state = 'pending'
UNION ALL SELECT 'state', 'held', '', count(*), NULL
FROM unnest($1::text[]) AS known(plan) JOIN delivery d ON d.plan = known.plan AND d.state = 'held'
UNION ALL SELECT 'state', 'dead', '', count(*), NULL
FROM unnest($1::text[]) AS known(plan) JOIN delivery d ON d.plan = known.plan AND d.state = 'dead'
UNION ALL SELECT 'result', coalesce(a.error, a.status / 100 || 'xx'), '', count(*), NULL
FROM unnest($1::text[]) AS known(plan)
JOIN attempt a ON a.plan = known.plan AND a.at > $2::timestamptz
GROUP BY 2
UNION ALL SELECT 'disabled', e.kind, e.disabled_reason, count(*), NULL
FROM webhook_endpoint e WHERE e.status <> 'active' AND e.disabled_reason <> 'deleted'
GROUP BY 2, 3"""


class DeliveryMetrics:
    """Metrics of one service process, kept for a few seconds."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._text = b""
        self._good_until = 0.0

    async def text(self, database: Database | None, clock: ServiceClock) -> bytes:
        """Return the metrics in the text format of Prometheus; `nwd_delivery_figures_up` is 0 if
        the database did not give the figures. `database` is None before the service has started.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() >= self._good_until:
                now = clock.now()
                self._text = metrics_text(await _rows(database, now) if database else None, now)
                self._good_until = loop.time() + _GOOD_S
            return self._text


async def _rows(database: Database, now: datetime) -> Sequence[Row] | None:
    try:
        async with asyncio.timeout(_PATIENCE_S), database.begin() as connection:
            await connection.execute(_LIMITS)
            return await connection.fetch(_FIGURES, list(plan_keys()), now - RECENT)
    except (TimeoutError, Refusal):
        return None


def metrics_text(rows: Sequence[Row] | None, now: datetime) -> bytes:
    """Turn the rows into metrics in the text format."""
    registry = CollectorRegistry()
    registry.register(_Collector(rows, now))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, rows: Sequence[Row] | None, now: datetime) -> None:
        self._rows, self._now = rows, now

    def collect(self) -> Iterator[Metric]:
        up = "Whether the figures below could be had from the database"
        yield GaugeMetricFamily("nwd_delivery_figures_up", up, value=self._rows is not None)
        if self._rows is None:
            return
        counts = {(row["kind"], row["word"]): row["number"] for row in self._rows}
        waiting = GaugeMetricFamily(
            "nwd_deliveries", "Deliveries that have not arrived", labels=["state"]
        )
        for state in WAITING:
            waiting.add_metric([state], counts.get(("state", state), 0))
        yield waiting
        since = next((row["since"] for row in self._rows if row["since"]), self._now)
        yield GaugeMetricFamily(
            "nwd_delivery_oldest_waiting_seconds",
            "Age of the oldest message that is pending",
            value=max(0.0, (self._now - since).total_seconds()),
        )
        tried = GaugeMetricFamily(
            "nwd_delivery_attempts_recent",
            "Attempts of the last five minutes, by what came of them",
            labels=["result"],
        )
        for result in RESULTS:
            tried.add_metric([result], counts.get(("result", result), 0))
        yield tried
        disabled = GaugeMetricFamily(
            "nwd_endpoints_disabled", "Endpoints not sent to, by reason", labels=["kind", "reason"]
        )
        for row in self._rows:
            if row["kind"] == "disabled":
                disabled.add_metric([row["word"], row["reason"]], row["number"])
        yield disabled
