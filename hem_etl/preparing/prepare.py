"""Preparing: bodies → all that the tables will hold of them, as far as the bodies alone say.

Pure: it knows no table, no lock and no landing, and may run in another process. What else counts (what was held before,
corrections by hand) is `commit`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import polars as pl

from hem_etl import normalise
from hem_etl.settings import Settings
from hem_etl.vocabulary import Outcome


@dataclass(frozen=True, slots=True)
class Judging:
    """What days are read and judged with."""

    over_limit_kw: float
    thresholds: normalise.Thresholds
    balance_tolerance: Mapping[str, float]
    """The highest ratio that is no finding, by system."""

    @classmethod
    def by(cls, settings: Settings, vendors: Mapping[str, str | None]) -> "Judging":
        """As the settings say; vendors: of each system that is to be judged."""
        return cls(
            settings.over_limit_kw,
            normalise.Thresholds(
                spike_kw=settings.spike_kw,
                stale_buckets=settings.stale_buckets,
                night_generation_kw=settings.night_generation_kw,
                simultaneous_kw=settings.simultaneous_kw,
            ),
            {system_id: settings.balance_tolerance_of(vendor) for system_id, vendor in vendors.items()},
        )


@dataclass(frozen=True, slots=True)
class PreparedDays:
    """Days that could be read, with what follows from them."""

    days: normalise.Days
    quarters: pl.DataFrame
    energy: pl.DataFrame
    findings: pl.DataFrame
    """Those of reading the bodies, and those of the rules."""
    outcomes: pl.DataFrame
    """DAY_SCHEMA of every body, also of those that could not be read."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Different (system, day) that were prepared in parts, as if at once."""
        if len(parts) == 1:
            return parts[0]
        frames = zip(*(part.frames() for part in parts), strict=True)
        joined = (pl.concat(frame).sort("day", "system_id", maintain_order=True) for frame in frames)
        # rows of one value each come together as a constant, by which polars divides with another last bit
        whole = [pl.DataFrame(frame.get_columns()) for frame in joined]
        return cls.of_frames(whole, parts[0].days.over_limit_kw)

    @classmethod
    def of_frames(cls, frames: Iterable[pl.DataFrame], over_limit_kw: float) -> Self:
        """What has these `frames`."""
        readings, series, unjudged, days, odd_stamps, quarters, energy, findings, outcomes = frames
        read = normalise.Days(readings, series, unjudged, days, odd_stamps, over_limit_kw)
        return cls(read, quarters, energy, findings, outcomes)

    def frames(self) -> tuple[pl.DataFrame, ...]:
        """Every frame there is, in an order that `of_frames` knows."""
        days = self.days
        of_days = (days.readings, days.series, days.findings, days.days, days.odd_stamps)
        return (*of_days, self.quarters, self.energy, self.findings, self.outcomes)

    def only(self, keys: pl.DataFrame) -> "PreparedDays":
        """What is here of these (system_id, day), which are among `outcomes`."""
        if keys.height == self.outcomes.height:
            return self
        return PreparedDays(
            normalise.only_days(self.days, keys),
            *(normalise.only_rows(rows, keys) for rows in (self.quarters, self.energy, self.findings, self.outcomes)),
        )


def prepare_days(bodies: Sequence[normalise.Body], judging: Judging) -> PreparedDays:
    """Read DAY bodies, one per (system, day), in any order."""
    days = normalise.read_days(bodies, over_limit_kw=judging.over_limit_kw)
    was_read = days.days.filter(pl.col("outcome") != Outcome.UNREADABLE)
    read = days if was_read.height == days.days.height else normalise.only_days(days, was_read)
    prepared = completed(read, judging)
    return replace(prepared, outcomes=days.days)


def completed(days: normalise.Days, judging: Judging) -> PreparedDays:
    """Days with their quarter hours, their sums, and what the rules find in them."""
    quarters, energy = normalise.summed(days)
    found = normalise.judge(days, energy, judging.thresholds, judging.balance_tolerance)
    return PreparedDays(days, quarters, energy, pl.concat([days.findings, found]), days.days)
