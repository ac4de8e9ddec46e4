"""Freshness: which systems lack the last day that is over everywhere. Computed from the ledger, never from events.

So a backfill of an old day can't turn yesterday's absence green, and a system that needs its user is told apart.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from hem_etl.facts import heartbeat_warning, stale_systems
from hem_etl.orchestration.red import RED_CHECK, red_partitions
from hem_etl.orchestration.resources import Roads, told_plainly
from hem_etl.orchestration.sql_checks import model_key
from hem_etl.orchestration.tables import markdown
from hem_etl.warehouse import open_warehouse

FRESHNESS_CHECK: Final = dg.AssetCheckKey(model_key("marts.system_health"), "every_system_is_fresh")
WEBHOOKS_CHECK: Final = dg.AssetCheckKey(model_key("marts.webhook_health"), "webhooks_arrive")
DAILY_AT: Final = timedelta(hours=13, minutes=15)
"""Time of the daily run, UTC. A day is over everywhere at 12:00 UTC of the next day."""
TIME_TO_RUN: Final = timedelta(hours=2)


def red_check() -> dg.AssetChecksDefinition:
    """What is red and why, over all runs, on one page."""

    @dg.asset_check(
        asset=RED_CHECK.asset_key,
        name=RED_CHECK.name,
        description="Has to hold: the last look at every interval that was asked ended in a known outcome. Its page "
        "lists what did not, newest first, over all runs, with the reason and the command that says more.",
    )
    @told_plainly()
    def no_partition_is_red(roads: dg.ResourceParam[Roads]) -> dg.AssetCheckResult:
        return red_partitions(open_warehouse(roads.settings()))

    return no_partition_is_red


def webhooks_check() -> dg.AssetChecksDefinition:
    """Whether Enode's webhooks come as they should."""

    @dg.asset_check(
        asset=WEBHOOKS_CHECK.asset_key,
        name=WEBHOOKS_CHECK.name,
        description="Enode's heartbeats come, and say that nothing is held back for long. Holds where none ever came.",
    )
    @told_plainly()
    def webhooks_arrive(roads: dg.ResourceParam[Roads]) -> dg.AssetCheckResult:
        warning = heartbeat_warning(open_warehouse(roads.settings()))
        return dg.AssetCheckResult(
            passed=warning is None, severity=dg.AssetCheckSeverity.WARN, metadata={"why": warning or "as they should"}
        )

    return webhooks_arrive


def last_due_day(now: datetime) -> date:
    """The newest day that the daily schedule has had time to fetch."""
    return (now.astimezone(UTC) - DAILY_AT - TIME_TO_RUN).date() - timedelta(days=1)


def freshness_check(now: datetime | None = None) -> dg.AssetChecksDefinition:
    """The check; `now` is for tests."""

    @dg.asset_check(
        asset=FRESHNESS_CHECK.asset_key,
        name=FRESHNESS_CHECK.name,
        description="Every listed system was asked for the last day that the daily schedule must have fetched, and "
        "answered. Read from the ledger: an old day that is loaded again changes nothing here. Systems whose users "
        "must act (relink) only warn.",
    )
    @told_plainly()
    def every_system_is_fresh(roads: dg.ResourceParam[Roads]) -> dg.AssetCheckResult:
        day = last_due_day(now or datetime.now(UTC))
        rows = stale_systems(open_warehouse(roads.settings()), day)
        ours = rows.filter(~pl.col("needs_its_user")).height
        return dg.AssetCheckResult(
            passed=rows.is_empty(),
            severity=dg.AssetCheckSeverity.ERROR if ours else dg.AssetCheckSeverity.WARN,
            metadata={
                "day": day.isoformat(),
                "systems_without_it": ours,
                "systems_that_need_their_user": rows.height - ours,
                "systems": markdown(rows.columns, rows.rows()),
            },
        )

    return every_system_is_fresh
