"""What Enode sends, odd things included."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from documented import POINTS, SERIES
from hypothesis import given, settings
from hypothesis import strategies as st

from hem_etl.enode.wire import (
    SeriesEnvelope,
    WireError,
    canonical_json,
    read_asset,
    read_json,
    read_page,
    read_problem,
    read_statistics,
    read_system,
)


def series(sent: Any) -> SeriesEnvelope | WireError:
    return read_statistics(json.dumps({"timeseries": {"generation": sent}}).encode())["generation"]


def test_a_series_is_read_and_its_points_stay_raw() -> None:
    found = series(SERIES)
    assert isinstance(found, SeriesEnvelope)
    assert (found.is_available, found.unit, found.unit_type, found.timezone) == (True, "kW", "Power", "Europe/Berlin")
    assert (found.sampling.mode, found.sampling.resolution) == ("bucketed", "PT5M")
    assert found.data == SERIES["data"]


def test_an_unavailable_series_has_its_reason() -> None:
    found = series({"isAvailable": False, "reason": "missing_scope_battery:read:data"})
    assert isinstance(found, SeriesEnvelope)
    assert (found.is_available, found.reason, found.data) == (False, "missing_scope_battery:read:data", [])


@pytest.mark.parametrize(
    ("sent", "available", "points"),
    [
        ({**SERIES, "isAvailable": None}, True, 2),
        ({k: v for k, v in SERIES.items() if k != "isAvailable"}, True, 2),
        ({"reason": "no battery"}, False, 0),
        ({}, False, 0),
        (None, False, 0),
        ({**SERIES, "data": None}, True, 0),
        ({**SERIES, "data": []}, True, 0),
        ({**SERIES, "data": [1, "x", None]}, True, 3),
        ({"isAvailable": False, "data": None}, False, 0),
        ({"isAvailable": False, "data": "x"}, False, 0),
        ({"isAvailable": False, "data": [POINTS[0]]}, False, 1),
        ({**SERIES, "sampling": None}, True, 2),
        ({**SERIES, "sampling": "PT5M"}, True, 2),
        ({**SERIES, "unit": 5, "timezone": {}, "reason": [], "new": {"field": 1}}, True, 2),
    ],
)
def test_odd_series_are_tolerated(sent: Any, available: bool, points: int) -> None:
    found = series(sent)
    assert isinstance(found, SeriesEnvelope)
    assert (found.is_available, len(found.data)) == (available, points)


def test_a_series_without_sampling_has_no_resolution() -> None:
    found = series({**SERIES, "sampling": {"resolution": 5}})
    assert isinstance(found, SeriesEnvelope)
    assert (found.sampling.mode, found.sampling.resolution) == (None, None)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([POINTS[0]], "a list of 1"),
        ("kW", "str"),
        (7, "int"),
        ({**SERIES, "data": {"t": 1}}, "data"),
        ({**SERIES, "data": "x"}, "data"),
        ({**SERIES, "isAvailable": "yes"}, "isAvailable"),
        ({**SERIES, "isAvailable": 1}, "isAvailable"),
        ({"isAvailable": True}, "no data"),
    ],
)
def test_a_series_that_would_take_guessing_is_an_error_of_its_own(sent: Any, told: str) -> None:
    body = json.dumps({"timeseries": {"generation": sent, "consumption": SERIES}}).encode()
    found = read_statistics(body)
    assert isinstance(found["generation"], WireError)
    assert "generation" in str(found["generation"])
    assert told in str(found["generation"])
    assert isinstance(found["consumption"], SeriesEnvelope)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"null", b"7", b"{}", b'{"timeseries": null}', b'{"timeseries": []}', b"\xff", b'{"'],
)
def test_a_body_that_is_no_statistics_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        read_statistics(body)


def test_unknown_series_and_no_series_are_read() -> None:
    assert read_statistics(b'{"timeseries": {}}') == {}
    assert set(read_statistics(json.dumps({"timeseries": {"heatPump": SERIES, "SoC": SERIES}}).encode())) == {
        "heatPump",
        "SoC",
    }


def test_a_system_is_read() -> None:
    found = read_system(
        {
            "id": "home-1",
            "userId": "user-1",
            "vendor": "A_VENDOR_OF_TOMORROW",
            "timezone": "Europe/Berlin",
            "lastSeen": "2026-03-29T12:00:00+02:00",
            "isReachable": True,
            "location": {"id": "l", "latitude": 52.5, "longitude": "13.4", "lastUpdated": None},
            "state": {"anything": 1},
        }
    )
    assert (found.id, found.user_id, found.vendor) == ("home-1", "user-1", "A_VENDOR_OF_TOMORROW")
    assert (found.location.latitude, found.location.longitude) == (52.5, 13.4)
    assert found.last_seen == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert (found.timezone, found.is_reachable) == ("Europe/Berlin", True)


@pytest.mark.parametrize(
    "sent",
    [
        {"location": None},
        {"location": []},
        {"location": {"latitude": float("nan"), "longitude": float("inf")}},
        {"location": {"latitude": "north", "longitude": True}},
        {"location": {"latitude": 91, "longitude": -181}},
        {"location": {"latitude": 10**400, "longitude": {}}},
        {"lastSeen": "2026-03-29T12:00:00"},
        {"lastSeen": "yesterday"},
        {"lastSeen": 1774778400},
        {"lastSeen": "0001-01-01T00:00:00+10:00"},
        {"userId": None, "vendor": 7, "timezone": "", "isReachable": "yes"},
        {},
    ],
)
def test_odd_optional_values_of_a_system_are_none(sent: dict[str, Any]) -> None:
    found = read_system({"id": "home-1", **sent})
    assert found == read_system({"id": "home-1"})
    assert (found.location.latitude, found.location.longitude, found.last_seen) == (None, None, None)


def test_a_numeric_id_is_taken_as_text() -> None:
    assert read_system({"id": 17}).id == "17"


@pytest.mark.parametrize("item", [{}, {"id": None}, {"id": ""}, {"id": True}, {"id": []}, None, [], "home-1"])
def test_nothing_is_read_without_an_id(item: Any) -> None:
    for read in (read_system, read_asset):
        with pytest.raises(WireError):
            read(item)


def test_an_error_names_fields_and_never_values() -> None:
    with pytest.raises(WireError) as error:
        read_system({"id": None, "userId": "a-private-value"})
    assert "userId" in str(error.value)
    assert "a-private-value" not in str(error.value)


@pytest.mark.parametrize(
    ("sent", "capacity_kwh"),
    [
        ({"batteryCapacity": 13.5}, 13.5),
        ({"capacity": "13.5"}, 13.5),
        ({"chargeState": {"batteryCapacity": 13.5}}, 13.5),
        ({"information": {"capacity": 13}}, 13.0),
        ({"capacity": None, "chargeState": None, "information": {"capacityKwh": 7}}, 7.0),
        ({"capacity": 0, "information": {"capacity": -1}}, None),
        ({"capacity": float("nan")}, None),
        ({"capacityKwh": "big"}, None),
        ({}, None),
    ],
)
def test_a_batterys_capacity_is_found_where_it_is(sent: dict[str, Any], capacity_kwh: float | None) -> None:
    assert read_asset({"id": "battery-1", **sent}).capacity_kwh == capacity_kwh


def test_an_asset_is_read() -> None:
    found = read_asset(
        {"id": "a", "hemSystemId": "home-1", "vendor": "SMA", "information": {"brand": "SMA", "model": None, "sn": "1"}}
    )
    assert (found.hem_system_id, found.vendor) == ("home-1", "SMA")
    assert (found.information.brand, found.information.model) == ("SMA", None)
    assert read_asset({"id": "a", "information": "none", "hemSystemId": None}).hem_system_id is None


@pytest.mark.parametrize(
    ("pagination", "after"),
    [({"after": "x", "before": None}, "x"), ({"after": None}, None), ({"after": ""}, None), ({}, None), (None, None)],
)
def test_a_page_has_items_and_a_cursor(pagination: Any, after: str | None) -> None:
    found = read_page(json.dumps({"data": [{"id": "a"}, 7], "pagination": pagination}).encode())
    assert (found.data, found.pagination.after) == ([{"id": "a"}, 7], after)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": null}', b'{"data": {}}', b"<html>"])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        read_page(body)


def test_a_problem_is_read_in_every_dress() -> None:
    found = read_problem(b'{"type": "t", "title": "T", "detail": "D", "status": 400}')
    assert found is not None
    assert (found.type, found.title, found.detail) == ("t", "T", "D")
    assert read_problem(b'[{"title": "T"}, {"title": "U"}]') == read_problem(b'{"title": "T"}')
    for nothing in (None, b"", b"<html>", b"[]", b"{}", b'{"title": null}', b"\xff"):
        assert read_problem(nothing) is None


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": [1, {"y": 1, "x": None}], "a": "é"}) == canonical_json(
        {"a": "é", "b": [1, {"x": None, "y": 1}]}
    )
    assert canonical_json(read_json(b'{"a": NaN}')) == '{"a":null}'


FIELDS = ["id", "data", "isAvailable", "location", "latitude", "sampling", "timeseries", "lastSeen", "pagination"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=50)
@given(ANYTHING)
def test_whatever_comes_is_read_or_a_wire_error(sent: Any) -> None:
    body = json.dumps(sent).encode()
    for read in (
        lambda: read_system(sent),
        lambda: read_asset(sent),
        lambda: read_page(body),
        lambda: read_statistics(body),
        lambda: series(sent),
        lambda: read_problem(body),
    ):
        with suppress(WireError):
            read()


@pytest.mark.parametrize("body", [b'{"id":"a\\u0000b"}', b'{"id":"a\\u0000b","\\u0000":[{"\\u0000":"\\u0000"}]}'])
def test_no_text_holds_a_nul(body: bytes) -> None:
    """Names, values, however deep: a catalogue in Postgres keeps none of them."""
    sent = read_json(body)
    assert "\0" not in json.dumps(sent, ensure_ascii=False)
    assert "\\u0000" not in json.dumps(sent)
    assert sent["id"] == "a\ufffdb"
    assert read_json(b'["\\\\u0000"]') == ["\\u0000"]
