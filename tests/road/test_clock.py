"""The machine's clock: compared before anything is stamped with it, and what a wrong one has stamped is left out."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from world import NOW, World, same_tables

from hem_etl.cli.doctor import examine_landing
from hem_etl.errors import ClockError
from hem_etl.simulator import Simulator

DAYS = "2026-11-19", "2026-11-22"


class Wrong(World):
    """A machine whose own clock differs from Enode's."""

    off = timedelta(0)

    def clock(self) -> datetime:
        return self.now + self.off


def world_with(world: World, **off: float) -> Wrong:
    """The home of `world`, visited by a machine whose clock is off; the simulator keeps the true time."""
    visitor = Wrong(world.home, world.simulator.fleet, world.now)
    visitor.simulator = Simulator(world.simulator.fleet, clock=world.clock)
    visitor.off = timedelta(**off)
    return visitor


@pytest.mark.parametrize(
    ("off", "says"),
    [
        ({"days": 40}, "40 days, 0:00:00 ahead of"),
        ({"days": -40}, "40 days, 0:00:00 behind"),
        ({"minutes": 6}, "0:06:00 ahead of"),
        ({"minutes": -6}, "0:06:00 behind"),
    ],
)
def test_with_a_wrong_clock_nothing_is_asked_and_nothing_landed(world: World, off: dict[str, float], says: str) -> None:
    visitor = world_with(world, **off)
    with pytest.raises(ClockError, match=says) as told:
        visitor.run(*DAYS)
    assert "\n" not in str(told.value)
    assert visitor.road().landing.segments() == []
    assert sum(visitor.simulator.ledger.statistics.values()) == 0


@pytest.mark.parametrize("off", [{"minutes": 4}, {"minutes": -4}])
def test_a_clock_that_is_a_little_off_is_good_enough(world: World, off: dict[str, float]) -> None:
    assert world_with(world, **off).run("2026-11-20").exit_code == 0


def test_a_clock_that_jumps_in_mid_run_ends_it_and_what_came_before_stays(world: World) -> None:
    visitor = world_with(world)
    visitor.simulator.ledger.clear()
    answered = visitor.simulator.handle

    def jumping(method: str, path: str, *rest: object) -> object:
        if sum(visitor.simulator.ledger.statistics.values()) >= 20:
            visitor.off = timedelta(days=40)
        return answered(method, path, *rest)

    visitor.simulator.handle = jumping  # type: ignore[method-assign]
    with pytest.raises(ClockError, match="ahead of"):
        visitor.run(*DAYS)
    landing = visitor.road().landing
    stamps = [receipt.fetched_at_utc for receipt in landing.read_receipts(landing.segments())]
    assert max(stamps) == NOW.replace(tzinfo=None)
    assert world.run(*DAYS).exit_code == 0


@pytest.mark.parametrize("sent", [None, "", "yesterday", "Sun, 32 Nov 2026 13:15:00 GMT", "\xff"])
def test_an_answer_that_tells_no_time_is_no_reason_to_stop(world: World, sent: str | None) -> None:
    visitor = world_with(world, days=40)

    def transport() -> httpx.BaseTransport:
        inner = visitor.simulator.transport()

        def handle(request: httpx.Request) -> httpx.Response:
            answer = inner.handle_request(request)
            headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"date"]
            if sent is not None:
                headers.append((b"date", sent.encode("latin-1")))
            return httpx.Response(answer.status_code, headers=headers, content=answer.read())

        return httpx.MockTransport(handle)

    with visitor.client(transport) as client:
        assert visitor.road(client).sync_systems().failure is None
        assert client.seconds_ahead is None


def test_an_answer_from_a_cache_is_as_old_as_it_says(world: World) -> None:
    def transport() -> httpx.BaseTransport:
        inner = world.simulator.transport()

        def handle(request: httpx.Request) -> httpx.Response:
            answer = inner.handle_request(request)
            kept = {"date": format_datetime(world.now - timedelta(hours=2), usegmt=True), "age": "7200"}
            return httpx.Response(answer.status_code, headers={**answer.headers, **kept}, content=answer.read())

        return httpx.MockTransport(handle)

    with world.client(transport) as client:
        assert world.road(client).sync_systems().failure is None
        assert client.seconds_ahead == 0


def half_fetched_by_a_clock_ahead(world: World, **off: float) -> Wrong:
    """The running day, looked at by a machine 40 days ahead that compares no clocks."""
    visitor = world_with(world, **(off or {"days": 40}))
    visitor.settings = visitor.settings.model_copy(update={"clock_check": False})
    visitor.run(*DAYS)
    return visitor


@pytest.mark.slow
def test_looks_from_the_future_settle_nothing_and_outrank_nothing(world: World, tmp_path: object) -> None:
    """Before: the half-fetched day was settled for ever, `--refresh` and `rebuild` changed nothing."""
    half_fetched_by_a_clock_ahead(world)
    report = world.run(*DAYS)
    assert report.asked == report.fleet_size * 5
    honest = World(world.home.parent / "honest", world.simulator.fleet)
    honest.run(*DAYS)
    same_tables(honest.tables(), world.tables())
    world.pass_time(days=1)
    assert world.run(*DAYS).changed_days > 0
    before = world.tables()
    world.run("2026-11-22", refresh=True)
    world.road().rebuild()
    assert world.sql("select count(*) from core.load where state = 'settled' and interval = '2026-11-22'").item() == 0
    assert before.keys() == world.tables().keys()


@pytest.mark.slow
def test_what_was_left_out_once_stays_out_when_its_time_has_come(world: World) -> None:
    half_fetched_by_a_clock_ahead(world)
    world.run(*DAYS)
    (finding,) = examine_landing(world.road().landing)
    assert finding[0] == "warn"
    world.pass_time(days=1)
    world.run(*DAYS, refresh=True)
    held = world.sql("select system_id, day, version, content_sha256 from core.day_version order by all")
    world.pass_time(days=100)
    world.road().rebuild()
    assert held.equals(world.sql("select system_id, day, version, content_sha256 from core.day_version order by all"))


@pytest.mark.slow
def test_where_no_clock_was_compared_looks_from_the_future_are_an_error_and_not_thrown_away(world: World) -> None:
    """`rebuild` asks nobody: it may be this machine's clock that is behind."""
    world.run(*DAYS)
    before = world.tables()
    behind = world_with(world, days=-40)
    with pytest.raises(ClockError, match="set the clock"):
        behind.road().rebuild()
    assert world.road().landing.distrusted() == {}
    world.road().rebuild()
    same_tables(before, world.tables())
