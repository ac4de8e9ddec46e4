"""Time axes: the stamps of a series, made instants on the grid of a local day, once per distinct list of stamps.

Hundreds of series share the same 288 stamps, so a list is parsed when it is first met and recognised by exact equality
afterwards. Zone rules come from `zoneinfo` alone, as the few offsets a day has; polars only compares and adds integers.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import chain, pairwise
from threading import Lock
from typing import Any, Final

import polars as pl

from hem_etl.local_day import LAST_ZONE_ON_EARTH, day_bounds_utc, expected_buckets, zone_named
from hem_etl.normalise.envelopes import printable

MINUTE_US: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED_STAMPS: Final = 300_000
"""Bound of the memo: about a thousand days of 288 stamps, some 30 MB."""

_OFFSET: Final = r"(?:[Zz]|(?<sign>[+-])(?<hours>[01][0-9]|2[0-3]):?(?<minutes>[0-5][0-9]))$"
_TAIL: Final = r"^(?<fraction>\.[0-9]+)?" + _OFFSET
_STAMP: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]+)?" + _OFFSET
_WALL_CLOCK_LENGTH: Final = len("2026-03-29T12:00:00")


def micros(instant: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(micros: int) -> datetime:
    """The aware UTC instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """One local day of one zone: its bounds and the offsets in force, in UTC microseconds. Equal only to itself."""

    zone: tzinfo
    day: date
    start: int
    end: int
    offsets: tuple[tuple[int, int], ...]
    """(since when, offset in microseconds), the first since the day's start."""
    skipped: tuple[tuple[int, int], ...]
    """[from, to) of the wall-clock times, as microseconds since 1970, that clocks put forward never show."""

    @property
    def minutes(self) -> float:
        return (self.end - self.start) / MINUTE_US


@lru_cache(maxsize=4_096)
def expected_of(calendar: Calendar, resolution_minutes: int, until: int) -> int:
    """Buckets of the day that had ended at `until`; the same for every `until` after the day's end, so give that."""
    return expected_buckets(instant(calendar.start), instant(calendar.end), resolution_minutes, instant(until))


