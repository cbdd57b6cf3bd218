import pytest

from tests.outside import served
from tests.postgres import token


@pytest.fixture(scope="session")
def service_url(cluster, tmp_path_factory) -> str:
    log = tmp_path_factory.mktemp("service") / "log"
    with served(cluster.create(token()), log) as url:
        yield url
