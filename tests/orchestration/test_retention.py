"""Retention: logs of runs that ended long ago go; runs, partitions, events and checks of assets stay."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from hem_etl.orchestration.event_log import BATCH_VARIABLE, BatchedSqliteEventLogStorage
from hem_etl.orchestration.retention import days_kept, remove_logs_of_runs, retention_job, retention_schedule

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "hem_etl" / "orchestration"
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")


@dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("good", asset="daily")])
def daily(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Some days; says something on its standard output."""
    print("said")  # noqa: T201
    if "fails" in context.run.tags:
        raise RuntimeError("as asked")
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="good")])


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """On disk, with the shipped configuration."""
    monkeypatch.delenv(BATCH_VARIABLE, raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text((SHIPPED / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


def run(instance: dg.DagsterInstance, first: str, last: str, tags: dict[str, str] | None = None) -> str:
    window = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.materialize([daily], instance=instance, tags=window | (tags or {}), raise_on_error=False).run_id


def seen(instance: dg.DagsterInstance) -> object:
    """What the pages of assets, checks and runs tell, run logs apart."""
    (asset,) = instance.get_asset_records([daily.key])
    failed = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
        daily.key
    )
    check = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(daily.key, "good"), limit=10)
    return (
        instance.get_materialized_partitions(daily.key),
        {name: run_id for name, (run_id, _) in failed.items()},
        [r.storage_id for r in instance.fetch_materializations(daily.key, limit=1000).records],
        asset.asset_entry.last_materialization_storage_id,
        [(c.run_id, c.status) for c in check],
        [(r.dagster_run.run_id, r.dagster_run.status, r.start_time, r.end_time) for r in instance.get_run_records()],
    )


def files_of(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    return [path for path in Path(instance.root_directory).rglob("*") if run_id in str(path) and path.is_file()]


def later(days: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_logs_of_old_runs_go_and_everything_else_stays(instance: dg.DagsterInstance) -> None:
    good, bad = run(instance, "2026-01-01", "2026-01-20"), run(instance, "2026-01-21", "2026-01-23", {"fails": ""})
    before = seen(instance)
    assert len(instance.get_materialized_partitions(daily.key)) == 20
    assert {path.suffix for path in files_of(instance, good)} == {".db", ".out", ".err", ".complete"}
    assert remove_logs_of_runs(instance, ended_before=later(1)) == 2
    assert files_of(instance, good) == files_of(instance, bad) == []
    assert seen(instance) == before
    assert remove_logs_of_runs(instance, ended_before=later(1)) == 0


def test_the_page_of_an_old_run_opens_in_a_process_that_knew_it_and_in_a_new_one(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, "2026-01-01", "2026-01-20")
    assert instance.all_logs(run_id)
    with dg.DagsterInstance.from_config(instance.root_directory) as other:
        assert remove_logs_of_runs(other, ended_before=later(1)) == 1
    for reader in (instance, other):
        assert reader.event_log_storage.get_logs_for_run(run_id) == []
        assert reader.get_run_stats(run_id).steps_succeeded == 0
        assert reader.get_run_step_stats(run_id) == []
        assert reader.get_run_by_id(run_id) is not None


def test_young_runs_and_runs_that_go_on_keep_theirs(instance: dg.DagsterInstance) -> None:
    young = run(instance, "2026-01-01", "2026-01-02")
    going = dg.DagsterRun("retention", run_id=str(uuid4()), status=dg.DagsterRunStatus.STARTED)
    instance.add_run(going)
    instance.report_engine_event("working", going)
    assert remove_logs_of_runs(instance, ended_before=later(-1)) == 0
    assert len(files_of(instance, young)) > 1
    remove_logs_of_runs(instance, ended_before=later(1))
    assert files_of(instance, young) == []
    assert instance.all_logs(going.run_id)


@pytest.mark.parametrize("name", ["index", "../index", "..", ".", "", "/", "*", "../../outside", "%2e%2e"])
def test_a_run_with_a_hostile_name_removes_nothing(instance: dg.DagsterInstance, tmp_path: Path, name: str) -> None:
    run(instance, "2026-01-01", "2026-01-02")
    instance.add_run(dg.DagsterRun("retention", run_id=name, status=dg.DagsterRunStatus.SUCCESS))
    before = seen(instance)
    remove_logs_of_runs(instance, ended_before=later(1))
    assert seen(instance) == before
    assert (tmp_path / "storage").is_dir()
    assert (tmp_path / "history" / "runs" / "index.db").exists()


def test_in_one_table_the_rows_of_logs_go_and_those_of_assets_stay() -> None:
    """As on Postgres, where all runs share one table."""
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = run(instance, "2026-01-01", "2026-01-20")
        bad = run(instance, "2026-01-21", "2026-01-23", {"fails": ""})
        before = seen(instance)
        assert remove_logs_of_runs(instance, ended_before=later(-1)) == 0
        assert remove_logs_of_runs(instance, ended_before=later(1)) == 2
        assert seen(instance) == before
        left = {entry.dagster_event_type for entry in instance.all_logs(run_id)}
        assert left == {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED}
        assert remove_logs_of_runs(instance, ended_before=later(1)) == 0
        assert instance.get_run_by_id(bad) is not None


def test_the_schedule_is_on_and_removes_what_the_shipped_configuration_says(instance: dg.DagsterInstance) -> None:
    assert retention_schedule().default_status is dg.DefaultScheduleStatus.RUNNING
    run(instance, "2026-01-01", "2026-01-02")
    assert days_kept(instance) == 90
    result = retention_job().execute_in_process(instance=instance)
    assert "logs removed of 0 runs that ended more than 90 days ago" in str(instance.all_logs(result.run_id))


def test_an_instance_that_states_no_days_keeps_everything(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as plain:
        assert days_kept(plain) is None
        result = retention_job().execute_in_process(instance=plain)
        assert "everything is kept" in str(plain.all_logs(result.run_id))


def test_dagsters_own_storage_keeps_its_files(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as stock:
        assert type(stock.event_log_storage) is SqliteEventLogStorage
        run_id = run(stock, "2026-01-01", "2026-01-02")
        assert remove_logs_of_runs(stock, ended_before=later(1)) == 0
        assert [path.suffix for path in files_of(stock, run_id)] == [".db"]


def test_the_fixture_stores_in_batches(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
