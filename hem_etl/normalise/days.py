"""Day bodies → readings, series, findings and one line per day.

The work per point is a parsed JSON object, two look-ups and a few passes of polars over whole columns. Counts follow
from the axes (what was sent, and when) and from the values (what it was worth).
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import polars as pl

from hem_etl.normalise.axes import Axes, expected_of
from hem_etl.normalise.buckets import is_over_limit, is_valid, minutes_of
from hem_etl.normalise.content import day_hashes
from hem_etl.normalise.envelopes import Envelope, absence_of, printable
from hem_etl.normalise.frames import (
    COUNTS,
    DAY_SCHEMA,
    FINDING_SCHEMA,
    METRIC_COLUMNS,
    ODD_STAMP_SCHEMA,
    READING_SCHEMA,
    SERIES_SCHEMA,
    Body,
    Days,
    Finding,
    finding,
    gated,
    naive,
)
from hem_etl.normalise.picking import (
    Layout,
    Picked,
    Values,
    collector_paused,
    layout_rows,
    layouts_of,
    pick,
    zone_findings,
)
from hem_etl.vocabulary import FLOWS, METRICS, NEGATIVE_BELOW_KW, Absence, IntervalKind, Outcome, Severity

_NOT_SENT: Final = ("valid_minutes", "edited_buckets")
_FACTS: Final = tuple(name for name in SERIES_SCHEMA if name not in ("system_id", "day", *_NOT_SENT))
RULE_OF_ODD_STAMPS: Final = {
    "duplicates": "duplicate_bucket",
    "phantoms": "phantom_bucket",
    "off_grid": "off_grid",
    "outside_day": "outside_day",
    "offset_mismatches": "offset_mismatch",
}
"""What an axis counts → the rule that it breaks."""
_SENT_COLUMNS: Final = {
    "body_ix": pl.UInt32(),
    **{name: dtype for name, dtype in SERIES_SCHEMA.items() if name not in (*COUNTS, *_NOT_SENT)},
    "expected_buckets": pl.Int32(),
    "placed": pl.Int32(),
    "duplicate_buckets": pl.Int32(),
    "outside_day_buckets": pl.Int32(),
    "off_grid_buckets": pl.Int32(),
    "offset_mismatch_buckets": pl.Int32(),
    "unreadable_times": pl.Int32(),
    "day_end": pl.Int64(),
}


def read_days(bodies: Sequence[Body], *, over_limit_kw: float) -> Days:
    """Read DAY bodies, one per (system, day), in any order.

    A body that cannot be read is a row of `days` with outcome `unreadable` and its reason, and nothing else.
    """
    ordered = sorted(bodies, key=lambda body: (body.interval.day, body.system_id))
    assert all(body.interval.kind is IntervalKind.DAY for body in ordered), "months are read by read_months"
    axes, values = Axes(), Values()
    with collector_paused():
        picked = [pick(body, axes, values) for body in ordered]
    axes.read()
    laid_out = layouts_of(picked)
    rows = _rows(picked, laid_out, values)
    series = _series(picked, laid_out, _value_counts(rows, over_limit_kw))
    readings = rows.select(READING_SCHEMA.names())
    return Days(
        readings=gated(readings, READING_SCHEMA, key=("system_id", "day", "start_utc")),
        series=gated(series.select(SERIES_SCHEMA.names()), SERIES_SCHEMA, key=("system_id", "day", "metric")),
        findings=gated(_findings(picked, series, values), FINDING_SCHEMA),
        days=gated(_days(picked, laid_out, readings, series), DAY_SCHEMA, key=("system_id", "day")),
        odd_stamps=_odd_stamps(picked),
        over_limit_kw=over_limit_kw,
    )


def _rows(picked: Sequence[Picked], laid_out: Sequence[tuple[int, Layout]], values: Values) -> pl.DataFrame:
    """The readings, with `body_ix`, and `unreadable_<metric>`: the place of a value that is no number, else NULL."""
    column, is_odd = values.numbers()
    laid = layout_rows(laid_out)
    unreadable, measured = {}, {}
    for ix, metric in enumerate(METRICS):
        begins = _by_body([day.offsets.get(metric) for day in picked], pl.UInt32())
        place = pl.col(f"point_{ix}") + begins
        value = pl.lit(column).gather(place)
        is_unreadable = None if is_odd is None else pl.lit(is_odd).gather(place)
        scales = [day.scales.get(metric, 1.0) for day in picked]
        if {1.0} != {*scales}:
            # a number of MW can be beyond every number of kW
            value = value * _by_body(scales, pl.Float64())
            is_beyond = value.is_infinite().fill_null(False)  # no value is no such number
            is_unreadable = is_beyond if is_unreadable is None else is_unreadable | is_beyond
            value = pl.when(~is_beyond).then(value)
        measured[METRIC_COLUMNS[metric]] = value
        unreadable[f"unreadable_{metric}"] = (
            pl.lit(None, pl.UInt32()) if is_unreadable is None else pl.when(is_unreadable).then(place)
        )
    return laid.select(
        "body_ix",
        "start_utc",
        "start_local",
        "utc_offset_minutes",
        system_id=_by_body([day.body.system_id for day in picked], pl.String()),
        day=_by_body([day.body.interval.day for day in picked], pl.Date()),
        **measured,
        **unreadable,
    )


def _by_body(values: Sequence[Any], dtype: pl.DataType) -> pl.Expr:
    """One value per body, on each of its rows."""
    return pl.lit(pl.Series(values, dtype=dtype)).gather(pl.col("body_ix"))


def _value_counts(rows: pl.DataFrame, over_limit_kw: float) -> pl.DataFrame:
    """Per body and metric: how many values are valid, over the limit, negative, unreadable; where the last valid bucket
    begins (UTC microseconds), and which value is the first unreadable one."""
    aggregates = []
    for metric in METRICS:
        value, unreadable = pl.col(METRIC_COLUMNS[metric]), pl.col(f"unreadable_{metric}")
        counts = is_valid(metric, over_limit_kw)
        is_negative = counts & (value < NEGATIVE_BELOW_KW) if metric in FLOWS else pl.lit(False)
        aggregates += [
            counts.sum().alias(f"valid {metric}"),
            pl.col("start_utc").filter(counts).last().dt.timestamp("us").alias(f"last {metric}"),
            is_over_limit(metric, over_limit_kw).sum().alias(f"over {metric}"),
            is_negative.sum().alias(f"negative {metric}"),
            unreadable.count().alias(f"unreadable {metric}"),
            unreadable.drop_nulls().first().alias(f"first {metric}"),
        ]
    by_body = rows.group_by("body_ix", maintain_order=True).agg(aggregates)
    return pl.concat(
        by_body.select(
            "body_ix",
            metric=pl.lit(metric),
            valid_buckets=pl.col(f"valid {metric}").cast(pl.Int32),
            last_valid=pl.col(f"last {metric}"),
            over_limit_buckets=pl.col(f"over {metric}").cast(pl.Int32),
            negative_buckets=pl.col(f"negative {metric}").cast(pl.Int32),
            unreadable_values=pl.col(f"unreadable {metric}").cast(pl.Int32),
            first_unreadable=pl.col(f"first {metric}"),
        )
        for metric in METRICS
    )


def _series(picked: Sequence[Picked], laid_out: Sequence[tuple[int, Layout]], counts: pl.DataFrame) -> pl.DataFrame:
    """core.series, with body_ix, unreadable_points (all) and first_unreadable (the place of the first value)."""
    layouts = dict(laid_out)
    sent = pl.DataFrame(
        [
            _sent(body_ix, day, envelope, layouts.get(body_ix))
            for body_ix, day in enumerate(picked)
            if day.outcome is not Outcome.UNREADABLE
            for envelope in _all_seven(day.envelopes)
        ],
        schema=_SENT_COLUMNS,
        orient="row",
    )
    counted = (
        sent.join(counts, on=["body_ix", "metric"], how="left", validate="1:1", maintain_order="left")
        .with_columns(
            # a series whose every point fell away has no rows to count, and holds nothing: 0 is known, not assumed
            pl.when(pl.col("placed").is_not_null()).then(pl.col(name).fill_null(0)).alias(name)
            for name in ("valid_buckets", "over_limit_buckets", "negative_buckets", "unreadable_values")
        )
        .with_columns(unplaced=pl.min_horizontal("unreadable_times", pl.col("expected_buckets") - pl.col("placed")))
        .with_columns(
            unreadable_points=pl.col("unreadable_values") + pl.col("unreadable_times"),
            unreadable_buckets=pl.col("unreadable_values") + pl.col("unplaced"),
            null_buckets=pl.col("placed")
            - pl.sum_horizontal("valid_buckets", "over_limit_buckets", "unreadable_values"),
            missing_buckets=pl.col("expected_buckets") - pl.col("placed") - pl.col("unplaced"),
            sent_buckets=pl.col("placed") + pl.col("unplaced"),
            valid_minutes=minutes_of(
                pl.col("valid_buckets"), pl.col("resolution_minutes"), pl.col("last_valid"), pl.col("day_end")
            ),
            edited_buckets=pl.when(pl.col("placed").is_not_null()).then(pl.lit(0, pl.Int32())),
        )
    )
    return counted.select("body_ix", *SERIES_SCHEMA, "unreadable_points", "first_unreadable")


def _all_seven(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Known metrics in vocabulary order, with those that were not sent, then the unknown."""
    by_metric = {envelope.metric: envelope for envelope in envelopes if envelope.is_known}
    absent = Envelope(metric="", wire_name="", is_known=True, is_available=False)
    return [
        *(by_metric.get(metric) or replace(absent, metric=metric) for metric in METRICS),
        *(envelope for envelope in envelopes if not envelope.is_known),
    ]


