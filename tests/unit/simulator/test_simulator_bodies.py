import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from hem_etl.local_day import day_bounds_utc, days_between
from hem_etl.simulator import Fleet, Home, Quirks
from hem_etl.simulator.blemishes import day_blemishes
from hem_etl.simulator.bodies import day_body, month_body
from hem_etl.simulator.physics import power_day
from hem_etl.simulator.truth import true_day, true_month
from hem_etl.vocabulary import FLOWS, METRICS, WIRE_FLOWS, Outcome

from .conftest import NOON, TODAY
from .reader import read_day

LATER = datetime(2028, 1, 1, tzinfo=UTC)

Homes = Callable[..., Home]


def series_of(home: Home, day: date, now: datetime = LATER) -> dict[str, Any]:
    return json.loads(day_body(home, day, now))


@pytest.mark.parametrize(
    ("timezone", "day", "fives", "quarters"),
    [
        ("Europe/Berlin", "2025-03-30", 276, 92),
        ("Europe/Berlin", "2025-10-26", 300, 100),
        ("Europe/Berlin", "2025-10-27", 288, 96),
        ("America/New_York", "2026-03-08", 276, 92),
        ("America/New_York", "2026-11-01", 300, 100),
        ("Australia/Lord_Howe", "2026-10-04", 282, 94),
        ("Australia/Lord_Howe", "2026-04-05", 294, 98),
        ("Africa/Cairo", "2026-04-24", 276, 92),
        ("America/Havana", "2026-11-01", 300, 100),
        ("Asia/Kathmandu", "2026-03-29", 288, 96),
        ("Pacific/Chatham", "2026-09-27", 276, 92),
    ],
)
def test_a_day_has_the_buckets_that_its_clocks_allow(
    home: Homes, timezone: str, day: str, fives: int, quarters: int
) -> None:
    for minutes, count in ((5, fives), (15, quarters)):
        told = series_of(home(timezone=timezone, resolution_minutes=minutes), date.fromisoformat(day))
        for name in (*WIRE_FLOWS, "batteryLevel"):
            instants = [datetime.fromisoformat(point["t"]).astimezone(UTC) for point in told[name]["data"]]
            assert len(instants) == count
            assert {after - before for before, after in pairwise(instants)} == {timedelta(minutes=minutes)}


def test_stamps_carry_the_offset_of_their_own_instant(home: Homes) -> None:
    stamps = [point["t"] for point in series_of(home(), date(2026, 3, 29))["generation"]["data"]]
    assert stamps[0] == "2026-03-29T00:00:00+01:00"
    assert stamps[23:25] == ["2026-03-29T01:55:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert series_of(home(timezone="Africa/Cairo"), date(2026, 4, 24))["import"]["data"][0]["t"] == (
        "2026-04-24T01:00:00+03:00"
    )
    assert series_of(home(timezone="UTC", quirks=Quirks(spells_z=True)), TODAY)["batteryLevel"]["data"][0]["t"] == (
        "2026-11-20T00:00:00Z"
    )


def test_a_series_looks_as_documented(home: Homes) -> None:
    told = series_of(home(soc_resolution_minutes=15), date(2026, 6, 1))
    assert {name: series["isAvailable"] for name, series in told.items()} == dict.fromkeys(
        (*WIRE_FLOWS, "batteryLevel"), True
    )
    head = {key: value for key, value in told["generation"].items() if key != "data"}
    assert head == {
        "isAvailable": True,
        "unit": "kW",
        "unitType": "Power",
        "sampling": {"mode": "bucketed", "resolution": "PT5M"},
        "timezone": "Europe/Berlin",
    }
    assert told["batteryLevel"]["unit"] == "%"
    assert told["batteryLevel"]["sampling"]["resolution"] == "PT15M"
    assert len(told["batteryLevel"]["data"]) == 96


