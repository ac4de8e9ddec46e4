"""The operator's files of corrections: judged and landed, read again from landing, and told what each row does."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.answer import Answer, Kind
from hem_etl.errors import LandingError, UsageError
from hem_etl.landing import Landing
from hem_etl.local_day import naive_utc
from hem_etl.pipeline.corrections import HISTORY_SCHEMA, TICK, Corrections, history_of
from hem_etl.pipeline.override_file import read_override_file, require_possible
from hem_etl.warehouse import Reader, Writer

LOG = logging.getLogger(__name__)

DAYS_AT_ONCE: Final = 500
"""Loaded days in memory while it is counted what each row does."""


def land_overrides(writer: Writer, landing: Landing, file: bytes, now: datetime, over_limit_kw: float) -> None:
    """Judge the file and land it as it is. UsageError that tells every problem, and then nothing is landed.

    Its instant is after that of every file before it, whatever the clock says: the last one applied is in force.
    """
    rows = read_override_file(file)
    systems = writer.rows("core.system", ("system_id", "timezone"))
    require_possible(rows, dict(systems.iter_rows()), over_limit_kw)
    landed = landing.read_receipts(landing.segments(), Kind.OVERRIDES)
    if landed and naive_utc(now) <= (newest := landed[-1].fetched_at_utc):
        LOG.warning("overrides: the clock says %s, the file before was applied at %s", naive_utc(now), newest)
        now = newest.replace(tzinfo=now.tzinfo) + TICK
    with landing.writer() as segment:
        segment.add(Answer(Kind.OVERRIDES, None, None, 0, None, now, 0, 0, None, None, None, file))


def list_overrides(published: Reader) -> pl.DataFrame:
    """The rows in force, each with the loaded days that it reaches, those without the series, and what it edits."""
    rows = published.read("from core.override where valid_to_utc is null").select(HISTORY_SCHEMA.names())
    reached = published.read(
        "select load.system_id, load.day, load.timezone, load.loaded_outcome as outcome from core.load as load "
        "semi join rows on rows.system_id = load.system_id and load.day between rows.first_day and rows.last_day "
        "where load.interval_kind = 'day' and load.version is not null",
        rows=rows,
    )
    limit = published.read("select value from core.setting where name = 'over_limit_kw'")["value"].to_list()
    effects = [
        _effect(published, rows, days, limit[0] if limit else float("inf"))
        for days in reached.sort("day", "system_id").iter_slices(DAYS_AT_ONCE)
    ]
    counts = ("loaded_days", "edited_days", "edited_buckets", "days_without_the_series")
    if not effects:
        return rows.with_columns(pl.lit(0).alias(name) for name in counts).sort("system_id", "start", "metric")
    return (
        rows.join(pl.concat(effects).group_by("override_id").sum(), on="override_id", how="left", validate="1:1")
        .with_columns(pl.col(counts).fill_null(0))  # a row that reaches no loaded day does nothing
        .sort("system_id", "start", "metric")
    )


def _effect(published: Reader, rows: pl.DataFrame, days: pl.DataFrame, limit: float) -> pl.DataFrame:
    keys = days.select("system_id", "day")
    readings = published.rows("core.reading", normalise.READING_SCHEMA, keys=keys)
    series = published.rows("core.series", normalise.SERIES_SCHEMA, keys=keys)
    stored = normalise.stored_days(
        days,
        readings,
        series,
        over_limit_kw=limit,
    )
    here = keys.join(rows, on="system_id", how="inner").filter(pl.col("day").is_between("first_day", "last_day"))
    edits = normalise.edits_of(stored, here.select(normalise.OVERRIDE_SCHEMA.names()))
    available = stored.series.filter("is_available").select("system_id", "day", "metric")
    return pl.concat(
        [
            _counted(here, "loaded_days"),
            _counted(edits.unique(["override_id", "system_id", "day"]), "edited_days"),
            _counted(edits, "edited_buckets"),
            _counted(here.join(available, on=available.columns, how="anti"), "days_without_the_series"),
        ],
        how="diagonal",
    )


def _counted(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by("override_id").agg(pl.len().cast(pl.Int64).alias(name))


def read_corrections(landing: Landing, segments: Iterable[str]) -> Corrections:
    """All corrections that the files in these segments put in force."""
    receipts = landing.read_receipts(segments, Kind.OVERRIDES)
    hashes = {receipt.body_sha256 for receipt in receipts if receipt.body_sha256 is not None}
    bodies = landing.read_bodies(hashes, likely={receipt.segment for receipt in receipts})
    files = []
    for receipt in receipts:
        try:
            files.append((receipt.fetched_at_utc, read_override_file(bodies[str(receipt.body_sha256)])))
        except UsageError as error:
            raise LandingError(
                f"the overrides applied at {receipt.fetched_at_utc} cannot be read any more ({error}). This is a bug "
                "of hem_etl: please report it; an older version reads them."
            ) from error
    return Corrections(history_of(files))
