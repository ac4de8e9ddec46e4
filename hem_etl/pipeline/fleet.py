"""The fleet as the lists tell it: landed list pages → `core.system`, its history, `core.asset`, `core.location`.

What an item leaves out, or spells so that it means nothing (a zone nobody knows), stays as it was; `raw` keeps it all.
A system's object may state neither vendor nor zone nor place. Then the vendor is the one that most of its assets name
(none where two are named equally often), the zone that of its series, the place that of its location; who told is kept
beside it, and what a list states outranks the others.

Adds and updates, never deletes: a system that disappears keeps its rows and gets `gone_at_utc`, once its statistics
and its own page answer 404 as well. An empty list changes nothing.

Another process may land what it saw earlier after what was seen later. Such a late fact takes nothing newer away, and
the past is not written anew: it counts from the beginning of the row of history that is open. A look that lands late is
read in the zone that was known when it was made, as the history tells.
"""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import polars as pl

from hem_etl.answer import Kind, Receipt
from hem_etl.enode.wire import WireError, canonical_json, read_asset, read_location, read_page, read_system
from hem_etl.local_day import naive_utc, zone_named
from hem_etl.vocabulary import AssetKind, Outcome, Source
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)

ASSET_LISTS: Final = {
    Kind.INVERTERS: AssetKind.INVERTER,
    Kind.BATTERIES: AssetKind.BATTERY,
    Kind.METERS: AssetKind.METER,
}
TRACKED: Final = (
    "user_id",
    "vendor",
    "timezone",
    "latitude",
    "longitude",
    "is_reachable",
    "has_invalid_credentials",
    "gone_at_utc",
)
"""A change in one of these is a row of history; that a system was seen again is not."""

SEEN: Final = ("listed_at_utc", "last_seen_utc", "raw")
"""What another look at the same thing changes; it reaches readers with the next publish, and is no reason for one."""

OPEN_PERIODS: Final = """
select system_id, max(valid_from_utc) as valid_from_utc from core.system_history where valid_to_utc is null group by all
"""
CLOSE_PERIODS: Final = """
update core.system_history as past set valid_to_utc = closed.at from closed
where past.system_id = closed.system_id and past.valid_to_utc is null and past.valid_from_utc < closed.at
"""
ANSWERED_AFTER: Final = """
select count(*) from core.load where system_id = $system_id and timezone = $timezone and answered_at_utc > $at
"""
ZONES_OF_PERIODS: Final = """
select valid_from_utc, timezone from core.system_history where system_id = $system_id
"""
LOOKED_AFTER: Final = "select count(*) from core.load where system_id = $system_id and fetched_at_utc > $at"

SYSTEM_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "user_id": pl.String(),
        "vendor": pl.String(),
        "timezone": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "vendor_source": pl.String(),
        "timezone_source": pl.String(),
        "place_source": pl.String(),
        "location_id": pl.String(),
        "is_reachable": pl.Boolean(),
        "has_invalid_credentials": pl.Boolean(),
        "first_seen_utc": pl.Datetime("us"),
        "listed_at_utc": pl.Datetime("us"),
        "last_seen_utc": pl.Datetime("us"),
        "gone_at_utc": pl.Datetime("us"),
        "raw": pl.String(),
    }
)
HISTORY_SCHEMA: Final = pl.Schema(
    {**SYSTEM_SCHEMA, "valid_from_utc": pl.Datetime("us"), "valid_to_utc": pl.Datetime("us")}
)
CLOSED_SCHEMA: Final = pl.Schema({"system_id": pl.String(), "at": pl.Datetime("us")})
LOCATION_SCHEMA: Final = pl.Schema(
    {
        "location_id": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "listed_at_utc": pl.Datetime("us"),
        "raw": pl.String(),
    }
)
ASSET_SCHEMA: Final = pl.Schema(
    {
        "asset_id": pl.String(),
        "kind": pl.String(),
        "system_id": pl.String(),
        "vendor": pl.String(),
        "brand": pl.String(),
        "model": pl.String(),
        "capacity_kwh": pl.Float64(),
        "is_reachable": pl.Boolean(),
        "last_seen_utc": pl.Datetime("us"),
        "gone_at_utc": pl.Datetime("us"),
        "raw": pl.String(),
    }
)


