"""Behind a pooler the settings of a session are those of the service's login, or nothing starts."""

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.base.errors import Stopped
from app.base.settings import Settings
from app.commands.migrate import as_owner, upgrade_when_it_answers
from app.store.database import SESSION, driver_url, opened, until_it_answers
from app.store.schema import put_settings_on
from tests.postgres import execute, token

LOGIN = "CREATE ROLE {0} LOGIN PASSWORD '{0}'; GRANT nwd_service TO {0}"


@pytest.fixture
async def make_login(fresh_database):
    """Makes logins of the service on the server of a migrated database."""
    made = []

    async def make() -> str:
        name = f"login_{token()}"
        await execute(fresh_database, LOGIN.format(name))
        made.append(name)
        return name

    yield make
    for name in made:
        await execute(fresh_database, f"DROP OWNED BY {name}; DROP ROLE {name}")


def login_url(url: str, login: str) -> str:
    return make_url(url).set(username=login, password=login).render_as_string(hide_password=False)


def pooled(url: str, login: str) -> Settings:
    return Settings(
        database_url=login_url(url, login), migration_database_url=url, database_pooled=True
    )


@pytest.fixture
async def login(make_login):
    return await make_login()


async def test_migrate_puts_the_settings_of_a_session_on_the_services_login(fresh_database, login):
    settings = pooled(fresh_database, login)
    for _ in range(2):  # the second time there is nothing left to set
        await upgrade_when_it_answers(fresh_database, settings)
        await until_it_answers(settings)
    connection = await asyncpg.connect(driver_url(settings.database_url))
    try:
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in ("role", *SESSION)}
    finally:
        await connection.close()
    assert shown == {"role": "nwd_service", **SESSION}


async def test_nothing_starts_while_one_of_them_is_missing(fresh_database, login):
    settings = pooled(fresh_database, login)
    with pytest.raises(Stopped, match="role, lock_timeout"):
        await until_it_answers(settings)
    await upgrade_when_it_answers(fresh_database, settings)
    await execute(fresh_database, f"ALTER ROLE {login} SET jit = on")
    await until_it_answers(settings)  # what is set for the database comes first
    name = make_url(fresh_database).database
    await execute(fresh_database, f'ALTER ROLE {login} IN DATABASE "{name}" RESET jit')
    with pytest.raises(Stopped, match=r"not set: jit\."):
        await until_it_answers(settings)


async def test_an_owner_who_may_not_is_told_what_to_run(fresh_database, make_login):
    login, other = await make_login(), await make_login()
    owner = as_owner(Settings(), login_url(fresh_database, other))
    async with opened(owner, size=1) as database:
        with pytest.raises(Stopped) as stopped:
            await put_settings_on(login, database)
        await execute(fresh_database, str(stopped.value).partition("in this database: ")[2])
        await put_settings_on(login, database)
    await until_it_answers(pooled(fresh_database, login))


async def test_one_url_for_owner_and_service_is_not_enough(fresh_database):
    settings = Settings(database_url=fresh_database, database_pooled=True)
    with pytest.raises(Stopped, match="MIGRATION_DATABASE_URL"):
        await upgrade_when_it_answers(fresh_database, settings)


async def test_settings_of_the_planner_go_with_a_session_and_not_through_a_pooler(
    fresh_database, login
):
    settings = pooled(fresh_database, login)
    alone = settings.model_copy(update={"database_pooled": False})
    shown = {}
    for name, chosen in (("alone", alone), ("pooled", settings)):
        async with opened(chosen, size=1, planner={"enable_seqscan": "off"}) as database:
            shown[name] = (await database.fetch_one("SHOW enable_seqscan"))["enable_seqscan"]
    assert shown == {"alone": "off", "pooled": "on"}
