"""In production the service has a login of its own, which cannot become the owner."""

import pytest
from sqlalchemy.engine import make_url

from app.base.errors import Stopped
from app.base.settings import Settings
from app.commands.migrate import upgrade_when_it_answers
from app.store.schema import require_own_login
from tests.deploy.test_deploy import in_production
from tests.deploy.test_pooled import login_url
from tests.postgres import execute, token


@pytest.fixture
async def login(fresh_database):
    """A login that is nothing but there."""
    name = f"login_{token()}"
    await execute(fresh_database, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    yield name
    await execute(fresh_database, f"DROP OWNED BY {name}; DROP ROLE {name}")


def production(url: str, **more: str) -> Settings:
    return in_production(database_url=url, plan_member_phones="HPSM=650-555-0190", **more)


async def test_migrate_admits_the_services_login_which_then_may_serve(fresh_database, login):
    settings = production(login_url(fresh_database, login), migration_database_url=fresh_database)
    for _ in range(2):
        await upgrade_when_it_answers(fresh_database, settings)
        await require_own_login(settings)
    # `serve` need not know the owner's connection: it takes the role.
    await require_own_login(production(settings.database_url))


async def test_the_owner_serves_in_development_alone(fresh_database):
    await require_own_login(Settings(database_url=fresh_database))
    with pytest.raises(Stopped, match="owns the tables, or may act as their owner"):
        await require_own_login(production(fresh_database))


async def test_who_may_become_the_owner_is_as_the_owner(fresh_database, login):
    settings = production(login_url(fresh_database, login), migration_database_url=fresh_database)
    await upgrade_when_it_answers(fresh_database, settings)
    owner = make_url(fresh_database).username
    await execute(fresh_database, f"GRANT {owner} TO {login}")
    with pytest.raises(Stopped, match=login):
        await require_own_login(settings)
