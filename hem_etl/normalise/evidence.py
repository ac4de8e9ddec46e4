"""How a rule tells what it saw: one line that a person can check in `core.reading`, as `name: value` with `; ` between.

Times are UTC instants with a Z, values have three digits, text from outside is shown safely before it comes here.
"""

from typing import Final

import polars as pl

from hem_etl.normalise.frames import INSTANT
from hem_etl.vocabulary import METRICS

FOUND_SCHEMA: Final = pl.Schema(
    {"day_ix": pl.UInt32(), "metric": pl.String(), "rule": pl.String(), "evidence": pl.String()}
)
"""A finding before it gets the names of its system and day; `metric` is NULL where it is about the day."""


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
