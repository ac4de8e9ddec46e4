from collections.abc import Callable
from datetime import date, timedelta

import pytest

from hem_etl.local_day import day_hours, days_between
from hem_etl.simulator import Fleet, Home
from hem_etl.simulator.physics import ONE_WAY_EFFICIENCY, RESERVE_RATIO, PowerDay, power_day

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def sample_days(home: Home) -> list[date]:
    """Every 45th day of a year and every day on which the home's clocks change, with its neighbours."""
    days = set(days_between(*YEAR))
    changes = {day for day in days if day_hours(day, home.zone) != 24}
    around = {day + timedelta(days=shift) for day in changes for shift in (-1, 0, 1)}
    return sorted(around | set(sorted(days)[::45]))


def test_sources_equal_sinks_exactly_in_every_bucket_of_every_home_all_year(fleet: Fleet) -> None:
    for home in fleet.homes:
        for day in sample_days(home):
            watts = power_day(home, day).watts
            sources = zip(watts["generation"], watts["grid_import"], watts["battery_discharge"], strict=True)
            sinks = zip(watts["consumption"], watts["grid_export"], watts["battery_charge"], strict=True)
            assert [*map(sum, sources)] == [*map(sum, sinks)], (home.timezone, day)


def test_flows_are_never_negative_but_for_the_standby_draw(fleet: Fleet) -> None:
    for home in fleet.homes:
        for day in sample_days(home)[::4]:
            for flow, watts in power_day(home, day).watts.items():
                lowest = -home.quirks.standby_watts if flow == "generation" else 0
                assert min(watts) >= lowest, (home.vendor, day, flow)


def test_nothing_flows_in_and_out_at_once(fleet: Fleet) -> None:
    for home in fleet.homes:
        watts = power_day(home, date(2026, 6, 1)).watts
        assert not any(map(min, zip(watts["grid_import"], watts["grid_export"], strict=True)))
        assert not any(map(min, zip(watts["battery_charge"], watts["battery_discharge"], strict=True)))


def stored_permille_change(home: Home, power: PowerDay, i: int, minutes: int) -> float:
    into, out = power.watts["battery_charge"][i], power.watts["battery_discharge"][i]
    return (into * ONE_WAY_EFFICIENCY - out / ONE_WAY_EFFICIENCY) * minutes / (home.battery_wh * 60) * 1000


def test_the_state_of_charge_follows_the_battery_within_limits_and_across_midnights(fleet: Fleet) -> None:
    for home in (home for home in fleet.homes if home.has_battery):
        for day in sample_days(home)[::3]:
            power, following = power_day(home, day), power_day(home, day + timedelta(days=1))
            levels = [*power.soc_permille, following.soc_permille[0]]
            assert min(levels) >= 1000 * RESERVE_RATIO
            assert max(levels) <= 1000
            assert max(power.watts["battery_charge"]) <= home.battery_watts
            assert max(power.watts["battery_discharge"]) <= home.battery_watts
            for i in range(len(power.axis)):
                change = stored_permille_change(home, power, i, power.axis.resolution_minutes)
                assert abs(levels[i + 1] - levels[i] - change) < 1.1, (home.timezone, day, i)


def test_a_home_without_battery_moves_no_energy_through_one(home: Callable[..., Home]) -> None:
    power = power_day(home(battery_wh=0), date(2026, 6, 1))
    assert not any(power.watts["battery_charge"])
    assert not any(power.watts["battery_discharge"])


@pytest.mark.parametrize(
    ("latitude", "longitude", "timezone", "sunny_month", "dull_month"),
    [(52.5, 13.4, "Europe/Berlin", 6, 12), (-36.8, 174.8, "Pacific/Auckland", 12, 6)],
)
def test_there_is_more_sun_in_summer_and_none_at_night(
    home: Callable[..., Home], latitude: float, longitude: float, timezone: str, sunny_month: int, dull_month: int
) -> None:
    here = home(latitude=latitude, longitude=longitude, timezone=timezone)

    def month_kwh(month: int) -> float:
        days = [date(2026, month, day) for day in range(1, 29)]
        return sum(power_day(here, day).watt_minutes("generation") for day in days) / 60_000

    assert month_kwh(sunny_month) > 2.5 * month_kwh(dull_month)
    assert not any(power_day(here, date(2026, sunny_month, 1)).watts["generation"][:36])


def test_the_sun_is_highest_near_noon_wherever_the_home_is(fleet: Fleet) -> None:
    for home in fleet.homes:
        shares = []
        for day in days_between(date(2026, 4, 1), date(2026, 4, 8)):
            watts = power_day(home, day).watts["generation"]
            noon = len(watts) // 2
            shares.append(sum(watts[noon - noon // 3 : noon + noon // 3]) / sum(watts))
        assert sum(shares) / len(shares) > 0.6, home.timezone


def test_a_day_is_the_same_whatever_was_computed_before(fleet: Fleet) -> None:
    first = power_day(fleet.homes[0], date(2026, 3, 29))
    power_day.cache_clear()
    power_day(fleet.homes[0], date(2026, 3, 28))
    assert power_day(fleet.homes[0], date(2026, 3, 29)) == first


def test_energy_counts_a_last_bucket_that_the_day_cuts_by_its_real_length(home: Callable[..., Home]) -> None:
    power = power_day(home(timezone="Australia/Lord_Howe", resolution_minutes=60), date(2026, 10, 4))
    watts = power.watts["consumption"]
    assert len(watts) == 24
    assert power.watt_minutes("consumption") == sum(watts[:-1]) * 60 + watts[-1] * 30
