"""The sums of a day are what a slow reader with Fractions works out, and its attributed flows add up."""

import json
from datetime import UTC, date, timedelta
from fractions import Fraction
from math import isclose
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hem_etl.local_day import Interval
from hem_etl.normalise import Body, day_energy, quarter_hours, read_days
from hem_etl.normalise.day_energy import with_attributed_flows
from hem_etl.normalise.frames import DAY_ENERGY_SCHEMA
from hem_etl.vocabulary import ATTRIBUTED_FLOWS, ATTRIBUTION_INPUTS

from . import reference
from .bodies import LATER, changes, day_body, random_timeseries, series, stamps

LIMIT = 50.0
TINY = 1e-9
STEPS = (1, 5, 10, 15, 30, 60)
FIVE = ("generation", "import", "export", "charge", "discharge")
quick = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def sent_days(draw):
    """(day, zone, fetched_at, timeseries): most with the five inputs of the attribution on one grid."""
    zone, day = draw(st.sampled_from(changes()))
    day += timedelta(days=draw(st.sampled_from((-1, 0, 0, 0, 0, 1))))
    left_out = draw(st.sampled_from((*reference.WIRE, *[None] * 20)))
    others = draw(st.sets(st.sampled_from(("consumption", "soc"))))
    names = [name for name in reference.WIRE if name in (*FIVE, *others) and name != left_out]
    common = draw(st.sampled_from(STEPS))
    stray = draw(st.sampled_from((*reference.WIRE, *[None] * 14)))
    steps = {name: draw(st.sampled_from(STEPS)) if name == stray else common for name in names}
    timeseries = random_timeseries(draw(st.integers(0, 2**32)), day, zone, steps)
    _, end = reference.bounds(day, zone)
    return day, zone, end + timedelta(minutes=draw(st.sampled_from((10_000, 10_000, 0, -1, -400)))), timeseries


def same(found, expected) -> bool:
    if found is None or expected is None:
        return found is expected
    return isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-11)


def energy_of(body: Body):
    days = read_days([body], over_limit_kw=LIMIT)
    return day_energy(days, quarter_hours(days)).rows(named=True)


@settings(quick, max_examples=25)
@given(sent_days())
def test_the_sums_of_a_day_equal_the_slow_reader(sent) -> None:
    day, zone, fetched_at, timeseries = sent
    found = energy_of(
        Body("s", Interval.of_day(day), json.dumps({"timeseries": timeseries}).encode(), fetched_at, None)
    )
    truth = reference.read_day(timeseries, day, zone, fetched_at, LIMIT)
    assert len(found) == bool(reference.readings(truth))
    for row in found:
        expected = reference.day_energy(truth)
        local = row.pop("grid_import_peak_at_local")
        assert {"system_id", "day", *expected} == set(row)
        at, expected_at = row.pop("grid_import_peak_at_utc"), expected.pop("grid_import_peak_at_utc")
        assert (at and at.replace(tzinfo=UTC)) == expected_at
        assert local == (expected_at and expected_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None))
        for name, value in expected.items():
            assert same(row[name], value), name
        if row["used_total_kwh"] is not None:
            assert_identities(row, truth)


def assert_identities(row, truth) -> None:
    """The parts make their wholes, and none is more than the flow that it is taken from."""
    minutes = {at: length for at, (length, _) in reference.attributed_buckets(truth).items()}
    flows = {
        flow: float(sum(max(truth.series[flow].valid[at][0], 0) * minutes[at] for at in minutes))
        / (60 * reference.UNITS)
        for flow in reference.INPUTS
    }
    part = {name: row[f"{name}_kwh"] for name in reference.PARTS}
    assert min(part.values()) >= -TINY
    assert isclose(part["used_solar"] + part["used_battery"] + part["used_grid"], part["used_total"], abs_tol=TINY)
    assert isclose(
        part["used_solar"] + part["solar_to_battery"] + part["solar_to_grid"], flows["generation"], abs_tol=TINY
    )
    assert part["grid_to_battery"] + part["used_grid"] <= flows["grid_import"] + TINY
    assert part["battery_to_grid"] + part["used_battery"] <= flows["battery_discharge"] + TINY
    assert part["solar_to_battery"] + part["grid_to_battery"] <= flows["battery_charge"] + TINY
    assert part["solar_to_grid"] + part["battery_to_grid"] <= flows["grid_export"] + TINY


