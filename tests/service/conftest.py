"""The running service of the journeys, for what happens after an approval."""

import pytest

from tests.journeys.conftest import receiver, running, service

__all__ = ["receiver", "running", "service"]


@pytest.fixture(autouse=True)
async def offers_as_loaded(request):
    """Offers keep what a test states of them: it is taken back after each."""
    if "service" not in request.fixturenames:
        yield
        return
    store = request.getfixturevalue("running").store
    rows = await store.fetch("SELECT plan, id, places, taken_outside, capacity_status FROM offer")
    yield
    for row in rows:
        await store.execute(
            "UPDATE offer SET places = $3, taken_outside = $4, capacity_status = $5"
            " WHERE plan = $1 AND id = $2",
            *row,
        )
