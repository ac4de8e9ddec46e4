"""Plans by what the tables hold: each reads what it needs of the fleet and the ledger, and lets `planning` decide."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from hem_etl.local_day import Interval
from hem_etl.pipeline.events import announced, never_asked_of
from hem_etl.pipeline.keys import key_frame
from hem_etl.pipeline.ledger import Announcements, read_entries
from hem_etl.pipeline.planning import (
    Plan,
    Request,
    known_request,
    of_gone,
    plan_announced,
    plan_intervals,
    plan_late,
    plan_range,
)
from hem_etl.pipeline.stored import entries_between, known_systems
from hem_etl.settings import Settings
from hem_etl.warehouse import Reader

LOG = logging.getLogger(__name__)
DAYS_LONGER: Final = timedelta(days=3)
"""A day is settled by the first look that comes so long after its end as the setting says: that may take a while."""


def of_range(warehouse: Reader, request: Request, now: datetime) -> Plan:
    """What is due of a range of days. UsageError where a system is named that is not known."""
    systems = known_systems(warehouse)
    request = known_request(request, systems)
    entries = entries_between(warehouse, request.start.replace(day=1), request.end)
    return plan_range(request, systems, entries, now)


def of_intervals(
    warehouse: Reader, wanted: Mapping[str, Sequence[Interval]], now: datetime, *, is_refresh: bool
) -> Plan:
    """What is due of these intervals by system; systems that are not known, or gone, are left out and logged."""
    keys = key_frame((name, interval) for name, intervals in wanted.items() for interval in intervals)
    systems = known_systems(warehouse)
    entries = read_entries(warehouse, keys).values()
    here = set(systems.filter(pl.col("gone_at_utc").is_null())["system_id"])
    gone = set(systems["system_id"]) - here
    for system_id in sorted(wanted.keys() - here):
        LOG.warning("system_id=%r left out: %s", system_id, "gone" if system_id in gone else "not known")
    present = {system_id: intervals for system_id, intervals in wanted.items() if system_id in here}
    plan = plan_intervals(present, systems, entries, now, is_refresh=is_refresh)
    return replace(plan, gone=of_gone({name: wanted[name] for name in wanted.keys() & gone}, entries))


def of_late_data(
    warehouse: Reader, settings: Settings, now: datetime, is_wanted: Callable[[str], bool] = lambda _: True
) -> Plan:
    """What is due of everything that these systems were ever asked for."""
    entries = [entry for entry in entries_between(warehouse, date.min, date.max) if is_wanted(entry.system_id)]
    return plan_late(known_systems(warehouse), entries, now, _announcements(warehouse, settings, now))


def of_events(warehouse: Reader, settings: Settings, now: datetime) -> Plan:
    """What webhooks announced."""
    entries = entries_between(warehouse, date.min, date.max)
    new = never_asked_of(warehouse)
    announcements = _announcements(warehouse, settings, now)
    return plan_announced(known_systems(warehouse), entries, now, announcements, new, settings.start_date)


def _announcements(warehouse: Reader, settings: Settings, now: datetime) -> Announcements:
    """An older event concerns days that are settled, or due without it."""
    since = now - timedelta(days=settings.settle_days) - DAYS_LONGER
    return Announcements(announced(warehouse, since), timedelta(minutes=settings.event_minutes))
