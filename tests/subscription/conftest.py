"""The journeys' service and receiver, on a database of its own; the receiver says 204 again."""

import pytest

from tests.journeys.conftest import receiver, running, service
from tests.receiver import Reply
from tests.subscription.scene import Subscribers

__all__ = ["receiver", "running", "service"]


@pytest.fixture
def subscribers(service, receiver):
    receiver.answer = lambda _: Reply()
    return Subscribers(service, receiver)
