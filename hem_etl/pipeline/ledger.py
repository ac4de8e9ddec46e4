"""The ledger: what an interval's row says after a look, and when the interval is asked again.

Instants are naive UTC, as in the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

import polars as pl

from hem_etl.answer import Key, Receipt
from hem_etl.local_day import LAST_ZONE_ON_EARTH, Interval, zone_named
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FINAL_OUTCOMES, RETRYABLE_OUTCOMES, IntervalKind, Outcome, State
from hem_etl.warehouse import Reader

OPEN_AGAIN_AFTER: Final = timedelta(hours=1)
"""A running interval grows all the time; it is asked again once its last answer is this old."""

ENTRY_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "interval": pl.String(),
        "interval_kind": pl.String(),
        "day": pl.Date(),
        "outcome": pl.String(),
        "http_status": pl.Int32(),
        "detail": pl.String(),
        "fetched_at_utc": pl.Datetime("us"),
        "attempts": pl.Int32(),
        "duration_ms": pl.Int64(),
        "loaded_at_utc": pl.Datetime("us"),
        "payload_sha256": pl.String(),
        "version": pl.Int32(),
        "state": pl.String(),
        "answered_at_utc": pl.Datetime("us"),
        "ends_at_utc": pl.Datetime("us"),
        "timezone": pl.String(),
        "loaded_outcome": pl.String(),
        "content_sha256": pl.String(),
    }
)
"""The columns of `core.load`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `core.load`; see that table for the columns' meaning."""

    system_id: str
    interval: Interval
    outcome: str | None = None
    http_status: int | None = None
    detail: str | None = None
    fetched_at_utc: datetime | None = None
    attempts: int | None = None
    duration_ms: int | None = None
    loaded_at_utc: datetime | None = None
    payload_sha256: str | None = None
    version: int | None = None
    state: str = State.OPEN
    answered_at_utc: datetime | None = None
    ends_at_utc: datetime | None = None
    timezone: str | None = None
    loaded_outcome: str | None = None
    content_sha256: str | None = None

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Self:
        interval = Interval(IntervalKind(row["interval_kind"]), row["day"])
        return cls(**{f.name: row[f.name] for f in fields(cls) if f.name != "interval"}, interval=interval)

    def row(self) -> dict[str, Any]:
        """As `core.load` holds it."""
        kind, day = self.interval.kind.value, self.interval.day
        facts = {f.name: getattr(self, f.name) for f in fields(self)}
        return facts | {"interval": self.interval.label, "interval_kind": kind, "day": day, "state": str(self.state)}

    @property
    def key(self) -> Key:
        return self.system_id, self.interval

    @property
    def was_read_whole(self) -> bool:
        """The content was read after the interval's end: reading the same bytes again gives the same rows."""
        return (
            self.answered_at_utc is not None
            and self.ends_at_utc is not None
            and self.answered_at_utc >= self.ends_at_utc
        )

    def says_all_of(self, body_sha256: str | None) -> bool:
        """Whether the tables hold all that a body with this hash says."""
        return self.payload_sha256 == body_sha256 and self.was_read_whole

    def after_failure(
        self, look: Receipt, outcome: str, detail: str | None, zone: str | None, settle_days: int
    ) -> Self:
        """The last look brought no content: what the tables hold stays as it is."""
        seen = self._seen(look, outcome, detail, zone)
        return replace(seen, state=seen._state(look.fetched_at_utc, is_answer=False, settle_days=settle_days))

    def after_answer(self, look: Receipt, outcome: str, detail: str | None, zone: str | None, settle_days: int) -> Self:
        """The last look brought content; whether it is new content is said by `with_content`."""
        seen = self._seen(look, outcome, detail, zone)
        state = seen._state(look.fetched_at_utc, is_answer=look.http_status != 202, settle_days=settle_days)
        return replace(seen, state=state, answered_at_utc=look.fetched_at_utc, payload_sha256=look.body_sha256)

    def with_content(self, content_sha256: str, loaded_outcome: str, timezone: str | None, now: datetime) -> Self:
        """The tables now hold a new version."""
        return replace(
            self,
            version=(self.version or 0) + 1,
            content_sha256=content_sha256,
            loaded_outcome=loaded_outcome,
            timezone=timezone,
            loaded_at_utc=now,
        )

    def with_override(self, now: datetime) -> Self:
        """The tables now hold a new version of the same answer; what the last look brought stays."""
        return replace(self, version=(self.version or 0) + 1, loaded_at_utc=now)

    def _seen(self, look: Receipt, outcome: str, detail: str | None, zone: str | None) -> Self:
        _, ends_at = self.interval.bounds_utc(zone_named(zone) or LAST_ZONE_ON_EARTH)
        return replace(
            self,
            outcome=outcome,
            http_status=look.http_status,
            detail=detail,
            fetched_at_utc=look.fetched_at_utc,
            attempts=look.attempts,
            duration_ms=look.duration_ms,
            ends_at_utc=ends_at.replace(tzinfo=None),
        )

    def _state(self, at: datetime, *, is_answer: bool, settle_days: int) -> str:
        assert self.ends_at_utc is not None
        if self.state == State.SETTLED or (is_answer and at >= self.ends_at_utc + timedelta(days=settle_days)):
            return State.SETTLED
        return State.PROVISIONAL if at >= self.ends_at_utc else State.OPEN


