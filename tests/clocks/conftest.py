"""The clocks meet the whole service: the one of the journeys, its clock moved by the test."""

from tests.journeys.conftest import receiver, running, service

__all__ = ["receiver", "running", "service"]
