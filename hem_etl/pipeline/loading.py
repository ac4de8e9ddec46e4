"""Loading: landed segments → tables. Every segment is loaded exactly once, in one transaction with all its rows.

What the tables hold of an interval is a fold over its receipts in the order of time, so the order of segments, days and
batches does not matter: a receipt that turns up late (another process landed it after a newer one) makes its interval
be folded again from landing. Unchanged content writes no rows; changed content replaces the whole day and is a version.
The operator's corrections are receipts too, with a place of their own in that order (`overrides`).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import polars as pl

from hem_etl import normalise
from hem_etl.answer import LIST_KINDS, STATISTICS_KINDS, Kind
from hem_etl.landing import Landing
from hem_etl.local_day import Interval, naive_utc
from hem_etl.pipeline.fleet import Fleet
from hem_etl.pipeline.future import leave_out_the_future
from hem_etl.pipeline.keys import (
    day_frame,
    days_of,
    days_of_months,
    interval_frame,
    key_frame,
    only_days,
    only_months,
)
from hem_etl.pipeline.ledger import ENTRY_SCHEMA, Entry, Key
from hem_etl.pipeline.overrides import Corrections
from hem_etl.pipeline.reference import hold_thresholds, renew_calendar, write_reference
from hem_etl.pipeline.validation import compare_neighbours, findings_of, judge_balance_again, replace_findings
from hem_etl.pipeline.versions import append_versions, version_row
from hem_etl.settings import Settings
from hem_etl.vocabulary import METRICS, Absence, Cause, IntervalKind, Outcome
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)

SEGMENTS_PER_TRANSACTION: Final = 4
BODIES_PER_BATCH: Final = 250
"""Bodies in memory at once, parsed: about 0.3 GB at 80 kB each."""

DAY_TABLES: Final = ("core.reading", "core.interval_15min", "core.day_energy", "core.series")
"""What a new version of a day replaces, findings aside."""

ABSENCE_OF_OUTCOME: Final = {
    Outcome.BEFORE_INSTALLATION: Absence.BEFORE_INSTALLATION,
    Outcome.UNSUPPORTED: Absence.UNSUPPORTED,
}
"""Outcomes that say for good why a day has no series."""

T = TypeVar("T")


@dataclass(slots=True)
class Loaded:
    """What loading did."""

    segments: int = 0
    receipts: int = 0
    unchanged: int = 0
    new_days: int = 0
    changed_days: int = 0
    months: int = 0
    rows: int = 0
    changed: set[Key] = field(default_factory=set)
    """Intervals whose content the tables hold anew."""
    recut: set[Key] = field(default_factory=set)
    """Intervals cut anew because the rules of their zone changed."""
    edited: set[Key] = field(default_factory=set)
    """Of these, the days that changed because the operator's corrections did."""


def read_entries(writer: Writer, keys: pl.DataFrame) -> dict[Key, Entry]:
    """The ledger's rows of the (system_id, interval) pairs in `keys`."""
    wanted = keys.select("system_id", "interval").unique()
    rows = writer.rows("core.load", [column.name for column in fields(Entry)], keys=wanted)
    return {(row["system_id"], row["interval"]): Entry.of_row(row) for row in rows.iter_rows(named=True)}


def load(
    writer: Writer,
    landing: Landing,
    settings: Settings,
    now: datetime,
    *,
    is_clock_right: bool = False,
    on_segment: Callable[[int, int], None] = lambda done, total: None,
) -> Loaded:
    """Load every segment that the tables do not hold yet; `on_segment(done, total)` is told after each transaction.

    Receipts from the future are left out for good where the clock was compared with Enode's, and are a ClockError
    where it was not: it may be ours that is wrong. Raises LandingError for a damaged segment; the transactions before
    it stay.
    """
    hold_thresholds(writer, settings)
    held = set(writer.read("select segment from core.loaded_segment")["segment"])
    waiting = [name for name in landing.segments() if name not in held]
    loaded = Loaded()
    _cut_anew(writer, landing, settings, now, loaded, held)
    for segments in _chunks(waiting, SEGMENTS_PER_TRANSACTION):
        with writer.transaction():
            leave_out_the_future(landing, segments, naive_utc(now), is_clock_right)
            _Batch(writer, landing, settings, now, loaded).load(segments, held)
        held.update(segments)
        loaded.segments += len(segments)
        on_segment(loaded.segments, len(waiting))
    with writer.transaction():
        write_reference(writer, settings, now)
    return loaded


