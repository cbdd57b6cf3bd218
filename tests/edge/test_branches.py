"""Finding a route by its branch gives what the whole search gives."""

import pytest
from httpx import ASGITransport, AsyncClient

from app.base.settings import Settings
from app.main import Branches, branch, create_app

APP = create_app(Settings(database_url="postgresql://nowhere/none"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/fhir/Task/1/_history/2", "/fhir/Task"),
        ("/fhir/Task", "/fhir/Task"),
        ("/fhir", "/fhir"),
        ("/", "/"),
        ("", ""),
        ("//fhir//Task", "//fhir"),
    ],
)
def test_a_branch_is_the_first_two_words_of_a_path(path, name):
    assert branch(path) == name


def test_every_route_is_found_in_its_branch():
    stack = APP.router.middleware_stack
    assert isinstance(stack, Branches)
    for route in APP.routes:
        name = branch(route.path)
        if "{" not in name:
            assert all(route in stack._branches[method, name].routes for method in route.methods)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/fhir/Task", 405),
        ("DELETE", "/fhir/Task", 405),
        ("GET", "/fhir/Task/1/no/such", 404),
    ],
)
async def test_what_no_route_of_a_branch_takes_is_answered_as_by_the_whole(method, path, status):
    async with AsyncClient(transport=ASGITransport(APP), base_url="http://here") as client:
        assert (await client.request(method, path)).status_code == status


def test_no_branch_hides_a_route_of_another():
    """A route whose second word is a parameter would be hidden by a branch of a word it takes."""
    open_routes = [route for route in APP.routes if "{" in branch(route.path)]
    closed = {branch(route.path) for route in APP.routes if "{" not in branch(route.path)}
    assert open_routes
    for name in closed:
        paths = [name, f"{name}/1", f"{name}/1/_history/1"]
        for path in (each for each in paths if branch(each) == name):
            assert not [route.path for route in open_routes if route.path_regex.match(path)], path
