"""Validation on the road: the operator's thresholds made the rules', and the findings that two days make together."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.pipeline.fleet import Fleet
from hem_etl.pipeline.keys import LABELS, day_frame
from hem_etl.settings import Settings
from hem_etl.vocabulary import Cause, IntervalKind
from hem_etl.warehouse import Writer

DAYS_AT_ONCE: Final = 500
ZONES_OF_DAYS: Final = """
select load.system_id, load.day, load.timezone, load.answered_at_utc as fetched_at_utc
from core.load as load
semi join wanted on wanted.system_id = load.system_id and wanted.day = load.day
where load.interval_kind = 'day' and load.version is not null and load.timezone is not null
"""
LOADED_DAYS: Final = """
select load.system_id, load.day, load.timezone, load.loaded_outcome as outcome,
       max(version.fetched_at_utc) as fetched_at_utc
from core.load as load
semi join wanted on wanted.system_id = load.system_id
inner join core.day_version as version
    on version.system_id = load.system_id and version.day = load.day and version.cause = 'answer'
where load.interval_kind = 'day' and load.version is not null
group by all
order by load.day, load.system_id
"""


def findings_of(days: normalise.Days, energy: pl.DataFrame, settings: Settings, fleet: Fleet) -> pl.DataFrame:
    """What reading the days found, and what the rules find in them as the tables will hold them."""
    thresholds = normalise.Thresholds(
        spike_kw=settings.spike_kw,
        stale_buckets=settings.stale_buckets,
        night_generation_kw=settings.night_generation_kw,
        simultaneous_kw=settings.simultaneous_kw,
    )
    tolerance = _tolerance(days.days["system_id"], settings, fleet)
    return pl.concat([days.findings, normalise.judge(days, energy, thresholds, tolerance)])


def judge_balance_again(writer: Writer, systems: Sequence[str], settings: Settings, fleet: Fleet) -> None:
    """Judge the balance of all loaded days of these systems anew: their vendor, and so their tolerance, is another.

    By the readings as they were sent, like the first time.
    """
    standing = writer.read(LOADED_DAYS, wanted=pl.DataFrame({"system_id": list(systems)}))
    tolerance = _tolerance(systems, settings, fleet)
    for part in standing.iter_slices(DAYS_AT_ONCE):
        keys = part.select("system_id", "day")
        sent = normalise.held_days(
            part.drop("fetched_at_utc"),
            writer.rows("core.reading", normalise.READING_SCHEMA, keys=keys),
            writer.rows("core.series", normalise.SERIES_SCHEMA, keys=keys),
            over_limit_kw=settings.over_limit_kw,
        )
        energy = normalise.day_energy(sent, normalise.quarter_hours(sent))
        found = normalise.judge_balance(part.select("system_id", "day", "fetched_at_utc"), energy, tolerance)
        intervals = keys.select("system_id", _interval(IntervalKind.DAY), rule=pl.lit(normalise.BALANCE))
        writer.replace("core.finding", found.with_columns(_interval(IntervalKind.DAY)), keys=intervals)


def _tolerance(systems: Iterable[str], settings: Settings, fleet: Fleet) -> dict[str, float]:
    return {system: settings.balance_tolerance_of(fleet.vendor(system)) for system in systems}


def replace_findings(writer: Writer, findings: pl.DataFrame, keys: pl.DataFrame, kind: IntervalKind) -> None:
    """Put the findings of the (system_id, day) rows in `keys` in the place of those of the same intervals."""
    intervals = keys.select("system_id", _interval(kind))
    found = findings.with_columns(_interval(kind)).join(intervals, on=["system_id", "interval"], how="semi")
    writer.replace("core.finding", found, keys=intervals)


def compare_neighbours(writer: Writer, changed: Iterable[tuple[str, date]]) -> None:
    """Judge each changed day, and the day after it, against the day before it; replaces what was found so before.

    What is found depends on what the tables hold of the two days alone, not on the order in which they came.
    """
    one = timedelta(days=1)
    changed = list(changed)
    keys = day_frame(sorted({(system, day + after) for system, day in changed for after in (timedelta(0), one)}))
    both = pl.concat([keys, keys.with_columns(pl.col("day").dt.offset_by("-1d"))]).unique()
    versions = writer.rows("core.day_version", ("system_id", "day", "fetched_at_utc", "cause"), keys=both)
    answers = versions.filter(cause=Cause.ANSWER.value)  # corrections by hand change nothing that is compared
    found = normalise.compare_with_day_before(
        writer.rows("core.series", normalise.SERIES_COLUMNS, keys=both),
        keys,
        answers.group_by("system_id", "day").agg(pl.col("fetched_at_utc").max()),
    )
    bounds = writer.read(ZONES_OF_DAYS, wanted=both)
    found = pl.concat([found, normalise.compare_bounds(bounds, keys)]).with_columns(_interval(IntervalKind.DAY))
    intervals = keys.select("system_id", _interval(IntervalKind.DAY))
    old = writer.rows("core.finding", ("system_id", "interval", "rule", "evidence"), keys=intervals)
    writer.remove("core.finding", old.filter(pl.col("evidence").str.starts_with(normalise.DAY_BEFORE)))
    writer.append("core.finding", found)


def _interval(kind: IntervalKind) -> pl.Expr:
    return pl.col("day").dt.strftime(LABELS[kind]).alias("interval")
