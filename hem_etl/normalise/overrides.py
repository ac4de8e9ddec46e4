"""Corrections by hand: what was sent stays in `readings`, the values that count are these.

What the operator set takes the place of a sent value, fills a bucket that was null or not sent, or takes a bucket out.
Only a bucket that had ended when its series was fetched can be edited: `expected_buckets` tells. A series that is not
available has no grid and cannot be edited. Which correction is in force when is not known here.
"""

from dataclasses import replace
from typing import Final

import polars as pl

from hem_etl.local_day import zone_named
from hem_etl.normalise.axes import MINUTE_US, calendar_of, with_local_time
from hem_etl.normalise.frames import (
    DAY_SCHEMA,
    FINDING_SCHEMA,
    INSTANT,
    METRIC_COLUMNS,
    ODD_STAMP_SCHEMA,
    READING_SCHEMA,
    SERIES_SCHEMA,
    Days,
    gated,
)
from hem_etl.normalise.quarters import calendars_of
from hem_etl.vocabulary import FLOWS, METRICS

OVERRIDE_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "metric": pl.String(),
        "start_utc": INSTANT,
        "end_utc": INSTANT,
        "value": pl.Float64(),
        "override_id": pl.String(),
    }
)
"""One row per correction in force on a day. start_utc, end_utc: buckets that begin in [start, end), NULL for all of the
day; value: kW or %, NULL takes the bucket out."""

EDIT_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "metric": pl.String(),
        "start_utc": INSTANT,
        "sent": pl.Float64(),
        "value": pl.Float64(),
        "override_id": pl.String(),
    }
)
"""One row per bucket whose value is not what was sent; `sent` is NULL for a null or missing bucket."""

_DAY: Final = ("system_id", "day")
_SERIES: Final = (*_DAY, "metric")
_BUCKET: Final = (*_SERIES, "start_utc")


