"""The schedule asks for the right local days in few runs; the sensor fills the past; checks and alerts tell."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
from orchestration.instances import Instance
from tiers import swept
from world import NOW, World

from hem_etl.orchestration.checks import freshness_check, last_due_day
from hem_etl.orchestration.partitions import SYSTEMS, encoded
from hem_etl.orchestration.schedules import daily_schedule
from hem_etl.orchestration.sensors import Rectangle, backfill_request, newest_rectangle, post_alert
from hem_etl.pipeline import Road
from hem_etl.simulator import Faults, Fleet, make_fleet
from hem_etl.warehouse import open_warehouse

pytestmark = pytest.mark.slow


def tick(dagster: Instance) -> list[dg.RunRequest]:
    """The requests of the schedule now. Its context wants an instance on disk: one with the same keys."""
    with dg.DagsterInstance.local_temp() as on_disk:
        on_disk.add_dynamic_partitions(SYSTEMS, list(dagster.scheme.system_keys(dagster.dagster)))
        with dg.build_schedule_context(on_disk, scheduled_execution_time=dagster.world.now) as context:
            return list(daily_schedule(dagster.scheme, dagster.roads).evaluate_tick(context).run_requests or ())


def launch(dagster: Instance, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    return dagster.run(*(key.to_user_string() for key in request.asset_selection or ()), tags=dict(request.tags))


@pytest.mark.slow
def test_the_schedule_asks_for_yesterday_everywhere_in_four_runs(dagster: Instance) -> None:
    """13:15 UTC on the 22nd: the 21st is over in Chatham and in Havana, and it is all that is asked."""
    dagster.add_fleet()
    requests = tick(dagster)
    assert [request.asset_selection[0].to_user_string() for request in requests if request.asset_selection] == [
        "day_statistics",
        "month_statistics",
        "late_data",
        "hem_systems",
    ]
    assert all(launch(dagster, request).success for request in requests)
    asked = dagster.world.simulator.ledger.statistics
    assert {label for _, label in asked} == {"2026-11-21", "2026-11"}
    assert len(asked) == 36
    assert set(asked.values()) == {1}
    assert dagster.world.sql("select distinct state from core.load where interval_kind = 'day'").rows() == [
        ("provisional",)
    ]
    assert all(event.metadata["dagster/row_count"].value is not None for event in dagster.events("marts/daily_energy"))
    assert len(dagster.events("fleet_report")) == 1


def window_of(request: dg.RunRequest) -> tuple[str, str]:
    """First and last label of the request's rectangle."""
    ends = request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]
    first, last = (end.partition("|")[0] for end in ends)
    return first, last


@pytest.mark.parametrize("days", swept(zip([2, 1, 4, 40]), 1), ids=lambda days: f"{days} days")
def test_what_missed_ticks_left_out_is_asked_by_the_next_one(days: int, dagster: Instance) -> None:
    """Dagster makes up for the newest missed tick alone: the days between were never asked."""
    dagster.add_fleet()
    dagster.scheme = type(dagster.scheme)("2026-01-01")
    world = dagster.world
    world.now = NOW - timedelta(days=days)
    assert launch(dagster, tick(dagster)[0]).success
    newest = (world.now - timedelta(days=1)).date()
    world.now = NOW
    daily, monthly = tick(dagster)[:2]
    first = newest + timedelta(days=1)
    assert window_of(daily) == (first.isoformat(), "2026-11-21")
    assert window_of(monthly) == (f"{first:%Y-%m}", "2026-11")


@pytest.mark.slow
def test_a_day_that_one_home_was_asked_for_is_no_day_of_the_fleet(dagster: Instance) -> None:
    dagster.add_fleet()
    world = dagster.world
    world.now = NOW - timedelta(days=4)
    assert launch(dagster, tick(dagster)[0]).success
    world.now = NOW
    world.run("2026-11-21", months=False, systems=(world.simulator.fleet.homes[0].system_id,))
    assert window_of(tick(dagster)[0]) == ("2026-11-18", "2026-11-21")


def test_a_published_file_that_cannot_be_read_costs_no_tick(dagster: Instance) -> None:
    """The run publishes it anew."""
    dagster.add_fleet()
    dagster.world.settings.database.parent.mkdir(parents=True, exist_ok=True)
    dagster.world.settings.database.write_bytes(b"torn")
    assert window_of(tick(dagster)[0]) == ("2026-11-21", "2026-11-21")


