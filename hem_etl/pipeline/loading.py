"""Loading: landed segments → tables. Every segment is loaded exactly once, in one transaction with all its rows.

What the tables hold of an interval is a fold over events in the order of time: pages of lists, looks at statistics,
corrections by hand. So the order of segments, days and batches does not matter: a receipt that turns up late (another
process landed it after a newer one) makes its interval be folded again from landing. Two things are left, both of
systems whose list states no zone: what turns up late and tells one, a list or a look, changes nothing that was read
before (see `fleet`); and where their zone moves, a look without content has its interval end, in the ledger, by the
zone that was known before what is read at once with it.

    receipts ─▶ events in order ─▶ settle ─▶ prepare ─▶ commit
                                   no reading  pure       tables
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.answer import LIST_KINDS, STATISTICS_KINDS, Key, Kind, Receipt
from hem_etl.landing import Landing
from hem_etl.local_day import Interval, naive_utc
from hem_etl.pipeline import batches
from hem_etl.pipeline.ahead import Ahead
from hem_etl.pipeline.commit import Commit, Loaded, Looks, Standing
from hem_etl.pipeline.corrections import HISTORY_SCHEMA, Corrections
from hem_etl.pipeline.fleet import Fleet
from hem_etl.pipeline.future import leave_out_the_future
from hem_etl.pipeline.keys import day_keys, days_of, key_frame
from hem_etl.pipeline.ledger import read_entries
from hem_etl.pipeline.overrides import read_corrections
from hem_etl.pipeline.reference import hold_thresholds, renew_calendar, write_reference
from hem_etl.settings import Settings
from hem_etl.vocabulary import Outcome
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)

LOADED_DAYS_REACHED: Final = """
select system_id, day from core.load as load
semi join changed on changed.system_id = load.system_id and load.day between changed.first_day and changed.last_day
where load.interval_kind = 'day' and load.version is not null
"""


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page of a list."""

    page: Receipt
    body: bytes


@dataclass(frozen=True, slots=True)
class GoneSeen:
    """A system's own page said that there is no such system."""

    system_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserUnknown:
    """Enode has no list of that user's systems."""

    user_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LookSeen:
    """A look at statistics."""

    look: Receipt


@dataclass(frozen=True, slots=True)
class CorrectionsChanged:
    """Other corrections are in force from here on."""

    at: datetime


@dataclass(frozen=True, slots=True)
class DeliverySeen:
    """A delivery of webhook events."""

    receipt: Receipt
    body: bytes


Event = PageSeen | GoneSeen | UserUnknown | LookSeen | CorrectionsChanged | DeliverySeen


def load(
    writer: Writer,
    landing: Landing,
    settings: Settings,
    now: datetime,
    ahead: Ahead,
    *,
    is_clock_right: bool = False,
    on_segment: Callable[[int, int], None] = lambda done, total: None,
) -> Loaded:
    """Load every segment that the tables do not hold yet; `on_segment(done, total)` is told after each transaction.

    Receipts from the future are left out for good where the clock was compared with Enode's, and are a ClockError
    where it was not: it may be ours that is wrong. Raises LandingError for a damaged segment, WorkerError where a
    worker of `ahead` died; the transactions before it stay.
    """
    hold_thresholds(writer, settings)
    landed = landing.cover()
    loaded_before = set(writer.read("select segment from core.loaded_segment")["segment"])
    waiting = [name for name in landed if name not in loaded_before]
    loaded = Loaded()
    loading = _Loading(writer, landing, settings, naive_utc(now), loaded, loaded_before, ahead)
    with writer.transaction():
        moved = renew_calendar(writer)
        for keys in batches.chunks(moved, batches.BODIES_PER_BATCH):
            loading.load((), again=keys)
    loaded.recut.update(moved)
    _tell_recut(moved)
    ahead.expect(waiting)
    for segments in batches.chunks(waiting, batches.SEGMENTS_PER_TRANSACTION):
        with writer.transaction():
            leave_out_the_future(landing, segments, naive_utc(now), is_clock_right)
            loading.load(segments)
        loaded.segments += len(segments)
        on_segment(loaded.segments, len(waiting))
    with writer.transaction():
        write_reference(writer, settings, now)
    return loaded


