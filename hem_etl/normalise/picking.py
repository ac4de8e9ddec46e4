"""From parsed JSON to rows: each body's stamps and values, picked per series, never looked at one by one, and laid out.

Values land in one long column of floats; a body remembers where each of its series begins. Only a malformed series,
or one that holds something else than numbers and nulls, is gone through point by point.

A layout is where the points of a body go: its rows (every bucket start any series sent) and, per metric, which point
fills a row. Bodies whose series share their axes share one layout, so a batch has few; placing the values is then one
gather a metric.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import chain
from math import isfinite
from typing import Any, Final

import polars as pl

from hem_etl.local_day import LAST_ZONE_ON_EARTH, zone_named
from hem_etl.normalise.axes import MINUTE_US, Axes, Axis, Calendar, calendar_of, instant, micros, with_local_time
from hem_etl.normalise.envelopes import Envelope, Points, Units, UnreadableBodyError, printable, read_envelopes
from hem_etl.normalise.frames import Body, Finding, finding
from hem_etl.vocabulary import FLOWS, KW_PER_POWER_UNIT, METRICS, MINUTES_PER_DAY, PERCENT_UNITS, SOC, Outcome, Severity

DAY_UNITS: Final[Units] = {
    **dict.fromkeys(FLOWS, KW_PER_POWER_UNIT),
    SOC: {None: 1.0, **dict.fromkeys(PERCENT_UNITS, 1.0)},
}
"""What a DAY may be sent in. The unit of the state of charge is not documented: percent, or none, taken for percent."""

DAY_RESOLUTIONS: Final = frozenset(step for step in range(1, MINUTES_PER_DAY + 1) if MINUTES_PER_DAY % step == 0)

_NUMBERS: Final = frozenset({float, int, type(None)})
_CHUNK: Final = 200_000

_LayoutKey = tuple[tuple[Axis | None, ...], int]


@dataclass(slots=True)
class Picked:
    """One body: what it says, and where its points went."""

    body: Body
    outcome: Outcome
    detail: str | None = None
    zone_name: str | None = None
    """None where none is known: a fixed offset stands in."""
    calendar: Calendar | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    until: int = 0
    """The last whole minute before it was fetched, but not later than the day's end: later buckets are left out."""
    envelopes: list[Envelope] = field(default_factory=list)
    axes: dict[str, Axis] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    """Metric → where its values begin in the long column."""
    scales: dict[str, float] = field(default_factory=dict)
    """Metric → factor from the sent unit to ours."""


