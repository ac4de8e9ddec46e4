"""A series that had values and now has none keeps the last good ones: an outage at the vendor must not empty a day.

What was sent is still what `content_sha256` fingerprints; `applied` is false where the tables hold more than was sent.
"""

from datetime import timedelta, timezone
from typing import Final

import polars as pl

from hem_etl.local_day import zone_named
from hem_etl.normalise.axes import calendar_of
from hem_etl.normalise.buckets import is_on_grid
from hem_etl.normalise.frames import (
    DAY_KEY,
    DAY_SCHEMA,
    FINDING_SCHEMA,
    INSTANT,
    METRIC_COLUMNS,
    METRIC_RANK,
    MONTH_SCHEMA,
    READING_SCHEMA,
    REPORTED_SCHEMA,
    SERIES_KEY,
    SERIES_SCHEMA,
    Days,
    Months,
    gated,
)
from hem_etl.vocabulary import FLOWS, METRICS, Outcome, Severity

FALLEN_MINUTES: Final = 144
"""A tenth of a day: less comes and goes."""


def keep_vanished(days: Days, stored_readings: pl.DataFrame, stored_series: pl.DataFrame) -> Days:
    """The same days, with the held values of each known series that had valid buckets and has none now.

    stored_readings, stored_series: what the tables hold of these days, as READING_SCHEMA and SERIES_SCHEMA say. A day
    now read in a zone in which it is another stretch of time, or has another grid, cannot take them: there the finding
    says that they were given up.
    """
    gated(stored_readings, READING_SCHEMA)
    gated(stored_series, SERIES_SCHEMA)
    lost = (
        stored_series.filter(pl.col("is_known") & (pl.col("valid_buckets") > 0))
        .join(days.days.filter(pl.col("outcome") != Outcome.UNREADABLE), on=DAY_KEY, how="semi")
        .join(days.series.filter(pl.col("valid_buckets") > 0), on=SERIES_KEY, how="anti")
    )
    if lost.is_empty():
        return days
    stored = stored_readings.join(lost, on=DAY_KEY, how="semi")
    bounds = _bounds(days, stored, stored_series.join(lost, on=DAY_KEY, how="semi"))
    fitting = (
        stored.join(bounds, on=DAY_KEY, how="left", validate="m:1")
        .group_by(DAY_KEY)
        .agg(
            is_inside=(
                (pl.col("start_utc") >= pl.col("starts_at_utc")) & (pl.col("start_utc") < pl.col("last_utc"))
            ).all()
        )
        .filter("is_inside")
    )
    kept = lost.join(fitting, on=DAY_KEY, how="semi").join(
        _on_the_grid(lost, stored, bounds), on=SERIES_KEY, how="semi"
    )
    return Days(
        readings=gated(_readings(days.readings, stored, kept, bounds), READING_SCHEMA, key=(*DAY_KEY, "start_utc")),
        series=gated(_series(days.series, kept), SERIES_SCHEMA, key=SERIES_KEY),
        findings=gated(_with_findings(days, lost, kept), FINDING_SCHEMA),
        days=gated(_days(days.days, kept, bounds), DAY_SCHEMA, key=DAY_KEY),
        odd_stamps=days.odd_stamps.join(kept, on=SERIES_KEY, how="anti", maintain_order="left"),
        over_limit_kw=days.over_limit_kw,
    )


def coverage_fell(days: Days, stored_series: pl.DataFrame) -> pl.DataFrame:
    """Findings of known series that cover clearly less of their day than what was held: the newer answer counts.

    Only what was sent is compared. A series that has nothing left is `keep_vanished`'s.
    """
    gated(stored_series, SERIES_SCHEMA)

    def minutes(suffix: str = "") -> pl.Expr:
        return pl.col(f"valid_buckets{suffix}") * pl.col(f"resolution_minutes{suffix}")

    fallen = (
        days.series.filter(pl.col("is_known") & (pl.col("valid_buckets") > 0))
        .join(stored_series.filter("is_known"), on=SERIES_KEY, how="inner", validate="1:1", suffix="_stored")
        .filter(minutes("_stored") - minutes() > FALLEN_MINUTES)
        .join(days.days.select(*DAY_KEY, "fetched_at_utc"), on=DAY_KEY, how="left", validate="m:1")
    )
    return gated(
        fallen.pipe(_by_metric).select(
            *SERIES_KEY,
            rule=pl.lit("coverage_fell"),
            severity=pl.lit(Severity.WARNING.value),
            evidence=pl.format(
                "had {} valid buckets of {} min, now {} of {} min: the newer answer counts",
                "valid_buckets_stored",
                "resolution_minutes_stored",
                "valid_buckets",
                "resolution_minutes",
            ),
            found_at_utc="fetched_at_utc",
        ),
        FINDING_SCHEMA,
    )


