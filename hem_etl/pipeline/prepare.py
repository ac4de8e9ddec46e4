"""Preparing: bodies → all that the tables will hold of them, as far as the bodies alone say.

Pure: it knows no table, no lock and no landing, and may run in another process. What else counts (what was held before,
corrections by hand) is `commit`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from hem_etl import normalise
from hem_etl.pipeline.keys import only_days, only_rows
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

    def only(self, keys: pl.DataFrame) -> "PreparedDays":
        """What is here of these (system_id, day)."""
        return PreparedDays(
            only_days(self.days, keys),
            *(only_rows(rows, keys) for rows in (self.quarters, self.energy, self.findings, self.outcomes)),
        )


def prepare_days(bodies: Sequence[normalise.Body], judging: Judging) -> PreparedDays:
    """Read DAY bodies, one per (system, day), in any order."""
    days = normalise.read_days(bodies, over_limit_kw=judging.over_limit_kw)
    was_read = days.days.filter(pl.col("outcome") != Outcome.UNREADABLE)
    prepared = completed(only_days(days, was_read.select("system_id", "day")), judging)
    return replace(prepared, outcomes=days.days)


def completed(days: normalise.Days, judging: Judging) -> PreparedDays:
    """Days with their quarter hours, their sums, and what the rules find in them."""
    quarters, energy = normalise.summed(days)
    found = normalise.judge(days, energy, judging.thresholds, judging.balance_tolerance)
    return PreparedDays(days, quarters, energy, pl.concat([days.findings, found]), days.days)
