"""Committing: what was prepared is folded against what the tables hold, in the order of time.

Unchanged content writes no rows; changed content replaces the whole day and is a version. What this needs besides the
prepared frames is asked of the tables: the ledger's rows, what was held of a series that vanished, when corrections
last changed a day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from hem_etl import normalise
from hem_etl.answer import Key, Receipt
from hem_etl.local_day import Interval
from hem_etl.pipeline.corrections import Corrections
from hem_etl.pipeline.events import Events
from hem_etl.pipeline.fleet import Fleet
from hem_etl.pipeline.keys import (
    day_frame,
    days_of,
    days_of_months,
    days_within,
    key_frame,
    only_months,
)
from hem_etl.pipeline.ledger import ENTRY_SCHEMA, Entry, read_entries
from hem_etl.pipeline.validation import compare_neighbours, judge_balance_again, replace_findings
from hem_etl.pipeline.versions import DAY_TABLES, Version, write_days
from hem_etl.preparing.prepare import Judging, PreparedDays, completed
from hem_etl.settings import Settings
from hem_etl.vocabulary import METRICS, Absence, Cause, IntervalKind, Outcome
from hem_etl.warehouse import Writer

DAYS_AT_ONCE: Final = 500
"""Loaded days in memory while a set of corrections is put in force."""

ABSENCE_OF_OUTCOME: Final = {
    Outcome.BEFORE_INSTALLATION: Absence.BEFORE_INSTALLATION,
    Outcome.UNSUPPORTED: Absence.UNSUPPORTED,
}
"""Outcomes that say for good why a day has no series."""

NOTED: Final = (
    *DAY_TABLES,
    "core.event",
    *("core.day_version", "core.reported_day", "core.finding", "core.load", "core.loaded_segment"),
    *("core.system", "core.system_history", "core.asset", "core.location"),
)
"""Tables of which a commit knows what it changes for readers; a transaction that writes to others has changed all."""

Looks = Mapping[Key, Receipt]


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


class Standing:
    """What the tables know of the intervals that a transaction touches: ledger rows, and when a day was corrected."""

    def __init__(self, writer: Writer, keys: Iterable[Key], *, has_corrections: bool) -> None:
        self.keys = sorted(set(keys))
        self.entries = read_entries(writer, key_frame(self.keys))
        self._corrected_at = _corrected_at(writer, days_of(self.keys)) if has_corrections else {}

    @property
    def days(self) -> pl.DataFrame:
        """(system_id, day) of the days among them."""
        return days_of(self.keys)

    def entry(self, key: Key) -> Entry:
        """The ledger's row; an empty one where there is none yet."""
        return self.entries.get(key) or Entry(*key)

    def knows_after(self, key: Key, at: datetime) -> bool:
        """Whether the tables hold a look that came after that instant, or corrections put in force since."""
        entry = self.entries.get(key)
        is_look_newer = entry is not None and entry.fetched_at_utc is not None and at < entry.fetched_at_utc
        return is_look_newer or self.is_corrected_since(key, at)

    def is_corrected_since(self, key: Key, at: datetime) -> bool:
        """Whether corrections of that instant or later have changed the day."""
        corrected_at = self._corrected_at.get(key)
        return corrected_at is not None and at <= corrected_at

    def forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.entries.pop(key, None)
            self._corrected_at.pop(key, None)

    def write(self, writer: Writer) -> None:
        """Put the ledger's rows back."""
        rows = [self.entries[key].row() for key in self.keys]
        writer.replace("core.load", pl.DataFrame(rows, schema=ENTRY_SCHEMA), keys=key_frame(self.keys))


def _corrected_at(writer: Writer, days: pl.DataFrame) -> dict[Key, datetime]:
    versions = writer.rows("core.day_version", ("system_id", "day", "fetched_at_utc", "cause"), keys=days)
    corrected = versions.filter(cause=Cause.OVERRIDE.value)
    newest = corrected.group_by("system_id", "day").agg(pl.col("fetched_at_utc").max())
    return {(system_id, Interval.of_day(day)): at for system_id, day, at in newest.iter_rows()}