def test_the_schedule_never_asks_for_days_before_the_start(dagster: Instance) -> None:
    dagster.add_fleet()
    world = dagster.world
    world.run("2026-10-01", months=False)
    dagster.scheme = type(dagster.scheme)("2026-11-15")
    assert window_of(tick(dagster)[0]) == ("2026-11-15", "2026-11-21")


@pytest.mark.slow
def test_a_check_finds_the_days_between_that_nobody_asked_for(dagster: Instance) -> None:
    dagster.world.run("2026-11-15", "2026-11-16", months=False)
    dagster.world.run("2026-11-20", months=False)
    checks = {check.name: check for check in dagster.world.road().publish()}
    assert checks["days_are_asked_without_holes"].failing_rows == 18
    assert "2026-11-17" in str(checks["days_are_asked_without_holes"].sample)
    dagster.world.run("2026-11-15", "2026-11-20", months=False)
    checks = {check.name: check for check in dagster.world.road().publish()}
    assert checks["days_are_asked_without_holes"].failing_rows == 0


def test_without_systems_the_schedule_lists_them_first(dagster: Instance) -> None:
    assert [request.run_key for request in tick(dagster)] == ["2026-11-21 late", "2026-11-21 fleet"]


@pytest.mark.slow
def test_late_data_of_five_days_ago_give_events_to_the_partitions_that_changed(dagster: Instance) -> None:
    dagster.add_fleet()
    world = dagster.world
    world.now = datetime(2026, 11, 18, 13, 15, tzinfo=UTC)
    assert launch(dagster, tick(dagster)[0]).success
    first = len(dagster.events())
    before = world.sql("select system_id, version, state from core.load where interval = '2026-11-17'").rows()
    world.now = NOW
    late = next(request for request in tick(dagster) if str(request.run_key).endswith("late"))
    assert launch(dagster, late).success
    after = world.sql("select system_id, version, state from core.load where interval = '2026-11-17'").rows()
    changed = {row[0] for row in set(after) - set(before)}
    events = dagster.events()[: len(dagster.events()) - first]
    assert 0 < len(changed) < 18
    assert sorted(str(event.partition) for event in events) == sorted(f"2026-11-17|{encoded(i)}" for i in changed)


@pytest.mark.slow
def test_a_backfill_of_an_old_day_leaves_yesterdays_absence_red(dagster: Instance) -> None:
    dagster.add_fleet()
    check = freshness_check(NOW.replace(hour=18))
    assert last_due_day(NOW.replace(hour=18)).isoformat() == "2026-11-21"
    assert last_due_day(NOW).isoformat() == "2026-11-20"

    def evaluate() -> dg.AssetCheckResult:
        result = check(dagster.roads)
        assert isinstance(result, dg.AssetCheckResult)
        return result

    backfill = dagster.run_range("day_statistics", "2026-11-01", "2026-11-02")
    assert backfill.success
    # a check of `day_statistics` would be planned and skipped by such a run, and Dagster would forget that it was red
    assert not [event for event in backfill.all_events if "every_system_is_fresh" in (event.step_key or "")]
    result = evaluate()
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert result.metadata["systems_without_it"].value == 18
    victim = dagster.world.simulator.fleet.homes[3].system_id
    dagster.world.simulator.faults = Faults.pinned({victim: "relink"})
    assert dagster.run_range("day_statistics", "2026-11-21", "2026-11-21").success
    result = evaluate()
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    dagster.world.simulator.faults = Faults.none()
    assert dagster.run_range("day_statistics", "2026-11-21", "2026-11-21").success
    assert evaluate().passed


def test_every_sql_check_is_an_asset_check_with_its_severity(dagster: Instance) -> None:
    dagster.add_fleet()
    assert dagster.run_range("day_statistics", "2026-11-20", "2026-11-20").success
    assert dagster.run("marts/system_health", "core/reading").success
    records = dagster.dagster.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey(["core", "reading"]), "reading_key")]
    )
    (evaluation,) = [record.event.dagster_event.asset_check_evaluation_data for record in records.values()]
    assert (evaluation.passed, evaluation.severity) == (True, dg.AssetCheckSeverity.ERROR)


