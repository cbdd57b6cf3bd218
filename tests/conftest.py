"""Fixtures that every kind of test may use: the database. What they do is in tests/postgres.py.

A test that names one of them is marked `database`.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from app.base.settings import Settings
from app.commands.migrate import upgrade
from app.store.database import Database
from demo.postgres import EmbeddedPostgres
from demo.throwaway import home
from tests.postgres import Cluster, emptying, execute, programs, token

DATABASE_FIXTURES = {"cluster", "own_postgres"}
#: Named with --hypothesis-profile: new examples on every run, and as many lives of tests/life as
#: one has patience for.
settings.register_profile("long", settings.get_profile("default"), deadline=None)
#: Else one commit, one answer: every run tries the same examples.
settings.load_profile("ci")
_RUN = pytest.StashKey[tuple[ExitStack, Path]]()


def pytest_configure(config):
    """The controller makes the run's folder; xdist's workers are told of it."""
    if not hasattr(config, "workerinput"):
        ending = ExitStack()
        config.stash[_RUN] = (ending, ending.enter_context(home()))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["postgres_home"] = str(node.config.stash[_RUN][1])


def pytest_unconfigure(config):
    if _RUN in config.stash:
        ending, folder = config.stash[_RUN]
        with ending:
            Cluster(folder).end()


def pytest_collection_modifyitems(items):
    for item in items:
        if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture(scope="session")
def cluster(request) -> Cluster:
    """The run's server: `create` makes databases on it."""
    told = getattr(request.config, "workerinput", {}).get("postgres_home")
    return Cluster(Path(told) if told else request.config.stash[_RUN][1])


@pytest.fixture(scope="session")
def worker_database(cluster) -> str:
    """The URL of this worker's migrated database, shared by its tests; nothing empties it."""
    return cluster.create(token())


@pytest_asyncio.fixture
async def database_url(worker_database) -> str:
    """The URL of this worker's database, empty."""
    await execute(worker_database, emptying())
    return worker_database


@pytest.fixture(scope="session")
def database_settings(worker_database) -> Settings:
    """Settings of a service on this worker's database; `.model_copy(update=…)` for others."""
    return Settings(database_url=worker_database, database_pool_size=8)


@pytest_asyncio.fixture(scope="session")
async def worker_pool(database_settings):
    """The service's own database on this worker's database, with its restricted role."""
    database = Database(database_settings)
    yield database
    await database.close()


@pytest.fixture
def database(worker_pool, database_url):
    """The service's own database on an empty database."""
    return worker_pool


@pytest.fixture
def fresh_database(cluster) -> str:
    """The URL of a migrated database that this test alone has."""
    name = token()
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture
def bare_database(cluster) -> str:
    """The URL of a database that has not been migrated."""
    name = token()
    yield cluster.create(name, template=None)
    cluster.drop(name)


@pytest_asyncio.fixture
async def own_postgres():
    """A migrated server of the test's own, to stop, kill and start again (about 2 s)."""
    with home() as folder:
        server = EmbeddedPostgres(folder, durable=False, programs=programs())
        server.start()
        await upgrade(server.url)
        yield server
