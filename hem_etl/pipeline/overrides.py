"""Corrections by hand on the road: the operator's landed files → `core.override` → the values that count.

The newest file at an instant is the set in force from then on: it counts for looks that come after that instant, and
for every day that was loaded by then, which gets a version of its own at the instant. So what the tables hold is a fold
over looks and files in the order of time. A look of the very same instant comes before the file.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from hem_etl import normalise
from hem_etl.answer import Answer, Kind
from hem_etl.errors import LandingError, UsageError
from hem_etl.landing import Landing
from hem_etl.local_day import Interval, naive_utc
from hem_etl.pipeline.keys import day_frame, only_days
from hem_etl.pipeline.ledger import Entry, Key
from hem_etl.pipeline.override_file import Override, read_override_file, require_possible
from hem_etl.pipeline.versions import append_versions, version_row
from hem_etl.vocabulary import Cause, IntervalKind
from hem_etl.warehouse import Reader, Writer

LOG = logging.getLogger(__name__)

DAYS_AT_ONCE: Final = 500
"""Held days in memory while a set of corrections is put in force."""
TICK: Final = timedelta(microseconds=1)

HISTORY_SCHEMA: Final = pl.Schema(
    {
        "override_id": pl.String(),
        "system_id": pl.String(),
        "metric": pl.String(),
        "start": pl.String(),
        "end": pl.String(),
        "value": pl.Float64(),
        "author": pl.String(),
        "reason": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "start_utc": pl.Datetime("us"),
        "end_utc": pl.Datetime("us"),
        "valid_from_utc": pl.Datetime("us"),
        "valid_to_utc": pl.Datetime("us"),
    }
)
"""The columns of `core.override`."""


def land_overrides(writer: Writer, landing: Landing, file: bytes, now: datetime, over_limit_kw: float) -> None:
    """Judge the file and land it as it is. UsageError that tells every problem, and then nothing is landed.

    Its instant is after that of every file before it, whatever the clock says: the last one applied is in force.
    """
    rows = read_override_file(file)
    systems = writer.rows("core.system", ("system_id", "timezone"))
    require_possible(rows, dict(systems.iter_rows()), over_limit_kw)
    landed = landing.read_receipts_of_kind(Kind.OVERRIDES, landing.segments())["fetched_at_utc"].max()
    if isinstance(landed, datetime) and naive_utc(now) <= landed:
        LOG.warning("overrides: the clock says %s, the file before was applied at %s", naive_utc(now), landed)
        now = landed.replace(tzinfo=now.tzinfo) + TICK
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
    told = [
        _effect(published, rows, days, limit[0] if limit else float("inf"))
        for days in reached.sort("day", "system_id").iter_slices(DAYS_AT_ONCE)
    ]
    counts = ("loaded_days", "edited_days", "edited_buckets", "days_without_the_series")
    if not told:
        return rows.with_columns(pl.lit(0).alias(name) for name in counts).sort("system_id", "start", "metric")
    return (
        rows.join(pl.concat(told).group_by("override_id").sum(), on="override_id", how="left", validate="1:1")
        .with_columns(pl.col(counts).fill_null(0))  # a row that reaches no loaded day does nothing
        .sort("system_id", "start", "metric")
    )


def _effect(published: Reader, rows: pl.DataFrame, days: pl.DataFrame, limit: float) -> pl.DataFrame:
    keys = days.select("system_id", "day")
    readings = published.rows("core.reading", normalise.READING_SCHEMA, keys=keys)
    series = published.rows("core.series", normalise.SERIES_SCHEMA, keys=keys)
    held = normalise.held_days(
        days,
        readings,
        series,
        over_limit_kw=limit,
    )
    here = keys.join(rows, on="system_id", how="inner").filter(pl.col("day").is_between("first_day", "last_day"))
    edits = normalise.edits_of(held, here.select(normalise.OVERRIDE_SCHEMA.names()))
    available = held.series.filter("is_available").select("system_id", "day", "metric")
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


class Corrections:
    """The sets of corrections over time, while a batch of receipts is folded."""

    def __init__(self, writer: Writer, landing: Landing, over_limit_kw: float, now: datetime) -> None:
        self._writer = writer
        self._landing = landing
        self._over_limit_kw = over_limit_kw
        self._now = now
        self._history = writer.rows("core.override", HISTORY_SCHEMA)
        self._newest_version: dict[tuple[str, date], datetime] = {}
        self._earliest_news: datetime | None = None

    def learn(self, receipts: pl.DataFrame, segments: Iterable[str]) -> pl.DataFrame:
        """Take in the files among `receipts`, knowing these segments; returns the loaded days whose corrections change.

        As (system_id, day).
        """
        files = receipts.filter(pl.col("kind") == Kind.OVERRIDES)
        if files.is_empty():
            return day_frame([])
        self._earliest_news = files["fetched_at_utc"].min()  # type: ignore[assignment]  # polars cannot tell
        before, self._history = self._history, self._read_history(segments)
        self._writer.clear("core.override")
        self._writer.append("core.override", self._history)
        changed = pl.concat([before, self._history]).filter(
            pl.struct(pl.all()).is_unique()  # what both hold stands twice
        )
        return self._writer.read(
            "select system_id, day from core.load as load "
            "semi join changed on changed.system_id = load.system_id "
            "and load.day between changed.first_day and changed.last_day "
            "where load.interval_kind = 'day' and load.version is not null",
            changed=changed,
        )

    def know(self, days: pl.DataFrame) -> None:
        """Look up when corrections last changed these (system_id, day), before `is_late` and `change` are asked."""
        if self._history.is_empty():
            return
        versions = self._writer.rows("core.day_version", ("system_id", "day", "fetched_at_utc", "cause"), keys=days)
        newest = (
            versions.filter(cause=Cause.OVERRIDE.value).group_by("system_id", "day").agg(pl.col("fetched_at_utc").max())
        )
        self._newest_version = {(system, day): at for system, day, at in newest.iter_rows()}

    def forget(self, days: pl.DataFrame) -> None:
        """These days are folded from their beginning."""
        for key in days.iter_rows():
            self._newest_version.pop(key, None)

    def is_late(self, entry: Entry, look: dict[str, Any]) -> bool:
        """Whether corrections that are newer than the look have changed its interval already."""
        newest = self._newest_of(entry)
        return newest is not None and bool(look["fetched_at_utc"] <= newest)

    def is_news_late(self, entry: Entry) -> bool:
        """Whether the files just learnt are older than what the tables know of a loaded day."""
        assert self._earliest_news is not None
        assert entry.fetched_at_utc is not None
        newest = self._newest_of(entry)
        return self._earliest_news < entry.fetched_at_utc or (newest is not None and self._earliest_news <= newest)

    def instants(self, days: pl.DataFrame) -> list[datetime]:
        """When the corrections of any of these (system_id, day) change, in the order of time."""
        reaching = self._reaching(days)
        instants = pl.concat([reaching["valid_from_utc"], reaching["valid_to_utc"].drop_nulls()])
        return instants.unique().sort().to_list()

    def in_force(self, days: pl.DataFrame) -> pl.DataFrame:
        """OVERRIDE_SCHEMA: the corrections that count for looks at these days (system_id, day, fetched_at_utc)."""
        since, until, at = pl.col("valid_from_utc"), pl.col("valid_to_utc"), pl.col("fetched_at_utc")
        return (
            self._reaching(days.select("system_id", "day", "fetched_at_utc"))
            .filter((since < at) & (until.is_null() | (until >= at)))
            .select(normalise.OVERRIDE_SCHEMA.names())
        )

    def change(self, at: datetime, days: pl.DataFrame, entries: dict[Key, Entry]) -> list[Entry]:
        """Put in force what changes at that instant; returns the new ledger rows of the days that thereby change.

        Of the (system_id, day) in `days`, those that are loaded and know nothing newer.
        """
        reaching = self._reaching(days).filter((pl.col("valid_from_utc") == at) | (pl.col("valid_to_utc") == at))
        concerned: list[Entry] = []
        for system_id, day in reaching.select("system_id", "day").unique().sort("day", "system_id").iter_rows():
            entry = entries.get((system_id, Interval.of_day(day).label))
            if entry is None or entry.version is None or entry.fetched_at_utc is None or entry.fetched_at_utc > at:
                continue
            newest = self._newest_of(entry)
            if newest is None or newest < at:
                concerned.append(entry)
        return [
            after
            for first in range(0, len(concerned), DAYS_AT_ONCE)
            for after in self._change(at, concerned[first : first + DAYS_AT_ONCE])
        ]

    def _change(self, at: datetime, entries: Sequence[Entry]) -> list[Entry]:
        of_day = {(entry.system_id, Interval.parse(entry.interval).day): entry for entry in entries}
        keys = day_frame(list(of_day))
        standing = keys.with_columns(
            timezone=pl.Series([entry.timezone for entry in entries], dtype=pl.String),
            outcome=pl.Series([entry.loaded_outcome for entry in entries], dtype=pl.String),
        )
        held = normalise.held_days(
            standing,
            self._writer.rows("core.reading", normalise.READING_SCHEMA, keys=keys),
            self._writer.rows("core.series", normalise.SERIES_SCHEMA, keys=keys),
            over_limit_kw=self._over_limit_kw,
        )
        before = self.in_force(keys.with_columns(fetched_at_utc=pl.lit(at, pl.Datetime("us"))))
        after = self.in_force(keys.with_columns(fetched_at_utc=pl.lit(at + TICK, pl.Datetime("us"))))
        changed = _differing_days(normalise.edits_of(held, before), normalise.edits_of(held, after))
        if changed.is_empty():
            return []
        days = normalise.with_overrides(only_days(held, changed), only_rows(after, changed))
        quarters = normalise.quarter_hours(days)
        energy = normalise.day_energy(days, quarters)
        self._writer.replace("core.interval_15min", quarters, keys=changed)
        self._writer.replace("core.day_energy", energy, keys=changed)
        self._writer.replace("core.series", days.series, keys=changed)
        applied = self._applied(changed)
        after_it = {
            key: of_day[key].with_override(self._now) for key in days.days.select("system_id", "day").iter_rows()
        }
        versions = [
            version_row(of_day[key], entry, Cause.OVERRIDE, at, applied=applied[key]) for key, entry in after_it.items()
        ]
        append_versions(self._writer, versions, normalise.day_totals(days, energy))
        return list(after_it.values())

    def _applied(self, days: pl.DataFrame) -> dict[tuple[str, date], bool]:
        """Whether the newest version of each day holds all that its body sent: a correction does not change that."""
        versions = self._writer.rows("core.day_version", ("system_id", "day", "version", "applied"), keys=days)
        newest = versions.sort("version").group_by("system_id", "day").agg(pl.col("applied").last())
        return {(system, day): applied for system, day, applied in newest.iter_rows()}

    def _newest_of(self, entry: Entry) -> datetime | None:
        interval = Interval.parse(entry.interval)
        is_day = interval.kind is IntervalKind.DAY
        return self._newest_version.get((entry.system_id, interval.day)) if is_day else None

    def _reaching(self, days: pl.DataFrame) -> pl.DataFrame:
        """Each of these days with every row that was ever to count on it."""
        return days.join(self._history, on="system_id", how="inner").filter(
            pl.col("day").is_between("first_day", "last_day")
        )

    def _read_history(self, segments: Iterable[str]) -> pl.DataFrame:
        receipts = self._landing.read_receipts_of_kind(Kind.OVERRIDES, segments)
        bodies = self._landing.read_bodies(set(receipts["body_sha256"]), likely=set(receipts["segment"]))
        files = []
        for at, name in receipts.select("fetched_at_utc", "body_sha256").iter_rows():
            try:
                files.append((at, read_override_file(bodies[name])))
            except UsageError as error:
                raise LandingError(
                    f"the overrides applied at {at} cannot be read any more ({error}). This is a bug of hem_etl: "
                    "please report it; an older version reads them."
                ) from error
        return history_of(files)


def history_of(files: Sequence[tuple[datetime, Sequence[Override]]]) -> pl.DataFrame:
    """HISTORY_SCHEMA from the files in the order of time: each is in force as a whole until the next."""
    periods: list[tuple[Override, datetime, datetime | None]] = []
    standing: dict[str, tuple[Override, datetime]] = {}
    for at, rows in files:
        new = {row.override_id: row for row in rows}
        periods += [(*standing.pop(name), at) for name in standing.keys() - new.keys()]
        for name, row in new.items():
            standing.setdefault(name, (row, at))
    periods += [(row, since, None) for row, since in standing.values()]
    told = [_told(row, since, until) for row, since, until in periods if since != until]
    return pl.DataFrame(told, schema=HISTORY_SCHEMA).sort("system_id", "metric", "valid_from_utc", "override_id")


def only_rows(rows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Of the rows those of these (system_id, day)."""
    return rows.join(days, on=["system_id", "day"], how="semi", maintain_order="left")


def _told(row: Override, since: datetime, until: datetime | None) -> dict[str, object]:
    first_day, last_day = row.reach
    start_utc, end_utc = row.instants or (None, None)
    return {
        "override_id": row.override_id,
        "system_id": row.system_id,
        "metric": row.metric,
        "start": row.start,
        "end": row.end,
        "value": row.value,
        "author": row.author,
        "reason": row.reason,
        "first_day": first_day,
        "last_day": last_day,
        "start_utc": start_utc,
        "end_utc": end_utc,
        "valid_from_utc": since,
        "valid_to_utc": until,
    }


def _differing_days(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """(system_id, day) of the days of which a bucket is edited otherwise; who says so does not matter."""
    bucket = ["system_id", "day", "metric", "start_utc", "value"]
    both = pl.concat([before.select(bucket), after.select(bucket)])
    return both.filter(pl.struct(bucket).is_unique()).select("system_id", "day").unique().sort("day", "system_id")
