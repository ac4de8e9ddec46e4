"""From parsed JSON to columns: each body's stamps and values, picked per series, never looked at one by one.

Values land in one long column of floats; a body remembers where each of its series begins. Only a malformed series,
or one that holds something else than numbers and nulls, is gone through point by point.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from math import isfinite
from operator import itemgetter
from typing import Any, Final

import polars as pl

from hem_etl.local_day import LAST_ZONE_ON_EARTH, zone_named
from hem_etl.normalise.axes import MINUTE_US, Axes, Axis, Calendar, calendar_of, instant, micros
from hem_etl.normalise.envelopes import Envelope, Units, UnreadableBodyError, read_envelopes, shown
from hem_etl.normalise.frames import Body
from hem_etl.vocabulary import FLOWS, KW_PER_POWER_UNIT, MINUTES_PER_DAY, PERCENT_UNITS, SOC, Outcome

DAY_UNITS: Final[Units] = {
    **dict.fromkeys(FLOWS, KW_PER_POWER_UNIT),
    SOC: {None: 1.0, **dict.fromkeys(PERCENT_UNITS, 1.0)},
}
"""What a DAY may be sent in. The unit of the state of charge is not documented: percent, or none, taken for percent."""

DAY_RESOLUTIONS: Final = frozenset(step for step in range(1, MINUTES_PER_DAY + 1) if MINUTES_PER_DAY % step == 0)

_STAMP: Final = itemgetter("t")
_VALUE: Final = itemgetter("v")
_NUMBERS: Final = frozenset({float, int, type(None)})
_CHUNK: Final = 200_000


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

    def append(self, values: list[Any]) -> int:
        """Where the first of them went."""
        offset = self._length
        if not _NUMBERS.issuperset(map(type, values)):
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
                self.odd[place] = shown(value)
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
    columns = [columns_of(envelope.points or ()) for envelope in available]
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
    for envelope, (own_stamps, own_values) in zip(available, columns, strict=True):
        resolution = envelope.resolution_minutes
        assert resolution is not None
        if axis is None or axis.resolution_minutes != resolution or own_stamps != stamps:
            axis, stamps = axes.axis(calendar, resolution, own_stamps), own_stamps
        picked.axes[envelope.metric] = axis
        picked.offsets[envelope.metric] = values.append(own_values)
        picked.scales[envelope.metric] = envelope.scale
        envelope.points = None
    return picked


def columns_of(points: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The `t` and the `v` of each point. No `v` is a null; what is no point at all has a time that cannot be read."""
    try:
        return list(map(_STAMP, points)), list(map(_VALUE, points))
    except (KeyError, TypeError, IndexError):
        return (
            [point.get("t") if isinstance(point, dict) else shown(point) for point in points],
            [point.get("v") if isinstance(point, dict) else None for point in points],
        )


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
        stated = ", ".join(sorted({shown(envelope.timezone) for envelope in available}))
        raise UnreadableBodyError(f"no known time zone: series state {stated}, the system {shown(body.zone)}")
    return LAST_ZONE_ON_EARTH, None


def _is_float_sized(value: int) -> bool:
    try:
        return isfinite(float(value))
    except OverflowError:
        return False