class Values:
    """The values of all series one after another, as floats. What is no number is NULL, and remembered in `odd`."""

    def __init__(self) -> None:
        self.odd: dict[int, str] = {}
        """Place in the column → what stood there, shortened."""
        self._chunks: list[pl.Series] = []
        self._pending: list[Any] = []
        self._length = 0

    def append(self, points: Points) -> int:
        """Where the first of their values went."""
        offset, values = self._length, points.values
        if not points.are_numbers and not _NUMBERS.issuperset(map(type, values)):
            values = self._without_odd(values, offset)
        self._pending += values
        self._length += len(values)
        if len(self._pending) > _CHUNK:
            self._flush()
        return offset

    def numbers(self) -> tuple[pl.Series, pl.Series | None]:
        """The whole column, finite and without −0.0, and where something else stood: None for nowhere."""
        self._flush()
        column = pl.concat(self._chunks, rechunk=True).alias("value")
        is_odd = column.is_not_null() & ~column.is_finite()
        if self.odd:
            is_odd = is_odd.scatter(list(self.odd), True)
        value = pl.when(pl.col("value") == 0).then(0.0).otherwise(pl.col("value"))
        if not is_odd.any():
            return column.to_frame().select(value).to_series(), None
        return column.to_frame().select(pl.when(~is_odd).then(value)).to_series(), is_odd

    def _flush(self) -> None:
        try:
            chunk = pl.Series(self._pending, dtype=pl.Float64)
        except OverflowError:  # an integer beyond any float
            at = self._length - len(self._pending)
            chunk = pl.Series(self._without_odd(self._pending, at), dtype=pl.Float64)
        self._chunks.append(chunk)
        self._pending = []

    def _without_odd(self, values: Sequence[Any], offset: int) -> list[Any]:
        numbers: list[Any] = []
        for place, value in enumerate(values, offset):
            if type(value) not in _NUMBERS or (type(value) is int and not _is_float_sized(value)):
                self.odd[place] = printable(value)
                value = None
            numbers.append(value)
        return numbers


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for reference cycles meanwhile: parsed JSON has none, and the search costs a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def pick(body: Body, axes: Axes, values: Values) -> Picked:
    """Read one DAY body: its axes into `axes`, its values into `values`."""
    try:
        envelopes = read_envelopes(body.body, DAY_UNITS, DAY_RESOLUTIONS)
    except UnreadableBodyError as error:
        return Picked(body, Outcome.UNREADABLE, detail=str(error))
    available = [envelope for envelope in envelopes if envelope.points is not None]
    picked = Picked(body, Outcome.LOADED if available else Outcome.UNAVAILABLE, envelopes=envelopes)
    try:
        zone, picked.zone_name = zone_of(body, available)
    except UnreadableBodyError as error:
        return Picked(body, Outcome.UNREADABLE, detail=str(error))
    calendar = calendar_of(zone, body.interval.day)
    picked.calendar = calendar
    picked.starts_at, picked.ends_at = instant(calendar.start), instant(calendar.end)
    picked.until = min(micros(body.fetched_at), calendar.end)
    picked.until -= (picked.until - calendar.start) % MINUTE_US if picked.until < calendar.end else 0
    if not available:
        return picked
    stamps: list[Any] = []
    axis: Axis | None = None
    for envelope in available:
        resolution, points = envelope.resolution_minutes, envelope.points
        assert resolution is not None
        assert points is not None
        if axis is None or axis.resolution_minutes != resolution or points.stamps != stamps:
            axis, stamps = axes.axis(calendar, resolution, points.stamps), points.stamps
        picked.axes[envelope.metric] = axis
        picked.offsets[envelope.metric] = values.append(points)
        picked.scales[envelope.metric] = envelope.scale
        envelope.points = None
    return picked


def zone_of(body: Body, available: Sequence[Envelope]) -> tuple[tzinfo, str | None]:
    """The zone a body is read in, and its name: of the first series that states one we know, else the system's.

    Where none is known a body without data is over when it is over everywhere. One with data has no local day that
    could be cut out without guessing: UnreadableBodyError.
    """
    for name in (*(envelope.timezone for envelope in available), body.zone):
        zone = zone_named(name)
        if zone is not None:
            return zone, name
    if available:
        stated = ", ".join(sorted({printable(envelope.timezone) for envelope in available}))
        raise UnreadableBodyError(f"no known time zone: series state {stated}, the system {printable(body.zone)}")
    return LAST_ZONE_ON_EARTH, None


def zone_findings(body: Body, zone_name: str | None, envelopes: Sequence[Envelope]) -> Iterator[Finding]:
    """`unknown_timezone`: nothing is available, and nobody states a zone we know.

    `timezone_disagrees`: a series states another zone than was used.
    """
    stated = {
        each.wire_name: each.timezone for each in envelopes if each.is_known and each.is_available and each.timezone
    }
    others = ", ".join(f"{name} states {printable(zone)}" for name, zone in stated.items() if zone != zone_name)
    if zone_name is None:
        evidence = f"no known zone: {others or 'none is stated'}; the system's is {printable(body.zone)}"
        yield finding(body, None, "unknown_timezone", Severity.WARNING, evidence)
    elif others:
        evidence = f"read in {printable(zone_name)}, but {others}"
        yield finding(body, None, "timezone_disagrees", Severity.WARNING, evidence)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    calendar: Calendar
    rows: list[int]
    """UTC microseconds, ascending."""
    points: tuple[list[int | None] | None, ...]
    """Per metric, per row: the point's place in its series; None for the whole of a metric that is not available."""
    sent: tuple[int, ...]
    """Per metric: rows that have a point."""
    first_row: int
    """Where the rows begin among those of all layouts of the batch."""


