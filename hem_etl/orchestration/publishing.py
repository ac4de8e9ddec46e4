"""Publishing after the parts: where a day is fetched by many runs, one run publishes when they are over.

A part is a run with the tag `hem_etl/publishes: later`, which the schedule gives to its runs of buckets and a person
may give to a backfill. Every other run publishes by itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from hem_etl.orchestration.assets import HEM_SYSTEMS
from hem_etl.orchestration.checks import FRESHNESS_CHECK, WEBHOOKS_CHECK
from hem_etl.orchestration.models import every_check_key, every_model_key
from hem_etl.orchestration.red import RED_CHECK
from hem_etl.orchestration.report import FLEET_REPORT
from hem_etl.orchestration.tags import LATER, LONGEST, PRIORITY, WHY

PUBLISHING: Final = "publishing of parts"
AFTER: Final = "hem_etl/after"
"""The newest part that a run publishes; of one that did not wait for all of them, WHILE_PARTS_GO_ON."""
WHILE_PARTS_GO_ON: Final = "parts that go on"
EVERY_SECONDS: Final = 30
REST_AFTER_FAILURE: Final = timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(hours=24)
"""A backfill of weeks, or a bucket that takes more than a day, must not keep from readers what others brought."""


def fleet_request(run_key: str, tags: Mapping[str, str], *, has_report: bool = True) -> dg.RunRequest:
    """Lists the fleet, builds, checks and publishes everything, and makes the report."""
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[HEM_SYSTEMS, *every_model_key(), *([FLEET_REPORT] if has_report else [])],
        asset_check_keys=[*every_check_key(), FRESHNESS_CHECK, RED_CHECK, WEBHOOKS_CHECK],
        tags={**tags, **LONGEST},
    )


def publish_sensor(job_name: str) -> dg.SensorDefinition:
    """On: without parts it does nothing. What is over and what is published is read from the runs, never remembered."""

    @dg.sensor(
        name="publish",
        job_name=job_name,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Where a day is fetched by one run for each bucket: lists the fleet and publishes everything, in "
        "one run, when the last of them is over, also where some failed; once a day where they go on for longer.",
    )
    def publish(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # the newest part first: one that is launched between the two questions then has its own turn
        newest = _newest(context.instance, dg.RunsFilter(tags=LATER))
        if newest is None:
            return dg.SkipReason("no run left publishing to others")
        is_over = _newest(context.instance, dg.RunsFilter(tags=LATER, statuses=NOT_FINISHED_STATUSES)) is None
        last = _newest(context.instance, dg.RunsFilter(tags={WHY: PUBLISHING}))
        if last is not None and not last.dagster_run.is_finished:
            return dg.SkipReason("they are being published")
        if not is_over and not _has_waited_long(context.instance, last):
            return dg.SkipReason("parts are still going on")
        part = newest.dagster_run.run_id
        if last is not None and is_over and last.dagster_run.tags.get(AFTER) == part:
            if last.dagster_run.is_success:
                return dg.SkipReason("all parts are published")
            if datetime.now(UTC) - last.update_timestamp.astimezone(UTC) < REST_AFTER_FAILURE:
                return dg.SkipReason("publishing failed: waiting an hour before the next try")
        # a daemon that starts again between request and run repeats nothing
        run_key = f"{part} after {last.dagster_run.run_id if last else 'none'}"
        after = part if is_over else WHILE_PARTS_GO_ON
        return fleet_request(run_key, {WHY: PUBLISHING, AFTER: after, PRIORITY: "30"})

    return publish


def _has_waited_long(instance: dg.DagsterInstance, last: dg.RunRecord | None) -> bool:
    """Whether the first part since the last publish was made a day ago."""
    since = dg.RunsFilter(tags=LATER, created_after=last.create_timestamp if last else None)
    first = next(iter(instance.get_run_records(since, limit=1, ascending=True)), None)
    return first is not None and datetime.now(UTC) - first.create_timestamp.astimezone(UTC) >= LONGEST_WAIT


def _newest(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> dg.RunRecord | None:
    return next(iter(instance.get_run_records(filters, limit=1)), None)
