"""The queue with the shipped `dagster.yaml`: ticks, places, and runs that are executed again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.test_utils import freeze_time
from launching import MODULE
from orchestration.on_disk import OnDisk, environment, on_disk, present_world
from road.test_truth import same_as_truth

from hem_etl.orchestration.partitions import RANGE_END, RANGE_START, SYSTEMS, encoded
from hem_etl.orchestration.sensors import BACKFILL
from hem_etl.orchestration.tags import PRIORITY, WHY
from hem_etl.simulator import Faults, serve

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 13, 15, 1, tzinfo=UTC)


def use(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """This process lives in that environment, and forgets what Dagster adds to it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")


@pytest.fixture
def dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnDisk]:
    """Three systems, and a schedule that was switched on yesterday."""
    use(monkeypatch, environment(tmp_path / "home", "http://127.0.0.1:1"))
    with on_disk() as dagster:
        dagster.instance.add_dynamic_partitions(SYSTEMS, ["a", "b", "c"])
        repository = (
            dagster.workspace.create_request_context().get_code_location(MODULE).get_repository("__repository__")
        )
        with freeze_time(NOW - timedelta(hours=20)):
            dagster.instance.start_schedule(repository.get_schedule("daily"))
        yield dagster


def keys(runs: list[dg.DagsterRun]) -> list[str]:
    return [run.tags["dagster/run_key"] for run in runs]


def end(dagster: OnDisk, runs: list[dg.DagsterRun]) -> None:
    for run in runs:
        dagster.instance.report_run_canceled(run)


def test_a_tick_of_the_daemon_queues_four_runs_with_their_tags(dagster: OnDisk) -> None:
    with freeze_time(NOW):
        dagster.tick(NOW)
        dagster.tick(NOW + timedelta(seconds=30))
    runs = dagster.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    told = {
        run.tags["dagster/run_key"]: tuple(run.tags.get(tag) for tag in (WHY, PRIORITY, RANGE_START, RANGE_END))
        for run in runs
    }
    assert told == {
        "2026-11-21 days": ("daily", "30", "2026-11-21|a", "2026-11-21|c"),
        "2026-11-21 months": ("daily", "20", "2026-11|a", "2026-11|c"),
        "2026-11-21 late": ("daily", "10", None, None),
        "2026-11-21 fleet": ("daily", "0", None, None),
    }
    assert len(runs) == 4


def test_backfills_in_their_places_never_keep_the_daily_runs_waiting(dagster: OnDisk) -> None:
    window = dagster.scheme.window("2026-01-01", "2026-11-20", ["a", "c"])
    long = {dagster.launch("day_statistics", window | {"dagster/backfill": "long"})}
    long.add(dagster.launch("day_statistics", window | {WHY: BACKFILL}))
    assert {run.run_id for run in dagster.dequeue()} == long
    second = dagster.launch("day_statistics", window | {"dagster/backfill": "other"})
    dagster.tick(NOW)
    for expected in ("days", "months", "late", "fleet"):
        launched = dagster.dequeue()
        assert keys(launched) == [f"2026-11-21 {expected}"]
        assert dagster.dequeue() == []
        end(dagster, launched)
    assert dagster.dequeue() == []
    waiting = dagster.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    assert [run.run_id for run in waiting] == [second]


def test_a_daily_run_that_a_crash_left_behind_gives_its_place_back_before_the_next_day(dagster: OnDisk) -> None:
    with freeze_time(NOW):
        dagster.tick(NOW)
        (lost,) = dagster.dequeue()
        started = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name=lost.job_name)
        dagster.instance.report_dagster_event(started, run_id=lost.run_id)
    with freeze_time(NOW + timedelta(hours=19)):
        dagster.monitor()
        assert dagster.dequeue() == []
    with freeze_time(NOW + timedelta(hours=21)):
        dagster.monitor()
        assert keys(dagster.dequeue()) == ["2026-11-21 months"]


def test_from_failure_keeps_the_range_and_asks_only_for_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = present_world(tmp_path / "home", 6)
    days = [(world.now.date() - timedelta(days=back)).isoformat() for back in (5, 4, 3)]
    ids = [home.system_id for home in world.simulator.fleet.homes]
    every = {f"{day}|{encoded(system_id)}" for day in days for system_id in ids}
    bad = {(system_id, day) for day in days for system_id in (ids[1], ids[4])}
    world.simulator.faults = Faults.pinned({ids[1]: "bad_query", ids[4]: "unreadable"})
    with serve(world.simulator) as url:
        use(monkeypatch, environment(world.home, url))
        with on_disk() as dagster:
            order = [encoded(system_id) for system_id in ids]
            dagster.instance.add_dynamic_partitions(SYSTEMS, order)
            window = dagster.scheme.window(days[0], days[-1], order)
            run_id = dagster.launch("day_statistics", window)
            assert not any(dagster.execute(run) for run in dagster.dequeue())
            assert dagster.green() == every - {f"{day}|{encoded(system_id)}" for system_id, day in bad}

            world.simulator.faults = Faults.none()
            world.simulator.ledger.clear()
            again = dagster.re_execute_from_failure(run_id)
            assert [dagster.execute(run) for run in dagster.dequeue()] == [True]
            assert set(world.simulator.ledger.statistics) == bad
            assert dagster.green() == every
            repeated = dagster.instance.get_run_by_id(again)
            assert repeated is not None
            assert repeated.tags.items() >= window.items()
    assert same_as_truth(world) == len(every)
