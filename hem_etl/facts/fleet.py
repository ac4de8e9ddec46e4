"""The fleet: which systems there are, and how each does."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from hem_etl.facts.queries import text
from hem_etl.matching import match_systems, match_vendors
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FAILED_OUTCOMES
from hem_etl.warehouse import Warehouse

STALE_DAYS: Final = 3
"""A home whose complete days end longer ago needs somebody."""
LONGEST_SILENCE: Final = timedelta(hours=3)
LONGEST_BACKLOG: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FleetNumbers:
    """The fleet, counted."""

    system_ids: list[str]
    """Every system that was ever listed."""
    systems_gone: int
    vendors: pl.DataFrame
    """vendor, systems, gone, zones."""
    devices: dict[str, int]
    """By kind."""


@dataclass(frozen=True, slots=True)
class PublishedNumbers:
    """What is worth a look before the next run."""

    systems: int
    systems_without_vendor: int
    homes_there_twice: int | None
    """Pairs of systems that hold the same days; None: never checked."""


@dataclass(frozen=True, slots=True)
class FirstPage:
    """What a newcomer sees of a fleet first."""

    homes: pl.DataFrame
    """Each home on one day."""
    vendors: pl.DataFrame
    """Each vendor by month."""
    incomplete: list[str]
    """A home whose numbers of that day need an explanation, if there is one."""


def read_systems(warehouse: Warehouse, users: Iterable[str] = ()) -> pl.DataFrame:
    """The fleet and its devices, of these users or of all."""
    wanted = pl.DataFrame({"id": list(users)}, schema={"id": pl.String()})
    with warehouse.reading() as published:
        return published.read(text("systems"), wanted=wanted)


def read_status(warehouse: Warehouse, systems: Collection[str] = (), vendors: Collection[str] = ()) -> pl.DataFrame:
    """marts.status of these, those that lag most first; an empty choice means all.

    Raises UsageError where a system or vendor is not known.
    """
    with warehouse.reading() as published:
        rows = published.read("from marts.status order by lag_days desc nulls first, system_id")
    chosen = [
        pl.col("system_id").is_in(match_systems(systems, rows["system_id"])) if systems else pl.lit(True),
        pl.col("vendor").is_in(match_vendors(vendors, rows["vendor"].unique())) if vendors else pl.lit(True),
    ]
    return rows.filter(pl.all_horizontal(chosen))


def in_need(status: pl.DataFrame) -> pl.DataFrame:
    """Those rows of marts.status that somebody must act on; a home that is gone is none of them."""
    has_failed = pl.col("last_outcome").is_in([*FAILED_OUTCOMES, *BLOCKED_OUTCOMES])
    was_never_complete = pl.col("newest_complete_day").is_null() & pl.col("last_outcome").is_not_null()
    return status.filter(
        pl.col("gone_at_utc").is_null(),
        pl.col("relink_reason").is_not_null() | has_failed | was_never_complete | (pl.col("lag_days") > STALE_DAYS),
    )


def read_relink(warehouse: Warehouse) -> pl.DataFrame:
    """marts.relink, those that have lost most first."""
    with warehouse.reading() as published:
        return published.read("from marts.relink order by lost_days desc nulls last, user_id, vendor")


def waiting_events(warehouse: Warehouse) -> int:
    """Webhook events that no look has followed yet, by the published file."""
    with warehouse.reading() as published:
        return int(published.read("select count(*) from core.event where handled_at_utc is null").item())


def heartbeat_warning(warehouse: Warehouse) -> str | None:
    """What is wrong with Enode's heartbeats by the published file; None: nothing, or none ever came."""
    with warehouse.reading() as published:
        beats = published.read(text("heartbeats"))
    newest, newest_look, pending_since = beats.row(0)
    if newest is None:
        return None
    if newest_look is not None and newest_look - newest > LONGEST_SILENCE:
        return f"the last heartbeat came at {newest:%Y-%m-%d %H:%M} UTC: look at the receiver and its proxy"
    if pending_since is not None and newest - pending_since > LONGEST_BACKLOG:
        return (
            f"Enode holds events back since {pending_since:%Y-%m-%d %H:%M} UTC: is the receiver slow, or away at times?"
        )
    return None


def fleet_numbers(warehouse: Warehouse) -> FleetNumbers:
    """How many of what there are."""
    with warehouse.reading() as published:
        systems = published.rows("core.system", ["system_id", "gone_at_utc"])
        return FleetNumbers(
            system_ids=systems["system_id"].sort().to_list(),
            systems_gone=systems["gone_at_utc"].count(),
            vendors=published.read(text("vendors")),
            devices=dict(published.read(text("devices")).iter_rows()),
        )


def known_systems(warehouse: Warehouse, wanted: Iterable[str]) -> frozenset[str]:
    """The ids that these ids, or unique beginnings of ids, stand for. UsageError where one stands for none."""
    with warehouse.reading() as published:
        return match_systems(wanted, published.rows("staging.system", ["system_id"])["system_id"])


def first_page(warehouse: Warehouse, day: date) -> FirstPage:
    """Rows of marts.daily_energy of that day, and of marts.vendor_monthly."""
    with warehouse.reading() as published:
        return FirstPage(
            homes=published.read(text("demo_daily"), {"day": day}),
            vendors=published.read(text("demo_monthly")),
            incomplete=published.read(text("demo_incomplete"), {"day": day})["system_id"].to_list(),
        )


def published_numbers(warehouse: Warehouse) -> PublishedNumbers:
    """What the doctor tells."""
    with warehouse.reading() as published:
        return PublishedNumbers(*published.read(text("published")).row(0))
