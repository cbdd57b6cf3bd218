"""The record meets the whole service: the one of the journeys."""

from tests.journeys.conftest import receiver, running, service

__all__ = ["receiver", "running", "service"]
