"""What a run asks for: the intervals of a range that are due, system by system. Asks nothing itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from hem_etl.local_day import LAST_ZONE_ON_EARTH, Interval, days_between, months_between, zone_named
from hem_etl.pipeline.ledger import Entry, is_due
from hem_etl.vocabulary import BLOCKED_OUTCOMES, IntervalKind

SECONDS_PER_REQUEST: Final = 2.0
"""A typical answer of the real API; only for the estimate that `plan` prints."""


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
    is_known_blocked: bool = False
    """The ledger already says that the system is blocked: only a probe is asked, the rest follow if it answers."""


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
        unbound = SECONDS_PER_REQUEST * max(self.requests / at_once, longest)
        return max(unbound, self.requests / requests_per_second if requests_per_second else 0.0)


def plan_range(request: Request, systems: pl.DataFrame, ledger: Iterable[Entry], now: datetime) -> Plan:
    """The plan for `request` over `systems` (core.system rows) with what the ledger holds of the range.

    `now` is naive UTC. Gone systems are asked only when they are named.
    """
    known = {(entry.system_id, entry.interval): entry for entry in ledger}
    plans: list[SystemPlan] = []
    not_due = not_begun = fleet_size = 0
    for row in systems.sort("system_id").iter_rows(named=True):
        is_gone = row["gone_at_utc"] is not None
        if not _is_wanted(row, request) or (is_gone and row["system_id"] not in request.systems):
            continue
        fleet_size += 1
        zone = zone_named(row["timezone"]) or LAST_ZONE_ON_EARTH
        asks = []
        for interval in _intervals(request):
            start, _ = interval.bounds_utc(zone)
            entry = known.get((row["system_id"], interval.label))
            if start.replace(tzinfo=None) > now:
                not_begun += 1
            elif request.is_refresh or is_due(entry, now, is_system_gone=is_gone):
                asks.append(Ask(interval, entry is not None and entry.outcome in BLOCKED_OUTCOMES))
            else:
                not_due += 1
        if asks:
            plans.append(SystemPlan(row["system_id"], tuple(asks)))
    return Plan(tuple(plans), fleet_size, not_due=not_due, not_begun=not_begun)


def _intervals(request: Request) -> list[Interval]:
    months = months_between(request.start, request.end) if request.has_months else ()
    days = sorted(days_between(request.start, request.end), reverse=True)
    return [*map(Interval.of_month, sorted(months, reverse=True)), *map(Interval.of_day, days)]


def _is_wanted(row: dict[str, object], request: Request) -> bool:
    return (
        (not request.systems or row["system_id"] in request.systems)
        and (not request.vendors or row["vendor"] in request.vendors)
        and (not request.users or row["user_id"] in request.users)
    )
