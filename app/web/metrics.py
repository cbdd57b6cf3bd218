"""Counts and times of requests, by route template; `/metrics` shows them.

Each process counts for itself: run one process per container, or scrape each.
"""

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
    known = method if method in _METHODS else "other"
    _REQUESTS.labels(known, route, status).inc()
    _SECONDS.labels(known, route).observe(seconds)
