"""The common 15-minute grid and the totals of a day."""

from datetime import UTC, datetime

import polars as pl
import pytest

from hem_etl.normalise import day_energy, day_totals, quarter_hours, read_days

from .bodies import NAMES, day_body, full, series, stamps, unavailable


def quarters_of(timeseries, day="2026-03-29", **more):
    days = read_days([day_body(timeseries, day, **more)], over_limit_kw=50.0)
    return days, quarter_hours(days)


def test_five_minute_buckets_are_averaged_over_what_is_valid() -> None:
    points = list(zip(stamps(minutes=5), [3, 6, None, 100, 2, 4, None, None, None], strict=False))
    _, quarters = quarters_of({"generation": series(points, "PT5M")})
    rows = quarters.select("generation_kw", "generation_kwh", "generation_minutes").rows()
    assert rows == [(4.5, 0.75, 10.0), (3.0, 0.5, 10.0), (None, None, 0.0)]
    assert quarters["consumption_minutes"].to_list() == [None] * 3


def test_coarser_buckets_are_spread_evenly() -> None:
    _, quarters = quarters_of({"generation": series([(stamps()[0], 8)], "PT1H")})
    assert quarters.select("generation_kw", "generation_kwh", "generation_minutes").rows() == [(8.0, 2.0, 15.0)] * 4


def test_a_bucket_across_two_quarter_hours_gives_each_its_share() -> None:
    points = [(t, 6) for t in stamps(minutes=20)[:2]]
    _, quarters = quarters_of({"generation": series(points, "PT20M")})
    assert quarters["generation_minutes"].to_list() == [15.0, 15.0, 10.0]
    assert quarters["generation_kwh"].to_list() == pytest.approx([1.5, 1.5, 1.0])


def test_local_time_of_a_quarter_hour_inside_a_long_bucket_follows_the_clock_change() -> None:
    _, quarters = quarters_of({"generation": full(minutes=240)})
    jump = quarters.filter(pl.col("start_utc") >= datetime(2026, 3, 29, 0, 45, tzinfo=UTC).replace(tzinfo=None)).head(2)
    assert jump["start_local"].dt.strftime("%H:%M").to_list() == ["01:45", "03:00"]
    assert jump["utc_offset_minutes"].to_list() == [60, 120]


def test_the_last_bucket_cut_by_the_days_end_gives_only_its_real_length() -> None:
    days, quarters = quarters_of({"import": full(2, "2025-10-05", "Australia/Lord_Howe", 60)}, "2025-10-05")
    assert quarters.height == 94
    totals = day_totals(days, day_energy(days, quarters))
    assert totals["grid_import_kwh"].to_list() == [pytest.approx(47.0)]
    assert totals["grid_import_coverage"].to_list() == [1.0]


def test_the_state_of_charge_is_the_last_valid_one() -> None:
    points = list(zip(stamps(minutes=5), [50, 51, None, None, None, None], strict=False))
    _, quarters = quarters_of({"soc": series(points, "PT5M", unit="%")})
    assert quarters["soc_pct"].to_list() == [51.0, None]


def test_the_balance_needs_all_six_flows_valid_in_one_bucket_on_one_grid() -> None:
    flows = {name: full(n + 1, minutes=5) for n, name in enumerate(NAMES[:6])}
    _, quarters = quarters_of(flows)
    assert quarters.select("balance_sources_kwh", "balance_sinks_kwh").row(0) == (2.5, 2.75)
    with_gap = {**flows, "charge": full(data=flows["charge"]["data"][1:], sampling=flows["charge"]["sampling"])}
    _, quarters = quarters_of(with_gap)
    assert quarters["balance_sources_kwh"].to_list()[:2] == [pytest.approx(10 * 10 / 60), 2.5]
    _, quarters = quarters_of({**flows, "charge": full(minutes=15)})
    assert quarters["balance_sources_kwh"].null_count() == quarters.height
    _, quarters = quarters_of({**flows, "charge": unavailable()})
    assert quarters["balance_sinks_kwh"].null_count() == quarters.height


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_a_day_of_only_nulls_is_null_and_not_zero(minutes) -> None:
    days, quarters = quarters_of({"generation": full(None, minutes=minutes)})
    assert quarters.height == 92
    assert quarters["generation_kwh"].null_count() == 92
    assert quarters["generation_minutes"].to_list() == [0.0] * 92
    totals = day_totals(days, day_energy(days, quarters))
    assert totals.select("generation_kwh", "generation_coverage", "consumption_coverage").row(0) == (None, 0.0, None)


def test_a_day_of_zeros_is_zero() -> None:
    days, quarters = quarters_of({"generation": full(0)})
    assert day_totals(days, day_energy(days, quarters)).select("generation_kwh", "generation_coverage").row(0) == (
        0.0,
        1.0,
    )


def test_a_day_of_only_over_limit_values_is_null() -> None:
    days, quarters = quarters_of({"generation": full(51)})
    assert day_totals(days, day_energy(days, quarters)).select("generation_kwh", "generation_coverage").row(0) == (
        None,
        0.0,
    )


def test_unreadable_days_have_no_totals_and_unavailable_ones_have_empty_totals() -> None:
    bodies = [day_body(b"", system_id="a"), day_body({"generation": unavailable()}, system_id="b", zone="Asia/Tokyo")]
    days = read_days(bodies, over_limit_kw=50.0)
    totals = day_totals(days, day_energy(days, quarter_hours(days)))
    assert totals["system_id"].to_list() == ["b"]
    assert totals.drop("system_id", "day").row(0) == (None,) * 12
