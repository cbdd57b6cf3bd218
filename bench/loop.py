"""How long the service holds its event loop at a stretch, by its own monitor (`LOOP_MONITOR_MS`).

A process of the service of its own, on the same database, so that no other figure has the monitor's
cost in it.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from bench.load import Measured, request, send, turn
from bench.scene import Scene, free_port
from bench.sides import Side

_CONNECTIONS = 8
#: The share of the steps that take no longer than what is told.
_SHARE = 0.999
#: Upper limit in seconds → how many steps took no longer.
Counts = dict[float, float]


async def held(
    scene: Scene, kinds: Iterable[Callable[[], Awaitable[tuple[Side, Side]]]], seconds: float
) -> dict[str, float]:
    """One turn of each kind of request: the longest step in milliseconds, 99.9th percentile, and
    how late the loop was; `count`: the steps.
    """
    port = free_port()
    async with scene.serving(port, LOOP_MONITOR_MS="20") as service:
        for kind in kinds:
            side = replace((await kind())[0], port=port, process=service)
            await turn(Measured(_CONNECTIONS), port, side.make, seconds, side.status)
        (metrics,) = await send(port, [request("GET", "/metrics")])
    text = metrics.body.decode()
    steps, late = (counts(text, f"nwd_loop_{name}_seconds") for name in ("step", "late"))
    return {
        "step_ms": 1000 * percentile(steps, _SHARE),
        "late_ms": 1000 * percentile(late, _SHARE),
        "count": max(steps.values()),
    }


def counts(text: str, name: str) -> Counts:
    """A histogram of the metrics, over all its labels."""
    found: Counts = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{name}_bucket":
                limit = float(sample.labels["le"])
                found[limit] = found.get(limit, 0.0) + sample.value
    return dict(sorted(found.items()))


def percentile(found: Counts, share: float) -> float:
    """Seconds within which this share lies, as if each class were evenly filled (as Prometheus
    reckons); beyond the last limit: that limit.
    """
    wanted = share * max(found.values())
    for (low, before), (high, upto) in itertools.pairwise([(0.0, 0.0), *found.items()]):
        if upto >= wanted:
            return (
                low
                if high == float("inf")
                else low + (high - low) * (wanted - before) / (upto - before)
            )
    return 0.0