def test_a_structural_failure_publishes_nothing_and_is_a_red_check(
    dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster.add_fleet()
    assert dagster.run_range("day_statistics", "2026-11-20", "2026-11-20").success
    with dagster.world.road().warehouse.writing() as writer:
        writer.change("insert into stored.reading select * from stored.reading limit 1")
    result = dagster.run("core/reading", "marts/daily_energy")
    assert not result.success
    assert "reading_key" in dagster.failure(result)
    assert dagster.events("marts/daily_energy") == []
    (evaluation,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "reading_key"]
    assert not evaluation.passed


@pytest.mark.parametrize(
    ("missing", "most", "expected"),
    [
        ("", 100, None),
        ("b4", 100, Rectangle("4", "4", ("b",))),
        ("b3 b4 c3 c4", 100, Rectangle("3", "4", ("b", "c"))),
        ("b3 b4 c4", 100, Rectangle("4", "4", ("b", "c"))),
        ("a4 c4", 100, Rectangle("4", "4", ("a",))),
        ("a1 a2 a4", 100, Rectangle("4", "4", ("a",))),
        ("a1 a2 b2", 100, Rectangle("2", "2", ("a", "b"))),
        ("a1 a2 a3 a4", 3, Rectangle("2", "4", ("a",))),
        ("a4 b4 c4", 2, Rectangle("4", "4", ("a", "b"))),
        ("z4", 100, None),
    ],
)
def test_the_next_rectangle_is_the_newest_that_is_missing_as_a_whole(
    missing: str, most: int, expected: Rectangle | None
) -> None:
    cells = [(cell[0], cell[1]) for cell in missing.split()]
    assert newest_rectangle(cells, ["1", "2", "3", "4"], ["a", "b", "c"], most) == expected


@pytest.mark.slow
def test_new_systems_are_filled_coarse_to_fine_until_nothing_is_missing(tmp_path: Path) -> None:
    start = "2026-10-28"
    homes = make_fleet(6, today=NOW.date()).homes
    world = World(tmp_path / "home", Fleet(homes[:4]))
    with dg.DagsterInstance.ephemeral() as instance:
        dagster = Instance(world, instance, start=start)
        assert dagster.run("hem_systems").success

        def fill() -> list[str]:
            runs = []
            for _ in range(30):
                order = dagster.scheme.system_keys(instance)
                request = backfill_request(dagster.scheme, open_warehouse(world.settings), order, NOW.date(), 60)
                if request is None:
                    return runs
                assert request.asset_selection
                runs.append(
                    f"{request.asset_selection[0].to_user_string()} {request.tags['dagster/asset_partition_range_end']}"
                )
                assert launch(dagster, request).success
            raise AssertionError("the backfill never ends")

        runs = fill()
        kinds = [run.split("_")[0] for run in runs]
        assert kinds == sorted(kinds, reverse=True)
        assert runs[0].startswith("month_statistics 2026-11|")
        days = [run.split()[1][:10] for run in runs if run.startswith("day")]
        assert days == sorted(days, reverse=True)
        wanted = {(home.system_id, day) for home in world.simulator.fleet.homes for day in ("2026-11-21", start)}
        assert wanted <= set(world.simulator.ledger.statistics) | {
            (row[0], start)
            for row in world.sql("select system_id from core.load where outcome = 'before_installation'").rows()
        }

        world.simulator.fleet = Fleet(homes)
        world.simulator.ledger.clear()
        assert dagster.run("hem_systems").success
        assert fill()
        assert {system for system, _ in world.simulator.ledger.statistics} == {home.system_id for home in homes[4:]}


def test_the_sensor_lists_first_then_fills_then_rests(dagster: Instance) -> None:
    (sensor,) = [s for s in dagster.definitions.sensors or () if s.name == "new_systems"]
    assert isinstance(sensor, dg.SensorDefinition)

    def look(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(dagster.dagster, cursor=cursor, definitions=dagster.definitions) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    first = look(None)
    assert [request.asset_selection for request in first.run_requests or ()] == [[dg.AssetKey("hem_systems")]]
    waiting = look(first.cursor)
    assert "nothing is published" in str(waiting.skip_reason)
    dagster.world.run("2026-11-21", months=False)
    filling = look(first.cursor)
    assert [request.asset_selection for request in filling.run_requests or ()] == [[dg.AssetKey("month_statistics")]]
    (added,) = filling.dynamic_partitions_requests or ()
    assert (added.partitions_def_name, len(added.partition_keys)) == (SYSTEMS, 18)


def events_tick(dagster: Instance) -> dg.RunRequest | dg.SkipReason:
    (sensor,) = [s for s in dagster.definitions.sensors or () if s.name == "webhook_events"]
    assert isinstance(sensor, dg.SensorDefinition)
    with dg.build_sensor_context(dagster.dagster, definitions=dagster.definitions) as context:
        result = sensor(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def updated(system_id: str) -> dict[str, object]:
    return {"event": "user:hem-system:updated", "hemSystem": {"id": system_id}}


@pytest.mark.slow
def test_events_become_one_run_and_rest_until_the_debounce_is_over(dagster: Instance) -> None:
    homes = dagster.world.simulator.fleet.homes
    assert "no event waits" in str(events_tick(dagster))
    dagster.world.deliver(*(updated(home.system_id) for home in homes[:3]))
    request = events_tick(dagster)
    again = events_tick(dagster)
    assert isinstance(request, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert request.run_key == again.run_key  # a daemon that starts again repeats nothing
    assert dagster.run("announced_data", tags=dict(request.tags)).success

    dagster.world.deliver(updated(homes[0].system_id))
    assert "began less than" in str(events_tick(dagster))
    dagster.world.deliver({"event": "user:credentials:invalidated", "user": {"id": homes[1].user_id}})
    assert isinstance(events_tick(dagster), dg.RunRequest)


@pytest.mark.slow
def test_a_daemon_or_run_that_dies_loses_no_event_and_asks_nothing_twice(
    dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = dagster.world
    world.settings = world.settings.model_copy(update={"event_minutes": 0})  # the sensor lives by the real clock
    world.run("2026-11-21", "2026-11-22", months=False)
    world.pass_time(minutes=59)
    world.simulator.ledger.clear()
    world.deliver(updated(world.simulator.fleet.homes[0].system_id))

    first = events_tick(dagster)  # and the daemon dies before it makes the run
    again = events_tick(dagster)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key

    job = dagster.definitions.resolve_implicit_global_asset_job_def()
    selection = frozenset({dg.AssetKey("announced_data")})
    run = dagster.dagster.create_run_for_job(job, tags=dict(first.tags), asset_selection=selection)
    assert "still going on" in str(events_tick(dagster))
    dagster.dagster.report_run_failed(run, "its process is dead")  # before it began

    second = events_tick(dagster)
    assert isinstance(second, dg.RunRequest)
    assert second.run_key != first.run_key
    with monkeypatch.context() as patch:
        patch.setattr(Road, "_finish", die_there)  # it asked, and dies before it loads the answers
        assert not dagster.run("announced_data", tags=dict(second.tags)).success
    third = events_tick(dagster)
    assert isinstance(third, dg.RunRequest)
    assert dagster.run("announced_data", tags=dict(third.tags)).success

    assert set(world.simulator.ledger.statistics.values()) == {1}
    assert world.sql("select led_to from core.event")["led_to"].to_list() == ["asked: answered"]
    assert isinstance(events_tick(dagster), dg.SkipReason)


def die_there(*_: object) -> None:
    raise RuntimeError("the process is dead")


@pytest.mark.slow
def test_announced_data_record_only_the_partitions_concerned(dagster: Instance) -> None:
    dagster.add_fleet()
    dagster.world.run("2026-11-21", "2026-11-22", months=False)
    dagster.world.pass_time(minutes=30)
    home = dagster.world.simulator.fleet.homes[0]
    dagster.world.deliver(updated(home.system_id))
    assert dagster.run("announced_data").success
    recorded = {event.partition for event in dagster.events("day_statistics")}
    assert recorded
    assert {str(key).partition("|")[2] for key in recorded} == {dagster.scheme.system_key(home.system_id)}


def test_an_alert_is_posted_and_never_shows_its_url() -> None:
    posted = []

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append(json.loads(request.content))
        return httpx.Response(200 if request.url.host == "good" else 404)

    post_alert("https://good/secret", {"text": "x"}, httpx.MockTransport(answer))
    assert posted == [{"text": "x"}]
    with pytest.raises(RuntimeError, match="answered 404") as caught:
        post_alert("https://bad/secret", {"text": "x"}, httpx.MockTransport(answer))
    assert "secret" not in str(caught.value)