def layouts_of(bodies: Sequence[Picked]) -> list[tuple[int, Layout]]:
    """The layout of each body that has series to lay out, with its index; bodies that are laid out alike share one."""
    by_axes: dict[_LayoutKey, Layout] = {}
    first_row = 0
    laid_out = []
    for body_ix, picked in enumerate(bodies):
        if picked.calendar is None or not picked.axes:
            continue
        axes = tuple(picked.axes.get(metric) for metric in METRICS)
        layout = by_axes.get((axes, picked.until))
        if layout is None:
            layout = by_axes[axes, picked.until] = _layout(picked.calendar, axes, picked.until, first_row)
            first_row += len(layout.rows)
        laid_out.append((body_ix, layout))
    return laid_out


def layout_rows(laid_out: Sequence[tuple[int, Layout]]) -> pl.DataFrame:
    """The rows of all bodies: body_ix, start in UTC and local, and per metric (`point_0` …) the point's place."""
    distinct = list(dict.fromkeys(layout for _, layout in laid_out))
    columns: dict[str, pl.Series] = {
        "start": pl.Series(list(chain.from_iterable(layout.rows for layout in distinct)), dtype=pl.Int64),
        "calendar_ix": _repeated(range(len(distinct)), [len(layout.rows) for layout in distinct]),
    }
    for ix in range(len(METRICS)):
        places = chain.from_iterable(layout.points[ix] or [None] * len(layout.rows) for layout in distinct)
        columns[f"point_{ix}"] = pl.Series(list(places), dtype=pl.UInt32)
    rows = with_local_time(pl.DataFrame(columns), [layout.calendar for layout in distinct])
    first = pl.Series([layout.first_row for _, layout in laid_out], dtype=pl.UInt32)
    sizes = [len(layout.rows) for _, layout in laid_out]
    row = pl.int_ranges(first, first + pl.Series(sizes, dtype=pl.UInt32), dtype=pl.UInt32, eager=True)
    return rows.select(pl.all().gather(row.explode(empty_as_null=False))).with_columns(
        body_ix=_repeated([body_ix for body_ix, _ in laid_out], sizes)
    )


def _repeated(values: Sequence[int], times: Sequence[int]) -> pl.Series:
    """Each value as often as said."""
    counts = pl.Series(times, dtype=pl.UInt32)
    return pl.Series(values, dtype=pl.UInt32).repeat_by(counts).explode(empty_as_null=False)


def _layout(calendar: Calendar, axes: tuple[Axis | None, ...], until: int, first_row: int) -> Layout:
    ended = {axis: axis.ended(until) for axis in axes if axis is not None}
    starts = {axis: axis.starts[:count] for axis, count in ended.items()}
    rows = max(starts.values(), key=len)
    if any(own != rows for own in starts.values()):
        rows = sorted(set().union(*starts.values()))
    places: dict[Axis, list[int | None]] = {}
    for axis, own in starts.items():
        positions: list[int | None] = [*axis.positions[: len(own)]]
        places[axis] = positions if own == rows else list(map(dict(zip(own, positions, strict=True)).get, rows))
    return Layout(
        calendar=calendar,
        rows=rows,
        points=tuple(None if axis is None else places[axis] for axis in axes),
        sent=tuple(0 if axis is None else ended[axis] for axis in axes),
        first_row=first_row,
    )


def _is_float_sized(value: int) -> bool:
    try:
        return isfinite(float(value))
    except OverflowError:
        return False
