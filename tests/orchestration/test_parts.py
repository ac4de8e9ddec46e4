"""A day fetched by one run for each bucket: parts ask for no list and publish nothing; one run publishes after them."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from orchestration.instances import Instance
from world import World

from hem_etl.orchestration.partitions import RANGE_END, RANGE_START
from hem_etl.orchestration.publishing import AFTER, PUBLISHING, publish_sensor
from hem_etl.orchestration.schedules import ALL_ASSETS_JOB, daily_schedule
from hem_etl.orchestration.tags import LATER, PRIORITY, WHY
from hem_etl.settings import Settings
from hem_etl.simulator import Faults

pytestmark = pytest.mark.slow

DAY = "2026-11-20"


@pytest.fixture
def few(world: World) -> Iterator[Instance]:
    """Two buckets, of which the fleet is known."""
    with dg.DagsterInstance.ephemeral() as instance:
        few = Instance(world, instance, buckets=2)
        assert few.run("hem_systems").success
        world.simulator.ledger.clear()
        yield few


def run_part(few: Instance, bucket: str, asset: str = "day_statistics", label: str = DAY) -> dg.ExecuteInProcessResult:
    return few.run(asset, tags=few.scheme.window(label, label, [bucket]) | LATER)


def loaded(few: Instance) -> int:
    return int(few.world.sql("select count(*) from core.load where interval_kind = 'day'").item())


def test_parts_are_seen_when_the_models_are_published_and_list_nothing(few: Instance) -> None:
    for bucket in few.scheme.system_keys(few.dagster):
        assert run_part(few, bucket).success
    assert few.world.simulator.ledger.requests == {("token", 200): 2, ("statistics", 200): 18}
    assert loaded(few) == 0
    assert few.green() == {f"{DAY}|{bucket}" for bucket in few.scheme.system_keys(few.dagster)}
    told = [event.metadata for event in few.events()]
    assert {figures["systems"].value for figures in told} <= set(range(1, 18))
    assert not any("generation_kwh" in figures for figures in told), "figures of what nobody sees yet"
    assert few.run("marts/daily_energy").success
    assert loaded(few) == 18


def test_a_bucket_that_is_materialised_by_hand_is_published_at_once(few: Instance) -> None:
    bucket = few.scheme.system_keys(few.dagster)[0]
    assert few.run_range("day_statistics", DAY, DAY, [bucket]).success
    assert loaded(few) == len(members(few, bucket))


def test_a_bucket_that_holds_no_system_is_no_failure(world: World) -> None:
    """Few homes in many buckets: its run would be red each day, and there is nothing to mend."""
    with dg.DagsterInstance.ephemeral() as instance:
        many = Instance(world, instance, buckets=64)
        held = {many.scheme.system_key(home.system_id) for home in world.simulator.fleet.homes}
        empty = next(key for key in many.scheme.system_keys(instance) if key not in held)
        assert not run_part(many, empty).success, "of a fleet that nobody has listed nothing is known"
        assert many.run("hem_systems").success
        assert run_part(many, empty).success
        assert many.green() == set()
        assert run_part(many, min(held)).success


def test_late_data_of_one_bucket_leave_the_others_alone_and_know_what_is_red_before_it_is_published(
    few: Instance,
) -> None:
    one, other = few.scheme.system_keys(few.dagster)
    home = next(home for home in few.world.simulator.fleet.homes if few.scheme.system_key(home.system_id) == one)
    for bucket in (one, other):
        few.world.simulator.faults = Faults.pinned({home.system_id: "outage"})
        assert run_part(few, bucket).success == (bucket != one)
    assert few.green() == {f"{DAY}|{other}"}
    few.world.simulator.faults = Faults.none()
    few.world.simulator.ledger.clear()
    few.world.pass_time(days=1)
    config = {"ops": {"late_data": {"config": {"keys": [one]}}}}
    assert few.run("late_data", tags=LATER, config=config).success
    asked = {system_id for system_id, _ in few.world.simulator.ledger.statistics}
    assert home.system_id in asked
    assert {few.scheme.system_key(system_id) for system_id in asked} == {one}
    assert few.green() == {f"{DAY}|{one}", f"{DAY}|{other}"}
    assert loaded(few) == 0


def ask(instance: dg.DagsterInstance) -> dg.RunRequest | str:
    """What the sensor says now."""
    answer = publish_sensor(ALL_ASSETS_JOB)(dg.build_sensor_context(instance))
    return answer if isinstance(answer, dg.RunRequest) else str(answer.skip_message)


@dg.job
def nothing() -> None: ...


def run_of(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    return instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.STARTED)


def test_the_sensor_publishes_when_all_parts_are_over_and_again_after_a_failure_or_another_part() -> None:
    """It remembers nothing: a daemon that starts anew, as here at each question, goes on where the last one was."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert ask(instance) == "no run left publishing to others"
        one, two = run_of(instance, LATER), run_of(instance, LATER)
        instance.report_run_failed(two)
        assert ask(instance) == "parts are still going on"
        instance.report_run_failed(one)
        request = ask(instance)
        assert isinstance(request, dg.RunRequest)
        assert request.tags[AFTER] == two.run_id
        assert ask(instance).run_key == request.run_key, "asked twice, it is the same run"

        publishing = run_of(instance, dict(request.tags))
        assert ask(instance) == "they are being published"
        instance.report_run_failed(publishing)
        assert ask(instance) == "publishing failed: waiting an hour before the next try"

        run_of(instance, LATER)
        assert ask(instance) == "parts are still going on"


