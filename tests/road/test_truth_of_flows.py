"""Balance and attributed flows of the marts are those of the model's own watts, worked out slowly with Fractions."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from unit.normalise.reference import PARTS, attributed
from world import NOW, World

from hem_etl.local_day import Interval, day_hours
from hem_etl.pipeline.planning import Ask, Plan, SystemPlan
from hem_etl.pipeline.report import Listed
from hem_etl.simulator import Fleet, Simulator, make_fleet
from hem_etl.simulator.homes import Home
from hem_etl.simulator.physics import power_day
from hem_etl.vocabulary import FLOWS

DAYS = (
    date(2026, 3, 29),  # Berlin and London skip an hour
    date(2026, 4, 5),  # Lord Howe has half an hour twice, its neighbours a whole one
    date(2026, 10, 4),  # Lord Howe skips half an hour
    date(2026, 10, 25),  # Berlin and London have an hour twice
    date(2026, 11, 1),  # so has New York
    date(2026, 11, 10),
    date(2026, 11, 11),
)
INPUTS = ("generation", "grid_import", "grid_export", "battery_charge", "battery_discharge")
SOURCES = ("generation", "grid_import", "battery_discharge")
SINKS = ("consumption", "grid_export", "battery_charge")


def load(world: World, days: tuple[date, ...]) -> None:
    plans = tuple(
        SystemPlan(home.system_id, tuple(Ask(Interval.of_day(day)) for day in days if day >= home.installed_on))
        for home in world.simulator.fleet.homes
    )
    with world.client() as client:
        road = world.road(client)
        road.sync_systems()
        road.extract(Plan(plans, len(plans), 0, 0), Listed(None, None))
    road.load()
    road.publish()


def valid_watts(world: World, home: Home, day: date) -> dict[str, dict[int, int]]:
    """Available flow → number of the bucket → W by the model, for the buckets that arrived and are plausible."""
    truth, power = world.simulator.truth_day(home.system_id, day, as_of=NOW), power_day(home, day)
    step = timedelta(minutes=power.axis.resolution_minutes)
    return {
        flow: {
            number: power.watts[flow][number]
            for at, told in truth.metrics[flow].buckets
            for number in [(at - truth.starts_at_utc) // step]
            if told is not None and abs(told) <= 50
        }
        for flow in FLOWS
        if truth.metrics[flow].is_available
    }


def kwh(home: Home, day: date, watts: dict[int, Fraction]) -> Fraction | None:
    """The last bucket of a day may be cut."""
    axis = power_day(home, day).axis
    last = len(axis.stamps) - 1
    minutes = {number: axis.last_minutes if number == last else axis.resolution_minutes for number in watts}
    return sum((watts[number] * minutes[number] for number in watts), Fraction(0)) / 60_000 if watts else None


def near(value: Fraction | None) -> object:
    return None if value is None else pytest.approx(float(value), rel=1e-9, abs=1e-9)


def compared(world: World) -> tuple[int, int]:
    """Compares every loaded day with the model; returns how many had a balance and how many an attribution."""
    balanced = split = 0
    for row in world.sql("from marts.daily_energy where outcome = 'loaded'").iter_rows(named=True):
        home, day = world.simulator.fleet.by_id[row["system_id"]], row["day"]
        watts = valid_watts(world, home, day)
        where = f"{home.vendor} {home.timezone} {day}"
        six = set.intersection(*(set(watts.get(flow, ())) for flow in FLOWS))
        sources, sinks = (
            kwh(home, day, {number: Fraction(sum(watts[flow][number] for flow in side)) for number in six})
            for side in (SOURCES, SINKS)
        )
        residual = None if sources is None or sinks is None else sources - sinks
        assert row["balance_residual_kwh"] == near(residual), where
        if residual is not None and max(sources, sinks) > Fraction(1, 20):
            assert row["balance_residual_ratio"] == near(abs(residual) / max(sources, sinks)), where
        if home.quirks.metered_load_share == 1:
            assert residual in (None, 0), where
        five = set.intersection(*(set(watts.get(flow, ())) for flow in INPUTS))
        flows = {number: attributed(*(Fraction(watts[flow][number]) for flow in INPUTS)) for number in five}
        for name in PARTS:
            expected = kwh(home, day, {number: parts[name] for number, parts in flows.items()})
            assert row[f"{name}_kwh"] == near(expected), f"{where} {name}"
        balanced, split = balanced + bool(six), split + bool(five)
    return balanced, split


@pytest.mark.slow
def test_no_home_loses_energy_and_its_flows_are_split_as_the_models_own_watts_are(world: World) -> None:
    load(world, DAYS)
    assert {day_hours(day, home.zone) for home in world.simulator.fleet.homes for day in DAYS} == {
        *(23.0, 23.5, 24.0, 24.5, 25.0)
    }
    balanced, split = compared(world)
    assert balanced > 70
    assert split > 70


@pytest.mark.parametrize("share", [0.9, 1.04])
def test_a_load_meter_that_is_off_leaves_exactly_its_share_as_the_residual(world: World, share: float) -> None:
    homes = [
        replace(home, quirks=replace(home.quirks, metered_load_share=share))
        for number, home in enumerate(make_fleet(6, today=NOW.date()).homes)
        if number in (0, 2, 5)  # whole; with omitted buckets; with nulls
    ]
    world.simulator = Simulator(Fleet(tuple(homes)), clock=world.clock)
    load(world, (date(2026, 10, 4), date(2026, 11, 10), date(2026, 11, 11)))
    assert min(compared(world)) >= 6
    days = world.sql("from marts.daily_energy where balance_residual_kwh is not null")
    for row in days.iter_rows(named=True):
        # the parts are made from the other five flows, and do not follow a load that is told wrongly
        assert (row["balance_residual_kwh"] > 0) == (share < 1)
        if row["attributed_coverage"] == row["consumption_coverage"] == 1:
            assert row["consumption_kwh"] == pytest.approx(share * row["used_total_kwh"], abs=0.03)
            assert row["balance_residual_kwh"] == pytest.approx((1 - share) * row["used_total_kwh"], abs=0.03)
    found = world.sql("select distinct system_id from core.finding where rule = 'balance'")
    assert found.height > 0
