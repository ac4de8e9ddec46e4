"""The daily schedule, at 13:15 UTC, when yesterday is over everywhere on Earth: four runs, or three for each bucket.

Yesterday × all systems, with the days before it that nobody asked for since the fleet was asked last (Dagster makes up
for the newest tick that was missed only); their months × all systems; late data; the fleet with the SQL models, checks
and the report. One after the other (`dagster.yaml` limits runs by the tag `hem_etl/why`), the most urgent first
(priority).

Where systems are in buckets and machines share a lake, a bucket's days, months and late data are three runs, one after
the other; buckets are fetched at the same time, and the sensor `publish` asks for the fourth when all are over. Each
bucket makes up for the days that nobody asked for since it was asked last.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, timedelta
from typing import Any, Final

import dagster as dg

from hem_etl.errors import HemEtlError
from hem_etl.facts import newest_days_asked
from hem_etl.local_day import Interval
from hem_etl.orchestration.assets import DAY_STATISTICS, LATE_DATA, MONTH_STATISTICS
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.publishing import fleet_request
from hem_etl.orchestration.resources import Roads
from hem_etl.orchestration.tags import LATER, LONGEST, PRIORITY, WHY
from hem_etl.warehouse import Warehouse, open_warehouse

ALL_ASSETS_JOB: Final = "__ASSET_JOB"
"""Dagster's own job over all assets: a run request of it names its assets, whatever their partitions."""
FLEET: Final = "fleet"
"""The only part of a fleet that is asked as a whole."""


def first_days_to_ask(
    scheme: Scheme, warehouse: Warehouse, yesterday: date, part_of: Callable[[str], str]
) -> Mapping[str, date]:
    """By part of the fleet, for those that did not keep up: the day after the newest one that was asked for.

    Where ticks were missed, or a run died, in between. part_of: the part that holds a system.
    """
    newest: dict[str, date] = {}
    # nothing published yet, or nothing that can be read: the run publishes it anew
    with suppress(HemEtlError):
        newest = newest_days_asked(warehouse, yesterday, part_of)
    start = date.fromisoformat(scheme.start)
    return {part: max(day + timedelta(days=1), start) for part, day in newest.items() if day < yesterday}


def daily_schedule(scheme: Scheme, roads: Roads) -> dg.ScheduleDefinition:
    """Off until a person turns it on."""

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        yesterday = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
        day = yesterday.isoformat()
        settings = roads.settings()
        keys = scheme.system_keys(context.instance)
        is_in_parts = bool(scheme.buckets and settings.shared_postgres)
        has_days = bool(keys) and scheme.holds(Interval.of_day(yesterday))
        firsts: Mapping[str, date] = {}
        if has_days:
            part_of = scheme.system_key if is_in_parts else lambda _: FLEET
            firsts = first_days_to_ask(scheme, open_warehouse(settings), yesterday, part_of)
        if is_in_parts:
            for bucket in keys:
                first = firsts.get(bucket, yesterday).isoformat() if has_days else None
                yield from _part(scheme, bucket, first, day)
            return
        daily = {WHY: "daily"}
        if has_days:
            first = firsts.get(FLEET, yesterday).isoformat()
            yield _request(f"{day} days", 30, DAY_STATISTICS, daily | scheme.window(first, day, keys))
            yield _request(f"{day} months", 20, MONTH_STATISTICS, daily | scheme.window(first[:7], day[:7], keys))
        yield _request(f"{day} late", 10, LATE_DATA, daily)
        # of nobody there is nothing to show
        yield fleet_request(f"{day} fleet", daily | {PRIORITY: "0"}, has_report=bool(keys))

    return dg.ScheduleDefinition(
        name="daily",
        cron_schedule="15 13 * * *",
        execution_timezone="UTC",
        job_name=ALL_ASSETS_JOB,
        execution_fn=requests,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every day at 13:15 UTC: yesterday, with the days that missed ticks left out, its month for all "
        "systems; late data; then the fleet, the SQL models, the checks and the report. Buckets one by one where "
        "machines share a lake. Off until you turn it on.",
    )


def _part(scheme: Scheme, bucket: str, first: str | None, day: str) -> Iterator[dg.RunRequest]:
    """The runs of one bucket: days first..day and their months, where there are any, and late data."""
    tags = {WHY: f"daily {bucket}"} | LATER
    if first:
        yield _request(f"{day} days {bucket}", 30, DAY_STATISTICS, tags | scheme.window(first, day, [bucket]))
        months = scheme.window(first[:7], day[:7], [bucket])
        yield _request(f"{day} months {bucket}", 20, MONTH_STATISTICS, tags | months)
    late = {"ops": {LATE_DATA.path[0]: {"config": {"keys": [bucket]}}}}
    yield _request(f"{day} late {bucket}", 10, LATE_DATA, tags, late)


def _request(
    run_key: str, priority: int, asset: dg.AssetKey, tags: dict[str, str], config: dict[str, Any] | None = None
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[asset],
        run_config=config,
        tags={PRIORITY: str(priority)} | LONGEST | tags,
    )