POWER = st.integers(-3_000, 12_000) | st.integers(0, 3) | st.none()
FLAWLESS = st.integers(0, 12_000) | st.integers(0, 3)


@settings(quick, max_examples=100)
@given(st.lists(st.tuples(*[POWER] * 5), min_size=1, max_size=60))
def test_a_bucket_is_attributed_by_the_eight_steps_and_its_parts_add_up(buckets) -> None:
    """Whole watts as kW: any five numbers, also such as no home could have."""
    frame = pl.DataFrame(
        [[None if watts is None else watts / 1000 for watts in bucket] for bucket in buckets],
        schema=dict.fromkeys(ATTRIBUTION_INPUTS, pl.Float64),
        orient="row",
    )
    found = with_attributed_flows(frame)
    assert found.columns == [*ATTRIBUTION_INPUTS, *[name for name in found.columns if name in ATTRIBUTED_FLOWS]]
    for bucket, row in zip(buckets, found.rows(named=True), strict=True):
        if None in bucket:
            assert all(row[name] is None for name in ATTRIBUTED_FLOWS)
            continue
        expected = reference.attributed(*(Fraction(watts, 1000) for watts in bucket))
        assert all(same(row[name], expected[name]) for name in ATTRIBUTED_FLOWS), (bucket, row, expected)
        assert min(row[name] for name in ATTRIBUTED_FLOWS) >= -TINY
        solar, grid, export, charge, battery = (max(watts, 0) for watts in bucket)
        exact = {name: value * 1000 for name, value in expected.items()}
        assert exact["used_solar"] + exact["used_battery"] + exact["used_grid"] == exact["used_total"]
        assert exact["used_solar"] + exact["solar_to_battery"] + exact["solar_to_grid"] == solar
        assert exact["grid_to_battery"] + exact["used_grid"] <= grid
        assert exact["battery_to_grid"] + exact["used_battery"] <= battery
        assert exact["solar_to_battery"] + exact["grid_to_battery"] <= charge
        assert exact["solar_to_grid"] + exact["battery_to_grid"] <= export


@settings(quick, max_examples=100)
@given(st.lists(st.tuples(*[FLAWLESS] * 6), min_size=1, max_size=60))
def test_where_the_flows_balance_what_the_home_used_is_its_load(buckets) -> None:
    rows, loads = [], []
    for solar, grid, export, charge, battery, load in buckets:
        lacking = load + export + charge - solar - grid - battery
        rows.append([watts / 1000 for watts in (solar, grid + max(lacking, 0), export, charge, battery)])
        loads.append((load + max(-lacking, 0)) / 1000)
    found = with_attributed_flows(
        pl.DataFrame(rows, schema=dict.fromkeys(ATTRIBUTION_INPUTS, pl.Float64), orient="row")
    )
    assert all(isclose(one, other, abs_tol=TINY) for one, other in zip(found["used_total"], loads, strict=True))
    parts = found.select(used=pl.sum_horizontal("used_solar", "used_battery", "used_grid"))["used"]
    assert all(isclose(one, other, abs_tol=TINY) for one, other in zip(parts, loads, strict=True))


def test_of_equal_peaks_the_first_is_told_also_where_a_bucket_is_missing_in_one() -> None:
    """The means of two and of three times 3.3 kW differ in the last bit: that named the second quarter hour."""
    values = [3.3] * 3 + [3.3, None, 3.3] + [0.1] * 3
    points = list(zip(stamps(minutes=5), values, strict=False))
    (row,) = energy_of(day_body({"import": series(points, "PT5M")}))
    assert row["grid_import_peak_at_utc"].replace(tzinfo=UTC).isoformat() == "2026-03-28T23:00:00+00:00"
    assert row["grid_import_peak_kw"] == pytest.approx(3.3, rel=1e-12)


def test_every_column_has_a_reference() -> None:
    empty = reference.read_day({}, date(2026, 3, 29), "Europe/Berlin", LATER, LIMIT)
    told = {"system_id", "day", "grid_import_peak_at_local", *reference.day_energy(empty)}
    assert told == set(DAY_ENERGY_SCHEMA)
