"""What holds the event loop is named by its route, to the millisecond; nobody else is blamed."""

import asyncio
import logging

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.middleware import Middleware

from app.api.web.loop_monitor import LoopMonitor, LoopTime
from app.base.lateness import lateness_watched, watch
from app.base.settings import Settings
from app.main import create_app

ROUTE = "/fhir/Person/{id}"
PLANTED = "9000001XA"


class Clock:
    """Two clocks that stand still until a handler says that it worked."""

    def __init__(self):
        self.now = LoopTime(0.0, 0.0)

    def __call__(self):
        return self.now

    def work(self, ms, cpu_ms=None):
        spent = ms if cpu_ms is None else cpu_ms
        self.now = LoopTime(self.now.wall + ms / 1000, self.now.cpu + spent / 1000)


def monitored(clock, limit_ms=20):
    """An application with routes that work for as long as they are asked to."""
    app = create_app(Settings(database_url="postgresql://nowhere/none"))
    begun, opened = asyncio.Event(), asyncio.Event()
    app.state.begun = begun

    @app.get(ROUTE)
    async def works(id: str, ms: float = 0, cpu_ms: float | None = None):
        clock.work(1)
        await asyncio.sleep(0)
        clock.work(ms, cpu_ms)

    @app.get("/fhir/Waits/{id}")
    async def waits(id: str):
        clock.work(2)
        begun.set()
        try:
            await opened.wait()
        except asyncio.CancelledError:
            clock.work(40)
            raise
        clock.work(3)

    @app.get("/fhir/Opens/{id}")
    async def opens(id: str):
        clock.work(30)
        opened.set()
        await asyncio.sleep(0)

    @app.get("/fhir/Fails/{id}")
    async def fails(id: str):
        clock.work(25)
        raise LookupError(id)

    envelope, *within = app.user_middleware
    layer = Middleware(LoopMonitor, limit_ms=limit_ms, clock=clock)
    app.user_middleware = [envelope, layer, *within]
    return app


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(clock):
    return monitored(clock)


@pytest.fixture
async def http(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def said(caplog):
    return [record for record in caplog.records if record.name == "app.loop"]


async def test_the_route_that_holds_the_loop_is_named(http, caplog):
    await http.get(f"/fhir/Person/{PLANTED}?ms=21.5&cpu_ms=4")
    (line,) = said(caplog)
    assert line.levelno == logging.WARNING
    assert (line.method, line.route, line.ms, line.cpu_ms) == ("GET", ROUTE, 21.5, 4.0)


async def test_below_the_limit_nothing_is_said(http, caplog):
    await http.get("/fhir/Person/1?ms=20")
    assert said(caplog) == []


async def test_each_step_counts_by_itself_not_the_request_as_a_whole(http, caplog):
    await http.get("/fhir/Person/1?ms=19.5")  # with the step before 20.5 ms
    assert said(caplog) == []


async def test_the_line_says_nothing_of_the_person(http, caplog):
    await http.get(f"/fhir/Person/{PLANTED}?ms=50&name={PLANTED}")
    (line,) = said(caplog)
    assert PLANTED not in str(vars(line))


async def test_requests_are_not_blamed_for_each_others_steps(http, caplog):
    await asyncio.gather(http.get("/fhir/Waits/1"), http.get("/fhir/Opens/1"))
    assert [line.route for line in said(caplog)] == ["/fhir/Opens/{id}"]


async def test_a_handler_that_fails_is_named_too(http, caplog):
    answer = await http.get("/fhir/Fails/1")
    assert answer.status_code == 500
    assert [(line.route, line.ms) for line in said(caplog)] == [("/fhir/Fails/{id}", 25.0)]


async def test_head_has_its_route(http, caplog):
    await http.head("/fhir/Person/1?ms=30")
    assert [line.route for line in said(caplog)] == [ROUTE]


async def test_a_request_that_is_given_up_is_given_up_within(http, app, caplog):
    asked = asyncio.create_task(http.get("/fhir/Waits/1"))
    await app.state.begun.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [(line.route, line.ms) for line in said(caplog)] == [("/fhir/Waits/{id}", 40.0)]


def observed(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_every_step_is_in_the_metrics(http):
    before = observed("nwd_loop_step_seconds_sum", method="GET", route=ROUTE)
    await http.get("/fhir/Person/1?ms=4")
    after = observed("nwd_loop_step_seconds_sum", method="GET", route=ROUTE)
    assert after - before == pytest.approx(0.005)


@pytest.mark.parametrize(("limit", "there"), [({}, False), ({"loop_monitor_ms": 20}, True)])
def test_it_is_off_unless_asked_for(limit, there):
    app = create_app(Settings(database_url="postgresql://nowhere/none", **limit))
    assert (LoopMonitor in [layer.cls for layer in app.user_middleware]) is there


class Asleep:
    """A timer that comes as late as it is told, and then ends the test."""

    def __init__(self, *late):
        self.now = 0.0
        self._late = iter(late)

    async def sleep(self, seconds):
        late = next(self._late, None)
        if late is None:
            raise asyncio.CancelledError
        self.now += seconds + late / 1000


async def test_a_timer_that_comes_late_is_told(caplog):
    timer = Asleep(1, 20, 21, 80)
    with pytest.raises(asyncio.CancelledError):
        await watch("a test", 20.5, clock=lambda: timer.now, sleep=timer.sleep)
    assert [line.ms for line in said(caplog)] == [21.0, 80.0]
    assert observed("nwd_loop_late_seconds_count", process="a test") == 4
    assert observed("nwd_loop_late_seconds_sum", process="a test") == pytest.approx(0.122)


async def test_the_watch_lasts_as_long_as_the_process():
    def watches():
        return [task for task in asyncio.all_tasks() if task.get_name() == "lateness"]

    async with lateness_watched("a test", 0):
        assert watches() == []
    async with lateness_watched("a test", 1000):
        assert len(watches()) == 1
    assert watches() == []
