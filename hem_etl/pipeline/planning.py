"""What a run asks for: the intervals of a range that are due, system by system. Asks nothing itself."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from typing import Final

import polars as pl

from hem_etl.answer import Key
from hem_etl.local_day import LAST_ZONE_ON_EARTH, Interval, days_between, months_between, newest_day_over, zone_named
from hem_etl.matching import match_systems, match_vendors
from hem_etl.pipeline.ledger import NOTHING_ANNOUNCED, Announcements, Entry, is_due
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FINAL_OUTCOMES, RETRYABLE_OUTCOMES, IntervalKind, Outcome, State

EXPLAINED: Final = BLOCKED_OUTCOMES | FINAL_OUTCOMES
GONE_DETAIL: Final = "the system is gone: not asked"
ASSUMED_SECONDS: Final = 2.0
"""How long an answer takes, where none was timed yet; only for the estimate that `plan` prints."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person or a schedule asks of a run: local days `start`..`end`, both included. Empty sets: everything."""

    start: date
    end: date
    systems: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    has_months: bool = True
    is_refresh: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One interval to ask for."""

    interval: Interval
    is_explained: bool = False
    """The ledger already says why there is nothing: when the system turns out to be blocked, that stands."""


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """All that is asked of one system, in this order, one after the other: months first, then days, newest first."""

    system_id: str
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for. `not_due` and `not_begun` say why there is not more."""

    systems: tuple[SystemPlan, ...]
    fleet_size: int
    not_due: int
    not_begun: int
    before: Mapping[Key, Entry | None] = field(default_factory=dict)
    """Every interval that was wanted and has begun, asked or not, with its row of the ledger as it is now."""
    gone: Mapping[Key, Entry] = field(default_factory=dict)
    """Wanted intervals of systems that are gone: not asked, with what is known of each."""
    seconds_per_request: float | None = None
    """Median of the last looks; None where none was timed."""

    @property
    def requests(self) -> int:
        return sum(len(system.asks) for system in self.systems)

    def count(self, kind: IntervalKind) -> int:
        """Intervals of one kind."""
        return sum(ask.interval.kind is kind for system in self.systems for ask in system.asks)

    def seconds(self, requests_per_second: float, max_in_flight: int) -> float:
        """A guess at the time: the budget, or as many at once as there are systems and slots."""
        if not self.requests:
            return 0.0
        at_once = min(max_in_flight, len(self.systems))
        longest = max(len(system.asks) for system in self.systems)
        each = ASSUMED_SECONDS if self.seconds_per_request is None else self.seconds_per_request
        unbound = each * max(self.requests / at_once, longest)
        return max(unbound, self.requests / requests_per_second if requests_per_second else 0.0)


def known_request(request: Request, systems: pl.DataFrame) -> Request:
    """The request with whole ids and vendors as `systems` spells them. UsageError where one is not known."""
    return replace(
        request,
        systems=match_systems(request.systems, systems["system_id"]),
        vendors=match_vendors(request.vendors, systems["vendor"]),
    )


def plan_range(request: Request, systems: pl.DataFrame, ledger: Iterable[Entry], now: datetime) -> Plan:
    """The plan for `request` over `systems` (core.system rows) with what the ledger holds of the range.

    `now` is naive UTC. Gone systems are asked only when they are named.
    """
    intervals = _intervals(request)
    wanted = {
        row["system_id"]: intervals
        for row in systems.iter_rows(named=True)
        if _is_wanted(row, request) and (row["gone_at_utc"] is None or row["system_id"] in request.systems)
    }
    return plan_intervals(wanted, systems, ledger, now, is_refresh=request.is_refresh)


def plan_announced(
    systems: pl.DataFrame,
    ledger: Iterable[Entry],
    now: datetime,
    announced: Announcements,
    never_asked: Collection[str],
    start: date,
) -> Plan:
    """The plan for what events announce: days that are not settled and were not looked at since, the event's own too.

    never_asked: systems whose whole past since `start` is asked, up to the newest day that is over everywhere: as far
    as the rest of the fleet reaches.
    """
    entries = {entry.key: entry for entry in ledger if entry.system_id in announced.at}
    outdated: dict[str, set[Interval]] = {}
    for (system_id, interval), entry in entries.items():
        if announced.is_news_to(entry) and entry.state != State.SETTLED:
            outdated.setdefault(system_id, set()).add(interval)
    past = _intervals(Request(start, newest_day_over(now.replace(tzinfo=UTC))))
    wanted: dict[str, Iterable[Interval]] = {}
    for row in systems.filter(pl.col("gone_at_utc").is_null()).iter_rows(named=True):
        system_id, zone = row["system_id"], zone_named(row["timezone"]) or LAST_ZONE_ON_EARTH
        if system_id in never_asked:
            wanted[system_id] = past
        elif system_id in announced.at:
            running = Interval.of_day(_date_of(announced.at[system_id], zone))
            is_new = (system_id, running) not in entries
            wanted[system_id] = outdated.get(system_id, set()) | ({running} if is_new else set())
    return plan_intervals(wanted, systems, entries.values(), now, announced=announced)


