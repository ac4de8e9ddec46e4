"""Validation in the tables: findings replaced, and those that need more than one day, or the vendor, judged anew."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.pipeline.keys import day_frame, label_of
from hem_etl.preparing.prepare import Judging
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


def judge_balance_again(writer: Writer, systems: Sequence[str], judging: Judging) -> None:
    """Judge the balance of all loaded days of these systems anew: their vendor, and so their tolerance, is another.

    By the readings as they were sent, like the first time.
    """
    standing = writer.read(LOADED_DAYS, wanted=pl.DataFrame({"system_id": list(systems)}))
    for part in standing.iter_slices(DAYS_AT_ONCE):
        keys = part.select("system_id", "day")
        sent = normalise.stored_days(
            part.drop("fetched_at_utc"),
            writer.rows("core.reading", normalise.READING_SCHEMA, keys=keys),
            writer.rows("core.series", normalise.SERIES_SCHEMA, keys=keys),
            over_limit_kw=judging.over_limit_kw,
        )
        _, energy = normalise.summed(sent)
        found = normalise.judge_balance(
            part.select("system_id", "day", "fetched_at_utc"), energy, judging.balance_tolerance
        )
        intervals = keys.select("system_id", label_of(IntervalKind.DAY), rule=pl.lit(normalise.BALANCE))
        writer.replace("core.finding", found.with_columns(label_of(IntervalKind.DAY)), keys=intervals)


def replace_findings(writer: Writer, findings: pl.DataFrame, keys: pl.DataFrame, kind: IntervalKind) -> None:
    """Put the findings of the (system_id, day) rows in `keys` in the place of those of the same intervals."""
    intervals = keys.select("system_id", label_of(kind))
    found = findings.with_columns(label_of(kind)).join(intervals, on=["system_id", "interval"], how="semi")
    writer.replace("core.finding", found, keys=intervals)


def compare_neighbours(writer: Writer, changed: Iterable[tuple[str, date]]) -> None:
    """Judge each changed day, and the day after it, against the day before it; replaces what was found so before.

    What is found depends on what the tables hold of the two days alone, not on the order in which they came.
    """
    one = timedelta(days=1)
    changed = list(changed)
    if not changed:
        return
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
    found = pl.concat([found, normalise.compare_bounds(bounds, keys)]).with_columns(label_of(IntervalKind.DAY))
    intervals = keys.select("system_id", label_of(IntervalKind.DAY))
    old = writer.rows("core.finding", ("system_id", "interval", "rule", "evidence"), keys=intervals)
    writer.remove("core.finding", old.filter(pl.col("evidence").str.starts_with(normalise.DAY_BEFORE)))
    writer.append("core.finding", found)
