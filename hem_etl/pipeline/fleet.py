"""The fleet as the lists tell it: landed list pages → `core.system`, its history, `core.asset`.

What an item leaves out, or spells so that it means nothing (a zone nobody knows), stays as it was; `raw` keeps it all.

Adds and updates, never deletes: a system that disappears keeps its rows and gets `gone_at_utc`, once its statistics
and its own page answer 404 as well. An empty list changes nothing.
"""

import logging
from datetime import datetime
from typing import Any, Final

import polars as pl

from hem_etl.enode.wire import WireError, canonical_json, read_asset, read_page, read_system
from hem_etl.local_day import zone_named
from hem_etl.vocabulary import AssetKind, Outcome
from hem_etl.warehouse import Writer

LOG = logging.getLogger(__name__)

ASSET_LISTS: Final = {"inverters": AssetKind.INVERTER, "batteries": AssetKind.BATTERY, "meters": AssetKind.METER}
TRACKED: Final = ("user_id", "vendor", "timezone", "latitude", "longitude", "is_reachable", "gone_at_utc")
"""A change in one of these is a row of history; that a system was seen again is not."""

SYSTEM_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "user_id": pl.String(),
        "vendor": pl.String(),
        "timezone": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "is_reachable": pl.Boolean(),
        "first_seen_utc": pl.Datetime("us"),
        "last_seen_utc": pl.Datetime("us"),
        "gone_at_utc": pl.Datetime("us"),
        "raw": pl.String(),
    }
)
HISTORY_SCHEMA: Final = pl.Schema(
    {**SYSTEM_SCHEMA, "valid_from_utc": pl.Datetime("us"), "valid_to_utc": pl.Datetime("us")}
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
        "last_seen_utc": pl.Datetime("us"),
        "raw": pl.String(),
    }
)


