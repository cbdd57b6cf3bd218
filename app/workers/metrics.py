"""Counts and times the attempts of one delivery worker, for Prometheus, by their result.

The worker counts in its own process and shows the figures on a port of its own
(`WORKER_METRICS_PORT`). The service shows the deliveries that wait. Labels are our own words, never
a receiver's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from prometheus_client import Counter, Histogram, start_http_server

_ATTEMPTS = Counter(
    "nwd_delivery_attempts_total", "Attempts of this worker, by what came of them", ["result"]
)
_SECONDS = Histogram(
    "nwd_delivery_attempt_seconds",
    "How long the attempts of this worker took",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


def attempted(status: int | None, error: str | None, duration_ms: int) -> None:
    """Counts one attempt: by the class of its status, or by its error class."""
    _series(error or (f"{status // 100}xx" if status else "none")).inc()
    _SECONDS.observe(duration_ms / 1000)


@cache
def _series(result: str) -> Counter:
    return _ATTEMPTS.labels(result)


@contextmanager
def serve_metrics(host: str, port: int) -> Iterator[None]:
    """Answers `GET /metrics` on the port while the worker runs; does nothing if the port is 0."""
    if not port:
        yield
        return
    server, thread = start_http_server(port, host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
