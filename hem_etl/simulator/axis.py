"""The buckets of a local day, spelt as a vendor spells them: shared by all homes of a zone, so computed once."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hem_etl.local_day import day_bounds_utc, expected_buckets


@dataclass(frozen=True, slots=True)
class Axis:
    """Bucket starts of one local day at one resolution, in order of time."""

    start: datetime
    """First instant of the day, UTC."""
    end: datetime
    """First instant after it, UTC."""
    resolution_minutes: int
    wall_minutes: tuple[int, ...]
    """Minutes after midnight on a clock on the wall: repeats or jumps where the clock changes."""
    stamps: tuple[str, ...]
    """Local time with offset, ISO 8601."""

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def length_minutes(self) -> int:
        return (self.end - self.start) // timedelta(minutes=1)

    @property
    def last_minutes(self) -> int:
        """Length of the last bucket: shorter than the others where the end of the day cuts it."""
        return self.length_minutes - (len(self) - 1) * self.resolution_minutes

    def ended(self, now: datetime) -> int:
        """How many buckets, from the first on, had ended at `now`."""
        return expected_buckets(self.start, self.end, self.resolution_minutes, now)


@lru_cache(maxsize=512)
def day_axis(timezone: str, day: date, resolution_minutes: int) -> Axis:
    """The axis of `day` in `timezone`."""
    zone = ZoneInfo(timezone)
    start, end = day_bounds_utc(day, zone)
    count = expected_buckets(start, end, resolution_minutes, end)
    local = [(start + timedelta(minutes=resolution_minutes * i)).astimezone(zone) for i in range(count)]
    return Axis(
        start=start,
        end=end,
        resolution_minutes=resolution_minutes,
        wall_minutes=tuple(time.hour * 60 + time.minute for time in local),
        stamps=tuple(time.isoformat() for time in local),
    )


def local_stamp(instant: datetime, timezone: str, spells_z: bool = False) -> str:
    """`instant` as a vendor of that zone spells it."""
    return spelt(instant.astimezone(ZoneInfo(timezone)).isoformat(), spells_z)


def spelt(stamp: str, spells_z: bool) -> str:
    """`stamp` with `Z` for an offset of zero, if the vendor does so."""
    return stamp.removesuffix("+00:00") + "Z" if spells_z and stamp.endswith("+00:00") else stamp


def utc_stamp(instant: datetime) -> str:
    """`instant` in UTC with `Z`, to the second."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