def _sent(body_ix: int, day: Picked, envelope: Envelope, layout: Layout | None) -> tuple[object, ...]:
    """A row of what was sent, in the order of _SENT_COLUMNS."""
    absence, scope = None, None
    if not envelope.is_available and envelope.is_known:
        absence, scope = absence_of(envelope.reason) if envelope.wire_name else (Absence.NOT_SENT, None)
    elif not envelope.is_available and envelope.reason:
        absence, scope = absence_of(envelope.reason)
    facts = (
        body_ix,
        day.body.system_id,
        day.body.interval.day,
        envelope.metric,
        envelope.is_known,
        envelope.is_available,
        envelope.reason,
        absence,
        scope,
        envelope.unit,
        envelope.sampling_mode,
        envelope.timezone,
        envelope.resolution_minutes,
    )
    axis = day.axes.get(envelope.metric) if envelope.is_known else None
    if axis is None or layout is None:
        return (*facts, None, None, None, None, None, None, None, None)
    return (
        *facts,
        expected_of(axis.calendar, axis.resolution_minutes, day.until),
        layout.sent[METRICS.index(envelope.metric)],
        axis.duplicates,
        axis.outside_day,
        axis.off_grid,
        axis.offset_mismatches,
        axis.unreadable,
        axis.calendar.end,
    )