class Commit:
    """One transaction. Hand it looks and corrections in the order of time, then `finish`."""

    def __init__(
        self,
        writer: Writer,
        settings: Settings,
        standing: Standing,
        corrections: Corrections,
        loaded: Loaded,
        now: datetime,
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._standing = standing
        self._corrections = corrections
        self._loaded = loaded
        self._now = now
        self._changed_days: set[tuple[str, date]] = set()
        self.fleet = Fleet(writer)
        self.events = Events(writer, settings.event_days)

    def judging(self, system_ids: Iterable[str]) -> Judging:
        """What days of these systems are judged with, as their vendors are known now."""
        return Judging.by(self._settings, {system_id: self.fleet.vendor(system_id) for system_id in system_ids})

    def forget(self, keys: Sequence[Key]) -> None:
        """Take from the tables what they hold of these intervals: they are folded from their beginning."""
        days = days_of(keys)
        for table in (*DAY_TABLES, "core.day_version"):
            self._writer.remove(table, days)
        months = [(name, interval.day) for name, interval in keys if interval.kind is IntervalKind.MONTH]
        self._writer.remove("core.reported_day", days_of_months(months))
        self._writer.remove("core.finding", key_frame(keys))
        self._writer.remove("core.load", key_frame(keys))
        self._standing.forget(keys)
        self._changed_days.update(days.rows())

    def settle(self, looks: Iterable[Receipt]) -> Looks:
        """Take in looks of different intervals that need no reading: failures and bytes that are held already.

        Returns the others.
        """
        to_read = {}
        absent = []
        for look in looks:
            entry = self._standing.entry(look.key)
            if look.outcome is not None:
                self._fail(entry, look, look.outcome, look.detail)
                if look.outcome is Outcome.GONE:
                    self.fleet.see_gone(entry.system_id, look.fetched_at_utc)
                if look.outcome in ABSENCE_OF_OUTCOME and entry.interval.kind is IntervalKind.DAY and not entry.version:
                    absent.append(look)
            elif entry.says_all_of(look.body_sha256) and entry.loaded_outcome:
                self._repeat(entry, look, entry.loaded_outcome)
            else:
                to_read[look.key] = look
        self._mark_absent(absent)
        return to_read

    def add_days(self, looks: Looks, prepared: PreparedDays) -> None:
        """Take in days that were read from these looks' bodies."""
        new = self._settle_read(looks, prepared.outcomes, IntervalKind.DAY)
        if not new:
            return
        keys = day_frame(new)
        prepared = prepared.only(keys)
        if loaded_before := [key for key in new if self._day(*key).version]:
            prepared = self._beside_what_was_held(prepared, day_frame(loaded_before))
        days, quarters, energy = prepared.days, prepared.quarters, prepared.energy
        effective = normalise.with_overrides(days, self._corrections.in_force(days.days))
        if effective is not days:
            quarters, energy = normalise.summed(effective)
        replace_findings(self._writer, prepared.findings, keys, IntervalKind.DAY)
        versions = [self._version_of_answer(row, looks) for row in days.days.iter_rows(named=True)]
        self._learn_zones(days.days)
        self._loaded.rows += write_days(self._writer, versions, effective, quarters, energy, sent=days.readings)
        self._changed_days.update(new)

    def _beside_what_was_held(self, prepared: PreparedDays, loaded_before: pl.DataFrame) -> PreparedDays:
        """With what is kept of series that vanished, and what the rules find against that which the tables hold."""
        before = self._writer.rows("core.series", normalise.SERIES_SCHEMA, keys=loaded_before)
        readings_before = self._writer.rows("core.reading", normalise.READING_SCHEMA, keys=loaded_before)
        fallen = normalise.coverage_fell(prepared.days, before)
        kept = normalise.keep_vanished(prepared.days, readings_before, before)
        if kept is not prepared.days:
            prepared = completed(kept, self.judging(prepared.outcomes["system_id"]))
        return replace(prepared, findings=pl.concat([prepared.findings, fallen]))

    def add_months(self, looks: Looks, months: normalise.Months) -> None:
        """Take in months that were read from these looks' bodies."""
        new = self._settle_read(looks, months.months, IntervalKind.MONTH)
        if not new:
            return
        days = days_of_months(new)
        stored = self._writer.rows("core.reported_day", normalise.REPORTED_SCHEMA, keys=days)
        months = normalise.keep_vanished_months(only_months(months, day_frame(new)), stored)
        self._writer.replace("core.reported_day", months.reported, keys=days)
        replace_findings(self._writer, months.findings, day_frame(new), IntervalKind.MONTH)
        self._loaded.rows += months.reported.height
        for row in months.months.iter_rows(named=True):
            key = row["system_id"], Interval.of_month(row["day"])
            self._take_content(self._standing.entry(key), looks[key], row, row["outcome"])
            self._loaded.months += 1
        self._learn_zones(months.months)

    def correct(self, at: datetime) -> None:
        """Put in force the corrections that change at that instant, for the days that know nothing newer."""
        concerned = [
            entry
            for system_id, day in self._corrections.changing(self._standing.days, at).iter_rows()
            if (entry := self._day(system_id, day)).version and not self._standing.knows_after(entry.key, at)
        ]
        for first in range(0, len(concerned), DAYS_AT_ONCE):
            self._correct({(e.system_id, e.interval.day): e for e in concerned[first : first + DAYS_AT_ONCE]}, at)

    def finish(self) -> None:
        """What needs all of the transaction: neighbouring days, vendors that became known, the ledger, the fleet."""
        self._standing.write(self._writer)
        compare_neighbours(self._writer, self._changed_days)
        moved = self.fleet.with_another_vendor(self._settings.balance_tolerance_of)
        if moved:
            judge_balance_again(self._writer, moved, self.judging(moved))
        systems = [*self.fleet.write(self._writer), *moved, *self.events.write()]
        self._note_changes(systems)

    def _note_changes(self, systems: list[str | None]) -> None:
        """What readers see otherwise: what was looked at, days that a neighbour's findings reach, whole systems."""
        after = [(system_id, day + timedelta(days=1)) for system_id, day in self._changed_days]
        looked_at = pl.concat([days_within(self._standing.keys), day_frame(sorted(after))])
        of_systems = pl.DataFrame({"system_id": systems}, schema={"system_id": pl.String()})
        self._writer.note_changes(pl.concat([looked_at, of_systems], how="diagonal"), NOTED)

    def _correct(self, of_day: Mapping[tuple[str, date], Entry], at: datetime) -> None:
        keys = day_frame(list(of_day))
        standing = keys.with_columns(
            timezone=pl.Series([entry.timezone for entry in of_day.values()], dtype=pl.String),
            outcome=pl.Series([entry.loaded_outcome for entry in of_day.values()], dtype=pl.String),
        )
        stored = normalise.stored_days(
            standing,
            self._writer.rows("core.reading", normalise.READING_SCHEMA, keys=keys),
            self._writer.rows("core.series", normalise.SERIES_SCHEMA, keys=keys),
            over_limit_kw=self._settings.over_limit_kw,
        )
        before, after = self._corrections.around(keys, at)
        changed = _differing_days(normalise.edits_of(stored, before), normalise.edits_of(stored, after))
        if changed.is_empty():
            return
        sent = normalise.only_days(stored, changed)
        days = normalise.with_overrides(sent, normalise.only_rows(after, changed))
        quarters, energy = normalise.summed(days)
        applied = self._applied(changed)
        versions = []
        for key in days.days.select("system_id", "day").iter_rows():
            entry = of_day[key].with_override(self._now)
            versions.append(Version(of_day[key], entry, Cause.OVERRIDE, at, applied[key]))
            self._standing.entries[entry.key] = entry
            self._loaded.changed.add(entry.key)
            self._loaded.edited.add(entry.key)
            self._loaded.changed_days += 1
        write_days(self._writer, versions, days, quarters, energy, sent=sent.readings)

    def _applied(self, days: pl.DataFrame) -> dict[tuple[str, date], bool]:
        """Whether the newest version of each day holds all that its body sent: a correction does not change that."""
        versions = self._writer.rows("core.day_version", ("system_id", "day", "version", "applied"), keys=days)
        newest = versions.sort("version").group_by("system_id", "day").agg(pl.col("applied").last())
        return {(system_id, day): applied for system_id, day, applied in newest.iter_rows()}

    def _version_of_answer(self, row: dict[str, Any], looks: Looks) -> Version:
        before = self._day(row["system_id"], row["day"])
        outcome = Outcome(row["outcome"]) if row["applied"] else Outcome.LOADED
        after = self._take_content(before, looks[before.key], row, outcome)
        self._loaded.new_days += before.version is None
        self._loaded.changed_days += before.version is not None
        return Version(before, after, Cause.ANSWER, after.fetched_at_utc, row["applied"])

    def _settle_read(self, looks: Looks, read: pl.DataFrame, kind: IntervalKind) -> list[tuple[str, date]]:
        """Settle what could not be read and what says nothing new; returns the (system, day) whose content is new."""
        new = []
        for row in read.iter_rows(named=True):
            look = looks[row["system_id"], Interval(kind, row["day"])]
            entry = self._standing.entry(look.key)
            if row["outcome"] == Outcome.UNREADABLE:
                self._fail(entry, look, Outcome.UNREADABLE, row["detail"])
            elif entry.content_sha256 == row["content_sha256"] and entry.loaded_outcome:
                self._repeat(entry, look, entry.loaded_outcome)
            else:
                new.append((entry.system_id, entry.interval.day))
        return new

    def _mark_absent(self, looks: Sequence[Receipt]) -> None:
        """Days that have no series, and never had: rows that say why, with nothing to count."""
        if not looks:
            return
        rows = [
            {
                "system_id": look.system_id,
                "day": look.key[1].day,
                "metric": metric,
                "is_known": True,
                "is_available": False,
                "reason": look.detail,
                "absence": ABSENCE_OF_OUTCOME[Outcome(str(look.outcome))].value,
            }
            for look in looks
            for metric in METRICS
        ]
        absent = pl.DataFrame(rows, schema_overrides={"day": pl.Date(), "reason": pl.String()})
        days = days_of([look.key for look in looks])
        self._writer.replace("core.series", absent, keys=days)
        self._changed_days.update(days.rows())

    def _fail(self, entry: Entry, look: Receipt, outcome: Outcome, detail: str | None) -> None:
        """The look brought no content."""
        zone = self._known_zone(entry, look)
        self._standing.entries[entry.key] = entry.after_failure(look, outcome, detail, zone, self._settings.settle_days)

    def _repeat(self, entry: Entry, look: Receipt, outcome: str) -> None:
        """The same content again: what was said about it still holds."""
        self._loaded.unchanged += 1
        detail = entry.detail if entry.outcome == outcome else None
        zone = self._known_zone(entry, look)
        self._standing.entries[entry.key] = entry.after_answer(look, outcome, detail, zone, self._settings.settle_days)

    def _take_content(self, entry: Entry, look: Receipt, row: dict[str, Any], outcome: str) -> Entry:
        """The look brought new content, read as `row` says; returns the ledger's new row."""
        zone = row["timezone"]
        in_zone = zone or self._known_zone(entry, look)
        answered = entry.after_answer(look, outcome, row["detail"], in_zone, self._settings.settle_days)
        after = answered.with_content(row["content_sha256"], outcome, zone, self._now)
        self._standing.entries[entry.key] = after
        self._loaded.changed.add(entry.key)
        return after

    def _known_zone(self, entry: Entry, look: Receipt) -> str | None:
        """The one that the interval was read in before, else that of the system when it was looked at."""
        return entry.timezone or self.fleet.timezone(entry.system_id, look.fetched_at_utc)

    def _learn_zones(self, read: pl.DataFrame) -> None:
        """Take in the zones of what was read, in the order of time."""
        for told in read.select("system_id", "timezone", "fetched_at_utc").sort("fetched_at_utc").iter_rows():
            self.fleet.learn_timezone(*told)

    def _day(self, system_id: str, day: date) -> Entry:
        return self._standing.entry((system_id, Interval.of_day(day)))


def _differing_days(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """(system_id, day) of the days of which a bucket is edited otherwise; who says so does not matter."""
    bucket = ["system_id", "day", "metric", "start_utc", "value"]
    both = pl.concat([before.select(bucket), after.select(bucket)])
    return both.filter(pl.struct(bucket).is_unique()).select("system_id", "day").unique().sort("day", "system_id")
