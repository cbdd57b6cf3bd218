"""Counts and times of requests, by route template; `/metrics` shows them.

Each process counts for itself: run one process per container, or scrape each.
"""

from functools import cache

from prometheus_client import Counter, Histogram

_REQUESTS = Counter("nwd_requests_total", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram(
    "nwd_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. Methods nobody knows share one label, so that labels stay few."""
    counter, histogram = _series(method if method in _METHODS else "other", route, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Looked up once: finding a series by its labels costs more than counting."""
    return _REQUESTS.labels(method, route, status), _SECONDS.labels(method, route)
