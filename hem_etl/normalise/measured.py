"""What the rules look at, and how they say what they saw; no rule lives here.

Looked at: the valid values of a batch of days, wide and long, numbered by day and series. Days are numbered as they
stand in `Days.days`; a series is `day_ix` × 7 + the metric's rank.

Said: one line that a person can check in `core.reading`, as `name: value` with `; ` between. Times are UTC instants
with a Z, values have three digits, text from outside is made printable before it comes here.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from hem_etl.normalise.axes import MINUTE_US
from hem_etl.normalise.buckets import IS_AVAILABLE, is_over_limit, step_us, valid
from hem_etl.normalise.frames import DAY_KEY, INSTANT, METRIC_COLUMNS, METRIC_RANK, Days, day_numbers
from hem_etl.vocabulary import FLOWS, METRICS

FOUND_SCHEMA: Final = pl.Schema(
    {"day_ix": pl.UInt32(), "metric": pl.String(), "rule": pl.String(), "evidence": pl.String()}
)
"""A finding before it gets the names of its system and day; `metric` is NULL where it is about the day."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Days, cut for the rules."""

    days: pl.DataFrame
    """day_ix, system_id, day, start (UTC microseconds), day_hours, fetched_at_utc."""
    series: pl.DataFrame
    """Known and available series: day_ix, series_ix, metric, step (microseconds), and what SERIES_SCHEMA counts."""
    rows: pl.DataFrame
    """`readings` with day_ix and start (UTC microseconds); a value over the limit is NULL."""
    points: pl.DataFrame
    """series_ix, k (number of the bucket in its day), start, value: valid values of flows, by series and time.

    follows: the point before is that of the bucket before."""
    over_limit: pl.DataFrame
    """series_ix, start, value: values over the limit, by series and time."""
    steps: dict[str, pl.Series]
    """Metric → bucket length of its series by day_ix, in microseconds; NULL where it is not available."""

    def step(self, metric: str) -> pl.Expr:
        """The bucket length of the metric on the row's day, by `day_ix`."""
        return pl.lit(self.steps[metric]).gather("day_ix")

    def points_of(self, series_ix: pl.Series) -> pl.DataFrame:
        """The points of these series."""
        numbers = pl.int_range(self.days.height * len(METRICS), dtype=pl.UInt32, eager=True)
        return self.points.filter(pl.lit(numbers.is_in(series_ix.implode())).gather("series_ix"))

    def peaks(self, series_ix: pl.Series) -> pl.DataFrame:
        """series_ix and peak, the highest valid value of the day, of these series."""
        return self.points_of(series_ix).group_by("series_ix").agg(peak=pl.col("value").max())


def measured(days: Days) -> Measured:
    numbered = days.days.with_row_index("day_ix").select(
        "day_ix", *DAY_KEY, "day_hours", "fetched_at_utc", start=pl.col("starts_at_utc").dt.timestamp("us")
    )
    series = (
        days.series.filter(IS_AVAILABLE)
        .join(numbered.select("day_ix", *DAY_KEY), on=DAY_KEY, how="inner", validate="m:1", maintain_order="left")
        .with_columns(
            rank=pl.col("metric").replace_strict(METRIC_RANK, return_dtype=pl.UInt32),
            step=step_us(pl.col("resolution_minutes")),
        )
        .with_columns(series_ix=pl.col("day_ix") * len(METRICS) + pl.col("rank"))
    )
    every = pl.int_range(numbered.height * len(METRICS), dtype=pl.UInt32, eager=True).to_frame("series_ix")
    step = every.join(series.select("series_ix", "step"), on="series_ix", how="left", maintain_order="left")["step"]
    steps = {metric: step.gather_every(len(METRICS), rank) for metric, rank in METRIC_RANK.items()}
    rows = _numbered_rows(days.readings, numbered)
    over_limit = _over_limit(rows, days.over_limit_kw)
    if over_limit.height:
        rows = rows.with_columns(valid(flow, days.over_limit_kw) for flow in FLOWS)
    points = _points(rows, numbered, steps)
    return Measured(days=numbered, series=series, rows=rows, points=points, over_limit=over_limit, steps=steps)


