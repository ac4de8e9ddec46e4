"""The daily schedule: four runs at 13:15 UTC, when yesterday is over everywhere on Earth.

Yesterday × all systems, with the days before it that nobody asked for since the fleet was asked last (Dagster makes up
for the newest tick that was missed only); their months × all systems; late data; the fleet with the SQL models, checks
and the report. One after the other (`dagster.yaml` limits runs by the tag `hem_etl/why`), the most urgent first
(priority).
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, timedelta
from typing import Final

import dagster as dg

from hem_etl.errors import HemEtlError
from hem_etl.facts import newest_day_asked
from hem_etl.local_day import Interval
from hem_etl.orchestration.assets import DAY_STATISTICS, HEM_SYSTEMS, LATE_DATA, MONTH_STATISTICS
from hem_etl.orchestration.checks import FRESHNESS_CHECK, WEBHOOKS_CHECK
from hem_etl.orchestration.models import every_check_key, every_model_key
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.red import RED_CHECK
from hem_etl.orchestration.report import FLEET_REPORT
from hem_etl.orchestration.resources import Roads
from hem_etl.warehouse import Warehouse, open_warehouse

ALL_ASSETS_JOB: Final = "__ASSET_JOB"
"""Dagster's own job over all assets: a run request of it names its assets, whatever their partitions."""
WHY: Final = "hem_etl/why"
PRIORITY: Final = "dagster/priority"
LONGEST: Final = {"dagster/max_runtime": str(20 * 60 * 60)}
"""Seconds. A run that a crash of the machine left `started` is failed before the next day's, which want its place."""


def first_day_to_ask(scheme: Scheme, warehouse: Warehouse, yesterday: date) -> date:
    """Yesterday, or the day after the newest one that the fleet was asked for, where ticks were missed in between."""
    newest = None
    # nothing published yet, or nothing that can be read: the run publishes it anew
    with suppress(HemEtlError):
        newest = newest_day_asked(warehouse, yesterday)
    first = yesterday if newest is None else min(newest + timedelta(days=1), yesterday)
    return max(first, date.fromisoformat(scheme.start))


def daily_schedule(scheme: Scheme, roads: Roads) -> dg.ScheduleDefinition:
    """Off until a person turns it on."""

    def requests(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        yesterday = context.scheduled_execution_time.astimezone(UTC).date() - timedelta(days=1)
        day = yesterday.isoformat()
        keys = scheme.system_keys(context.instance)
        if keys and scheme.holds(Interval.of_day(yesterday)):
            first = first_day_to_ask(scheme, open_warehouse(roads.settings()), yesterday).isoformat()
            yield _request(f"{day} days", 30, [DAY_STATISTICS], scheme.window(first, day, keys))
            yield _request(f"{day} months", 20, [MONTH_STATISTICS], scheme.window(first[:7], day[:7], keys))
        yield _request(f"{day} late", 10, [LATE_DATA])
        report = [FLEET_REPORT] if keys else []  # of nobody there is nothing to show
        checks = [*every_check_key(), FRESHNESS_CHECK, RED_CHECK, WEBHOOKS_CHECK]
        yield _request(f"{day} fleet", 0, [HEM_SYSTEMS, *every_model_key(), *report], checks=checks)

    return dg.ScheduleDefinition(
        name="daily",
        cron_schedule="15 13 * * *",
        execution_timezone="UTC",
        job_name=ALL_ASSETS_JOB,
        execution_fn=requests,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Every day at 13:15 UTC: yesterday, with the days that missed ticks left out, its month for all "
        "systems; late data; then the fleet, the SQL models, the checks and the report. Off until you turn it on.",
    )


def _request(
    run_key: str,
    priority: int,
    assets: list[dg.AssetKey],
    tags: dict[str, str] | None = None,
    checks: list[dg.AssetCheckKey] | None = None,
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=assets,
        asset_check_keys=checks,
        tags={WHY: "daily", PRIORITY: str(priority)} | LONGEST | (tags or {}),
    )
