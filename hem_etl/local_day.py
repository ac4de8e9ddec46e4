"""Pure calendar arithmetic: the UTC bounds of a local day, expected buckets, ranges of days and months.

A day is a label of a *local* date. Its length is the difference of two UTC instants (23, 23.5, 24, 24.5, 25 h), never
of two wall-clock times: Python subtracts two datetimes of one zone as if no clock had changed. No frames, no clock, no
I/O.
"""

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hem_etl.vocabulary import IntervalKind

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""What clocks may differ by."""
NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
LAST_ZONE_ON_EARTH: Final = timezone(timedelta(hours=-12))
"""Stands in for an unknown zone: a day has begun, and is over, when it has for everybody (12:00 UTC)."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The API's `interval`: one local day (`2026-03-29`) or one local calendar month (`2026-03`)."""

    kind: IntervalKind
    day: date
    """The day, or the first day of the month."""

    @classmethod
    def of_day(cls, day: date) -> "Interval":
        return cls(IntervalKind.DAY, day)

    @classmethod
    def of_month(cls, day: date) -> "Interval":
        return cls(IntervalKind.MONTH, day.replace(day=1))

    @classmethod
    def parse(cls, label: str) -> "Interval":
        """The interval that `label` spells; ValueError for any other text."""
        try:
            is_month = len(label) == len("2026-03")
            interval = (
                cls.of_month(date.fromisoformat(f"{label}-01")) if is_month else cls.of_day(date.fromisoformat(label))
            )
        except ValueError:
            interval = None
        if interval is not None and interval.label == label:  # Python reads week dates too, the API does not
            return interval
        raise ValueError(f"{label!r} is neither a day (2026-03-29) nor a month (2026-03)")

    @property
    def label(self) -> str:
        return self.day.isoformat() if self.kind is IntervalKind.DAY else f"{self.day:%Y-%m}"

    @property
    def last_day(self) -> date:
        return self.day if self.kind is IntervalKind.DAY else next_month(self.day) - timedelta(days=1)

    def bounds_utc(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """First instant and first instant after, both UTC."""
        return first_instant(self.day, zone), first_instant(self.last_day + timedelta(days=1), zone)


def zone_named(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None where the name is absent or unknown. Never reads a path that `name` spells.

    Names of the machine's own files are no zones: results would depend on the machine.
    """
    if not name or name in NO_ZONES:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def rules_sha256(name: str) -> str | None:
    """Fingerprint of the rules that `zone_named(name)` goes by: they change with the tz database. None: no file."""
    for root in (*map(Path, zoneinfo.TZPATH), None):
        try:
            file = files("tzdata.zoneinfo").joinpath(*name.split("/")) if root is None else root / name
            return sha256(file.read_bytes()).hexdigest()
        except (OSError, ModuleNotFoundError):
            continue
    return None


@lru_cache(maxsize=65_536)
def first_instant(day: date, zone: tzinfo) -> datetime:
    """The first UTC instant whose local date in `zone` is `day` or later.

    Usually local midnight. Where a clock change swallows midnight the day begins at the change (01:00 in Cairo), where
    it repeats midnight the first one counts, and a date that never happened (Samoa, 2011-12-30) has length zero.
    """
    naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall-clock time, made an instant below
    before, after = sorted(naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if before.astimezone(zone).date() >= day:
        return before
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if middle.astimezone(zone).date() >= day else (middle, after)
    return after


def naive_utc(instant: datetime) -> datetime:
    """An aware instant as frames and tables hold it: UTC, without saying so."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def day_bounds_utc(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """`[first instant, first instant of the next day)` of the local day, both UTC."""
    return first_instant(day, zone), first_instant(day + timedelta(days=1), zone)


def newest_day_over(now: datetime) -> date:
    """The newest local date that is over everywhere on Earth at this instant."""
    return now.astimezone(LAST_ZONE_ON_EARTH).date() - timedelta(days=1)


def day_hours(day: date, zone: tzinfo) -> float:
    """Length of the local day in hours."""
    start, end = day_bounds_utc(day, zone)
    return (end - start).total_seconds() / 3600


def expected_buckets(start: datetime, end: datetime, resolution_minutes: int, until: datetime) -> int:
    """Buckets of `[start, end)` that had ended at `until`; a last bucket cut by the end of the day counts as one."""
    step = timedelta(minutes=resolution_minutes)
    if until >= end:
        return -((start - end) // step)
    return max(0, (until - start) // step)


def days_between(first: date, last: date) -> Iterator[date]:
    """Every date from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def next_month(day: date) -> date:
    """The first day of the month after the one that holds `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def months_between(first: date, last: date) -> Iterator[date]:
    """The first day of every month that `first`..`last` touches."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = next_month(month)