def _cut_anew(
    writer: Writer, landing: Landing, settings: Settings, now: datetime, loaded: Loaded, held: set[str]
) -> None:
    """Where the rules of a zone changed: its calendar, and from what is landed every day that the change moves."""
    with writer.transaction():
        moved = renew_calendar(writer)
        for part in moved.select("system_id", "interval").iter_slices(BODIES_PER_BATCH):
            _Batch(writer, landing, settings, now, loaded).load((), held, again=part)
    for zone, intervals in moved.group_by("timezone", maintain_order=True):
        names = intervals["interval"]
        LOG.warning(
            "zone=%s has other rules now: intervals=%d from=%s to=%s systems=%d cut anew from what is landed",
            zone[0],
            intervals.height,
            names.min(),
            names.max(),
            intervals["system_id"].n_unique(),
        )
    loaded.recut.update(moved.select("system_id", "interval").iter_rows())


class _Batch:
    """One transaction: a few segments, the ledger's rows that they touch, and the fleet."""

    def __init__(self, writer: Writer, landing: Landing, settings: Settings, now: datetime, loaded: Loaded) -> None:
        self._writer = writer
        self._landing = landing
        self._settings = settings
        self._now = naive_utc(now)
        self._loaded = loaded
        self._fleet = Fleet(writer)
        self._corrections = Corrections(writer, landing, settings.over_limit_kw, self._now)
        self._entries: dict[Key, Entry] = {}
        self._changed_days: set[tuple[str, date]] = set()

    def load(self, segments: Sequence[str], held: set[str], again: pl.DataFrame | None = None) -> None:
        """Load segments; `again`: loaded intervals (system_id, interval) that are folded from their beginning."""
        again = key_frame([]) if again is None else again
        receipts = self._landing.read_receipts(segments)
        self._loaded.receipts += receipts.height
        is_look = pl.col("kind").is_in(STATISTICS_KINDS)
        looks = receipts.filter(is_look)
        known = held | set(segments)
        corrected = interval_frame(self._corrections.learn(receipts, known))
        touched = pl.concat([looks.select("system_id", "interval"), corrected, again]).unique()
        days = days_of(touched)
        self._corrections.know(days)
        self._entries = read_entries(self._writer, touched)
        looks = self._with_late_intervals_whole(looks, corrected, again, known)
        lists = receipts.filter(~is_look & (pl.col("kind") != Kind.OVERRIDES))
        changes = pl.DataFrame({"fetched_at_utc": self._corrections.instants(days)}, schema_overrides=receipts.schema)
        changes = changes.with_columns(kind=pl.lit(Kind.OVERRIDES.value))
        receipts = pl.concat([lists, looks, changes], how="diagonal").sort("fetched_at_utc", maintain_order=True)
        for episode in _episodes(receipts, is_look):
            self._apply_fleet(episode)
            for at in episode.filter(kind=Kind.OVERRIDES.value)["fetched_at_utc"]:
                self._correct(at, days)
            for part in self._parts(episode.filter(is_look)):
                self._fold(part)
        self._write_entries(touched)
        compare_neighbours(self._writer, self._changed_days)
        if moved := self._fleet.with_another_vendor(self._settings.balance_tolerance_of):
            judge_balance_again(self._writer, moved, self._settings, self._fleet)
        self._fleet.write(self._writer)
        now = pl.lit(self._now, dtype=pl.Datetime("us")).alias("loaded_at_utc")
        self._writer.append("core.loaded_segment", pl.DataFrame({"segment": list(segments)}).with_columns(now))

    def _apply_fleet(self, receipts: pl.DataFrame) -> None:
        lists = receipts.filter(
            (pl.col("kind").is_in(LIST_KINDS) & pl.col("outcome").is_null()) | (pl.col("outcome") == Outcome.GONE)
        )
        pages = lists.filter(pl.col("system_id").is_null() & pl.col("body_sha256").is_not_null())
        bodies = self._landing.read_bodies(set(pages["body_sha256"]), likely=set(pages["segment"]))
        for receipt in lists.iter_rows(named=True):
            self._fleet.see(receipt, bodies.get(receipt["body_sha256"]))

    def _correct(self, at: datetime, days: pl.DataFrame) -> None:
        for entry in self._corrections.change(at, days, self._entries):
            self._entries[entry.system_id, entry.interval] = entry
            self._loaded.changed.add((entry.system_id, entry.interval))
            self._loaded.edited.add((entry.system_id, entry.interval))
            self._loaded.changed_days += 1

    def _with_late_intervals_whole(
        self, looks: pl.DataFrame, corrected: pl.DataFrame, again: pl.DataFrame, known_segments: set[str]
    ) -> pl.DataFrame:
        """Forget each interval of which a look, or a change of corrections, is older than what the tables know, and
        take all its looks instead."""
        late = {
            (look["system_id"], look["interval"])
            for look in looks.iter_rows(named=True)
            if (entry := self._entries.get((look["system_id"], look["interval"]))) is not None
            and entry.fetched_at_utc is not None
            and (look["fetched_at_utc"] < entry.fetched_at_utc or self._corrections.is_late(entry, look))
        }
        late.update(again.iter_rows())
        late.update(key for key in corrected.iter_rows() if self._corrections.is_news_late(self._entries[key]))
        if not late:
            return looks
        keys = key_frame(late)
        self._forget(keys)
        whole = self._landing.read_receipts_of(keys).filter(pl.col("segment").is_in(list(known_segments)))
        return pl.concat([looks.join(keys, on=["system_id", "interval"], how="anti", maintain_order="left"), whole])

    def _forget(self, keys: pl.DataFrame) -> None:
        intervals = [(system_id, Interval.parse(label)) for system_id, label in keys.iter_rows()]
        days = day_frame([(s, i.day) for s, i in intervals if i.kind is IntervalKind.DAY])
        for table in (*DAY_TABLES, "core.day_version"):
            self._writer.remove(table, days)
        self._writer.remove(
            "core.reported_day", days_of_months([(s, i.day) for s, i in intervals if i.kind is IntervalKind.MONTH])
        )
        self._writer.remove("core.finding", keys)
        self._writer.remove("core.load", keys)
        self._corrections.forget(days)
        self._changed_days.update(days.rows())
        for key in keys.iter_rows():
            self._entries.pop(key, None)

    def _parts(self, looks: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
        """Looks in the order of time: one of an interval at a time, and of a system whose zone is not known yet none
        after an answer, which may tell the zone that the others are read in."""
        waiting = looks.to_dicts()
        while waiting:
            part: list[dict[str, Any]] = []
            left: list[dict[str, Any]] = []
            taken: set[Key] = set()
            halted: set[str] = set()
            for look in waiting:
                key = look["system_id"], look["interval"]
                if key in taken or key[0] in halted or len(part) == BODIES_PER_BATCH:
                    left.append(look)
                else:
                    part.append(look)
                if look["outcome"] is None and self._fleet.timezone(key[0]) is None:
                    halted.add(key[0])
                taken.add(key)
            yield part
            waiting = left

    def _fold(self, looks: Sequence[dict[str, Any]]) -> None:
        """Apply looks of different intervals."""
        to_read = []
        for look in looks:
            key = look["system_id"], look["interval"]
            entry = self._entries.get(key) or Entry(*key)
            if look["outcome"] is not None:
                self._entries[key] = self._failed(entry, look, look["outcome"], look["detail"])
            elif entry.payload_sha256 == look["body_sha256"] and entry.was_read_whole and entry.loaded_outcome:
                self._loaded.unchanged += 1
                self._entries[key] = self._unchanged(entry, look, entry.loaded_outcome)
            else:
                to_read.append(look)
        self._mark_absent([look for look in looks if look["outcome"] in ABSENCE_OF_OUTCOME and look["kind"] == "day"])
        bodies = self._landing.read_bodies(
            {look["body_sha256"] for look in to_read}, likely={look["segment"] for look in to_read}
        )
        for kind, read in ((IntervalKind.DAY, self._read_days), (IntervalKind.MONTH, self._read_months)):
            of_kind = {
                (look["system_id"], Interval.parse(look["interval"]).day): look
                for look in to_read
                if look["kind"] == kind
            }
            if of_kind:
                read(of_kind, [self._body(look, bodies[look["body_sha256"]]) for look in of_kind.values()])

    def _read_days(self, looks: dict[tuple[str, date], dict[str, Any]], bodies: list[normalise.Body]) -> None:
        days = normalise.read_days(bodies, over_limit_kw=self._settings.over_limit_kw)
        new = self._new_content(days.days, looks)
        if not new:
            return
        keys = day_frame(new)
        held = keys.filter(pl.Series([bool(self._entry(system, day).version) for system, day in new], dtype=pl.Boolean))
        held_series = self._writer.rows("core.series", normalise.SERIES_SCHEMA, keys=held)
        fallen = normalise.coverage_fell(only_days(days, keys), held_series)
        days = normalise.keep_vanished(
            only_days(days, keys), self._writer.rows("core.reading", normalise.READING_SCHEMA, keys=held), held_series
        )
        effective = normalise.with_overrides(days, self._corrections.in_force(days.days))
        quarters = normalise.quarter_hours(effective)
        energy = normalise.day_energy(effective, quarters)
        for table, rows in zip(DAY_TABLES, (days.readings, quarters, energy, effective.series), strict=True):
            self._writer.replace(table, rows, keys=held if table != "core.series" else keys)
            self._loaded.rows += rows.height
        sent = energy if effective is days else normalise.day_energy(days, normalise.quarter_hours(days))
        found = pl.concat([findings_of(days, sent, self._settings, self._fleet), fallen])
        replace_findings(self._writer, found, keys, IntervalKind.DAY)
        self._changed_days.update(new)
        versions = []
        for row in days.days.iter_rows(named=True):
            key = row["system_id"], row["day"]
            before = self._entry(*key)
            outcome = Outcome.LOADED if not row["applied"] else Outcome(row["outcome"])
            after = self._answered(before, looks[key], outcome, row["detail"], row["timezone"]).with_content(
                row["content_sha256"], outcome, row["timezone"], self._now
            )
            self._entries[key[0], after.interval] = after
            self._fleet.learn_timezone(key[0], row["timezone"], row["fetched_at_utc"])
            self._loaded.changed.add((key[0], after.interval))
            self._loaded.new_days += before.version is None
            self._loaded.changed_days += before.version is not None
            versions.append(version_row(before, after, Cause.ANSWER, after.fetched_at_utc, applied=row["applied"]))
        append_versions(self._writer, versions, normalise.day_totals(effective, energy))

    def _read_months(self, looks: dict[tuple[str, date], dict[str, Any]], bodies: list[normalise.Body]) -> None:
        months = normalise.read_months(bodies)
        new = self._new_content(months.months, looks)
        if not new:
            return
        days = days_of_months(new)
        months = normalise.keep_vanished_months(
            only_months(months, day_frame(new)),
            self._writer.rows("core.reported_day", normalise.REPORTED_SCHEMA, keys=days),
        )
        self._writer.replace("core.reported_day", months.reported, keys=days)
        replace_findings(self._writer, months.findings, day_frame(new), IntervalKind.MONTH)
        self._loaded.rows += months.reported.height
        for row in months.months.iter_rows(named=True):
            key = row["system_id"], row["day"]
            after = self._answered(
                self._entry(*key, IntervalKind.MONTH), looks[key], row["outcome"], row["detail"], row["timezone"]
            )
            after = after.with_content(row["content_sha256"], row["outcome"], row["timezone"], self._now)
            self._entries[key[0], after.interval] = after
            self._fleet.learn_timezone(key[0], row["timezone"], row["fetched_at_utc"])
            self._loaded.changed.add((key[0], after.interval))
            self._loaded.months += 1

    def _new_content(self, read: pl.DataFrame, looks: dict[tuple[str, date], dict[str, Any]]) -> list[tuple[str, date]]:
        """Settle what could not be read and what says nothing new; returns the keys whose content is new."""
        new = []
        for row in read.iter_rows(named=True):
            key = row["system_id"], row["day"]
            look = looks[key]
            entry = self._entries.get((key[0], look["interval"])) or Entry(key[0], look["interval"])
            self._entries[key[0], look["interval"]] = entry
            if row["outcome"] == Outcome.UNREADABLE:
                self._entries[key[0], look["interval"]] = self._failed(entry, look, Outcome.UNREADABLE, row["detail"])
            elif entry.content_sha256 == row["content_sha256"] and entry.loaded_outcome:
                self._loaded.unchanged += 1
                self._entries[key[0], look["interval"]] = self._unchanged(entry, look, entry.loaded_outcome)
            else:
                new.append(key)
        return new

    def _mark_absent(self, looks: Sequence[dict[str, Any]]) -> None:
        """A day that has no series, and never had: rows that say why, with nothing to count."""
        rows = [
            {
                "system_id": look["system_id"],
                "day": Interval.parse(look["interval"]).day,
                "metric": metric,
                "is_known": True,
                "is_available": False,
                "reason": look["detail"],
                "absence": ABSENCE_OF_OUTCOME[Outcome(look["outcome"])].value,
            }
            for look in looks
            if self._entries[look["system_id"], look["interval"]].version is None
            for metric in METRICS
        ]
        absent = pl.DataFrame(rows, schema_overrides={"day": pl.Date()})
        if rows:
            absent_days = absent.select("system_id", "day").unique()
            self._writer.replace("core.series", absent, keys=absent_days)
            self._changed_days.update(absent_days.rows())

    def _failed(self, entry: Entry, look: dict[str, Any], outcome: str, detail: str | None) -> Entry:
        zone = entry.timezone or self._fleet.timezone(entry.system_id)
        return entry.after_failure(look, outcome, detail, zone, self._settings.settle_days)

    def _unchanged(self, entry: Entry, look: dict[str, Any], outcome: str) -> Entry:
        """The same content again: what was said about it still holds."""
        return self._answered(entry, look, outcome, entry.detail if entry.outcome == outcome else None)

    def _answered(
        self, entry: Entry, look: dict[str, Any], outcome: str, detail: str | None, read_in: str | None = None
    ) -> Entry:
        """`read_in`: the zone that the answer itself stated."""
        zone = read_in or entry.timezone or self._fleet.timezone(entry.system_id)
        return entry.after_answer(look, outcome, detail, zone, self._settings.settle_days)

    def _entry(self, system_id: str, day: date, kind: IntervalKind = IntervalKind.DAY) -> Entry:
        return self._entries[system_id, Interval(kind, day).label]

    def _body(self, look: dict[str, Any], body: bytes) -> normalise.Body:
        return normalise.Body(
            look["system_id"],
            Interval.parse(look["interval"]),
            body,
            look["fetched_at_utc"].replace(tzinfo=UTC),
            self._fleet.timezone(look["system_id"]),
        )

    def _write_entries(self, touched: pl.DataFrame) -> None:
        rows = []
        for key in touched.iter_rows():
            entry = self._entries[key]
            interval = Interval.parse(entry.interval)
            rows.append(
                {f.name: getattr(entry, f.name) for f in fields(Entry)}
                | {"interval_kind": interval.kind.value, "day": interval.day, "state": str(entry.state)}
            )
        self._writer.replace("core.load", pl.DataFrame(rows, schema=ENTRY_SCHEMA), keys=touched)


def _episodes(receipts: pl.DataFrame, is_look: pl.Expr) -> list[pl.DataFrame]:
    """Receipts cut where a list follows a look, so that lists and looks are applied in the order of time."""
    begins = ~is_look & is_look.shift(1, fill_value=False)
    return receipts.with_columns(begins.cum_sum().alias("episode")).partition_by("episode", maintain_order=True)


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
