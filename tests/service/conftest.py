"""The running service of the journeys, for what happens after an approval."""

from tests.journeys.conftest import receiver, running, service

__all__ = ["receiver", "running", "service"]