class Fleet:
    """The fleet's rows in memory while looks are applied in the order of time; `write` puts them back."""

    def __init__(self, writer: Writer) -> None:
        systems = writer.rows("core.system", SYSTEM_SCHEMA)
        assets = writer.rows("core.asset", ASSET_SCHEMA)
        self._systems = {row["system_id"]: row for row in systems.iter_rows(named=True)}
        self._assets = {row["asset_id"]: row for row in assets.iter_rows(named=True)}
        locations = writer.rows("core.location", LOCATION_SCHEMA)
        self._locations = {row["location_id"]: row for row in locations.iter_rows(named=True)}
        self._systems_at: dict[str | None, dict[str, None]] = {}
        """Location → the systems there, in the order in which they came."""
        for name, row in self._systems.items():
            self._systems_at.setdefault(row["location_id"], {})[name] = None
        self._open_since: dict[str, datetime] = dict(writer.read(OPEN_PERIODS).iter_rows())
        self._zone_stated_at: dict[str, datetime] = {}
        self._writer = writer
        self._vendors_before = {name: row["vendor"] for name, row in self._systems.items()}
        self._vendors: dict[str, dict[str, str]] = {}
        for row in self._assets.values():
            self._vendors.setdefault(row["system_id"], {})[row["asset_id"]] = row["vendor"]
        self._touched_systems: set[str] = set()
        self._touched_assets: set[str] = set()
        self._touched_locations: set[str] = set()
        self._history: dict[tuple[str, datetime], dict[str, Any]] = {}
        """New rows of history, by their key."""
        self._closed: dict[str, datetime] = {}
        """When rows that the table holds end."""
        self._periods: dict[str, list[tuple[datetime, str | None]]] = {}
        """Of systems that a late look asked about: when their periods began, and the zone in each."""
        self._changed: set[str | None] = set()

    def timezone(self, system_id: str, at: datetime) -> str | None:
        """The system's zone, as its list or an earlier series had told it at that instant (naive UTC)."""
        if system_id not in self._systems:
            return None
        if at >= self._open_since[system_id]:
            zone: str | None = self._systems[system_id]["timezone"]
            return zone
        began = [zone for valid_from, zone in self._zones_of_periods(system_id) if valid_from <= at]
        return began[-1] if began else None

    def learns_timezone(self, system_id: str) -> bool:
        """Whether answers tell the system's zone: no list does. Of a system that none named nothing is kept."""
        return system_id in self._systems and self._systems[system_id]["timezone_source"] != Source.LIST

    def awaits_timezone(self, system_id: str) -> bool:
        """Whether the next answer may be the first that tells the system's zone."""
        return self.learns_timezone(system_id) and self._systems[system_id]["timezone"] is None

    def vendor(self, system_id: str) -> str | None:
        """The system's vendor, as its list or its assets told it."""
        return self._systems[system_id]["vendor"] if system_id in self._systems else None

    def with_another_vendor(self, judged_by: Callable[[str | None], object]) -> list[str]:
        """Systems whose vendor changed since this fleet was read, where that makes them be judged otherwise."""
        return [
            name
            for name in sorted(self._touched_systems)
            if judged_by(self._vendors_before.get(name)) != judged_by(self.vendor(name))
        ]

    def see_page(self, page: Receipt, body: bytes) -> None:
        """Apply one page of a list."""
        try:
            items = read_page(body).data
        except WireError as error:
            LOG.warning("list=%s page=%d unreadable: %s", page.kind, page.page, error)
            return
        for item in items:
            try:
                if page.kind is Kind.LOCATIONS:
                    self._see_location(item, page.fetched_at_utc)
                elif page.kind in ASSET_LISTS:
                    self._see_asset(item, ASSET_LISTS[page.kind], page.fetched_at_utc)
                else:
                    self._see_system(item, page.user_id, page.fetched_at_utc)
            except WireError as error:
                LOG.warning("list=%s page=%d item left out: %s", page.kind, page.page, error)

    def see_gone(self, system_id: str, at: datetime) -> None:
        """A look found its system gone."""
        before = self._systems.get(system_id)
        if before is not None and before["gone_at_utc"] is None and at >= before["listed_at_utc"]:
            self._change(before | {"gone_at_utc": at}, at)

    def tells_of_credentials(self, look: Receipt) -> bool:
        """Whether it says otherwise than the looks before it, and none that came after it is known."""
        row = self._systems.get(str(look.system_id))
        if row is None or look.outcome not in (None, Outcome.RELINK_NEEDED):
            return False
        is_refused = look.outcome is Outcome.RELINK_NEEDED
        at = look.fetched_at_utc
        if bool(row["has_invalid_credentials"]) == is_refused or at < self._open_since[row["system_id"]]:
            return False
        return not self._writer.read(LOOKED_AFTER, {"system_id": row["system_id"], "at": at}).item()

    def learn_credentials(self, look: Receipt) -> None:
        """Take in a look that `tells_of_credentials`."""
        row = self._systems[str(look.system_id)]
        is_refused = look.outcome is Outcome.RELINK_NEEDED
        self._change(row | {"has_invalid_credentials": is_refused}, look.fetched_at_utc)

    def learn_timezone(self, system_id: str, timezone: str | None, at: datetime) -> None:
        """Where the system's object states no zone, the zone of its newest series is the system's."""
        if timezone is None or not self.learns_timezone(system_id):
            return
        row = self._systems[system_id]
        if at < self._zone_stated_at.get(system_id, at):
            return
        if timezone != row["timezone"]:
            if self._has_answer_after(system_id, row["timezone"], at):
                return
            self._change(row | {"timezone": timezone, "timezone_source": Source.SERIES.value}, at)
        self._zone_stated_at[system_id] = at

    def write(self, writer: Writer) -> set[str | None]:
        """Replace the rows that changed. Returns the systems of which more is another than when they were seen.

        None among them: something that belongs to no system.
        """
        systems = [self._systems[name] for name in sorted(self._touched_systems)]
        assets = [self._assets[name] for name in sorted(self._touched_assets)]
        _replace(writer, "core.system", pl.DataFrame(systems, schema=SYSTEM_SCHEMA), "system_id")
        _replace(writer, "core.asset", pl.DataFrame(assets, schema=ASSET_SCHEMA), "asset_id")
        locations = [self._locations[name] for name in sorted(self._touched_locations)]
        _replace(writer, "core.location", pl.DataFrame(locations, schema=LOCATION_SCHEMA), "location_id")
        if self._closed:
            closed = pl.DataFrame(list(self._closed.items()), schema=CLOSED_SCHEMA, orient="row")
            writer.change(CLOSE_PERIODS, closed=closed)
        history = pl.DataFrame(list(self._history.values()), schema=HISTORY_SCHEMA)
        writer.replace("core.system_history", history, keys=history.select("system_id", "valid_from_utc"))
        self._touched_systems.clear()
        self._touched_assets.clear()
        self._touched_locations.clear()
        self._history.clear()
        self._closed.clear()
        changed, self._changed = self._changed, set()
        return changed

    def _zones_of_periods(self, system_id: str) -> list[tuple[datetime, str | None]]:
        """When each row of the system's history begins, and the zone in it; those not yet written too."""
        if system_id not in self._periods:
            written = dict(self._writer.read(ZONES_OF_PERIODS, {"system_id": system_id}).iter_rows())
            new = {at: row["timezone"] for (name, at), row in self._history.items() if name == system_id}
            self._periods[system_id] = sorted((written | new).items())
        return self._periods[system_id]

    def _has_answer_after(self, system_id: str, timezone: str | None, at: datetime) -> bool:
        """Whether a later answer than that found the system in that zone."""
        if timezone is None:
            return False
        facts = {"system_id": system_id, "timezone": timezone, "at": at}
        return bool(self._writer.read(ANSWERED_AFTER, facts).item())

    def _see_system(self, item: Any, user_id: str | None, at: datetime) -> None:
        sent = read_system(item)
        before = self._systems.get(sent.id)
        if before is not None and at < before["listed_at_utc"]:
            self._put(before | {"first_seen_utc": min(at, before["first_seen_utc"])})
            return
        stated = {
            "user_id": sent.user_id or user_id,
            "is_reachable": sent.is_reachable,
            "location_id": sent.location_id,
            **_stated(Source.LIST, "vendor_source", vendor=sent.vendor),
            **_stated(Source.LIST, "timezone_source", timezone=sent.timezone if zone_named(sent.timezone) else None),
            **_stated(Source.LIST, "place_source", latitude=sent.location.latitude, longitude=sent.location.longitude),
        }
        unsaid = {"system_id": sent.id, "first_seen_utc": at, "has_invalid_credentials": False}
        nothing = dict.fromkeys(SYSTEM_SCHEMA) | unsaid
        old = before or nothing
        new = {name: old[name] if value is None else value for name, value in stated.items()}
        seen = {
            "listed_at_utc": at,
            "last_seen_utc": at if sent.last_seen is None else naive_utc(sent.last_seen),
            "gone_at_utc": None,
            "raw": canonical_json(item),
        }
        self._change(self._completed(old | new | seen), at)

    def _completed(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the vendor of its assets and the place of its location, where its list states none."""
        found: dict[str, Any] = {}
        if row["vendor_source"] != Source.LIST:
            found |= _stated(Source.ASSETS, "vendor_source", vendor=self._vendor_of_assets(row["system_id"]))
        location = self._locations.get(row["location_id"])
        if row["place_source"] != Source.LIST and location is not None:
            place = {name: location[name] for name in ("latitude", "longitude")}
            found |= _stated(Source.LOCATIONS, "place_source", **place)
        return row | found

    def _vendor_of_assets(self, system_id: str) -> str | None:
        named = Counter(vendor for vendor in self._vendors.get(system_id, {}).values() if vendor)
        most = named.most_common(2)
        is_tie = len(most) == 2 and most[0][1] == most[1][1]
        return None if not most or is_tie else most[0][0]

    def _see_location(self, item: Any, at: datetime) -> None:
        sent = read_location(item)
        before = self._locations.get(sent.id)
        if sent.id is None or (before is not None and at < before["listed_at_utc"]):
            return
        self._locations[sent.id] = {
            "location_id": sent.id,
            "latitude": sent.latitude,
            "longitude": sent.longitude,
            "listed_at_utc": at,
            "raw": canonical_json(item),
        }
        if _is_changed(before, self._locations[sent.id]):
            self._changed.add(None)
        self._touched_locations.add(sent.id)
        for name in list(self._systems_at.get(sent.id, ())):
            self._change(self._completed(self._systems[name]), at)

    def _see_asset(self, item: Any, kind: AssetKind, at: datetime) -> None:
        sent = read_asset(item)
        before = self._assets.get(sent.id)
        if sent.hem_system_id is None or (before is not None and at < before["last_seen_utc"]):
            return
        self._assets[sent.id] = {
            "asset_id": sent.id,
            "kind": kind.value,
            "system_id": sent.hem_system_id,
            "vendor": sent.vendor,
            "brand": sent.information.brand,
            "model": sent.information.model,
            "capacity_kwh": sent.capacity_kwh if kind is AssetKind.BATTERY else None,
            "is_reachable": sent.is_reachable,
            "last_seen_utc": at,
            "gone_at_utc": self._systems.get(sent.hem_system_id, {}).get("gone_at_utc"),
            "raw": canonical_json(item),
        }
        self._touched_assets.add(sent.id)
        owners = {sent.hem_system_id} if before is None else {sent.hem_system_id, before["system_id"]}
        if _is_changed(before, self._assets[sent.id]):
            self._changed.update(owners)
        for system_id in sorted(owners):
            self._vendors.setdefault(system_id, {}).pop(sent.id, None)
        self._vendors[sent.hem_system_id][sent.id] = sent.vendor or ""
        for row in [self._systems[name] for name in sorted(owners) if name in self._systems]:
            self._change(self._completed(row), at)

    def _change(self, row: dict[str, Any], at: datetime) -> None:
        """A row of history begins; one that began at this very instant tells what all of the instant's looks say.

        They come in no order of their own: lists and looks are landed apart.
        """
        before = self._systems.get(row["system_id"])
        is_of_this_instant = self._open_since.get(row["system_id"]) == at
        if before is None or is_of_this_instant or any(before[name] != row[name] for name in TRACKED):
            if before is not None:
                at = max(at, self._open_since[row["system_id"]])
                self._close(row["system_id"], at)
            self._open_since[row["system_id"]] = at
            period = {"last_seen_utc": at, "valid_from_utc": at, "valid_to_utc": None}
            self._history[row["system_id"], at] = row | period
            self._periods.pop(row["system_id"], None)
        if before is not None and before["gone_at_utc"] != row["gone_at_utc"]:
            self._mark_assets(row["system_id"], row["gone_at_utc"])
        self._put(row)

    def _mark_assets(self, system_id: str, gone_at: datetime | None) -> None:
        """What hung on a system is gone with it, and there again with it."""
        for name in self._vendors.get(system_id, ()):
            self._assets[name] = self._assets[name] | {"gone_at_utc": gone_at}
            self._touched_assets.add(name)

    def _close(self, system_id: str, at: datetime) -> None:
        """End the present row of history; one that began at this very instant gives way to the new one."""
        past = self._history.get((system_id, self._open_since[system_id]))
        if past is None:
            self._closed[system_id] = at
        elif past["valid_from_utc"] != at:
            past["valid_to_utc"] = at

    def _put(self, row: dict[str, Any]) -> None:
        before = self._systems.get(row["system_id"])
        if _is_changed(before, row):
            self._changed.add(row["system_id"])
        if before is not None and before["location_id"] != row["location_id"]:
            del self._systems_at[before["location_id"]][row["system_id"]]
        self._systems_at.setdefault(row["location_id"], {})[row["system_id"]] = None
        self._systems[row["system_id"]] = row
        self._touched_systems.add(row["system_id"])


def _is_changed(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    return before is None or any(before[name] != value for name, value in now.items() if name not in SEEN)


def _stated(source: Source, name: str, **facts: Any) -> dict[str, Any]:
    """The facts with their source, which is NULL where none is known."""
    return facts | {name: None if all(value is None for value in facts.values()) else source.value}


def _replace(writer: Writer, table: str, rows: pl.DataFrame, key: str) -> None:
    writer.replace(table, rows, keys=rows.select(key))
