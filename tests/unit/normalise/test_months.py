"""Reading months: the energy that the vendor reports for each local day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from hem_etl.local_day import Interval
from hem_etl.normalise import Body, read_months

from . import reference
from .bodies import LATER, encoded, series, unavailable


def firsts(month="2026-03", zone="Europe/Berlin"):
    day, found = date.fromisoformat(f"{month}-01"), []
    while day.isoformat().startswith(month):
        found.append(reference.first_instant(day, zone).astimezone(reference.ZoneInfo(zone)).isoformat())
        day += timedelta(days=1)
    return found


def monthly(points, zone="Europe/Berlin", unit="kWh", resolution="P1D", **more):
    return series(points, resolution, zone, unit, **more)


def month_body(values, month="2026-03", *, system_id="s1", fetched_at=LATER, zone=None, raw=None) -> Body:
    timeseries = {name: monthly(list(zip(firsts(month), each, strict=False))) for name, each in values.items()}
    return Body(system_id, Interval.parse(month), raw or encoded(timeseries), fetched_at, zone)


def of(points, month="2026-03", fetched_at=LATER, **more):
    return read_months([month_body({}, month, fetched_at=fetched_at, raw=encoded({"charge": monthly(points, **more)}))])


def test_reported_days_are_local_days_also_across_a_clock_change() -> None:
    for zone in ("Europe/Berlin", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe"):
        for month in ("2026-03", "2026-04", "2025-10", "2025-11"):
            points = [(t, n + 1) for n, t in enumerate(firsts(month, zone))]
            months = of(points, month, zone=zone)
            assert months.reported["battery_charge_kwh"].to_list() == [float(v) for _, v in points]
            assert [f"{day:%d}" for day in months.reported["day"]] == [f"{n + 1:02}" for n in range(len(points))]
            assert months.findings.is_empty()
            assert months.months.select("outcome", "timezone").row(0) == ("loaded", zone)


@pytest.mark.parametrize(("unit", "value"), [("Wh", 1500), ("kWh", 1.5), ("MWh", 0.0015)])
def test_energy_is_converted_to_kwh(unit, value) -> None:
    assert of([(firsts()[0], value)], unit=unit).reported["battery_charge_kwh"].to_list() == [pytest.approx(1.5)]


@pytest.mark.parametrize(
    ("series", "detail"),
    [
        ({"charge": monthly([], unit="kW")}, "unknown unit 'kW'"),
        ({"charge": monthly([], resolution="PT15M")}, "unreadable resolution 'PT15M'"),
        ({"charge": monthly([], data=None) | {"data": "x"}}, "charge"),
    ],
)
def test_what_cannot_be_read_without_guessing_is_unreadable(series, detail) -> None:
    months = read_months([month_body({}, raw=encoded(series))])
    outcome, found = months.months.select("outcome", "detail").row(0)
    assert outcome == "unreadable"
    assert detail in found
    assert months.reported.is_empty()
    assert months.months["content_sha256"].to_list() == [None]


def test_the_state_of_charge_is_not_looked_at() -> None:
    raw = encoded({"charge": monthly([(firsts()[0], 1)]), "soc": {"isAvailable": "?"}, "new": 3})
    assert read_months([month_body({}, raw=raw)]).reported.height == 1


def test_a_month_without_an_available_flow_is_unavailable() -> None:
    raw = encoded({"charge": unavailable(), "soc": monthly([], unit="%")})
    months = read_months([month_body({}, raw=raw, zone="Asia/Tokyo")])
    assert months.months.select("outcome", "timezone").row(0) == ("unavailable", "Asia/Tokyo")


def test_days_that_had_not_ended_are_left_out_and_nulls_are_no_rows() -> None:
    points = [(firsts()[0], 1), (firsts()[1], None), (firsts()[2], 3), (firsts()[3], 4)]
    months = of(points, fetched_at=datetime(2026, 3, 4, 12, tzinfo=UTC))
    assert months.reported.select("day", "battery_charge_kwh").rows() == [
        (date(2026, 3, 1), 1.0),
        (date(2026, 3, 3), 3.0),
    ]


def test_odd_points_are_left_out_and_each_kind_is_a_finding() -> None:
    first, second, third, *_ = firsts()
    points = [
        (first, 1),
        (first, 2),
        ("2026-03-02T01:00:00+01:00", 9),
        ("2026-02-28T00:00:00+01:00", 9),
        (second, "x"),
        ("2026-03-03", 9),
        (third, float("nan")),
    ]
    months = of(points)
    assert months.reported.select("day", "battery_charge_kwh").rows() == [(date(2026, 3, 1), 2.0)]
    assert months.findings.select("metric", "rule", "severity").rows() == [
        ("battery_charge", "duplicate_bucket", "warning"),
        ("battery_charge", "off_grid", "warning"),
        ("battery_charge", "outside_month", "warning"),
        ("battery_charge", "unreadable_point", "error"),
    ]
    assert months.findings["evidence"][3].startswith("3 points")


def test_the_fingerprint_follows_the_values_and_not_the_spelling_or_the_batch() -> None:
    def sha(points, **more):
        return of(points, **more).months["content_sha256"][0]

    points = list(zip(firsts(), [1, 2.5, None], strict=False))
    assert sha(points) == sha(points[:2]) == sha(list(reversed(points)))
    assert sha(points) == sha([(t, None if v is None else v * 1000) for t, v in points], unit="Wh")
    assert sha(points) != sha([(points[0][0], 1.1), *points[1:]])
    body = month_body({"charge": [1, 2.5]})
    others = [month_body({"import": [9, 9, 9]}, system_id=name) for name in ("a", "z")]
    together = read_months([others[1], body, others[0]]).months.filter(system_id="s1")["content_sha256"][0]
    assert together == sha(points)


def test_bounds_are_those_of_the_local_month() -> None:
    months = of([(firsts()[0], 1)]).months
    starts, ends = months.select("starts_at_utc", "ends_at_utc").row(0)
    assert (starts.isoformat(), ends.isoformat()) == ("2026-02-28T23:00:00", "2026-03-31T22:00:00")


def test_where_no_zone_is_known_there_are_no_days_to_report() -> None:
    months = of([("2026-03-01T00:00:00+09:00", 4)], zone=None)
    assert months.months["outcome"].to_list() == ["unreadable"]
    assert "no known time zone" in months.months["detail"][0]
    assert months.reported.is_empty()


def test_an_absurd_value_is_unreadable_and_found() -> None:
    months = of([(firsts()[0], 1e25), (firsts()[1], 4)])
    assert months.reported["battery_charge_kwh"].to_list() == [4.0]
    assert months.findings["rule"].to_list() == ["unreadable_point"]


def test_no_bodies_give_empty_frames() -> None:
    months = read_months([])
    assert (months.reported.height, months.months.height, months.findings.height) == (0, 0, 0)