@pytest.mark.parametrize("position", range(18))
def test_truth_is_what_an_independent_reader_finds(fleet: Fleet, position: int) -> None:
    home = fleet.homes[position]
    days = [TODAY, *days_between(TODAY - timedelta(days=10), TODAY - timedelta(days=8)), date(2026, 3, 29)]
    for day in days:
        start, end = day_bounds_utc(day, home.zone)
        for as_of in (start + timedelta(hours=9, minutes=7), end, end + timedelta(hours=40)):
            truth = true_day(home, day, as_of)
            if truth.outcome is Outcome.BEFORE_INSTALLATION:
                assert day < home.installed_on
                continue
            read = read_day(b'{"timeseries":%s}' % day_body(home, day, as_of).encode(), home, day, as_of)
            assert set(read) == set(METRICS)
            for metric, told in truth.metrics.items():
                found = read[metric]
                assert told.is_available == found.is_available, metric
                assert told.reason == found.reason
                if not told.is_available:
                    assert told.expected_buckets == told.sent_buckets == 0
                    continue
                shown = {instant: None if v is None else float(v) for instant, v in found.values.items()}
                assert dict(told.buckets) == shown
                assert told.resolution_minutes == found.resolution_minutes
                assert told.duplicate_buckets == found.duplicates
                assert told.off_grid_buckets == found.off_grid
                assert told.outside_day_buckets == found.outside
                assert told.valid_hours == found.valid_hours
                assert told.exact_kwh == found.exact_kwh
                assert told.sent_buckets == len(found.values)
                assert told.null_buckets == sum(value is None for value in found.values.values())
                assert told.expected_buckets == (
                    told.valid_buckets + told.over_limit_buckets + told.null_buckets + told.missing_buckets
                )


def test_a_home_switches_resolution_on_the_day_itself(home: Homes) -> None:
    switching = home(resolution_minutes=15, switches_on=date(2026, 6, 2))
    days = [date(2026, 6, day) for day in (1, 2, 3)]
    assert [len(series_of(switching, day)["batteryLevel"]["data"]) for day in days] == [96, 288, 288]


def test_a_clean_home_serves_exactly_its_physics(home: Homes) -> None:
    for day in (date(2026, 3, 29), date(2026, 7, 1)):
        told, power = series_of(home(), day), power_day(home(), day)
        for name, flow in WIRE_FLOWS.items():
            assert [point["v"] for point in told[name]["data"]] == [watts / 1000 for watts in power.watts[flow]]
        assert [point["v"] for point in told["batteryLevel"]["data"]] == [value / 10 for value in power.soc_permille]


def test_the_default_fleet_shows_every_blemish_within_two_weeks(fleet: Fleet) -> None:
    recent = list(days_between(TODAY - timedelta(days=14), TODAY - timedelta(days=1)))
    blemishes = [day_blemishes(home, day) for home in fleet.homes for day in recent]
    for name in ("is_empty", "nulls", "omitted", "late", "restated_at", "duplicates", "off_grid", "over_limit"):
        assert any(getattr(day, name) for day in blemishes), name


def test_late_values_are_null_first_and_filled_in_later(home: Homes) -> None:
    late = home(quirks=Quirks(late_days=1, late_hours=30))
    _, end = day_bounds_utc(date(2026, 6, 1), late.zone)
    just_before, then = end + timedelta(hours=30, seconds=-1), end + timedelta(hours=30)
    early = true_day(late, date(2026, 6, 1), just_before).metrics["generation"]
    final = true_day(late, date(2026, 6, 1), then).metrics["generation"]
    assert early.null_buckets > 0
    assert '"v":null' in day_body(late, date(2026, 6, 1), just_before)
    assert '"v":null' not in day_body(late, date(2026, 6, 1), then)
    assert final.null_buckets == 0
    assert final.valid_buckets == 288


def test_a_restatement_changes_energies_and_keeps_the_balance(home: Homes) -> None:
    restated = home(quirks=Quirks(restated_days=1, restated_hours=50))
    _, end = day_bounds_utc(date(2026, 1, 10), restated.zone)
    before, after = (true_day(restated, date(2026, 1, 10), end + timedelta(hours=h)).metrics for h in (49, 50))
    for metrics in (before, after):
        kwh = {flow: metrics[flow].exact_kwh or 0 for flow in FLOWS}
        sources = kwh["generation"] + kwh["grid_import"] + kwh["battery_discharge"]
        assert sources == kwh["consumption"] + kwh["grid_export"] + kwh["battery_charge"]
    assert (before["grid_import"].kwh or 0) < (after["grid_import"].kwh or 0)
    assert before["generation"] == after["generation"]


def test_an_empty_day_is_all_null_and_has_no_energy(home: Homes) -> None:
    empty = home(quirks=Quirks(empty_days=1))
    told = series_of(empty, date(2026, 6, 1))
    assert [{point["v"] for point in told[name]["data"]} for name in (*WIRE_FLOWS, "batteryLevel")] == [{None}] * 7
    truth = true_day(empty, date(2026, 6, 1), LATER).metrics["generation"]
    assert (truth.null_buckets, truth.valid_buckets, truth.kwh, truth.coverage) == (288, 0, None, 0)


