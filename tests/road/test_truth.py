"""What the warehouse holds is what the simulator knows to be true, on every kind of day."""

from datetime import UTC, date, timedelta

import pytest
from world import NOW, World

from hem_etl.local_day import Interval, day_bounds_utc, day_hours, days_between
from hem_etl.pipeline.planning import Ask, Plan, SystemPlan
from hem_etl.pipeline.report import Listed
from hem_etl.simulator import serve
from hem_etl.vocabulary import FLOWS, METRICS

COUNTS = (
    "expected",
    "sent",
    "valid",
    "null",
    "missing",
    "over_limit",
    "negative",
    "duplicate",
    "outside_day",
    "off_grid",
)


def same_as_truth(world: World) -> int:
    """Compares every loaded day with the simulator's truth as of the look that was loaded; returns how many."""
    entries = world.sql("select system_id, day, answered_at_utc, outcome from core.load where interval_kind = 'day'")
    daily = {(r["system_id"], r["day"]): r for r in world.sql("from marts.daily_energy").iter_rows(named=True)}
    series = {
        (r["system_id"], r["day"], r["metric"]): r for r in world.sql("from marts.coverage_daily").iter_rows(named=True)
    }
    for system_id, day, answered_at, outcome in entries.iter_rows():
        if answered_at is None:
            truth = world.simulator.truth_day(system_id, day)
            assert outcome == truth.outcome == "before_installation"
            continue
        truth = world.simulator.truth_day(system_id, day, as_of=answered_at.replace(tzinfo=UTC))
        row = daily[system_id, day]
        assert row["outcome"] == truth.outcome
        assert row["day_hours"] == (truth.ends_at_utc - truth.starts_at_utc) / timedelta(hours=1)
        for metric in METRICS:
            held, true = series[system_id, day, metric], truth.metrics[metric]
            where = f"{system_id} {day} {metric}"
            assert held["is_available"] == true.is_available, where
            if true.is_available:
                counts = {name: held[f"{name}_buckets"] for name in COUNTS}
                assert counts == {name: getattr(true, f"{name}_buckets") for name in COUNTS}, where
                assert held["resolution_minutes"] == true.resolution_minutes, where
            if metric in FLOWS:
                assert row[f"{metric}_kwh"] == (None if true.kwh is None else pytest.approx(true.kwh, rel=1e-9)), where
                assert row[f"{metric}_coverage"] == (
                    None if true.coverage is None else pytest.approx(true.coverage, rel=1e-12)
                ), where
    return entries.height


def test_every_clock_change_of_a_year_in_every_zone_over_a_real_socket(world: World) -> None:
    year = list(days_between(NOW.date() - timedelta(days=366), NOW.date() - timedelta(days=1)))
    plans = []
    for home in world.simulator.fleet.homes:
        changes = [day for day in year if day_hours(day, home.zone) != 24 and day >= home.installed_on]
        around = sorted({day + timedelta(days=offset) for day in changes for offset in (0, 1)})
        if around:
            plans.append(SystemPlan(home.system_id, tuple(Ask(Interval.of_day(day)) for day in around)))
    lengths = {
        day_hours(ask.interval.day, world.simulator.fleet.by_id[plan.system_id].zone)
        for plan in plans
        for ask in plan.asks
    }
    assert lengths >= {23.0, 23.5, 24.0, 24.5, 25.0}
    with serve(world.simulator) as url, world.client(url=url) as client:
        road = world.road(client)
        road.sync_systems()
        road.extract(Plan(tuple(plans), len(plans), 0, 0), Listed(None, None))
    road.load()
    road.publish()
    assert same_as_truth(world) == sum(len(plan.asks) for plan in plans) > 50


def test_a_fortnight_of_the_default_fleet_with_all_its_quirks_and_a_running_day(world: World) -> None:
    world.run("2026-11-08", "2026-11-22")
    assert same_as_truth(world) > 18 * 14


def test_months_are_what_the_vendor_reports_day_by_day(world: World) -> None:
    world.run("2026-10-30", "2026-11-02")
    reported = {(r["system_id"], r["day"]): r for r in world.sql("from core.reported_day").iter_rows(named=True)}
    seen = 0
    for home in world.simulator.fleet.homes:
        for month in (date(2026, 10, 1), date(2026, 11, 1)):
            for day, flows in world.simulator.truth_month(home.system_id, month).items():
                if day_bounds_utc(day, home.zone)[1] > NOW:
                    flows = dict.fromkeys(FLOWS)  # a day that is not over has no day's energy yet
                row = reported.get((home.system_id, day), dict.fromkeys(f"{flow}_kwh" for flow in FLOWS))
                assert {flow: row[f"{flow}_kwh"] for flow in FLOWS} == pytest.approx(flows), (home.system_id, day)
                seen += row["generation_kwh"] is not None
    assert seen > 18 * 45


def test_quarter_hours_hold_the_energy_of_the_native_buckets(world: World) -> None:
    world.run("2026-11-20", months=False)
    sums = world.sql(
        f"select {', '.join(f'sum({flow}_kwh) as {flow}_kwh' for flow in FLOWS)} from marts.interval_15min"
    )
    days = world.sql(f"select {', '.join(f'sum({flow}_kwh) as {flow}_kwh' for flow in FLOWS)} from marts.daily_energy")
    assert sums.row(0) == pytest.approx(days.row(0), rel=1e-9)
    kinds = world.sql(
        "select count(*) from (select system_id, count(*) n from marts.interval_15min group by 1) where n > 100"
    )
    assert kinds.item() == 0
