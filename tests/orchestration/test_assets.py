"""Runs of assets, in process: what is asked, what is recorded, what fails."""

import dagster as dg
import pytest
from orchestration.instances import Instance

from hem_etl.orchestration.partitions import SYSTEMS, encoded
from hem_etl.simulator import Faults

pytestmark = pytest.mark.slow


def test_hem_systems_adds_a_key_for_every_system_and_never_deletes_one(dagster: Instance) -> None:
    dagster.dagster.add_dynamic_partitions(SYSTEMS, ["of-old"])
    assert dagster.run("hem_systems").success
    homes = dagster.world.simulator.fleet.homes
    assert set(dagster.scheme.system_keys(dagster.dagster)) == {"of-old", *(encoded(h.system_id) for h in homes)}
    assert dagster.run("hem_systems").success
    (_, newest) = sorted(dagster.events("hem_systems"), key=lambda event: len(str(event.metadata["new_keys"])))
    assert newest.metadata["systems"].value == 18


def test_a_range_of_days_is_one_run_with_numbers_for_each_partition(dagster: Instance) -> None:
    keys = dagster.add_fleet()
    assert dagster.run_range("day_statistics", "2026-11-19", "2026-11-20").success
    assert dagster.green() == {f"{day}|{key}" for day in ("2026-11-19", "2026-11-20") for key in keys}
    for event in dagster.events():
        assert event.metadata["outcome"].value in ("loaded", "before_installation", "unavailable")
        assert event.metadata["requests"].value == 1
    assert dagster.world.sql("select count(*) from core.load where interval_kind = 'day'").item() == 36
    observations = dagster.dagster.fetch_observations(dg.AssetKey("day_statistics"), limit=10).records
    (told,) = [record.asset_observation for record in observations]
    assert told is not None
    assert (told.metadata["systems"].value, told.metadata["asked"].value) == (18, 36)


def test_one_failing_system_leaves_exactly_its_partitions(dagster: Instance) -> None:
    keys = dagster.add_fleet()
    home = dagster.world.simulator.fleet.homes[4]
    dagster.world.simulator.faults = Faults.pinned({home.system_id: "outage"})
    result = dagster.run_range("day_statistics", "2026-11-19", "2026-11-20")
    assert not result.success
    assert "2 of 36 partitions failed" in dagster.failure(result)
    bad = {f"{day}|{encoded(home.system_id)}" for day in ("2026-11-19", "2026-11-20")}
    everything = {f"{day}|{key}" for day in ("2026-11-19", "2026-11-20") for key in keys}
    assert dagster.green() == everything - bad
    assert dagster.world.sql("select count(distinct system_id) from core.reading").item() >= 16

    dagster.world.simulator.faults = Faults.none()
    dagster.world.simulator.ledger.clear()
    again = dagster.run_range("day_statistics", "2026-11-19", "2026-11-20")
    assert again.success
    assert set(dagster.world.simulator.ledger.statistics) == {(home.system_id, d) for d in ("2026-11-19", "2026-11-20")}
    assert dagster.green() == everything


def test_known_outcomes_without_data_are_green(dagster: Instance) -> None:
    dagster.add_fleet()
    home = dagster.world.simulator.fleet.homes[2]
    dagster.world.simulator.faults = Faults.pinned({home.system_id: "relink"})
    assert dagster.run_range("day_statistics", "2026-11-20", "2026-11-20").success
    (event,) = [e for e in dagster.events() if e.partition == f"2026-11-20|{encoded(home.system_id)}"]
    assert event.metadata["outcome"].value == "relink_needed"


@pytest.mark.slow
def test_days_that_have_not_begun_are_left_as_they_are(dagster: Instance) -> None:
    """13:15 UTC: tomorrow has begun in the east only."""
    dagster.add_fleet()
    assert dagster.run_range("day_statistics", "2026-11-21", "2026-11-21").success  # tells the zones
    before = len(dagster.green())
    assert dagster.run_range("day_statistics", "2026-11-23", "2026-11-23").success
    begun = dagster.world.sql("select count(*) from core.load where interval = '2026-11-23'").item()
    assert 0 < len(dagster.green()) - before == begun < 18


def test_a_range_whose_ends_are_swapped_is_refused(dagster: Instance) -> None:
    keys = dagster.add_fleet()
    result = dagster.run_range("day_statistics", "2026-11-20", "2026-11-20", [keys[3], keys[1]])
    assert not result.success
    assert "holds no partition" in dagster.failure(result)


def test_refused_credentials_end_with_the_next_step(dagster: Instance) -> None:
    dagster.add_fleet()
    dagster.world.simulator.is_feature_enabled = False
    result = dagster.run_range("day_statistics", "2026-11-20", "2026-11-20")
    assert "Customer Success" in dagster.failure(result)
    assert dagster.green() == set()


