"""Keys as frames, to select and replace rows by: (system_id, interval) in the ledger, (system_id, day) elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.local_day import Interval, days_between
from hem_etl.pipeline.ledger import Key
from hem_etl.vocabulary import IntervalKind

LABELS: Final = {IntervalKind.DAY: "%Y-%m-%d", IntervalKind.MONTH: "%Y-%m"}
"""How an interval is spelt: `strftime` of the day, or of the month's first."""


def key_frame(keys: Iterable[Key]) -> pl.DataFrame:
    """(system_id, interval) rows."""
    return pl.DataFrame(sorted(keys), schema={"system_id": pl.String(), "interval": pl.String()}, orient="row")


def day_frame(days: Sequence[tuple[str, date]]) -> pl.DataFrame:
    """(system_id, day) rows; for a month, its first day."""
    return pl.DataFrame(list(days), schema={"system_id": pl.String(), "day": pl.Date()}, orient="row")


def interval_frame(days: pl.DataFrame) -> pl.DataFrame:
    """(system_id, interval) of (system_id, day) rows."""
    return days.select("system_id", interval=pl.col("day").dt.strftime(LABELS[IntervalKind.DAY]))


def days_of(keys: pl.DataFrame) -> pl.DataFrame:
    """(system_id, day) of those (system_id, interval) rows that are days."""
    is_day = pl.col("interval").str.len_chars() == len("2026-03-29")
    return keys.filter(is_day).select("system_id", day=pl.col("interval").str.to_date(LABELS[IntervalKind.DAY]))


def days_of_months(months: Sequence[tuple[str, date]]) -> pl.DataFrame:
    """(system_id, day) rows of every day of these months."""
    return day_frame(
        [(system, day) for system, month in months for day in days_between(month, Interval.of_month(month).last_day)]
    )


def only_days(days: normalise.Days, keys: pl.DataFrame) -> normalise.Days:
    """What was read of the (system_id, day) rows in `keys`."""

    def of_keys(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(keys, on=["system_id", "day"], how="semi", maintain_order="left")

    return replace(
        days,
        readings=of_keys(days.readings),
        series=of_keys(days.series),
        findings=of_keys(days.findings),
        days=of_keys(days.days),
        odd_stamps=of_keys(days.odd_stamps),
    )


def only_months(months: normalise.Months, keys: pl.DataFrame) -> normalise.Months:
    """What was read of these months; findings are chosen when they are written."""
    kept = months.months.join(keys, on=["system_id", "day"], how="semi", maintain_order="left")
    month = pl.col("day").dt.month_start()
    reported = months.reported.join(
        keys, left_on=["system_id", month], right_on=["system_id", "day"], how="semi", maintain_order="left"
    )
    return replace(months, months=kept, reported=reported)