def _tell_recut(moved: dict[Key, str]) -> None:
    for zone in dict.fromkeys(moved.values()):
        keys = [key for key, timezone in moved.items() if timezone == zone]
        labels = [interval.label for _, interval in keys]
        LOG.warning(
            "zone=%s has other rules now: intervals=%d from=%s to=%s systems=%d cut anew from what is landed",
            zone,
            len(keys),
            min(labels),
            max(labels),
            len({system_id for system_id, _ in keys}),
        )


class _Loading:
    """Segments → tables, a transaction at a time."""

    def __init__(
        self,
        writer: Writer,
        landing: Landing,
        settings: Settings,
        now: datetime,
        loaded: Loaded,
        segments: set[str],
        ahead: Ahead,
    ) -> None:
        self._writer = writer
        self._landing = landing
        self._settings = settings
        self._now = now
        self._loaded = loaded
        self._ahead = ahead
        self._segments = segments
        """Those that the tables hold, and those that are being loaded."""

    def load(self, segments: Sequence[str], again: Collection[Key] = ()) -> None:
        """Load segments; `again`: loaded intervals that are folded from their beginning."""
        self._segments.update(segments)
        receipts = self._landing.read_receipts(segments)
        self._loaded.receipts += len(receipts)
        corrections, corrected = self._corrections([r for r in receipts if r.kind is Kind.OVERRIDES])
        looks = [receipt for receipt in receipts if receipt.kind in STATISTICS_KINDS]
        touched = {look.key for look in looks} | corrected.keys() | set(again)
        standing = Standing(self._writer, touched, has_corrections=not corrections.history.is_empty())
        late = {look.key for look in looks if standing.knows_after(look.key, look.fetched_at_utc)}
        late |= {key for key, at in corrected.items() if standing.knows_after(key, at)} | set(again)
        commit = Commit(self._writer, self._settings, standing, corrections, self._loaded, self._now)
        if late:
            commit.forget(sorted(late))
            whole = [r for r in self._landing.read_receipts_of(late) if r.segment in self._segments]
            looks = [*(look for look in looks if look.key not in late), *whole]
        states = [receipt for receipt in receipts if receipt.kind not in STATISTICS_KINDS]
        self._fold(in_order(self._fleet_events(states), looks, corrections.instants(standing.days)), commit)
        self._ahead.forget(looks)
        commit.finish()
        at = pl.lit(self._now, dtype=pl.Datetime("us")).alias("loaded_at_utc")
        self._writer.append("core.loaded_segment", pl.DataFrame({"segment": list(segments)}).with_columns(at))

    def _corrections(self, files: Sequence[Receipt]) -> tuple[Corrections, dict[Key, datetime]]:
        """All corrections, these files' taken in, and the loaded days whose corrections these change.

        Each with the instant of the first of the files.
        """
        before = Corrections(self._writer.rows("core.override", HISTORY_SCHEMA))
        if not files:
            return before, {}
        corrections = read_corrections(self._landing, self._segments)
        self._writer.clear("core.override")
        self._writer.append("core.override", corrections.history)
        reached = self._writer.read(LOADED_DAYS_REACHED, changed=corrections.differing_from(before))
        return corrections, dict.fromkeys(day_keys(reached), files[0].fetched_at_utc)

    def _fleet_events(self, states: Sequence[Receipt]) -> list[tuple[datetime, Event]]:
        """What lists, systems' own pages and webhooks say of the fleet."""
        pages = [r for r in states if r.kind in LIST_KINDS and r.outcome is None and r.body_sha256 is not None]
        deliveries = [r for r in states if r.kind is Kind.EVENTS]
        bodies = self._bodies([*pages, *deliveries])
        return [
            *((r.fetched_at_utc, DeliverySeen(r, bodies[str(r.body_sha256)])) for r in deliveries),
            *((page.fetched_at_utc, PageSeen(page, bodies[str(page.body_sha256)])) for page in pages),
            *(
                (r.fetched_at_utc, GoneSeen(str(r.system_id), r.fetched_at_utc))
                for r in states
                if r.outcome is Outcome.GONE
            ),
            *(
                (r.fetched_at_utc, UserUnknown(r.user_id, r.fetched_at_utc))
                for r in states
                if r.kind is Kind.SYSTEMS and r.outcome is Outcome.REFUSED and r.user_id is not None
            ),
        ]

    def _fold(self, events: Iterable[Event], commit: Commit) -> None:
        looks: list[Receipt] = []
        for event in events:
            if isinstance(event, LookSeen):
                if commit.fleet.tells_of_credentials(event.look):
                    self._read_in_parts(looks, commit)
                    looks = []
                    commit.fleet.learn_credentials(event.look)
                looks.append(event.look)
                commit.events.see_look(event.look)
                continue
            if isinstance(event, DeliverySeen):
                commit.events.see_delivery(event.receipt, event.body)
                continue
            self._read_in_parts(looks, commit)
            looks = []
            match event:
                case PageSeen(page, body):
                    commit.fleet.see_page(page, body)
                    if page.kind is Kind.SYSTEMS:
                        commit.events.see_list(page.user_id, page.fetched_at_utc)
                case GoneSeen(system_id, at):
                    commit.fleet.see_gone(system_id, at)
                case UserUnknown(user_id, at):
                    commit.events.see_list(user_id, at, "asked: Enode knows no such user")
                case CorrectionsChanged(at):
                    commit.correct(at)
        self._read_in_parts(looks, commit)

    def _read_in_parts(self, looks: Sequence[Receipt], commit: Commit) -> None:
        for part in batches.parts(looks, lambda look: self._may_tell_zone(look, commit.fleet)):
            self._ahead.look_ahead(lambda keys: read_entries(self._writer, key_frame(keys)), commit.fleet)
            self._read(commit.settle(part), commit)

    def _may_tell_zone(self, look: Receipt, fleet: Fleet) -> bool:
        """Whether the system's later looks may have to be read in a zone that this one states: `_read` sees to days."""
        system_id = look.key[0]
        is_month = look.kind is Kind.MONTH and fleet.learns_timezone(system_id)
        return look.outcome is None and (is_month or fleet.awaits_timezone(system_id))

    def _read(self, looks: Looks, commit: Commit) -> None:
        """Read the bodies of these looks, of different intervals."""
        days = [look for look in looks.values() if look.kind is Kind.DAY]
        while days:
            prepared = self._ahead.prepare(days, commit.fleet)
            early = read_too_early(prepared.outcomes, commit.fleet)
            read = [look for look in days if look.key not in early]
            commit.add_days(looks, prepared.only(days_of([look.key for look in read])))
            days = [look for look in days if look.key in early]
        if months := [look for look in looks.values() if look.kind is Kind.MONTH]:
            kept = self._bodies(months)
            bodies = [
                normalise.Body(
                    *look.key,
                    kept[str(look.body_sha256)],
                    look.fetched_at_utc.replace(tzinfo=UTC),
                    commit.fleet.timezone(look.key[0], look.fetched_at_utc),
                )
                for look in months
            ]
            commit.add_months(looks, normalise.read_months(bodies))

    def _bodies(self, receipts: Collection[Receipt]) -> dict[str, bytes]:
        hashes = {receipt.body_sha256 for receipt in receipts if receipt.body_sha256 is not None}
        return self._landing.read_bodies(hashes, likely={receipt.segment for receipt in receipts})