def test_months_are_partitions_too(dagster: Instance) -> None:
    keys = dagster.add_fleet()
    assert dagster.run_range("month_statistics", "2026-10", "2026-11").success
    assert dagster.green("month_statistics") == {f"{month}|{key}" for month in ("2026-10", "2026-11") for key in keys}
    assert dagster.world.sql("select count(*) from core.reported_day").item() > 18 * 40


@pytest.mark.slow
def test_buckets_of_systems_use_the_same_assets(dagster: Instance) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        few = Instance(dagster.world, instance, buckets=4)
        empty = few.run_range("day_statistics", "2026-11-20", "2026-11-20")
        assert "hem_systems" in few.failure(empty)
        assert few.run("hem_systems").success
        home = few.world.simulator.fleet.homes[4]
        few.world.simulator.faults = Faults.pinned({home.system_id: "outage"})
        assert not few.run_range("day_statistics", "2026-11-20", "2026-11-20").success
        bad = f"2026-11-20|{few.scheme.system_key(home.system_id)}"
        every = {f"2026-11-20|{key}" for key in few.scheme.system_keys(instance)}
        assert few.green() == every - {bad}
        few.world.simulator.faults = Faults.none()
        assert few.run("late_data").success
        assert few.green() == every
        assert few.world.sql("select count(*) from core.load where interval_kind = 'day'").item() == 18


@pytest.mark.slow
def test_late_data_record_only_the_partitions_that_changed(dagster: Instance) -> None:
    dagster.add_fleet()
    world = dagster.world
    world.pass_time(days=-5)
    assert dagster.run_range("day_statistics", "2026-11-15", "2026-11-16").success
    before = len(dagster.events())
    versions = "select system_id, interval, version, state from core.load order by all"
    old = set(world.sql(versions).rows())
    world.pass_time(days=5)
    assert dagster.run("late_data").success
    changed = {(row[0], row[1]) for row in set(world.sql(versions).rows()) - old}
    fresh = dagster.events()[: len(dagster.events()) - before]
    assert {event.partition for event in fresh} == {f"{label}|{encoded(system)}" for system, label in changed}
    assert 0 < len(fresh) < 36
    again = len(dagster.events())
    assert dagster.run("late_data").success
    assert len(dagster.events()) == again


@pytest.mark.parametrize("buckets", [0, 64])
def test_the_ceiling_is_told(dagster: Instance, buckets: int) -> None:
    scheme = type(dagster.scheme)("2000-01-01", buckets)
    from hem_etl.orchestration.assets import partition_metadata_of

    dagster.dagster.add_dynamic_partitions(SYSTEMS, [f"s{number}" for number in range(20)])
    assert "HEM_ETL_SYSTEM_BUCKETS" in partition_metadata_of(scheme, dagster.dagster)["partitions_warning"]


def observations(dagster: Instance, partition: str) -> list[dg.AssetObservation]:
    records = dagster.dagster.fetch_observations(dg.AssetKey("day_statistics"), limit=1000).records
    found = [record.asset_observation for record in records]
    return [each for each in found if each is not None and each.partition == partition]


def test_a_partition_that_failed_says_why_on_its_own_page_and_stays_red(dagster: Instance) -> None:
    keys = dagster.add_fleet()
    bad = dagster.world.simulator.fleet.homes[4].system_id
    dagster.world.simulator.faults = Faults.pinned({bad: "bad_query"})
    result = dagster.run_range("day_statistics", "2026-11-20", "2026-11-20")
    key = f"2026-11-20|{encoded(bad)}"
    (told,) = observations(dagster, key)
    assert told.description is not None
    assert told.description.startswith("failed: refused: 400")
    assert told.metadata["explain"].value == f"hem-etl explain {bad} 2026-11-20"
    assert key not in dagster.green()
    assert len(dagster.green()) == len(keys) - 1
    message = dagster.failure(result)
    assert message.startswith(f"1 of 18 partitions failed: 2026-11-20 of {bad} refused (400")
    assert message.index(bad) < 200


def test_many_failures_name_the_first_and_count_the_others(dagster: Instance) -> None:
    dagster.add_fleet()
    homes = dagster.world.simulator.fleet.homes
    dagster.world.simulator.faults = Faults.pinned({home.system_id: "bad_query" for home in homes})
    message = dagster.failure(dagster.run_range("day_statistics", "2026-11-20", "2026-11-20"))
    assert message.startswith("18 of 18 partitions failed: ")
    assert "; and 15 more." in message