def test_parts_that_go_on_for_days_do_not_keep_the_others_from_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill of weeks that is told to publish later, or a bucket that never ends: once a day the rest is shown."""
    with dg.DagsterInstance.ephemeral() as instance:
        long, short = run_of(instance, LATER), run_of(instance, LATER)
        instance.report_run_failed(short)
        assert ask(instance) == "parts are still going on"
        monkeypatch.setattr("hem_etl.orchestration.publishing.LONGEST_WAIT", timedelta())
        request = ask(instance)
        assert isinstance(request, dg.RunRequest)
        meanwhile = run_of(instance, dict(request.tags))
        assert ask(instance) == "they are being published"
        instance.report_run_failed(meanwhile)
        assert ask(instance) == "parts are still going on", "none has begun since: the next day has to come"

        instance.report_run_failed(long)
        request = ask(instance)
        assert isinstance(request, dg.RunRequest), "what came to its end since is still to be published"
        assert request.tags[AFTER] == short.run_id


def test_a_run_that_a_person_gave_the_publishers_tag_does_not_stop_it() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(nothing, tags={WHY: PUBLISHING}, status=dg.DagsterRunStatus.SUCCESS)
        part = run_of(instance, LATER)
        instance.report_run_failed(part)
        assert isinstance(ask(instance), dg.RunRequest)


def test_what_was_published_is_not_published_again() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        part = run_of(instance, LATER)
        instance.report_run_failed(part)
        tags = {WHY: PUBLISHING, AFTER: part.run_id}
        instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
        assert ask(instance) == "all parts are published"
        late = run_of(instance, LATER)
        instance.report_run_failed(late)
        request = ask(instance)
        assert isinstance(request, dg.RunRequest)
        assert request.tags[AFTER] == late.run_id


def test_a_failed_publishing_is_tried_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        part = run_of(instance, LATER)
        instance.report_run_failed(part)
        failed = run_of(instance, {WHY: PUBLISHING, AFTER: part.run_id})
        instance.report_run_failed(failed)
        assert isinstance(ask(instance), str)
        monkeypatch.setattr("hem_etl.orchestration.publishing.REST_AFTER_FAILURE", timedelta())
        request = ask(instance)
        assert isinstance(request, dg.RunRequest)
        assert failed.run_id in str(request.run_key)


def test_the_schedule_makes_parts_of_buckets_only_where_machines_share_a_lake(
    few: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        dg.DagsterInstance.local_temp() as on_disk,
        dg.build_schedule_context(on_disk, scheduled_execution_time=few.world.now) as context,
    ):
        alone = list(daily_schedule(few.scheme, few.roads).evaluate_tick(context).run_requests or ())
        monkeypatch.setattr(Settings, "shared_postgres", property(lambda _: "postgresql://"))
        parts = list(daily_schedule(few.scheme, few.roads).evaluate_tick(context).run_requests or ())
    assert [request.tags.get("hem_etl/publishes") for request in alone] == [None] * 4
    told = [(request.run_key, request.tags[WHY], request.tags[PRIORITY]) for request in parts]
    assert told == [
        (f"2026-11-21 {what} bucket-000{bucket}", f"daily bucket-000{bucket}", priority)
        for bucket in (0, 1)
        for what, priority in (("days", "30"), ("months", "20"), ("late", "10"))
    ]
    assert all(request.tags.items() >= LATER.items() for request in parts)


def test_a_bucket_whose_run_died_makes_up_for_its_days_alone(few: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other bucket, half of the fleet and more, was asked: that hid the hole from the next tick."""
    by_size = sorted(few.scheme.system_keys(few.dagster), key=lambda key: len(members(few, key)))
    left_out, kept_up = by_size
    assert few.run_range("day_statistics", "2026-11-18", "2026-11-18").success
    assert few.run_range("day_statistics", "2026-11-19", DAY, [kept_up]).success
    assert windows(few, monkeypatch) == {
        left_out: ("2026-11-19", "2026-11-21"),
        kept_up: ("2026-11-21", "2026-11-21"),
    }
    few.world.run("2026-11-21", months=False, systems=members(few, left_out)[:1])
    assert windows(few, monkeypatch)[left_out] == ("2026-11-19", "2026-11-21"), "a home that somebody looked at"
    assert few.run_range("day_statistics", "2026-11-19", "2026-11-21", [left_out]).success
    few.scheme = type(few.scheme)("2026-11-21", few.scheme.buckets)
    assert set(windows(few, monkeypatch).values()) == {("2026-11-21", "2026-11-21")}


def members(few: Instance, bucket: str) -> tuple[str, ...]:
    ids = (home.system_id for home in few.world.simulator.fleet.homes)
    return tuple(system_id for system_id in ids if few.scheme.system_key(system_id) == bucket)


def windows(few: Instance, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    """By bucket, the first and the last day that the schedule asks for now."""
    with (
        dg.DagsterInstance.local_temp() as on_disk,
        dg.build_schedule_context(on_disk, scheduled_execution_time=few.world.now) as context,
        monkeypatch.context() as patch,
    ):
        patch.setattr(Settings, "shared_postgres", property(lambda _: "postgresql://"))
        requests = daily_schedule(few.scheme, few.roads).evaluate_tick(context).run_requests or ()
    found = {}
    for request in requests:
        if request.tags[PRIORITY] == "30":
            first, _, bucket = request.tags[RANGE_START].partition("|")
            found[bucket] = first, request.tags[RANGE_END].partition("|")[0]
    return found
