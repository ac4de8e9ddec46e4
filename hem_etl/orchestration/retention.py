"""Retention: the logs of runs that ended long ago are removed. What the pages of assets show stays for ever.

Not with Dagster's own `delete_run`: it deletes the asset events of a run as well, and its partitions turn missing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable

from hem_etl.orchestration.event_log import BatchedSqliteEventLogStorage

RUNS_IN_ONE_STATEMENT: Final = 500


def retention_schedule() -> dg.ScheduleDefinition:
    """On. Its job does nothing on an instance that states no number of days."""
    return dg.ScheduleDefinition(
        name="retention",
        job=retention_job(),
        cron_schedule="30 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night: removes the logs and the captured output of runs that ended longer ago than "
        "dagster.yaml says (retention.schedule.purge_after_days). Runs, partitions, events and checks of assets stay.",
    )


def retention_job() -> dg.JobDefinition:
    """What the schedule starts; a person may start it as well."""

    @dg.op(description="Removes the logs of runs that ended long ago.")
    def remove_logs(context: dg.OpExecutionContext) -> None:
        days = days_kept(context.instance)
        if days is None:
            context.log.info("dagster.yaml states no retention.schedule.purge_after_days: everything is kept")
            return
        removed = remove_logs_of_runs(context.instance, ended_before=datetime.now(UTC) - timedelta(days=days))
        context.log.info(f"logs removed of {removed} runs that ended more than {days} days ago")

    @dg.job(name="retention_job", description="Removes the logs of runs that ended long ago.")
    def job() -> None:
        remove_logs()

    return job


def days_kept(instance: dg.DagsterInstance) -> int | None:
    """How long logs are kept: as long as Dagster itself keeps the ticks of schedules; None: for ever."""
    days = instance.get_tick_retention_settings(InstigatorType.SCHEDULE)[TickStatus.SUCCESS]
    return days if days > 0 else None


def remove_logs_of_runs(instance: dg.DagsterInstance, *, ended_before: datetime) -> int:
    """Remove log and captured output of every run that ended before; how many runs had a log.

    Runs that are queued or going on are never touched, and neither are the events that make partitions green or red.
    With Dagster's own SQLite storage only captured output is removed.
    """
    ended = instance.get_run_ids(dg.RunsFilter(statuses=FINISHED_STATUSES, updated_before=ended_before))
    runs = [run_id for run_id in ended if _is_run_id(run_id)]
    for run_id in runs:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    storage = instance.event_log_storage
    if isinstance(storage, BatchedSqliteEventLogStorage):
        return sum(storage.remove_run_log(run_id) for run_id in runs)
    if isinstance(storage, SqlEventLogStorage) and not storage.is_run_sharded:
        return _delete_rows(storage, runs)
    return 0


def _is_run_id(text: str) -> bool:
    """Whoever may launch runs may name them: a name that is no UUID (`index`, `../x`) is no name of a file."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _delete_rows(storage: SqlEventLogStorage, runs: Sequence[str]) -> int:
    """All events in one table (Postgres): those of an asset are what its pages show, the others are the log."""
    events = SqlEventLogStorageTable
    removed = 0
    for start in range(0, len(runs), RUNS_IN_ONE_STATEMENT):
        log = events.c.run_id.in_(runs[start : start + RUNS_IN_ONE_STATEMENT]) & events.c.asset_key.is_(None)
        with storage.index_transaction() as connection:
            removed += len(
                connection.execute(events.select().with_only_columns(events.c.run_id).where(log).distinct()).all()
            )
            connection.execute(events.delete().where(log))
    return removed