def _numbered_rows(readings: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    return readings.drop("system_id", "day").with_columns(
        day_ix=day_numbers(readings, numbered), start=pl.col("start_utc").dt.timestamp("us")
    )


def _over_limit(rows: pl.DataFrame, limit_kw: float) -> pl.DataFrame:
    return pl.concat(
        rows.filter(is_over_limit(flow, limit_kw)).select(
            series_ix=_series_ix(flow), start="start", value=METRIC_COLUMNS[flow]
        )
        for flow in FLOWS
    ).sort("series_ix", "start")


def _points(rows: pl.DataFrame, numbered: pl.DataFrame, steps: dict[str, pl.Series]) -> pl.DataFrame:
    elapsed = (pl.col("start") - pl.lit(numbered["start"]).gather("day_ix")) // MINUTE_US
    wide = rows.with_columns(elapsed=elapsed.cast(pl.Int32))
    minutes = {flow: (steps[flow] // MINUTE_US).cast(pl.Int32) for flow in FLOWS}
    follows = (pl.col("k") == pl.col("k").shift() + 1) & (pl.col("series_ix") == pl.col("series_ix").shift())
    return pl.concat(
        wide.select(
            series_ix=_series_ix(flow),
            k=pl.col("elapsed") // pl.lit(minutes[flow]).gather("day_ix"),
            start="start",
            value=METRIC_COLUMNS[flow],
        ).drop_nulls("value")
        for flow in FLOWS
    ).with_columns(follows=follows.fill_null(False))  # the first point has none before it


def _series_ix(metric: str) -> pl.Expr:
    return pl.col("day_ix") * len(METRICS) + METRIC_RANK[metric]


def time(micros: str | pl.Expr) -> pl.Expr:
    """Microseconds since 1970 as text: 2026-03-29T10:00:00Z."""
    each = pl.col(micros) if isinstance(micros, str) else micros
    return each.cast(INSTANT).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def figure(value: str | pl.Expr) -> pl.Expr:
    """A number as text, to three digits."""
    each = pl.col(value) if isinstance(value, str) else value
    return each.round(3).cast(pl.String)


def of_series(rule: str, points: pl.DataFrame, worst: pl.Expr, *evidence: pl.Expr | str) -> pl.DataFrame:
    """One finding per series of the flagged `points` (series_ix, start and others, in the order of time).

    evidence: texts, joined, about the point at which `worst` is highest, the first of equals.
    """
    metric = (pl.col("series_ix") % len(METRICS)).replace_strict(dict(enumerate(METRICS)), return_dtype=pl.String)
    return _worst("series_ix", points, worst).select(
        day_ix=(pl.col("series_ix") // len(METRICS)).cast(pl.UInt32),
        metric=metric,
        rule=pl.lit(rule),
        evidence=_line(evidence),
    )


def of_day(rule: str, metric: str | None, rows: pl.DataFrame, worst: pl.Expr, *evidence: pl.Expr | str) -> pl.DataFrame:
    """The same for flagged rows (day_ix, start and others): one finding per day, about that metric."""
    return _worst("day_ix", rows, worst).select(
        "day_ix", metric=pl.lit(metric, pl.String), rule=pl.lit(rule), evidence=_line(evidence)
    )


def _worst(key: str, rows: pl.DataFrame, worst: pl.Expr) -> pl.DataFrame:
    return rows.group_by(key, maintain_order=True).agg(pl.exclude(key).get(worst.arg_max()), count=pl.len())


def _line(evidence: tuple[pl.Expr | str, ...]) -> pl.Expr:
    """`buckets: 3` and then the evidence."""
    parts = (pl.lit(each) if isinstance(each, str) else each for each in evidence)
    return pl.concat_str(pl.lit("buckets: "), pl.col("count"), pl.lit("; "), *parts)
