"""One service a worker, met from outside; the contract's tests share its database."""

import pytest

from tests.outside import Tokens, served
from tests.postgres import token


@pytest.fixture(scope="session")
def service_url(cluster, tmp_path_factory) -> str:
    log = tmp_path_factory.mktemp("service") / "log"
    with served(cluster.create(token()), log) as url:
        yield url


@pytest.fixture(scope="session")
def tokens(service_url) -> Tokens:
    return Tokens(service_url)