@pytest.mark.slow
def test_one_page_lists_what_is_red_over_all_runs_with_the_command_to_paste(dagster: Instance) -> None:
    from hem_etl.orchestration.checks import red_check

    dagster.add_fleet()
    first, second = (home.system_id for home in dagster.world.simulator.fleet.homes[4:6])
    for day, bad in (("2026-11-19", first), ("2026-11-20", second)):
        dagster.world.simulator.faults = Faults.pinned({bad: "bad_query"})
        dagster.run_range("day_statistics", day, day)
    result = red_check()(dagster.roads)
    assert isinstance(result, dg.AssetCheckResult)
    assert (result.passed, result.metadata["intervals"].value) == (False, 2)
    page = str(result.metadata["red"].value)
    assert f"hem-etl explain {first} 2026-11-19" in page
    assert f"hem-etl explain {second} 2026-11-20" in page
    dagster.world.simulator.faults = Faults.none()
    assert dagster.run("late_data").success
    result = red_check()(dagster.roads)
    assert isinstance(result, dg.AssetCheckResult)
    assert result.passed


@pytest.mark.slow
@pytest.mark.parametrize("others_fail", [False, True])
def test_a_system_that_is_gone_gets_the_outcome_that_it_has(others_fail: bool, dagster: Instance) -> None:
    """It was red where others failed, missing where none did, and selected as failed or missing for ever."""
    dagster.add_fleet()
    world = dagster.world
    gone, other = (home.system_id for home in world.simulator.fleet.homes[:2])
    world.run("2026-11-10", months=False)
    world.simulator.faults = Faults.pinned({gone: "vanish"} | ({other: "bad_query"} if others_fail else {}))
    world.simulator._asked[gone] = 99
    world.pass_time(minutes=1)
    world.run("2026-11-11", months=False, systems=(gone,))
    result = dagster.run_range("day_statistics", "2026-11-10", "2026-11-12")
    assert result.success != others_fail, dagster.failure(result)
    told = {event.partition: event.metadata for event in dagster.events()}
    assert told[f"2026-11-10|{encoded(gone)}"]["outcome"].value == "loaded"
    assert told[f"2026-11-11|{encoded(gone)}"]["outcome"].value == "gone"
    assert told[f"2026-11-12|{encoded(gone)}"]["detail"].value == "the system is gone: not asked"


def test_partitions_tell_vendor_and_the_users_own_id(dagster: Instance) -> None:
    dagster.add_fleet()
    home = dagster.world.simulator.fleet.homes[0]
    assert dagster.run_range("day_statistics", "2026-11-20", "2026-11-20").success
    (told,) = [each.metadata for each in dagster.events() if each.partition == f"2026-11-20|{encoded(home.system_id)}"]
    assert (told["vendor"].value, told["user_id"].value) == (home.vendor, home.user_id)


@pytest.mark.slow
def test_a_publish_tells_the_pages_of_checks_what_changed_and_what_does_not_hold(dagster: Instance) -> None:
    dagster.add_fleet()

    def told() -> int:
        """Users who have to link again, by the newest evaluation on the check's page."""
        key = dg.AssetCheckKey(dg.AssetKey(["marts", "system_health"]), "every_user_is_linked")
        newest = dagster.dagster.event_log_storage.get_latest_asset_check_execution_by_key([key])
        event = newest[key].event
        assert event is not None
        assert event.dagster_event is not None
        evaluation = event.dagster_event.event_specific_data
        assert isinstance(evaluation, dg.AssetCheckEvaluation)
        assert evaluation.passed == (evaluation.metadata["failing_rows"].value == 0)
        return int(str(evaluation.metadata["failing_rows"].value))

    assert dagster.run_range("day_statistics", "2026-11-20", "2026-11-20").success
    before = told()
    dagster.world.pass_time(minutes=1)
    victim = dagster.world.simulator.fleet.homes[3].system_id
    dagster.world.simulator.faults = Faults.pinned({victim: "relink"})
    assert dagster.run_range("day_statistics", "2026-11-19", "2026-11-19").success
    assert told() == before + 1
    dagster.world.simulator.faults = Faults.none()
    dagster.world.pass_time(days=1)
    assert dagster.run("late_data").success
    assert told() == before


def test_a_vendors_systems_are_asked_as_one_run(dagster: Instance) -> None:
    dagster.add_fleet()
    job = dagster.definitions.resolve_implicit_global_asset_job_def()

    def select(**config: object) -> dg.ExecuteInProcessResult:
        return job.execute_in_process(
            instance=dagster.dagster,
            asset_selection=[dg.AssetKey("selected_data")],
            run_config={"ops": {"selected_data": {"config": config}}},
            raise_on_error=False,
        )

    assert dagster.run("hem_systems").success
    assert select(start="2026-11-19", end="2026-11-20", vendors=["tesla"]).success
    teslas = [home.system_id for home in dagster.world.simulator.fleet.homes if home.vendor == "TESLA"]
    days = ("2026-11-19", "2026-11-20")
    assert dagster.green() == {f"{day}|{encoded(system)}" for day in days for system in teslas}
    assert "no system of vendor 'teslo' is known" in dagster.failure(
        select(start=days[0], end=days[1], vendors=["teslo"])
    )
    assert "is no day: write 2026-03-01" in dagster.failure(select(start="soon", end=days[1]))
