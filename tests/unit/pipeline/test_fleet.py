"""The fleet as lists tell it: added, updated, never deleted, with its history."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from hem_etl.answer import Kind, Receipt
from hem_etl.pipeline.fleet import Fleet
from hem_etl.warehouse import FileWarehouse, Writer, packaged_models

T0 = datetime(2026, 11, 1)
HOME = {"id": "h'1", "userId": "u", "vendor": "SMA", "timezone": "Europe/Berlin", "isReachable": True}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with FileWarehouse(tmp_path, tmp_path / "hem.duckdb").writing() as opened:
        opened.create_tables(packaged_models())
        yield opened


def receipt(hours: float = 0, kind: str = "systems", **facts: Any) -> Receipt:
    at = T0 + timedelta(hours=hours)
    return replace(Receipt("a.parquet", Kind(kind), None, None, 0, None, at, 1, 1, 200, None, None, "a" * 64), **facts)


def page(*items: Any) -> bytes:
    return json.dumps({"data": items, "pagination": {"after": None, "before": None}}).encode()


def see(writer: Writer, *seen: tuple[Receipt, bytes | None]) -> None:
    fleet = Fleet(writer)
    for look, body in seen:
        if body is None:
            fleet.see_gone(str(look.system_id), look.fetched_at_utc)
        else:
            fleet.see_page(look, body)
    fleet.write(writer)


def systems(writer: Writer) -> list[dict[str, Any]]:
    return writer.read("from core.system order by system_id").to_dicts()


def history(writer: Writer) -> list[dict[str, Any]]:
    return writer.read("from core.system_history order by valid_from_utc").to_dicts()


def test_a_listed_system_is_a_row_with_its_raw_object(writer: Writer) -> None:
    see(writer, (receipt(), page(HOME | {"location": {"latitude": 52.5, "longitude": 13.4}, "new": [1]})))
    (row,) = systems(writer)
    assert (row["system_id"], row["user_id"], row["timezone"], row["latitude"]) == ("h'1", "u", "Europe/Berlin", 52.5)
    assert row["first_seen_utc"] == row["last_seen_utc"] == T0
    assert json.loads(row["raw"])["new"] == [1]


def test_seen_again_is_no_history_and_a_change_is(writer: Writer) -> None:
    see(writer, (receipt(), page(HOME)), (receipt(1), page(HOME | {"lastSeen": "2026-11-01T01:00:00Z"})))
    assert len(history(writer)) == 1
    see(writer, (receipt(2), page(HOME | {"timezone": "Europe/Paris"})))
    old, new = history(writer)
    assert (old["timezone"], old["valid_to_utc"]) == ("Europe/Berlin", T0 + timedelta(hours=2))
    assert (new["timezone"], new["valid_to_utc"]) == ("Europe/Paris", None)
    assert systems(writer)[0]["first_seen_utc"] == T0


def test_many_that_change_at_once_have_their_periods_closed_by_one_statement(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [HOME | {"id": f"h{number}", "locationId": f"l{number % 3}"} for number in range(30)]
    see(writer, (receipt(), page(*homes)))
    statements: list[str] = []
    change = Writer.change

    def counted(self: Writer, statement: str, *given: Any, **frames: Any) -> None:
        statements.append(statement)
        change(self, statement, *given, **frames)

    monkeypatch.setattr(Writer, "change", counted)
    places = [{"id": f"l{number}", "latitude": 50 + number, "longitude": 10} for number in range(3)]
    moved = [home | {"timezone": "Europe/Paris"} for home in homes]
    see(writer, (receipt(1), page(*moved)), (receipt(2, "locations"), page(*places)))
    assert len(statements) == 1
    rows = writer.read("select latitude, valid_from_utc, valid_to_utc from core.system_history").rows()
    assert {row[1:] for row in rows if row[0] is None} == {
        (T0, T0 + timedelta(hours=1)),
        (T0 + timedelta(hours=1), T0 + timedelta(hours=2)),
    }
    assert sorted(row[0] for row in rows if row[2] is None) == [50.0] * 10 + [51.0] * 10 + [52.0] * 10


def test_an_empty_or_unreadable_list_changes_nothing(writer: Writer) -> None:
    see(writer, (receipt(), page(HOME)))
    see(writer, (receipt(1), page()), (receipt(2), b"<html>"))
    assert [row["gone_at_utc"] for row in systems(writer)] == [None]


def test_an_item_without_an_id_is_left_out_and_costs_no_other(writer: Writer) -> None:
    see(writer, (receipt(), page({"vendor": "SMA"}, "text", HOME)))
    assert [row["system_id"] for row in systems(writer)] == ["h'1"]


def test_gone_is_noted_once_and_cleared_when_it_is_listed_again(writer: Writer) -> None:
    gone = receipt(5, kind="day", system_id="h'1", outcome="gone")
    see(writer, (receipt(), page(HOME)), (gone, None), (replace(gone, fetched_at_utc=T0 + timedelta(hours=6)), None))
    assert systems(writer)[0]["gone_at_utc"] == T0 + timedelta(hours=5)
    see(writer, (receipt(7), page(HOME)))
    assert systems(writer)[0]["gone_at_utc"] is None
    assert len(history(writer)) == 3


def test_an_older_list_that_arrives_late_only_moves_the_first_sight(writer: Writer) -> None:
    see(writer, (receipt(5), page(HOME)))
    see(writer, (receipt(1), page(HOME | {"timezone": "Asia/Tokyo"})))
    (row,) = systems(writer)
    assert (row["timezone"], row["first_seen_utc"]) == ("Europe/Berlin", T0 + timedelta(hours=1))


def test_a_list_without_a_zone_does_not_forget_the_one_that_was_learnt(writer: Writer) -> None:
    bare = {"id": "h'1", "vendor": "SMA"}
    fleet = Fleet(writer)
    fleet.see_page(receipt(), page(bare))
    fleet.learn_timezone("h'1", "America/Havana", T0 + timedelta(hours=1))
    fleet.see_page(receipt(2), page(bare))
    fleet.write(writer)
    assert systems(writer)[0]["timezone"] == "America/Havana"


def test_assets_belong_to_a_system_and_only_batteries_have_a_capacity(writer: Writer) -> None:
    battery = {"id": "b1", "hemSystemId": "h'1", "information": {"brand": "X", "model": "Y"}, "capacity": 10.5}
    see(
        writer,
        (receipt(kind="batteries"), page(battery, {"id": "lonely", "hemSystemId": None})),
        (receipt(kind="inverters"), page({"id": "i1", "hemSystemId": "h'1", "capacity": 8})),
    )
    rows = writer.read("select asset_id, kind, brand, capacity_kwh from core.asset order by asset_id").rows()
    assert rows == [("b1", "battery", "X", 10.5), ("i1", "inverter", None, None)]


def test_a_device_that_becomes_unreachable_is_a_change_and_one_that_is_seen_again_is_not(writer: Writer) -> None:
    device = {"id": "i1", "hemSystemId": "h'1", "isReachable": True}
    told = []
    for hours, item in enumerate(
        (device, device | {"lastSeen": "2026-11-01T01:00:00Z"}, device | {"isReachable": False})
    ):
        fleet = Fleet(writer)
        fleet.see_page(receipt(hours, "inverters"), page(item))
        told.append(fleet.write(writer))
    assert told == [{"h'1"}, set(), {"h'1"}]


def test_what_an_item_leaves_out_stays_as_it_was(writer: Writer) -> None:
    place = {"location": {"latitude": 52.5, "longitude": 13.4}}
    see(writer, (receipt(), page(HOME | place)), (receipt(1), page({"id": "h'1", "vendor": 7})))
    (row,) = systems(writer)
    assert (row["vendor"], row["latitude"], row["is_reachable"], row["user_id"]) == ("SMA", 52.5, True, "u")


@pytest.mark.parametrize("name", ["Mars/Olympus", "GMT+2", "localtime", ""])
def test_a_zone_that_nobody_knows_is_none(writer: Writer, name: str) -> None:
    see(writer, (receipt(), page(HOME | {"timezone": name})))
    assert systems(writer)[0]["timezone"] is None
    assert json.loads(systems(writer)[0]["raw"])["timezone"] == name


THIN = {"id": "h'1", "userId": "u", "locationId": "l1", "status": {"lastSeen": "2026-10-31T23:00:00Z", "energy": {}}}


def asset(number: int, vendor: str | None, system: str = "h'1") -> dict[str, Any]:
    return {"id": f"a{number}", "hemSystemId": system, "vendor": vendor}


def test_a_thin_object_is_read_where_its_facts_stand(writer: Writer) -> None:
    see(writer, (receipt(), page(THIN | {"status": {"lastSeen": "2026-10-31T23:00:00Z", "isReachable": False}})))
    (row,) = systems(writer)
    assert (row["user_id"], row["location_id"], row["is_reachable"]) == ("u", "l1", False)
    assert (row["last_seen_utc"], row["listed_at_utc"]) == (T0 - timedelta(hours=1), T0)
    assert (row["vendor"], row["vendor_source"], row["timezone_source"], row["place_source"]) == (None,) * 4


@pytest.mark.parametrize("is_late", [False, True], ids=["assets first", "systems first"])
def test_the_vendor_is_the_one_that_most_assets_name(writer: Writer, is_late: bool) -> None:
    lists = [
        (receipt(1, kind="inverters"), page(asset(1, "SMA"), asset(2, "TESLA"))),
        (receipt(2, kind="batteries"), page(asset(3, "SMA"), asset(4, None), asset(5, "ENPHASE", system="other"))),
    ]
    listed = (receipt(3 if not is_late else 0), page(THIN))
    see(writer, *([listed, *lists] if is_late else [*lists, listed]))
    (row,) = systems(writer)
    assert (row["vendor"], row["vendor_source"]) == ("SMA", "assets")


def test_vendors_named_equally_often_name_none(writer: Writer) -> None:
    see(writer, (receipt(), page(THIN)), (receipt(1, kind="meters"), page(asset(1, "SMA"), asset(2, "TESLA"))))
    assert [(row["vendor"], row["vendor_source"]) for row in systems(writer)] == [(None, None)]


def test_what_a_list_states_outranks_assets_series_and_locations(writer: Writer) -> None:
    rich = HOME | {"locationId": "l1", "location": {"latitude": 1.0, "longitude": 2.0}}
    fleet = Fleet(writer)
    fleet.see_page(receipt(kind="inverters"), page(asset(1, "TESLA")))
    fleet.see_page(receipt(1, kind="locations"), page({"id": "l1", "latitude": 52.5, "longitude": 13.4}))
    fleet.see_page(receipt(2), page(rich))
    fleet.learn_timezone("h'1", "Asia/Tokyo", T0 + timedelta(hours=3))
    fleet.see_page(receipt(4, kind="inverters"), page(asset(2, "TESLA")))
    fleet.see_page(receipt(5), page(THIN))
    fleet.write(writer)
    (row,) = systems(writer)
    assert (row["vendor"], row["timezone"], row["latitude"]) == ("SMA", "Europe/Berlin", 1.0)
    assert {row["vendor_source"], row["timezone_source"], row["place_source"]} == {"list"}


def test_the_place_is_that_of_the_location_and_its_zone_is_no_zone(writer: Writer) -> None:
    place = {"id": "l1", "latitude": 52.5, "longitude": 13.4, "timezoneName": "UTC"}
    see(writer, (receipt(), page(THIN)), (receipt(1, kind="locations"), page(place, {"id": None}, "text")))
    (row,) = systems(writer)
    assert (row["latitude"], row["longitude"], row["place_source"], row["timezone"]) == (52.5, 13.4, "locations", None)


def test_a_zone_learnt_from_a_series_follows_a_later_series(writer: Writer) -> None:
    fleet = Fleet(writer)
    fleet.see_page(receipt(), page(THIN))
    for hours, zone in ((1, "America/Los_Angeles"), (2, "America/Los_Angeles"), (3, None), (4, "UTC")):
        fleet.learn_timezone("h'1", zone, T0 + timedelta(hours=hours))
    fleet.write(writer)
    (row,) = systems(writer)
    assert (row["timezone"], row["timezone_source"]) == ("UTC", "series")
    assert [each["timezone"] for each in history(writer)] == [None, "America/Los_Angeles", "UTC"]


def test_an_asset_that_moves_takes_its_vendor_along(writer: Writer) -> None:
    see(writer, (receipt(), page(THIN, {"id": "other"})), (receipt(1, kind="inverters"), page(asset(1, "SMA"))))
    see(writer, (receipt(2, kind="inverters"), page(asset(1, "SMA", system="other"))))
    assert [(row["system_id"], row["vendor"]) for row in systems(writer)] == [("h'1", None), ("other", "SMA")]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_whatever_lands_late_the_present_is_the_same_and_periods_follow_each_other(
    writer: Writer, order: tuple[int, ...]
) -> None:
    seen = [
        (receipt(1), page(THIN | {"userId": "before"})),
        (receipt(2, kind="inverters"), page(asset(1, "SMA"))),
        (receipt(3), page(THIN | {"userId": "after"})),
        (receipt(4, kind="locations"), page({"id": "l1", "latitude": 52.5, "longitude": 13.4})),
    ]
    for number in order:
        see(writer, seen[number])
    (row,) = systems(writer)
    assert (row["user_id"], row["vendor"], row["latitude"]) == ("after", "SMA", 52.5)
    periods = history(writer)
    ends = [period["valid_to_utc"] for period in periods]
    assert ends == [*(period["valid_from_utc"] for period in periods[1:]), None]
    assert {name: periods[-1][name] for name in ("user_id", "vendor", "latitude")} == {
        name: row[name] for name in ("user_id", "vendor", "latitude")
    }


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("is_at_once", [True, False], ids=["one transaction", "three"])
def test_what_is_seen_at_one_instant_ends_alike_in_any_order(
    writer: Writer, order: tuple[int, ...], is_at_once: bool
) -> None:
    """Lists and looks are landed apart, and a load takes segments by their names."""
    see(writer, (receipt(), page(THIN)))
    seen: list[tuple[Receipt, bytes | None]] = [
        (receipt(1, kind="inverters"), page(asset(1, "SMA"))),
        (receipt(1, kind="batteries"), page(asset(2, "SMA"))),
        (receipt(1), page(THIN | {"locationId": "l2"})),
    ]
    parts = [[seen[number] for number in order]] if is_at_once else [[seen[number]] for number in order]
    for part in parts:
        see(writer, *part)
    (row,) = systems(writer)
    _, present = history(writer)
    assert (present["vendor"], present["location_id"]) == ("SMA", "l2")
    assert {name: present[name] for name in row} == row | {"last_seen_utc": T0 + timedelta(hours=1)}