class Fleet:
    """The fleet's rows in memory while a batch of receipts is applied in the order of time; `write` puts them back."""

    def __init__(self, writer: Writer) -> None:
        systems = writer.rows("core.system", SYSTEM_SCHEMA)
        assets = writer.rows("core.asset", ASSET_SCHEMA)
        self._systems = {row["system_id"]: row for row in systems.iter_rows(named=True)}
        self._assets = {row["asset_id"]: row for row in assets.iter_rows(named=True)}
        self._touched_systems: set[str] = set()
        self._touched_assets: set[str] = set()
        self._history: list[dict[str, Any]] = []
        self._closed: list[tuple[str, datetime]] = []

    def timezone(self, system_id: str) -> str | None:
        """The system's zone, as its list or an earlier series told it."""
        return self._systems[system_id]["timezone"] if system_id in self._systems else None

    def vendor(self, system_id: str) -> str | None:
        """The system's vendor, as its list told it."""
        return self._systems[system_id]["vendor"] if system_id in self._systems else None

    def see(self, receipt: dict[str, Any], body: bytes | None) -> None:
        """Apply one receipt: a page of a list, or a look that found its system gone. Others change nothing."""
        at = receipt["fetched_at_utc"]
        if receipt["outcome"] == Outcome.GONE:
            self._see_gone(receipt["system_id"], at)
        elif body is not None and receipt["outcome"] is None and receipt["system_id"] is None:
            try:
                items = read_page(body).data
            except WireError as error:
                LOG.warning("list=%s page=%d unreadable: %s", receipt["kind"], receipt["page"], error)
                return
            for item in items:
                try:
                    if receipt["kind"] in ASSET_LISTS:
                        self._see_asset(item, ASSET_LISTS[receipt["kind"]], at)
                    else:
                        self._see_system(item, receipt["user_id"], at)
                except WireError as error:
                    LOG.warning("list=%s page=%d item left out: %s", receipt["kind"], receipt["page"], error)

    def learn_timezone(self, system_id: str, timezone: str | None, at: datetime) -> None:
        """Where the system's object states no zone, the zone of its series is the system's."""
        row = self._systems.get(system_id)
        if row is not None and row["timezone"] is None and timezone is not None:
            self._change(row | {"timezone": timezone}, at)

    def write(self, writer: Writer) -> None:
        """Replace the rows that changed."""
        systems = [self._systems[name] for name in sorted(self._touched_systems)]
        assets = [self._assets[name] for name in sorted(self._touched_assets)]
        _replace(writer, "core.system", pl.DataFrame(systems, schema=SYSTEM_SCHEMA), "system_id")
        _replace(writer, "core.asset", pl.DataFrame(assets, schema=ASSET_SCHEMA), "asset_id")
        for system_id, at in self._closed:
            writer.connection.execute(
                "update core.system_history set valid_to_utc = $at "
                "where system_id = $id and valid_to_utc is null and valid_from_utc < $at",
                {"at": at, "id": system_id},
            )
        history = pl.DataFrame(self._history, schema=HISTORY_SCHEMA)
        writer.replace("core.system_history", history, keys=history.select("system_id", "valid_from_utc"))
        self._touched_systems.clear()
        self._touched_assets.clear()
        self._history.clear()
        self._closed.clear()

    def _see_system(self, item: Any, user_id: str | None, at: datetime) -> None:
        sent = read_system(item)
        held = self._systems.get(sent.id)
        if held is not None and at < held["last_seen_utc"]:
            self._put(held | {"first_seen_utc": min(at, held["first_seen_utc"])})
            return
        told = {
            "user_id": sent.user_id or user_id,
            "vendor": sent.vendor,
            "timezone": sent.timezone if zone_named(sent.timezone) else None,
            "latitude": sent.location.latitude,
            "longitude": sent.location.longitude,
            "is_reachable": sent.is_reachable,
        }
        before = held or dict.fromkeys(told) | {"system_id": sent.id, "first_seen_utc": at}
        new = {name: before[name] if value is None else value for name, value in told.items()}
        self._change(before | new | {"last_seen_utc": at, "gone_at_utc": None, "raw": canonical_json(item)}, at)

    def _see_gone(self, system_id: str, at: datetime) -> None:
        held = self._systems.get(system_id)
        if held is not None and held["gone_at_utc"] is None and at >= held["last_seen_utc"]:
            self._change(held | {"gone_at_utc": at}, at)

    def _see_asset(self, item: Any, kind: AssetKind, at: datetime) -> None:
        sent = read_asset(item)
        held = self._assets.get(sent.id)
        if sent.hem_system_id is None or (held is not None and at < held["last_seen_utc"]):
            return
        self._assets[sent.id] = {
            "asset_id": sent.id,
            "kind": kind.value,
            "system_id": sent.hem_system_id,
            "vendor": sent.vendor,
            "brand": sent.information.brand,
            "model": sent.information.model,
            "capacity_kwh": sent.capacity_kwh if kind is AssetKind.BATTERY else None,
            "last_seen_utc": at,
            "raw": canonical_json(item),
        }
        self._touched_assets.add(sent.id)

    def _change(self, row: dict[str, Any], at: datetime) -> None:
        held = self._systems.get(row["system_id"])
        if held is None or any(held[name] != row[name] for name in TRACKED):
            if held is not None:
                self._close(row["system_id"], at)
            self._history.append(row | {"last_seen_utc": at, "valid_from_utc": at, "valid_to_utc": None})
        self._put(row)

    def _close(self, system_id: str, at: datetime) -> None:
        """End the present row of history; one that began at this very instant gives way to the new one."""
        for past in self._history:
            if past["system_id"] == system_id and past["valid_to_utc"] is None:
                if past["valid_from_utc"] == at:
                    self._history.remove(past)
                else:
                    past["valid_to_utc"] = at
                return
        self._closed.append((system_id, at))

    def _put(self, row: dict[str, Any]) -> None:
        self._systems[row["system_id"]] = row
        self._touched_systems.add(row["system_id"])


def _replace(writer: Writer, table: str, rows: pl.DataFrame, key: str) -> None:
    writer.replace(table, rows, keys=rows.select(key))