@lru_cache(maxsize=16_384)
def calendar_of(zone: tzinfo, day: date) -> Calendar:
    start, end = day_bounds_utc(day, zone)
    offsets = [(start, _offset(start, zone))]
    probe = start
    while probe < end:
        later = min(probe + timedelta(hours=1), end)
        if _offset(later, zone) != offsets[-1][1]:
            change = _change_between(probe, later, zone)
            if change < end:
                offsets.append((change, _offset(change, zone)))
        probe = later
    before = (start - timedelta(seconds=1), _offset(start - timedelta(seconds=1), zone))
    return Calendar(
        zone=zone,
        day=day,
        start=micros(start),
        end=micros(end),
        offsets=tuple((micros(since), offset // timedelta(microseconds=1)) for since, offset in offsets),
        skipped=tuple(
            (micros(since + old), micros(since + new))
            for (_, old), (since, new) in pairwise([before, *offsets])
            if new > old
        ),
    )


def calendars_of(days: pl.DataFrame) -> list[Calendar]:
    """The calendar of each row of `days` (day, timezone); where no zone is known that of the last zone on Earth."""
    return [
        calendar_of(zone_named(name) or LAST_ZONE_ON_EARTH, day)
        for day, name in days.select("day", "timezone").iter_rows()
    ]


def with_bounds(days: pl.DataFrame, calendars: Sequence[Calendar]) -> pl.DataFrame:
    """Adds day_start and day_end, the first instant of each day and the first after it, in UTC microseconds."""
    return days.with_columns(
        day_start=pl.Series([calendar.start for calendar in calendars], dtype=pl.Int64),
        day_end=pl.Series([calendar.end for calendar in calendars], dtype=pl.Int64),
    )


@dataclass(slots=True, eq=False)
class Axis:
    """A list of stamps read against one day's grid: what is left is one start and one position per bucket."""

    calendar: Calendar
    resolution_minutes: int
    stamps: tuple[str, ...]
    starts: list[int] = field(default_factory=list)
    """UTC microseconds of each bucket's start, ascending."""
    positions: list[int] = field(default_factory=list)
    """Where in the series its point is: of the same instant the last one."""
    duplicates: int = 0
    outside_day: int = 0
    off_grid: int = 0
    offset_mismatches: int = 0
    phantoms: int = 0
    """Stamps inside the day that spell a wall-clock time which no clock of the zone showed."""
    unreadable: int = 0
    first: dict[str, int] = field(default_factory=dict)
    """Which of these counts is not 0 → the position of the earliest stamp it counts."""

    def ended(self, until: int) -> int:
        """How many of `starts` begin buckets that had ended at `until`."""
        if until >= self.calendar.end:
            return len(self.starts)
        return bisect_right(self.starts, until - self.resolution_minutes * MINUTE_US)


class Axes:
    """The axes of one batch. `axis` hands them out, `read` reads those that no batch before has met."""

    def __init__(self) -> None:
        self._new: dict[tuple[Calendar, int, tuple[str, ...]], Axis] = {}

    def axis(self, calendar: Calendar, resolution_minutes: int, stamps: Sequence[Any]) -> Axis:
        key = (calendar, resolution_minutes, tuple(stamps))
        try:
            found = _remembered(key) or self._new.get(key)
        except TypeError:  # an object in a stamp's place: it has no hash
            found = None
        if found is None:
            key = (calendar, resolution_minutes, _texts(stamps))
            found = self._new.setdefault(key, Axis(*key))
        return found

    def read(self) -> None:
        axes = list(self._new.values())
        if axes:
            _read_stamps(axes)
        for key, axis in self._new.items():
            _remember(key, axis)
        self._new = {}


def with_local_time(frame: pl.DataFrame, calendars: Sequence[Calendar]) -> pl.DataFrame:
    """start_utc, start_local and utc_offset_minutes, from `start` (UTC microseconds) and the row's `calendar_ix`."""
    offsets = frame.select(_offset_at("start", calendars)).to_series()
    return frame.with_columns(
        start_utc=pl.col("start").cast(pl.Datetime("us")),
        start_local=(pl.col("start") + offsets).cast(pl.Datetime("us")),
        utc_offset_minutes=(offsets // MINUTE_US).cast(pl.Int16),
    )


def instants_of(stamps: Sequence[str | None]) -> pl.DataFrame:
    """utc and sent_offset of each stamp, in microseconds.

    utc is NULL where the stamp cannot be read or has no offset; sent_offset is NULL there and with `Z`, which claims
    none. RFC 3339, with any case, with a blank for the T and without the offset's colon too.
    """
    frame = pl.DataFrame({"stamp": stamps}, schema={"stamp": pl.String})
    stamp = pl.when(pl.col("stamp").str.contains(_STAMP)).then(pl.col("stamp"))
    return (
        frame.select(
            wall_clock=pl.concat_str(stamp.str.slice(0, 10), stamp.str.slice(11, 8)).str.to_datetime(
                "%Y-%m-%d%H:%M:%S", strict=False, time_unit="us", cache=False
            ),
            tail=stamp.str.slice(_WALL_CLOCK_LENGTH),
        )
        .pipe(_with_offset_of_tail)
        .select(
            # `Z` states an instant and no local offset
            utc=pl.col("wall_clock").dt.timestamp("us") + pl.col("fraction") - pl.col("sent_offset").fill_null(0),
            sent_offset="sent_offset",
        )
    )


def _with_offset_of_tail(frame: pl.DataFrame) -> pl.DataFrame:
    """The fraction and the offset, read once per distinct tail: there are a handful in millions of stamps."""
    tails = frame.select(pl.col("tail").drop_nulls().unique())
    parts = tails.select("tail", part=pl.col("tail").str.extract_groups(_TAIL)).unnest("part")
    sign = pl.when(pl.col("sign") == "-").then(-1).when(pl.col("sign") == "+").then(1)
    read = parts.select(
        "tail",
        fraction=(("0" + pl.col("fraction").fill_null(".0")).cast(pl.Float64) * 1_000_000).round().cast(pl.Int64),
        sent_offset=sign * (pl.col("hours").cast(pl.Int64) * 60 + pl.col("minutes").cast(pl.Int64)) * MINUTE_US,
    )
    return frame.join(read, on="tail", how="left", validate="m:1", maintain_order="left")


def _texts(stamps: Sequence[object]) -> tuple[str, ...]:
    """What is not text becomes a text that is no stamp."""
    return tuple(stamp if isinstance(stamp, str) else printable(stamp) for stamp in stamps)


def _read_stamps(axes: Sequence[Axis]) -> None:
    lengths = pl.Series([len(axis.stamps) for axis in axes], dtype=pl.UInt32)
    points = (
        instants_of(list(chain.from_iterable(axis.stamps for axis in axes)))
        .with_columns(
            axis_ix=pl.Series(range(len(axes)), dtype=pl.UInt32).repeat_by(lengths).explode(empty_as_null=False),
            position=pl.int_ranges(0, lengths, dtype=pl.UInt32, eager=True).explode(empty_as_null=False),
        )
        .with_columns(calendar_ix="axis_ix")
    )
    grid = pl.DataFrame(
        {
            "day_start": [axis.calendar.start for axis in axes],
            "day_end": [axis.calendar.end for axis in axes],
            "step": [axis.resolution_minutes * MINUTE_US for axis in axes],
        },
        schema={"day_start": pl.Int64, "day_end": pl.Int64, "step": pl.Int64},
    )
    points = pl.concat([points, grid.select(pl.all().gather(points["axis_ix"]))], how="horizontal")
    in_day = (pl.col("utc") >= pl.col("day_start")) & (pl.col("utc") < pl.col("day_end"))
    on_grid = (pl.col("utc") - pl.col("day_start")) % pl.col("step") == 0
    points = points.with_columns(in_day=in_day, placed=in_day & on_grid)
    placed = points.filter("placed")
    winners = placed.filter(pl.struct("axis_ix", "utc").is_last_distinct()).sort("axis_ix", "utc")
    zone_offset = _offset_at("utc", [axis.calendar for axis in axes])
    mismatches = winners.filter(pl.col("sent_offset") != zone_offset)
    _give(axes, winners)
    for name, rows in (
        ("unreadable", points.filter(pl.col("utc").is_null())),
        ("duplicates", placed.filter(~pl.struct("axis_ix", "utc").is_last_distinct())),
        ("outside_day", points.filter(~pl.col("in_day"))),
        ("off_grid", points.filter(pl.col("in_day") & ~pl.col("placed"))),
        ("offset_mismatches", mismatches),
        ("phantoms", points.filter(pl.col("in_day") & _is_skipped([axis.calendar for axis in axes]))),
    ):
        earliest = pl.col("position").sort_by("utc", "position", nulls_last=True).first()
        for axis_ix, count, position in rows.group_by("axis_ix").agg(pl.len(), earliest).iter_rows():
            setattr(axes[axis_ix], name, count)
            axes[axis_ix].first[name] = position


def _give(axes: Sequence[Axis], winners: pl.DataFrame) -> None:
    starts, positions = winners["utc"].to_list(), winners["position"].to_list()
    taken = 0
    for axis_ix, count in winners.group_by("axis_ix", maintain_order=True).len().iter_rows():
        axes[axis_ix].starts = starts[taken : taken + count]
        axes[axis_ix].positions = positions[taken : taken + count]
        taken += count


def _offset_at(instant: str, calendars: Sequence[Calendar]) -> pl.Expr:
    """The zone's offset at a UTC instant of the day, by the row's `calendar_ix`, in microseconds."""

    def by_row(values: list[int | None]) -> pl.Expr:
        return pl.lit(pl.Series(values, dtype=pl.Int64)).gather(pl.col("calendar_ix"))

    chosen = by_row([calendar.offsets[0][1] for calendar in calendars])
    for change in range(1, max((len(calendar.offsets) for calendar in calendars), default=1)):
        later = [calendar.offsets[change] if change < len(calendar.offsets) else (None, None) for calendar in calendars]
        is_later = pl.col(instant) >= by_row([since for since, _ in later])
        chosen = pl.when(is_later).then(by_row([offset for _, offset in later])).otherwise(chosen)
    return chosen


def _is_skipped(calendars: Sequence[Calendar]) -> pl.Expr:
    """Whether the wall-clock time, as it was written, falls into what the clocks of the row's `calendar_ix` skip."""
    wall_clock = pl.col("utc") + pl.col("sent_offset")
    skipped = pl.lit(False)
    for change in range(max((len(calendar.skipped) for calendar in calendars), default=0)):
        bounds = [
            calendar.skipped[change] if change < len(calendar.skipped) else (None, None) for calendar in calendars
        ]
        first, last = (
            pl.lit(pl.Series(each, dtype=pl.Int64)).gather("calendar_ix") for each in zip(*bounds, strict=True)
        )
        skipped |= ((wall_clock >= first) & (wall_clock < last)).fill_null(False)  # `Z` claims no wall-clock time
    return skipped


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first second at which the offset is that of `after`."""
    changed = _offset(after, zone)
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if _offset(middle, zone) == changed else (middle, after)
    return after


_memo: OrderedDict[tuple[Calendar, int, tuple[str, ...]], Axis] = OrderedDict()
_memo_lock = Lock()
_memo_stamps = 0


def _remembered(key: tuple[Calendar, int, tuple[str, ...]]) -> Axis | None:
    with _memo_lock:
        found = _memo.get(key)
        if found is not None:
            _memo.move_to_end(key)
        return found


def _remember(key: tuple[Calendar, int, tuple[str, ...]], axis: Axis) -> None:
    global _memo_stamps
    with _memo_lock:
        if key not in _memo:
            _memo_stamps += len(axis.stamps)
        _memo[key] = axis
        while _memo_stamps > _REMEMBERED_STAMPS:
            _memo_stamps -= len(_memo.popitem(last=False)[1].stamps)
