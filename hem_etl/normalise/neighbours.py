"""Rules that compare a day with the day before, on what the tables hold of both, whichever of them came first.

They are judged apart from the others because each of the two days may come, or change, after the other.
"""

from typing import Final

import polars as pl

from hem_etl.normalise.frames import FINDING_SCHEMA, gated
from hem_etl.vocabulary import Severity

DAY_BEFORE: Final = "the day before: "
"""How their evidence begins: `series_vanished` is also found within one day, when a body loses a series."""
_KEY: Final = ("system_id", "day", "metric")
SERIES_COLUMNS: Final = (
    *_KEY,
    "is_known",
    "is_available",
    "absence",
    "unit",
    "resolution_minutes",
    "valid_buckets",
)
"""What is read of core.series."""


def compare_with_day_before(series: pl.DataFrame, keys: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
    """`series_vanished`, `resolution_changed`, `unit_changed` of the known series of the days in `keys`.

    series: SERIES_COLUMNS of these days and of the days before them. fetched: system_id, day and the newest
    fetched_at_utc of each; a finding's time is the later one of its two days.
    """
    known = series.filter("is_known").join(fetched, on=["system_id", "day"], how="left", validate="m:1")
    before = known.with_columns(pl.col("day").dt.offset_by("1d"))
    pairs = known.join(keys, on=["system_id", "day"], how="semi").join(before, on=_KEY, how="inner", suffix="_before")
    both = pl.col("is_available") & pl.col("is_available_before")
    found = [
        _finding(
            pairs.filter(pl.col("is_available_before") & ~pl.col("is_available")),
            "series_vanished",
            pl.col("valid_buckets_before").cast(pl.String) + " valid buckets",
            pl.lit("not available, ") + pl.col("absence").fill_null("no reason given"),
        ),
        _finding(
            pairs.filter(both & pl.col("resolution_minutes").ne_missing(pl.col("resolution_minutes_before"))),
            "resolution_changed",
            pl.format("{} min", "resolution_minutes_before"),
            pl.format("{} min", "resolution_minutes"),
        ),
        _finding(
            # a unit that is read is one we know: nothing else from outside gets into the evidence
            pairs.filter(both & pl.col("unit").ne_missing(pl.col("unit_before"))),
            "unit_changed",
            pl.col("unit_before").fill_null("none"),
            pl.col("unit").fill_null("none"),
        ),
    ]
    return gated(pl.concat(found).sort(*_KEY, "rule"), FINDING_SCHEMA, key=(*_KEY, "rule"))


def _finding(pairs: pl.DataFrame, rule: str, before: pl.Expr, now: pl.Expr) -> pl.DataFrame:
    return pairs.select(
        *_KEY,
        rule=pl.lit(rule),
        severity=pl.lit(Severity.WARNING.value),
        evidence=pl.concat_str(pl.lit(DAY_BEFORE), before, pl.lit("; now: "), now),
        # a day that was never loaded has no time of its own
        found_at_utc=pl.max_horizontal("fetched_at_utc", "fetched_at_utc_before"),
    )
