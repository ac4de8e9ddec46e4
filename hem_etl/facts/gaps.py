"""What is missing: rows of marts.gaps, and what they come to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from hem_etl.errors import UsageError
from hem_etl.facts.fleet import known_systems
from hem_etl.matching import known_days, match_vendors
from hem_etl.vocabulary import METRICS
from hem_etl.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing of a choice of systems, metrics and days."""

    rows: pl.DataFrame
    """Of marts.gaps, by system, day and metric."""
    first: date
    """Of the days that were asked for and are known, whatever is missing on them."""
    last: date

    def summary(self) -> pl.DataFrame:
        """Per reason: systems, days (of systems), metrics of days, and the day on which it stood last; most first."""
        return (
            self.rows.group_by("reason")
            .agg(
                systems=pl.col("system_id").n_unique(),
                days=pl.struct("system_id", "day").n_unique(),
                metrics_of_days=pl.len(),
                first_day=pl.col("day").min(),
                last_day=pl.col("day").max(),
            )
            .sort("days", "reason", descending=[True, False])
        )


def read_gaps(
    warehouse: Warehouse,
    *,
    systems: Collection[str] = (),
    vendors: Collection[str] = (),
    metrics: Collection[str] = (),
    start: date | None = None,
    end: date | None = None,
) -> Gaps:
    """What is missing of these; an empty choice means all.

    Raises UsageError where a system, vendor or metric, or no day, is known: nothing found must not read as nothing
    missing.
    """
    if strange := sorted(set(metrics) - {*METRICS}):
        raise UsageError(f"{strange[0]!r} is no metric: take {', '.join(METRICS)}")
    ids = known_systems(warehouse, systems)
    with warehouse.reading() as published:
        rows = published.read("from marts.gaps order by system_id, day, metric")
        every_vendor = published.read("select distinct vendor from staging.system")["vendor"]
        days = published.read("select min(day), max(day) from marts.daily_energy where outcome <> 'not_asked'")
    first_day, last_day = days.row(0)
    first, last = known_days(first_day, last_day, start, end)
    chosen = [
        pl.col("system_id").is_in(ids) if systems else pl.lit(True),
        pl.col("vendor").is_in(match_vendors(vendors, every_vendor)) if vendors else pl.lit(True),
        pl.col("metric").is_in(list(metrics)) if metrics else pl.lit(True),
        pl.col("day").is_between(first, last),
    ]
    return Gaps(rows.filter(pl.all_horizontal(chosen)), first, last)
