"""One world for all lives of a worker; each begins anew in it."""

import pytest

from tests.life.world import World


@pytest.fixture(scope="session")
def world(cluster):
    with World(cluster) as world:
        yield world
