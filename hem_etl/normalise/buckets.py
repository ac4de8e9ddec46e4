"""What a bucket is worth and how long it is, said once: for reading, corrections, quarter hours, sums and rules.

A value is valid if it is there and, for a flow, not over the limit by its absolute value. A bucket lasts as long as its
series' resolution says; the day's end may cut the last one (hours on a day of 23.5 h).
"""

from typing import Final

import polars as pl

from hem_etl.normalise.axes import MINUTE_US
from hem_etl.normalise.frames import METRIC_COLUMNS
from hem_etl.vocabulary import FLOWS

IS_AVAILABLE: Final = pl.col("is_known") & pl.col("is_available")
"""Of a row of core.series: a metric of ours, with values."""


def is_valid(metric: str, over_limit_kw: float) -> pl.Expr:
    """Of a row of `readings`; NULL or false where the metric has no value."""
    value = pl.col(METRIC_COLUMNS[metric])
    return value.abs() <= over_limit_kw if metric in FLOWS else value.is_not_null()


def is_over_limit(metric: str, over_limit_kw: float) -> pl.Expr:
    """Of a row of `readings`; NULL where the metric has no value."""
    return pl.col(METRIC_COLUMNS[metric]).abs() > over_limit_kw if metric in FLOWS else pl.lit(False)


def valid(metric: str, over_limit_kw: float) -> pl.Expr:
    """The value of a row of `readings` if it is valid, else NULL."""
    return pl.when(is_valid(metric, over_limit_kw)).then(METRIC_COLUMNS[metric])


def step_us(resolution_minutes: pl.Expr) -> pl.Expr:
    """A resolution in microseconds."""
    return resolution_minutes.cast(pl.Int64) * MINUTE_US


def bucket_end(start: pl.Expr, resolution_minutes: pl.Expr, day_end: pl.Expr) -> pl.Expr:
    """The first instant after the bucket. All but the resolution in microseconds, UTC."""
    return pl.min_horizontal(start + step_us(resolution_minutes), day_end)


def bucket_minutes(start: pl.Expr, resolution_minutes: pl.Expr, day_end: pl.Expr) -> pl.Expr:
    """Length of the bucket, as a float; NULL without a resolution."""
    end = bucket_end(start, resolution_minutes, day_end)
    return pl.when(resolution_minutes.is_not_null()).then((end - start) / MINUTE_US)


def is_on_grid(start: pl.Expr, resolution_minutes: pl.Expr, day_start: pl.Expr) -> pl.Expr:
    """Whether a bucket of that length begins there; another series' bucket may begin where this one has none."""
    return (start - day_start) % step_us(resolution_minutes) == 0


def minutes_of(count: pl.Expr, resolution_minutes: pl.Expr, last: pl.Expr, day_end: pl.Expr) -> pl.Expr:
    """What `count` buckets last together, in whole minutes. last: the start of the last of them; NULL: none is cut."""
    cut = last + step_us(resolution_minutes) - bucket_end(last, resolution_minutes, day_end)
    cut_minutes = (cut // MINUTE_US).fill_null(0)  # none is cut
    return (count * resolution_minutes - cut_minutes).cast(pl.Int32)
