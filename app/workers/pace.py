"""How one worker process works: how often it looks, how much it takes on, how long it waits."""

from dataclasses import dataclass

from app.journey.notification.deliver import TOTAL_S


@dataclass(frozen=True, slots=True)
class Pace:
    """How one worker works; seconds. The lease outlasts connecting, sending and recording."""

    poll_s: float = 1.0
    sweep_s: float = 15.0
    clocks_s: float = 5.0
    lease_s: float = 60.0
    total_s: float = TOTAL_S
    grace_s: float = 8.0
    at_once: int = 64
    per_endpoint: int = 8
    longest_backoff_s: float = 5.0
