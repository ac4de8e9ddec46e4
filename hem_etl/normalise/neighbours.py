"""Rules that compare a day with the day before, on what the tables hold of both, whichever of them came first.

They are judged apart from the others because each of the two days may come, or change, after the other.
"""

from typing import Final

import polars as pl

from hem_etl.local_day import first_instant, zone_named
from hem_etl.normalise.frames import FINDING_SCHEMA, gated
from hem_etl.vocabulary import Severity

DAY_BEFORE: Final = "the day before: "
"""How their evidence begins: `series_vanished` is also found within one day, when a body loses a series."""
DAYS_OVERLAP: Final = "days_overlap"
DAYS_APART: Final = "days_apart"
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


def compare_bounds(days: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """`days_overlap`, `days_apart` of the days in `keys`: the days of a system must tile time, also in another zone.

    days: system_id, day, timezone, fetched_at_utc of these days and of the days before them, those with a zone.
    """
    before = days.with_columns(pl.col("day").dt.offset_by("1d"))
    pairs = days.join(keys, on=["system_id", "day"], how="semi").join(
        before, on=["system_id", "day"], how="inner", suffix="_before"
    )
    found = []
    for row in pairs.filter(pl.col("timezone") != pl.col("timezone_before")).iter_rows(named=True):
        zone, zone_before = zone_named(row["timezone"]), zone_named(row["timezone_before"])
        if zone is None or zone_before is None:
            continue
        shared = first_instant(row["day"], zone_before) - first_instant(row["day"], zone)
        hours = shared.total_seconds() / 3600
        if hours:
            what = f"{hours:g} h are in both days" if hours > 0 else f"{-hours:g} h are in none of the two"
            told = f"{DAY_BEFORE}in {row['timezone_before']}; now: in {row['timezone']}: {what}"
            at = max(row["fetched_at_utc"], row["fetched_at_utc_before"])
            rule = DAYS_OVERLAP if hours > 0 else DAYS_APART
            found.append((row["system_id"], row["day"], None, rule, Severity.WARNING.value, told, at))
    return gated(pl.DataFrame(found, schema=FINDING_SCHEMA, orient="row"), FINDING_SCHEMA)


def _finding(pairs: pl.DataFrame, rule: str, before: pl.Expr, now: pl.Expr) -> pl.DataFrame:
    return pairs.select(
        *_KEY,
        rule=pl.lit(rule),
        severity=pl.lit(Severity.WARNING.value),
        evidence=pl.concat_str(pl.lit(DAY_BEFORE), before, pl.lit("; now: "), now),
        # a day that was never loaded has no time of its own
        found_at_utc=pl.max_horizontal("fetched_at_utc", "fetched_at_utc_before"),
    )