def _findings(picked: Sequence[Picked], series: pl.DataFrame, values: Values) -> pl.DataFrame:
    found: list[Finding] = []
    for day in picked:
        if day.outcome is not Outcome.UNREADABLE:
            found += zone_findings(day.body, day.zone_name, day.envelopes)
    unreadable = series.filter(pl.col("unreadable_points") > 0)
    for body_ix, metric, count, place in unreadable.select(
        "body_ix", "metric", "unreadable_points", "first_unreadable"
    ).iter_rows():
        day = picked[body_ix]
        evidence = f"{count} of {len(day.axes[metric].stamps)} points, e.g. {_example(day, metric, place, values)}"
        found.append(finding(day.body, metric, "unreadable_point", Severity.ERROR, evidence))
    return pl.DataFrame(found, schema=FINDING_SCHEMA, orient="row").sort(
        "day", "system_id", "rule", "metric", maintain_order=True
    )


def _odd_stamps(picked: Sequence[Picked]) -> pl.DataFrame:
    rows = [
        (day.body.system_id, day.body.interval.day, metric, rule, getattr(axis, name), printable(axis.stamps[position]))
        for day in picked
        for metric, axis in day.axes.items()
        for name, position in axis.first.items()
        if (rule := RULE_OF_ODD_STAMPS.get(name)) is not None
    ]
    return pl.DataFrame(rows, schema=ODD_STAMP_SCHEMA, orient="row")


def _example(day: Picked, metric: str, place: int | None, values: Values) -> str:
    """The first value that could not be read; if there is none, the first time."""
    axis = day.axes[metric]
    if place is not None:
        stamp = axis.stamps[place - day.offsets[metric]]
        return f"t {printable(stamp)} v {values.odd.get(place, 'not a finite number')}"
    return f"t {printable(axis.stamps[axis.first['unreadable']])}"


def _days(
    picked: Sequence[Picked], laid_out: Sequence[tuple[int, Layout]], readings: pl.DataFrame, series: pl.DataFrame
) -> pl.DataFrame:
    layouts = dict(laid_out)
    read = [ix for ix, day in enumerate(picked) if day.outcome is not Outcome.UNREADABLE]
    sizes = [len(layouts[ix].rows) if ix in layouts else 0 for ix in read]
    facts = iter(series.select(_FACTS).rows())
    series_of = dict(series.group_by("body_ix", maintain_order=True).len().iter_rows())
    texts = [(picked[ix].zone_name if ix in layouts else None, *islice(facts, series_of[ix])) for ix in read]
    values = readings.select("start_utc", *METRIC_COLUMNS.values())
    hashes = dict(zip(read, day_hashes(values, sizes, texts), strict=True))
    return pl.DataFrame(
        [
            (
                day.body.system_id,
                day.body.interval.day,
                day.outcome,
                day.detail,
                day.zone_name,
                naive(day.starts_at),
                naive(day.ends_at),
                None if day.calendar is None else day.calendar.minutes / 60,
                hashes.get(ix),
                naive(day.body.fetched_at),
                True,
            )
            for ix, day in enumerate(picked)
        ],
        schema=DAY_SCHEMA,
        orient="row",
    )
