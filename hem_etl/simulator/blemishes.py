"""What a vendor does to one true day: which minutes are null, late, left out, doubled or absurd.

Positions are minutes since the day began, multiples of a quarter of an hour, so that they mean the same at every
resolution. The model only says what is wrong; `bodies` spells it and `truth` judges it, independently.
"""

from array import array
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random

from hem_etl.local_day import day_bounds_utc
from hem_etl.simulator.chance import stable_random
from hem_etl.simulator.homes import Home
from hem_etl.vocabulary import FLOWS, METRICS

OFF_GRID_MINUTES = 2
OVER_LIMIT_WATTS = 999_000


@dataclass(frozen=True, slots=True)
class Run:
    """Minutes `[first, last)` of some metrics."""

    first: int
    last: int
    metrics: tuple[str, ...] = METRICS

    def covers(self, metric: str, minute: int) -> bool:
        return self.first <= minute < self.last and metric in self.metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Blemishes:
    """Everything that is wrong with one day; the default is a perfect day."""

    is_empty: bool = False
    nulls: Run | None = None
    omitted: Run | None = None
    late: Run | None = None
    filled_at: datetime | None = None
    """When the late run gets its values."""
    restated_at: datetime | None = None
    """When the first, too low values are corrected."""
    duplicates: tuple[tuple[int, bool], ...] = ()
    """(minute, whether the last word is null)."""
    off_grid: tuple[int, ...] = ()
    over_limit: tuple[tuple[str, int], ...] = ()


@lru_cache(maxsize=4_096)
def day_blemishes(home: Home, day: date) -> Blemishes:
    """What is wrong with `day` of `home`: a pure function of both."""
    quirks = home.quirks
    start, end = day_bounds_utc(day, home.zone)
    quarters = (end - start) // timedelta(minutes=15)
    chance = stable_random(home.seed, "blemishes", day.toordinal())
    is_hit = {
        name: chance.random() < share
        for name, share in (
            ("empty", quirks.empty_days),
            ("nulls", quirks.null_days),
            ("omitted", quirks.omitted_days),
            ("late", quirks.late_days),
            ("restated", quirks.restated_days),
            ("duplicates", quirks.duplicate_days),
            ("off_grid", quirks.off_grid_days),
            ("over_limit", quirks.over_limit_days),
        )
    }
    some = METRICS if chance.random() < 0.5 else tuple(metric for metric in METRICS if chance.random() < 0.5)
    doubled, strayed, absurd = (chance.sample(range(0, 15 * quarters, 15), n) for n in (3, 2, 2))
    return Blemishes(
        is_empty=is_hit["empty"],
        nulls=_run(chance, quarters, 20, some) if is_hit["nulls"] else None,
        omitted=_run(chance, quarters, 12) if is_hit["omitted"] else None,
        late=_run(chance, quarters, 24) if is_hit["late"] else None,
        filled_at=end + timedelta(hours=quirks.late_hours) if is_hit["late"] else None,
        restated_at=end + timedelta(hours=quirks.restated_hours) if is_hit["restated"] else None,
        duplicates=tuple((minute, i == 2) for i, minute in enumerate(doubled) if is_hit["duplicates"]),
        off_grid=tuple(minute + OFF_GRID_MINUTES for minute in strayed if is_hit["off_grid"]),
        over_limit=tuple((chance.choice(FLOWS), minute) for minute in absurd if is_hit["over_limit"]),
    )


def _run(chance: Random, quarters: int, longest: int, metrics: tuple[str, ...] = METRICS) -> Run:
    length = chance.randint(1, longest)
    first = chance.randrange(quarters - length)
    return Run(15 * first, 15 * (first + length), metrics)


def preliminary_watts(watts: dict[str, "array[int]"]) -> dict[str, "array[int]"]:
    """The values before a restatement: a twelfth of the import, and of the consumption it fed, was not counted yet.

    The flows of every bucket balance before and after.
    """
    uncounted = [value // 12 for value in watts["grid_import"]]
    low = {
        flow: array("i", [value - missing for value, missing in zip(watts[flow], uncounted, strict=True)])
        for flow in ("grid_import", "consumption")
    }
    return watts | low
