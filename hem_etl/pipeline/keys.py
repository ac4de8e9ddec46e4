"""Keys as frames, to select and replace rows by: (system_id, interval) in the ledger, (system_id, day) elsewhere.

Columns of labels are spelt here, as `Interval.label` spells one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.answer import Key
from hem_etl.local_day import Interval, days_between
from hem_etl.vocabulary import IntervalKind

LABELS: Final = {IntervalKind.DAY: "%Y-%m-%d", IntervalKind.MONTH: "%Y-%m"}
"""How an interval is spelt: `strftime` of the day, or of the month's first."""


def label_of(kind: IntervalKind) -> pl.Expr:
    """`interval`, the label, of a column `day`."""
    return pl.col("day").dt.strftime(LABELS[kind]).alias("interval")


def key_frame(keys: Iterable[Key]) -> pl.DataFrame:
    """(system_id, interval) rows, as the tables spell intervals."""
    rows = sorted((system_id, interval.label) for system_id, interval in keys)
    return pl.DataFrame(rows, schema={"system_id": pl.String(), "interval": pl.String()}, orient="row")


def day_frame(days: Sequence[tuple[str, date]]) -> pl.DataFrame:
    """(system_id, day) rows; for a month, its first day."""
    return pl.DataFrame(list(days), schema={"system_id": pl.String(), "day": pl.Date()}, orient="row")


def days_of(keys: Iterable[Key]) -> pl.DataFrame:
    """(system_id, day) of those keys that are days."""
    return day_frame([(name, interval.day) for name, interval in keys if interval.kind is IntervalKind.DAY])


def days_within(keys: Iterable[Key]) -> pl.DataFrame:
    """(system_id, day) rows of the days among these keys and of every day of the months among them."""
    days = {(name, day) for name, interval in keys for day in days_between(interval.day, interval.last_day)}
    return day_frame(sorted(days))


def day_keys(days: pl.DataFrame) -> set[Key]:
    """The keys that (system_id, day) rows name."""
    return {(name, Interval.of_day(day)) for name, day in days.select("system_id", "day").iter_rows()}


def days_of_months(months: Sequence[tuple[str, date]]) -> pl.DataFrame:
    """(system_id, day) rows of every day of these months."""
    return day_frame(
        [(system, day) for system, month in months for day in days_between(month, Interval.of_month(month).last_day)]
    )


def only_months(months: normalise.Months, keys: pl.DataFrame) -> normalise.Months:
    """What was read of these months; findings are chosen when they are written."""
    kept = normalise.only_rows(months.months, keys)
    month = pl.col("day").dt.month_start()
    reported = months.reported.join(
        keys, left_on=["system_id", month], right_on=["system_id", "day"], how="semi", maintain_order="left"
    )
    return replace(months, months=kept, reported=reported)