def plan_late(
    systems: pl.DataFrame, ledger: Iterable[Entry], now: datetime, announced: Announcements = NOTHING_ANNOUNCED
) -> Plan:
    """The plan for everything in the ledger that is due again; it adds no interval that was never asked."""
    entries = list(ledger)
    here = set(systems.filter(pl.col("gone_at_utc").is_null())["system_id"])
    wanted: dict[str, list[Interval]] = {}
    for entry in entries:
        if entry.system_id in here:
            wanted.setdefault(entry.system_id, []).append(entry.interval)
    return plan_intervals(wanted, systems, entries, now, announced=announced)


def plan_intervals(
    wanted: Mapping[str, Iterable[Interval]],
    systems: pl.DataFrame,
    ledger: Iterable[Entry],
    now: datetime,
    *,
    is_refresh: bool = False,
    announced: Announcements = NOTHING_ANNOUNCED,
) -> Plan:
    """The plan for these intervals by system: those that have begun and are due, or all that have begun."""
    entries = {entry.key: entry for entry in ledger}
    rows = {row["system_id"]: row for row in systems.iter_rows(named=True)}
    plans: list[SystemPlan] = []
    before: dict[Key, Entry | None] = {}
    not_begun = 0
    for system_id in sorted(wanted):
        zone = zone_named(rows[system_id]["timezone"]) or LAST_ZONE_ON_EARTH
        is_gone = rows[system_id]["gone_at_utc"] is not None
        asks = []
        for interval in sorted(wanted[system_id], key=_coarse_to_fine):
            if interval.bounds_utc(zone)[0].replace(tzinfo=None) > now:
                not_begun += 1
                continue
            entry = entries.get((system_id, interval))
            before[system_id, interval] = entry
            if is_refresh or is_due(entry, now, is_system_gone=is_gone, announced=announced):
                asks.append(Ask(interval, entry is not None and entry.outcome in EXPLAINED))
        if asks:
            plans.append(SystemPlan(system_id, tuple(asks)))
    asked = sum(len(plan.asks) for plan in plans)
    return Plan(tuple(plans), len(wanted), not_due=len(before) - asked, not_begun=not_begun, before=before)


def of_gone(wanted: Mapping[str, Iterable[Interval]], ledger: Iterable[Entry]) -> dict[Key, Entry]:
    """What is known of the intervals of systems that are gone. Where nothing was, or it failed: that they are gone."""
    entries = {entry.key: entry for entry in ledger}
    gone = {}
    for system_id, intervals in wanted.items():
        for interval in intervals:
            entry = entries.get((system_id, interval)) or Entry(system_id, interval)
            if entry.outcome is None or entry.outcome in RETRYABLE_OUTCOMES:
                entry = replace(entry, outcome=Outcome.GONE.value, detail=GONE_DETAIL)
            gone[system_id, interval] = entry
    return gone


def _date_of(instant: datetime, zone: tzinfo) -> date:
    """The local date of a naive UTC instant."""
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def _coarse_to_fine(interval: Interval) -> tuple[bool, int]:
    """Months first, then days; newest first."""
    return interval.kind is IntervalKind.DAY, -interval.day.toordinal()


def _intervals(request: Request) -> list[Interval]:
    months = months_between(request.start, request.end) if request.has_months else ()
    return [*map(Interval.of_month, months), *map(Interval.of_day, days_between(request.start, request.end))]


def _is_wanted(row: dict[str, object], request: Request) -> bool:
    return (
        (not request.systems or row["system_id"] in request.systems)
        and (not request.vendors or row["vendor"] in request.vendors)
        and (not request.users or row["user_id"] in request.users)
    )