def read_entries(warehouse: Reader, keys: pl.DataFrame) -> dict[Key, Entry]:
    """The ledger's rows of the (system_id, interval) pairs in `keys`."""
    rows = warehouse.rows("core.load", ENTRY_SCHEMA, keys=keys.unique())
    return {entry.key: entry for entry in map(Entry.of_row, rows.iter_rows(named=True))}


@dataclass(frozen=True, slots=True)
class Announcements:
    """When the newest event came that asks for a look at a system's days, and how often at most it is followed."""

    at: Mapping[str, datetime] = field(default_factory=dict)
    gap: timedelta = timedelta(0)

    def is_news_to(self, entry: Entry) -> bool:
        """Whether the day was looked at, and not since."""
        at = self.at.get(entry.system_id)
        if at is None or entry.interval.kind is not IntervalKind.DAY or entry.fetched_at_utc is None:
            return False
        return entry.fetched_at_utc < at

    def makes_due(self, entry: Entry, now: datetime) -> bool:
        """Whether that is so, and the last look is long enough ago."""
        return self.is_news_to(entry) and entry.fetched_at_utc is not None and now - entry.fetched_at_utc >= self.gap


NOTHING_ANNOUNCED: Final = Announcements()


def is_due(
    entry: Entry | None,
    now: datetime,
    *,
    is_system_gone: bool = False,
    announced: Announcements = NOTHING_ANNOUNCED,
) -> bool:
    """Whether to ask for the interval now.

    Never fetched: yes. A failure that a fix elsewhere could change: yes. Final outcomes: no, but for `gone` once the
    system is listed again. Content: hourly while the interval runs, then at growing gaps (the end, then 1, 2, 4, …
    days after it) until it is settled, and whenever a webhook announces something new.
    """
    if entry is None or entry.outcome in RETRYABLE_OUTCOMES or entry.outcome in BLOCKED_OUTCOMES:
        return True
    if entry.outcome in FINAL_OUTCOMES:
        return entry.outcome == Outcome.GONE and not is_system_gone
    if entry.state == State.SETTLED:
        return False
    if entry.answered_at_utc is None or entry.ends_at_utc is None or announced.makes_due(entry, now):
        return True
    if now < entry.ends_at_utc:
        return now - entry.answered_at_utc >= OPEN_AGAIN_AFTER
    return entry.answered_at_utc < _newest_checkpoint(entry.ends_at_utc, now)


def _newest_checkpoint(end: datetime, now: datetime) -> datetime:
    checkpoint, gap = end, timedelta(days=1)
    while end + gap <= now:
        checkpoint, gap = end + gap, gap * 2
    return checkpoint