def keep_vanished_months(months: Months, stored_reported: pl.DataFrame) -> Months:
    """The same months, with the held values of each flow that had some in that month and has none now."""
    gated(stored_reported, REPORTED_SCHEMA)
    now = _long(months.reported)
    stored = _long(stored_reported)
    lost = (
        stored.select("system_id", "month", "flow")
        .unique()
        .join(
            months.months.filter(pl.col("outcome") != Outcome.UNREADABLE).select(
                "system_id", "fetched_at_utc", month="day"
            ),
            on=["system_id", "month"],
            how="inner",
            validate="m:1",
        )
        .join(now, on=["system_id", "month", "flow"], how="anti")
    )
    if lost.is_empty():
        return months
    kept = stored.join(lost, on=["system_id", "month", "flow"], how="semi")
    reported = (
        pl.concat([now, kept])
        .group_by(DAY_KEY)
        .agg(
            *(pl.col("kwh").filter(pl.col("flow") == flow).first().alias(f"{flow}_kwh") for flow in FLOWS),
            pl.col("fetched_at_utc").max(),
        )
        .sort("day", "system_id")
        .select(REPORTED_SCHEMA.names())
    )
    findings = lost.sort("month", "system_id", "flow").select(
        "system_id",
        day="month",
        metric="flow",
        rule=pl.lit("series_vanished"),
        severity=pl.lit(Severity.WARNING.value),
        evidence=pl.lit("values of this month were held and none was sent: the held ones were kept"),
        found_at_utc="fetched_at_utc",
    )
    had_nothing = pl.struct("system_id", "day").is_in(
        lost.select(pl.struct("system_id", day="month")).to_series().implode()
    )
    return Months(
        reported=gated(reported, REPORTED_SCHEMA, key=DAY_KEY),
        months=gated(
            months.months.with_columns(
                outcome=pl.when(had_nothing).then(pl.lit(Outcome.LOADED.value)).otherwise("outcome"),
            ),
            MONTH_SCHEMA,
            key=DAY_KEY,
        ),
        findings=gated(pl.concat([months.findings, findings]), FINDING_SCHEMA),
    )


def _long(reported: pl.DataFrame) -> pl.DataFrame:
    return (
        reported.rename({f"{flow}_kwh": flow for flow in FLOWS})
        .unpivot(FLOWS, index=[*DAY_KEY, "fetched_at_utc"], variable_name="flow", value_name="kwh")
        .drop_nulls("kwh")
        .with_columns(month=pl.col("day").dt.month_start())
    )


def _bounds(days: Days, stored: pl.DataFrame, stored_series: pl.DataFrame) -> pl.DataFrame:
    """Per affected day: its zone and bounds. A day with nothing of its own is read in the held series' zone."""
    affected = days.days.join(stored, on=DAY_KEY, how="semi")
    offsets = (
        pl.concat([days.readings, stored])
        .group_by(DAY_KEY, maintain_order=True)
        .agg(pl.col("utc_offset_minutes").sort_by("start_utc").first())
    )
    offset_of = {(system_id, day): offset for system_id, day, offset in offsets.iter_rows()}
    stated: dict[tuple[object, object], str] = {}
    for system_id, day, name in _by_metric(stored_series).select(*DAY_KEY, "timezone").iter_rows():
        if (system_id, day) not in stated and zone_named(name):
            stated[system_id, day] = name
    rows = []
    for system_id, day, outcome, name in affected.select(*DAY_KEY, "outcome", "timezone").iter_rows():
        if outcome == Outcome.UNAVAILABLE:
            name = stated.get((system_id, day), name)
        calendar = calendar_of(zone_named(name) or timezone(timedelta(minutes=offset_of[system_id, day])), day)
        rows.append((system_id, day, name, calendar.start, calendar.end, calendar.minutes / 60))
    schema = {
        "system_id": pl.String,
        "day": pl.Date,
        "timezone": pl.String,
        "start": pl.Int64,
        "end": pl.Int64,
        "day_hours": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").select(
        *DAY_KEY,
        "timezone",
        "day_hours",
        "start",
        starts_at_utc=pl.col("start").cast(INSTANT),
        last_utc=pl.col("end").cast(INSTANT),
    )