def test_omitted_buckets_are_not_sent_and_the_last_of_two_wins_even_a_null(home: Homes) -> None:
    omitting = home(quirks=Quirks(omitted_days=1))
    assert len(series_of(omitting, date(2026, 6, 1))["export"]["data"]) < 288
    doubling = home(quirks=Quirks(duplicate_days=1))
    truth = true_day(doubling, date(2026, 6, 1), LATER).metrics["soc"]
    assert (truth.duplicate_buckets, truth.null_buckets, truth.valid_buckets) == (3, 1, 287)


def test_absurd_values_are_counted_and_kept_out_of_the_energy(home: Homes) -> None:
    absurd = home(quirks=Quirks(over_limit_days=1))
    metrics = true_day(absurd, date(2026, 6, 1), LATER).metrics
    assert sum(series.over_limit_buckets for series in metrics.values()) == 2
    lenient = true_day(absurd, date(2026, 6, 1), LATER, over_limit_kw=1000).metrics
    assert sum(series.over_limit_buckets for series in lenient.values()) == 0


def test_standby_is_negative_generation_at_night(home: Homes) -> None:
    truth = true_day(home(quirks=Quirks(standby_watts=6)), date(2026, 1, 10), LATER).metrics["generation"]
    assert truth.negative_buckets > 100
    assert truth.buckets[0][1] == -0.006


def test_order_numbers_and_unknown_things_may_vary(home: Homes) -> None:
    plain = series_of(home(), date(2026, 6, 1))
    odd = home(quirks=Quirks(is_shuffled=True, sends_unknown_fields=True, sends_unknown_series=True))
    told = series_of(odd, date(2026, 6, 1))
    assert {"evCharging", "roomTemperature", "heatPump"} == set(told) - set(plain)
    points = told["import"]["data"]
    assert points != sorted(points, key=lambda point: point["t"])
    assert sorted((p["t"], p["v"]) for p in points) == [(p["t"], p["v"]) for p in plain["import"]["data"]]
    assert '"v":0}' in day_body(home(), date(2026, 6, 1), LATER)
    assert '"v":0}' not in day_body(home(quirks=Quirks(sends_bare_integers=False)), date(2026, 6, 1), LATER)


def test_a_month_is_daily_kwh_near_the_integrated_sum(fleet: Fleet) -> None:
    for home in fleet.homes[:6]:
        told = json.loads(month_body(home, date(2026, 10, 1), NOON))
        truth = true_month(home, date(2026, 10, 1), NOON)
        assert told[home.quirks.soc_name]["isAvailable"] is False
        for name, flow in WIRE_FLOWS.items():
            if not told[name]["isAvailable"]:
                assert {flows[flow] for flows in truth.values()} == {None}
                continue
            assert (told[name]["unit"], told[name]["sampling"]["resolution"]) == ("kWh", "P1D")
            by_day = {datetime.fromisoformat(point["t"]).date(): point["v"] for point in told[name]["data"]}
            assert by_day == {day: flows[flow] for day, flows in truth.items()}
            for day, kwh in by_day.items():
                assert kwh == pytest.approx(power_day(home, day).watt_minutes(flow) / 60_000, rel=0.01, abs=0.006)


def test_a_running_month_has_nulls_for_days_to_come_and_a_partial_today(home: Homes) -> None:
    points = json.loads(month_body(home(), date(2026, 11, 1), NOON))["consumption"]["data"]
    assert len(points) == 30
    assert all(point["v"] is None for point in points[20:])
    assert 0 < points[19]["v"] < power_day(home(), TODAY).watt_minutes("consumption") / 60_000


def test_a_month_begins_at_the_installation_and_days_at_the_first_instant(home: Homes) -> None:
    new = home(installed_on=date(2026, 4, 24), timezone="Africa/Cairo")
    points = json.loads(month_body(new, date(2026, 4, 1), LATER))["generation"]["data"]
    assert [point["t"] for point in points[:2]] == ["2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"]
    assert true_month(new, date(2026, 4, 1), LATER)[date(2026, 4, 23)] == dict.fromkeys(FLOWS)


def test_missing_devices_and_scopes_are_told_with_their_reasons(home: Homes) -> None:
    told = series_of(home(battery_wh=0, missing_scopes=(("consumption", "meter:read:data"),)), date(2026, 6, 1))
    assert told["consumption"] == {"isAvailable": False, "reason": "missing_scope_meter:read:data"}
    for name in ("charge", "discharge", "batteryLevel"):
        assert told[name]["reason"] == "No data available for this timeseries for this interval"
    assert [name for name, series in series_of(home(has_meter=False, battery_wh=0), TODAY).items()
            if series["isAvailable"]] == ["generation"]  # fmt: skip
