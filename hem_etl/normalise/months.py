"""Month bodies → the energy that the vendor reports for each local day.

A reported day is a bucket that begins with the local day and had ended when it was fetched. Nothing is converted to
power, nothing is spread: these numbers stand beside the integrated ones and are compared with them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import polars as pl

from hem_etl.local_day import days_between
from hem_etl.normalise.axes import calendar_of, instants_of, micros
from hem_etl.normalise.envelopes import Envelope, Units, UnreadableBodyError, printable, read_envelopes
from hem_etl.normalise.frames import (
    FINDING_SCHEMA,
    MONTH_SCHEMA,
    REPORTED_SCHEMA,
    Body,
    Finding,
    Months,
    finding,
    gated,
    naive,
)
from hem_etl.normalise.picking import Values, collector_paused, zone_findings, zone_of
from hem_etl.vocabulary import (
    FLOWS,
    KWH_PER_ENERGY_UNIT,
    MINUTES_PER_DAY,
    MOST_KWH_OF_A_DAY,
    IntervalKind,
    Outcome,
    Severity,
)

_MONTH_UNITS: Final[Units] = dict.fromkeys(FLOWS, KWH_PER_ENERGY_UNIT)
_MONTH_RESOLUTIONS: Final = frozenset({MINUTES_PER_DAY})
_SCHEME: Final = b"hem month 1\n"
_EACH: Final = ["month_ix", "metric"]


@dataclass(slots=True)
class _Picked:
    body: Body
    outcome: Outcome
    detail: str | None = None
    zone_name: str | None = None
    envelopes: list[Envelope] = field(default_factory=list)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    days: list[tuple[object, int, int]] = field(default_factory=list)
    """(local day, first instant, first instant of the next), in UTC microseconds."""
    series: list[tuple[str, list[Any], int, float]] = field(default_factory=list)
    """(metric, stamps, where the values begin in the long column, factor to kWh)."""


def read_months(bodies: Sequence[Body]) -> Months:
    """Read MONTH bodies, one per (system, month), in any order. The state of charge has no MONTH: it is left out."""
    ordered = sorted(bodies, key=lambda body: (body.interval.day, body.system_id))
    assert all(body.interval.kind is IntervalKind.MONTH for body in ordered), "days are read by read_days"
    values = Values()
    with collector_paused():
        picked = [_pick(body, values) for body in ordered]
    points = _points(picked, values)
    reported = (
        points.filter("is_ended")
        .group_by("month_ix", "day")
        .agg(pl.col("kwh").filter(pl.col("metric") == flow).first().alias(f"{flow}_kwh") for flow in FLOWS)
        .filter(pl.any_horizontal(pl.col(f"{flow}_kwh").is_not_null() for flow in FLOWS))
        .with_columns(
            system_id=_by_month([month.body.system_id for month in picked], pl.String()),
            fetched_at_utc=_by_month(
                [naive(month.body.fetched_at) for month in picked], REPORTED_SCHEMA["fetched_at_utc"]
            ),
        )
        .sort("day", "system_id")
    )
    return Months(
        reported=gated(reported.select(REPORTED_SCHEMA.names()), REPORTED_SCHEMA, key=("system_id", "day")),
        months=gated(_months(picked, reported), MONTH_SCHEMA, key=("system_id", "day")),
        findings=gated(_findings(picked, points, values), FINDING_SCHEMA),
    )


def _pick(body: Body, values: Values) -> _Picked:
    try:
        envelopes = read_envelopes(body.body, _MONTH_UNITS, _MONTH_RESOLUTIONS)
    except UnreadableBodyError as error:
        return _Picked(body, Outcome.UNREADABLE, detail=str(error))
    available = [envelope for envelope in envelopes if envelope.points is not None]
    picked = _Picked(body, Outcome.LOADED if available else Outcome.UNAVAILABLE, envelopes=envelopes)
    try:
        zone, picked.zone_name = zone_of(body, available)
    except UnreadableBodyError as error:
        return _Picked(body, Outcome.UNREADABLE, detail=str(error))
    picked.starts_at, picked.ends_at = body.interval.bounds_utc(zone)
    for day in days_between(body.interval.day, body.interval.last_day):
        calendar = calendar_of(zone, day)
        if calendar.end > calendar.start:
            picked.days.append((day, calendar.start, calendar.end))
    for envelope in available:
        assert envelope.points is not None
        begin = values.append(envelope.points)
        picked.series.append((envelope.metric, envelope.points.stamps, begin, envelope.scale))
        envelope.points = None
    return picked


def _points(picked: Sequence[_Picked], values: Values) -> pl.DataFrame:
    """One row per point and what became of it; those with `is_ended` are the reported days, one per flow."""
    column, is_odd = values.numbers()
    series = [(month_ix, *each) for month_ix, month in enumerate(picked) for each in month.series]
    sent = pl.DataFrame(
        {
            "month_ix": [month_ix for month_ix, *_ in series],
            "metric": [metric for _, metric, *_ in series],
            "scale": [scale for *_, scale in series],
            "place": [range(begin, begin + len(stamps)) for _, _, stamps, begin, _ in series],
        },
        schema={"month_ix": pl.UInt32, "metric": pl.String, "scale": pl.Float64, "place": pl.List(pl.UInt32)},
    ).explode("place", empty_as_null=False)
    stamps = [
        stamp if isinstance(stamp, str) else printable(stamp)
        for _, _, sent_stamps, *_ in series
        for stamp in sent_stamps
    ]
    return (
        pl.concat(
            [sent, instants_of(stamps).select("utc"), pl.DataFrame({"stamp": stamps}, {"stamp": pl.String})],
            how="horizontal",
        )
        .join(_grid(picked), on=["month_ix", "utc"], how="left", validate="m:1", maintain_order="left")
        .with_columns(
            kwh=pl.lit(column).gather(pl.col("place")) * pl.col("scale"),
            is_odd=pl.lit(False) if is_odd is None else pl.lit(is_odd).gather(pl.col("place")),
            month_start=_by_month([month.days[0][1] if month.days else None for month in picked], pl.Int64()),
            month_end=_by_month([month.days[-1][2] if month.days else None for month in picked], pl.Int64()),
            until=_by_month([micros(month.body.fetched_at) for month in picked], pl.Int64()),
        )
        .with_columns(
            is_outside=(pl.col("utc") < pl.col("month_start")) | (pl.col("utc") >= pl.col("month_end")),
            is_placed=pl.col("day").is_not_null(),
        )
        .with_columns(
            is_off_grid=pl.col("utc").is_not_null() & ~pl.col("is_outside") & ~pl.col("is_placed"),
            is_repeated=pl.col("is_placed") & ~pl.struct(*_EACH, "utc").is_last_distinct(),
        )
        .with_columns(is_ended=pl.col("is_placed") & ~pl.col("is_repeated") & (pl.col("day_end") <= pl.col("until")))
        .with_columns(is_absurd=pl.col("kwh").abs() > MOST_KWH_OF_A_DAY)
        .with_columns(
            kwh=pl.when(~pl.col("is_absurd")).then("kwh"),
            is_unreadable=pl.col("utc").is_null()
            | (pl.col("is_ended") & (pl.col("is_odd") | pl.col("is_absurd").fill_null(False))),  # null: no value
        )
    )


def _grid(picked: Sequence[_Picked]) -> pl.DataFrame:
    """The first instant of each local day of each body's month: the only instants at which a reported day can begin."""
    rows = [(month_ix, *day) for month_ix, month in enumerate(picked) for day in month.days]
    schema = {"month_ix": pl.UInt32, "day": pl.Date, "utc": pl.Int64, "day_end": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _by_month(values: Sequence[Any], dtype: pl.DataType) -> pl.Expr:
    """One value per body, on each of its rows."""
    return pl.lit(pl.Series(values, dtype=dtype)).gather(pl.col("month_ix"))


def _months(picked: Sequence[_Picked], reported: pl.DataFrame) -> pl.DataFrame:
    rows: dict[int, list[list[object]]] = {}
    for month_ix, day, *kwh in reported.select("month_ix", "day", *(f"{flow}_kwh" for flow in FLOWS)).iter_rows():
        rows.setdefault(month_ix, []).append([day.isoformat(), *kwh])
    lines = []
    for month_ix, month in enumerate(picked):
        outcome = month.outcome
        content = [month.zone_name if outcome is Outcome.LOADED else None, rows.get(month_ix, [])]
        digest = sha256(_SCHEME + json.dumps(content, separators=(",", ":")).encode()).hexdigest()
        lines.append(
            (
                month.body.system_id,
                month.body.interval.day,
                outcome,
                month.detail,
                month.zone_name,
                naive(month.starts_at),
                naive(month.ends_at),
                None if outcome is Outcome.UNREADABLE else digest,
                naive(month.body.fetched_at),
            )
        )
    return pl.DataFrame(lines, schema=MONTH_SCHEMA, orient="row")


_RULES: Final = {
    "is_unreadable": ("unreadable_point", Severity.ERROR),
    "is_outside": ("outside_month", Severity.WARNING),
    "is_off_grid": ("off_grid", Severity.WARNING),
    "is_repeated": ("duplicate_bucket", Severity.WARNING),
}


def _findings(picked: Sequence[_Picked], points: pl.DataFrame, values: Values) -> pl.DataFrame:
    """Months have no table of counts, so each kind of odd point is a finding, once per flow."""
    found: list[Finding] = []
    for month in picked:
        if month.outcome is not Outcome.UNREADABLE:
            found += zone_findings(month.body, month.zone_name, month.envelopes)
    for flag, (rule, severity) in _RULES.items():
        odd = points.filter(flag).group_by(_EACH, maintain_order=True)
        for month_ix, metric, count, stamp, place in odd.agg(
            pl.len(), pl.col("stamp").first(), pl.col("place").first().alias("first")
        ).iter_rows():
            value = f" v {values.odd[place]}" if place in values.odd else ""
            evidence = f"{count} points, e.g. t {printable(stamp)}{value}"
            found.append(finding(picked[month_ix].body, metric, rule, severity, evidence))
    return pl.DataFrame(found, schema=FINDING_SCHEMA, orient="row").sort(
        "day", "system_id", "rule", "metric", maintain_order=True
    )
