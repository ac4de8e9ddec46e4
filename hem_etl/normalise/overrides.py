"""Corrections by hand: what was sent stays in `readings`, the values that count are these.

What the operator set takes the place of a sent value, fills a bucket that was null or not sent, or takes a bucket out.
Only a bucket that had ended when its series was fetched can be edited: `expected_buckets` tells. A series that is not
available has no grid and cannot be edited. Which correction is in force when is not known here.
"""

from dataclasses import replace
from typing import Final

import polars as pl

from hem_etl.normalise.axes import calendars_of, with_bounds, with_local_time
from hem_etl.normalise.buckets import IS_AVAILABLE, is_valid, minutes_of, step_us
from hem_etl.normalise.frames import (
    DAY_KEY,
    DAY_SCHEMA,
    FINDING_SCHEMA,
    INSTANT,
    METRIC_COLUMNS,
    ODD_STAMP_SCHEMA,
    READING_SCHEMA,
    SERIES_KEY,
    SERIES_SCHEMA,
    Days,
    gated,
)
from hem_etl.vocabulary import METRICS

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

_BUCKET: Final = (*SERIES_KEY, "start_utc")


def edits_of(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    """EDIT_SCHEMA, sorted by its key: every bucket that `rows` (OVERRIDE_SCHEMA) change.

    Where two corrections meet in a bucket, the one with bounds goes before the one for whole days.
    """
    gated(rows, OVERRIDE_SCHEMA)
    if rows.is_empty():
        return pl.DataFrame(schema=EDIT_SCHEMA)
    series = days.series.filter(IS_AVAILABLE)
    buckets = (
        rows.join(
            series.select(*SERIES_KEY, "expected_buckets", step=step_us(pl.col("resolution_minutes"))),
            on=SERIES_KEY,
            how="inner",
            validate="m:1",
        )
        .join(_bounds(days, rows), on=DAY_KEY, how="inner", validate="m:1")
        .with_columns(bucket=pl.int_ranges(0, "expected_buckets"))
        .explode("bucket", empty_as_null=False)
        .with_columns(bucket_utc=(pl.col("day_start") + pl.col("bucket") * pl.col("step")).cast(INSTANT))
        .filter(
            (pl.col("bucket_utc") >= pl.col("start_utc")).fill_null(True),  # NULL: no bound
            (pl.col("bucket_utc") < pl.col("end_utc")).fill_null(True),
        )
        .sort("start_utc", "override_id", nulls_last=False)
        .select(*SERIES_KEY, "value", "override_id", start_utc="bucket_utc")
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
    touched = pl.concat(
        [edits.select(DAY_KEY), days.series.filter(pl.col("edited_buckets") > 0).select(DAY_KEY)]
    ).unique()
    if touched.is_empty():
        return days
    readings = gated(_readings(days, edits), READING_SCHEMA, key=(*DAY_KEY, "start_utc"))
    series = gated(_series(days, readings, edits, touched), SERIES_SCHEMA, key=SERIES_KEY)
    return replace(days, readings=readings, series=series)


def stored_days(days: pl.DataFrame, readings: pl.DataFrame, series: pl.DataFrame, *, over_limit_kw: float) -> Days:
    """What the tables hold of some days, as `with_overrides` and the steps after it take them.

    days: system_id, day, timezone and outcome, as the ledger says.
    """
    hours = [calendar.minutes / 60 for calendar in calendars_of(days)]
    dated = days.with_columns(day_hours=pl.Series(hours, dtype=pl.Float64)).sort("day", "system_id")
    unknown = [pl.lit(None, dtype).alias(name) for name, dtype in DAY_SCHEMA.items() if name not in dated.columns]
    return Days(
        readings=gated(readings.sort("day", "system_id", "start_utc"), READING_SCHEMA),
        series=gated(series.sort("day", "system_id", maintain_order=True), SERIES_SCHEMA),
        findings=pl.DataFrame(schema=FINDING_SCHEMA),
        days=gated(dated.with_columns(unknown).select(DAY_SCHEMA.names()), DAY_SCHEMA, key=DAY_KEY),
        odd_stamps=pl.DataFrame(schema=ODD_STAMP_SCHEMA),
        over_limit_kw=over_limit_kw,
    )


def _bounds(days: Days, of: pl.DataFrame) -> pl.DataFrame:
    """First instant and first instant after of the days in `of`, in UTC microseconds."""
    here = days.days.join(of, on=DAY_KEY, how="semi", maintain_order="left")
    return with_bounds(here.select(DAY_KEY), calendars_of(here))


def _sent(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    return (
        days.readings.join(rows, on=DAY_KEY, how="semi")
        .rename({column: metric for metric, column in METRIC_COLUMNS.items()})
        .unpivot(METRICS, index=[*DAY_KEY, "start_utc"], variable_name="metric", value_name="sent")
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

    wide = edits.group_by(*DAY_KEY, "start_utc").agg(expr for metric in METRICS for expr in edited(metric))
    added = wide.join(days.readings, on=[*DAY_KEY, "start_utc"], how="anti").select(*DAY_KEY, "start_utc")
    return (
        pl.concat([days.readings, _with_local_time(days, added)], how="diagonal")
        .join(wide, on=[*DAY_KEY, "start_utc"], how="left", validate="1:1")
        .with_columns(
            pl.when(f"is_edited {metric}").then(f"new {metric}").otherwise(column).alias(column)
            for metric, column in METRIC_COLUMNS.items()
        )
        .sort("day", "system_id", "start_utc")
        .select(READING_SCHEMA.names())
    )


def _with_local_time(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    here = days.days.join(rows, on=DAY_KEY, how="semi", maintain_order="left")
    places = here.select(DAY_KEY).with_row_index("calendar_ix")
    return (
        rows.join(places, on=DAY_KEY, how="left", validate="m:1")
        .with_columns(start=pl.col("start_utc").dt.timestamp("us"))
        .pipe(with_local_time, calendars_of(here))
        .select(*DAY_KEY, "start_utc", "start_local", "utc_offset_minutes")
    )


def _series(days: Days, readings: pl.DataFrame, edits: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
    """`valid_minutes` and `edited_buckets` of the available series of the touched days, made anew."""
    values = readings.join(touched, on=DAY_KEY, how="semi")
    valid = pl.concat(
        values.filter(is_valid(metric, days.over_limit_kw)).select(*DAY_KEY, "start_utc", metric=pl.lit(metric))
        for metric in METRICS
    )
    last = pl.col("start_utc").max().dt.timestamp("us").alias("last")
    covered = valid.group_by(SERIES_KEY).agg(last, now_valid=pl.len().cast(pl.Int32))
    counted = edits.group_by(SERIES_KEY).agg(now_edited=pl.len().cast(pl.Int32))
    is_touched = pl.col("is_touched") & IS_AVAILABLE
    minutes = minutes_of(pl.col("now_valid"), pl.col("resolution_minutes"), pl.col("last"), pl.col("day_end"))
    return (
        days.series.join(covered, on=SERIES_KEY, how="left", validate="1:1", maintain_order="left")
        .join(counted, on=SERIES_KEY, how="left", validate="1:1", maintain_order="left")
        .join(
            _bounds(days, touched).with_columns(is_touched=pl.lit(True)),
            on=DAY_KEY,
            how="left",
            validate="m:1",
            maintain_order="left",
        )
        .with_columns(  # a touched series without a valid bucket, or without an edit, has none: 0 is known
            valid_minutes=pl.when(is_touched).then(minutes.fill_null(0)).otherwise("valid_minutes"),
            edited_buckets=pl.when(is_touched).then(pl.col("now_edited").fill_null(0)).otherwise("edited_buckets"),
        )
        .select(SERIES_SCHEMA.names())
    )