def edits_of(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    """EDIT_SCHEMA, sorted by its key: every bucket that `rows` (OVERRIDE_SCHEMA) change.

    Where two corrections meet in a bucket, the one with bounds goes before the one for whole days.
    """
    gated(rows, OVERRIDE_SCHEMA)
    series = days.series.filter(pl.col("is_known") & pl.col("is_available"))
    buckets = (
        rows.join(
            series.select(*_SERIES, "expected_buckets", step=pl.col("resolution_minutes").cast(pl.Int64) * MINUTE_US),
            on=_SERIES,
            how="inner",
            validate="m:1",
        )
        .join(_bounds(days, rows), on=_DAY, how="inner", validate="m:1")
        .with_columns(bucket=pl.int_ranges(0, "expected_buckets"))
        .explode("bucket", empty_as_null=False)
        .with_columns(bucket_utc=(pl.col("day_start") + pl.col("bucket") * pl.col("step")).cast(INSTANT))
        .filter(
            (pl.col("bucket_utc") >= pl.col("start_utc")).fill_null(True),  # NULL: no bound
            (pl.col("bucket_utc") < pl.col("end_utc")).fill_null(True),
        )
        .sort("start_utc", "override_id", nulls_last=False)
        .select(*_SERIES, "value", "override_id", start_utc="bucket_utc")
        .unique(_BUCKET, keep="last", maintain_order=True)
    )
    edits = (
        buckets.join(_sent(days, rows), on=_BUCKET, how="left", validate="1:1")
        .filter(~pl.col("value").eq_missing(pl.col("sent")))
        .sort(_BUCKET)
        .select(EDIT_SCHEMA.names())
    )
    return gated(edits, EDIT_SCHEMA, key=_BUCKET)


def with_overrides(days: Days, rows: pl.DataFrame) -> Days:
    """The same days with the values that count in `readings`, and in `series` what they cover and how many were edited.

    rows: OVERRIDE_SCHEMA. The counts of what was sent, findings and fingerprints stay. `days` may carry `valid_minutes`
    and `edited_buckets` of earlier corrections: they are made anew, so applying it twice changes nothing more.
    """
    edits = edits_of(days, rows)
    touched = pl.concat([edits.select(_DAY), days.series.filter(pl.col("edited_buckets") > 0).select(_DAY)]).unique()
    if touched.is_empty():
        return days
    readings = gated(_readings(days, edits), READING_SCHEMA, key=(*_DAY, "start_utc"))
    series = gated(_series(days, readings, edits, touched), SERIES_SCHEMA, key=_SERIES)
    return replace(days, readings=readings, series=series)


def held_days(days: pl.DataFrame, readings: pl.DataFrame, series: pl.DataFrame, *, over_limit_kw: float) -> Days:
    """What the tables hold of some days, as `with_overrides` and the steps after it take them.

    days: system_id, day, timezone and outcome, as the ledger says.
    """
    hours = [
        24.0 if (zone := zone_named(name)) is None else calendar_of(zone, day).minutes / 60
        for day, name in days.select("day", "timezone").iter_rows()
    ]
    known = days.with_columns(day_hours=pl.Series(hours, dtype=pl.Float64)).sort("day", "system_id")
    unknown = [pl.lit(None, dtype).alias(name) for name, dtype in DAY_SCHEMA.items() if name not in known.columns]
    return Days(
        readings=gated(readings.sort("day", "system_id", "start_utc"), READING_SCHEMA),
        series=gated(series.sort("day", "system_id", maintain_order=True), SERIES_SCHEMA),
        findings=pl.DataFrame(schema=FINDING_SCHEMA),
        days=gated(known.with_columns(unknown).select(DAY_SCHEMA.names()), DAY_SCHEMA, key=_DAY),
        odd_stamps=pl.DataFrame(schema=ODD_STAMP_SCHEMA),
        over_limit_kw=over_limit_kw,
    )


def _bounds(days: Days, of: pl.DataFrame) -> pl.DataFrame:
    """First instant and first instant after of the days in `of`, in UTC microseconds."""
    here = replace(days, days=days.days.join(of, on=_DAY, how="semi", maintain_order="left"))
    calendars = calendars_of(here)
    return here.days.select(_DAY).with_columns(
        day_start=pl.Series([calendar.start for calendar in calendars], dtype=pl.Int64),
        day_end=pl.Series([calendar.end for calendar in calendars], dtype=pl.Int64),
    )


def _sent(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    return (
        days.readings.join(rows, on=_DAY, how="semi")
        .rename({column: metric for metric, column in METRIC_COLUMNS.items()})
        .unpivot(METRICS, index=[*_DAY, "start_utc"], variable_name="metric", value_name="sent")
        .drop_nulls("sent")
    )


def _readings(days: Days, edits: pl.DataFrame) -> pl.DataFrame:
    """Edited buckets replaced, those that had no row added."""

    def edited(metric: str) -> list[pl.Expr]:
        of_metric = pl.col("metric") == metric
        return [
            of_metric.any().alias(f"is_edited {metric}"),
            pl.col("value").filter(of_metric).first().alias(f"new {metric}"),
        ]

    wide = edits.group_by(*_DAY, "start_utc").agg(expr for metric in METRICS for expr in edited(metric))
    added = wide.join(days.readings, on=[*_DAY, "start_utc"], how="anti").select(*_DAY, "start_utc")
    return (
        pl.concat([days.readings, _with_local_time(days, added)], how="diagonal")
        .join(wide, on=[*_DAY, "start_utc"], how="left", validate="1:1")
        .with_columns(
            pl.when(f"is_edited {metric}").then(f"new {metric}").otherwise(column).alias(column)
            for metric, column in METRIC_COLUMNS.items()
        )
        .sort("day", "system_id", "start_utc")
        .select(READING_SCHEMA.names())
    )


def _with_local_time(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    here = replace(days, days=days.days.join(rows, on=_DAY, how="semi", maintain_order="left"))
    places = here.days.select(_DAY).with_row_index("calendar_ix")
    return (
        rows.join(places, on=_DAY, how="left", validate="m:1")
        .with_columns(start=pl.col("start_utc").dt.timestamp("us"))
        .pipe(with_local_time, calendars_of(here))
        .select(*_DAY, "start_utc", "start_local", "utc_offset_minutes")
    )


def _series(days: Days, readings: pl.DataFrame, edits: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
    """`valid_minutes` and `edited_buckets` of the available series of the touched days, made anew."""
    values = readings.join(touched, on=_DAY, how="semi").join(
        _bounds(days, touched), on=_DAY, how="left", validate="m:1"
    )
    steps = days.series.filter(pl.col("is_known") & pl.col("is_available")).select(
        *_SERIES, step=pl.col("resolution_minutes").cast(pl.Int64) * MINUTE_US
    )
    covered = (
        pl.concat(
            values.filter(_is_valid(metric, days.over_limit_kw)).select(
                *_DAY,
                "day_start",
                "day_end",
                metric=pl.lit(metric),
                start=pl.col("start_utc").dt.timestamp("us"),
            )
            for metric in METRICS
        )
        .join(steps, on=_SERIES, how="inner", validate="m:1")
        .group_by(_SERIES)
        .agg(
            now_valid=pl.len(),
            # minutes that the end of the day takes from a last bucket
            cut_minutes=(pl.col("start") + pl.col("step") - pl.col("day_end")).max().clip(lower_bound=0) // MINUTE_US,
        )
    )
    counted = edits.group_by(_SERIES).agg(now_edited=pl.len().cast(pl.Int32))
    is_touched = pl.col("is_touched") & pl.col("is_known") & pl.col("is_available")
    minutes = pl.col("now_valid") * pl.col("resolution_minutes") - pl.col("cut_minutes")
    return (
        days.series.join(covered, on=_SERIES, how="left", validate="1:1", maintain_order="left")
        .join(counted, on=_SERIES, how="left", validate="1:1", maintain_order="left")
        .join(touched.with_columns(is_touched=pl.lit(True)), on=_DAY, how="left", validate="m:1", maintain_order="left")
        .with_columns(  # a touched series without a valid bucket, or without an edit, has none: 0 is known
            valid_minutes=pl.when(is_touched).then(minutes.cast(pl.Int32).fill_null(0)).otherwise("valid_minutes"),
            edited_buckets=pl.when(is_touched).then(pl.col("now_edited").fill_null(0)).otherwise("edited_buckets"),
        )
        .select(SERIES_SCHEMA.names())
    )


def _is_valid(metric: str, over_limit_kw: float) -> pl.Expr:
    value = pl.col(METRIC_COLUMNS[metric])
    return value.abs() <= over_limit_kw if metric in FLOWS else value.is_not_null()