def read_too_early(outcomes: pl.DataFrame, fleet: Fleet) -> set[Key]:
    """Days that may have to be read in a zone that an earlier look of their system states, and the system's later ones.

    outcomes: DAY_SCHEMA of days that were read at once. Never the first look of a system, so those that are left become
    fewer. Whether a body states the zone that was known before, or none at all, is not told apart.
    """
    stated: dict[str, str] = {}
    behind: set[str] = set()
    early: set[Key] = set()
    looks = outcomes.select("system_id", "day", "timezone", "fetched_at_utc").sort(
        "fetched_at_utc", maintain_order=True
    )
    for system_id, day, zone, at in looks.iter_rows():
        if stated.get(system_id, zone) != zone and zone == fleet.timezone(system_id, at):
            behind.add(system_id)
        if system_id in behind:
            early.add((system_id, Interval.of_day(day)))
        elif zone is not None:
            stated[system_id] = zone
    return early


def in_order(
    of_the_fleet: Iterable[tuple[datetime, Event]], looks: Iterable[Receipt], changes: Iterable[datetime]
) -> list[Event]:
    """All of it in the order of time; at one instant the fleet comes first, and corrections last."""
    events: list[tuple[datetime, Event]] = [
        *of_the_fleet,
        *((look.fetched_at_utc, LookSeen(look)) for look in looks),
        *((at, CorrectionsChanged(at)) for at in changes),
    ]
    return [event for _, event in sorted(events, key=lambda timed: timed[0])]
