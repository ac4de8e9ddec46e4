"""Maintenance: the warehouse gives back, once a week, what is not needed any more, as `hem-etl maintain` does."""

import dagster as dg

from hem_etl.orchestration.resources import Roads, told_plainly
from hem_etl.warehouse import NOTHING_TO_MAINTAIN, open_warehouse


def maintenance_schedule() -> dg.ScheduleDefinition:
    """Off until a person turns it on: what it removes is gone for readers who hold old snapshots."""
    return dg.ScheduleDefinition(
        name="maintenance",
        job=maintenance_job(),
        cron_schedule="0 4 * * 0",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every Sunday at 04:00 UTC, of a lake: merges small files, drops deleted rows, old snapshots and "
        "files that nobody needs. With the file there is nothing to do. Off until you turn it on.",
    )


def maintenance_job() -> dg.JobDefinition:
    """What the schedule starts; a person may start it as well."""

    @dg.op(description="Gives back what the warehouse does not need any more.")
    def maintain(context: dg.OpExecutionContext, roads: dg.ResourceParam[Roads]) -> None:
        with told_plainly():
            done = open_warehouse(roads.settings()).maintain()
        context.log.info(NOTHING_TO_MAINTAIN if done is None else str(done))

    @dg.job(name="maintenance_job", description="Gives back what the warehouse does not need any more.")
    def job() -> None:
        maintain()

    return job