def _on_the_grid(lost: pl.DataFrame, stored: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """Series whose held values begin where a bucket of theirs begins in the day as it is read now."""
    start = pl.col("start_utc").dt.timestamp("us")
    return (
        stored.rename({column: metric for metric, column in METRIC_COLUMNS.items()})
        .unpivot(METRICS, index=[*DAY_KEY, "start_utc"], variable_name="metric")
        .drop_nulls("value")
        .join(lost.select(*SERIES_KEY, pl.col("resolution_minutes").cast(pl.Int64)), on=SERIES_KEY, how="inner")
        .join(bounds, on=DAY_KEY, how="inner", validate="m:1")
        .group_by(SERIES_KEY)
        .agg(is_on_grid=is_on_grid(start, pl.col("resolution_minutes"), pl.col("start")).all())
        .filter("is_on_grid")
    )


def _readings(readings: pl.DataFrame, stored: pl.DataFrame, kept: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    """For the kept metrics the held rows of their grid, for the others what was sent."""
    steps = kept.group_by(DAY_KEY).agg(
        pl.col("resolution_minutes").filter(pl.col("metric") == metric).first().cast(pl.Int64).alias(f"step_{metric}")
        for metric in METRICS
    )
    start = pl.col("start_utc").dt.timestamp("us")
    on_grid = pl.any_horizontal(
        is_on_grid(start, pl.col(f"step_{metric}"), pl.col("start")).fill_null(False) for metric in METRICS
    )
    is_kept = {METRIC_COLUMNS[metric]: pl.col(f"step_{metric}").is_not_null() for metric in METRICS}
    ours = stored.join(steps, on=DAY_KEY, how="inner", validate="m:1").join(
        bounds, on=DAY_KEY, how="left", validate="m:1"
    )
    ours = ours.filter(on_grid).with_columns(
        pl.when(kept).then(column).alias(column) for column, kept in is_kept.items()
    )
    theirs = readings.join(steps, on=DAY_KEY, how="left", validate="m:1")
    theirs = theirs.with_columns(pl.when(~kept).then(column).alias(column) for column, kept in is_kept.items())
    names = READING_SCHEMA.names()
    return (
        pl.concat([theirs.select(names), ours.select(names)])
        .group_by(*DAY_KEY, "start_utc", maintain_order=True)
        .agg(pl.col("start_local", "utc_offset_minutes").first(), pl.col(*METRIC_COLUMNS.values()).drop_nulls().first())
        .sort("day", "system_id", "start_utc")
        .select(names)
    )


def _series(series: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([series.join(kept, on=SERIES_KEY, how="anti"), kept.select(SERIES_SCHEMA.names())]).pipe(
        _by_metric
    )


def _by_metric(series: pl.DataFrame) -> pl.DataFrame:
    """Sorted as `read_days` sorts: known metrics in vocabulary order, then the unknown by name."""
    rank = pl.col("metric").replace_strict(METRIC_RANK, default=len(METRICS))
    return series.sort("day", "system_id", rank, "metric")


def _days(days: pl.DataFrame, kept: pl.DataFrame, bounds: pl.DataFrame) -> pl.DataFrame:
    took = kept.pipe(_by_metric).group_by(DAY_KEY, maintain_order=True).agg(kept=pl.col("metric").str.join(", "))
    took = took.join(bounds, on=DAY_KEY, how="left", validate="1:1")
    moved = (
        pl.col("kept").is_not_null()
        & (pl.col("outcome") == Outcome.UNAVAILABLE)
        & pl.col("timezone_right").is_not_null()
    )
    kept_some = pl.col("kept").is_not_null()
    return (
        days.join(took, on=DAY_KEY, how="left", validate="1:1", maintain_order="left", suffix="_right")
        .with_columns(
            timezone=pl.when(moved).then("timezone_right").otherwise("timezone"),
            starts_at_utc=pl.when(moved).then("starts_at_utc_right").otherwise("starts_at_utc"),
            ends_at_utc=pl.when(moved).then("last_utc").otherwise("ends_at_utc"),
            day_hours=pl.when(moved).then("day_hours_right").otherwise("day_hours"),
            outcome=pl.when(kept_some).then(pl.lit(Outcome.LOADED.value)).otherwise("outcome"),
            detail=pl.when(kept_some)
            .then(pl.lit("kept the last good values of ") + pl.col("kept"))
            .otherwise("detail"),
            applied=pl.col("applied") & ~kept_some,
        )
        .select(DAY_SCHEMA.names())
    )


def _with_findings(days: Days, lost: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    now = days.series.select(*SERIES_KEY, now_available="is_available", now_reason="reason")
    fetched = days.days.select(*DAY_KEY, "fetched_at_utc")
    vanished = (
        lost.pipe(_by_metric)
        .join(now, on=SERIES_KEY, how="left", validate="1:1", maintain_order="left")
        .join(fetched, on=DAY_KEY, how="left", validate="m:1", maintain_order="left")
        .join(kept.select(*SERIES_KEY, is_kept=True), on=SERIES_KEY, how="left", validate="1:1", maintain_order="left")
        .select(
            *SERIES_KEY,
            rule=pl.lit("series_vanished"),
            severity=pl.lit(Severity.WARNING.value),
            evidence=pl.concat_str(
                pl.lit("had "),
                pl.col("valid_buckets"),
                pl.lit(" valid buckets, now "),
                pl.when("now_available")
                .then(pl.lit("none"))
                .otherwise(pl.lit("not available: ") + pl.col("now_reason").fill_null("no reason given")),
                pl.when("is_kept")
                .then(pl.lit("; the held values were kept"))
                .otherwise(pl.lit("; the day's zone has changed too, so the held values could not be kept")),
            ),
            found_at_utc="fetched_at_utc",
        )
    )
    return pl.concat([days.findings, vanished])
