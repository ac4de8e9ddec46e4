"""Shards: the looks at days that are prepared at once, and the frames that come of them, as Arrow files.

A worker process gets a shard as a short description and reads the bodies from landing itself; frames come back as
files in a folder that both see, one per frame, so nothing large passes between processes but through the page cache.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.landing import Landing
from hem_etl.local_day import Interval
from hem_etl.preparing.prepare import Judging, PreparedDays, prepare_days

FRAMES: Final = 9
"""Of `PreparedDays.frames`."""


@dataclass(frozen=True, slots=True)
class DayLook:
    """A landed answer about one day of one system."""

    system_id: str
    day: date
    fetched_at_utc: datetime
    """Naive UTC."""
    body_sha256: str
    segment: str
    """Where its receipt is; its body most likely too."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Looks at different (system, day), and what they are prepared with."""

    number: int
    """Names its files."""
    looks: tuple[DayLook, ...]
    zones: Mapping[DayLook, str | None]
    """The zone of each one's system, for bodies that state none."""
    judging: Judging

    def prepared(self, landing: Landing) -> PreparedDays:
        """What comes of it; errors as those of `prepare_looks`."""
        return prepare_looks(landing, self.looks, self.zones, self.judging)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a shard could not be prepared."""

    why: str
    is_of_landing: bool = False
    """Whether `why` is a LandingError's text."""


def prepare_looks(
    landing: Landing, looks: Collection[DayLook], zones: Mapping[DayLook, str | None], judging: Judging
) -> PreparedDays:
    """Read the bodies of these looks from landing and prepare them. LandingError where one is missing or damaged."""
    kept = landing.read_bodies({look.body_sha256 for look in looks}, likely=sorted({look.segment for look in looks}))
    bodies = [
        normalise.Body(
            look.system_id,
            Interval.of_day(look.day),
            kept[look.body_sha256],
            look.fetched_at_utc.replace(tzinfo=UTC),
            zones[look],
        )
        for look in looks
    ]
    return prepare_days(bodies, judging)


def write_prepared(prepared: PreparedDays, folder: Path, number: int) -> None:
    """Leave the frames of a shard for the process that gave it. OSError where the disk refuses."""
    for file, frame in zip(_files(folder, number), prepared.frames(), strict=True):
        with file.open("xb") as opened:
            frame.write_ipc(opened)


def read_prepared(folder: Path, number: int, judging: Judging) -> PreparedDays:
    """Take the frames of a shard; their files are gone afterwards."""
    files = _files(folder, number)
    prepared = PreparedDays.of_frames(map(pl.read_ipc, files), judging.over_limit_kw)
    for file in files:
        file.unlink()
    return prepared


def _files(folder: Path, number: int) -> list[Path]:
    return [folder / f"{number}-{frame}.arrow" for frame in range(FRAMES)]
