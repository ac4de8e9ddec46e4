"""Rules that compare a day with the day before, on what the tables hold of both."""

from datetime import UTC, datetime, timedelta

import polars as pl

from hem_etl.normalise import SERIES_COLUMNS, compare_with_day_before, read_days

from .bodies import day_body, full, unavailable

FIRST, SECOND = "2026-01-10", "2026-01-11"
FETCHED = datetime(2026, 1, 20, tzinfo=UTC)


def compared(before, now, *, wanted=SECOND, fetched=(0, 1)) -> list[tuple]:
    """before, now: timeseries of the first and the second day; fetched: hours after FETCHED."""
    bodies = [
        day_body(sent, day, fetched_at=FETCHED + timedelta(hours=hours), zone="Europe/Berlin")
        for day, sent, hours in zip((FIRST, SECOND), (before, now), fetched, strict=True)
        if sent is not None
    ]
    days = read_days(bodies, over_limit_kw=50.0)
    keys = pl.DataFrame({"system_id": ["s1"], "day": [wanted]}).with_columns(pl.col("day").str.to_date())
    newest = days.days.select("system_id", "day", "fetched_at_utc")
    found = compare_with_day_before(days.series.select(SERIES_COLUMNS), keys, newest)
    return found.select("metric", "rule", "severity", "evidence", "found_at_utc").rows()


def one(metric, rule, evidence, hours=1):
    at = (FETCHED + timedelta(hours=hours)).replace(tzinfo=None)
    return [(metric, rule, "warning", f"the day before: {evidence}", at)]


def test_a_series_that_was_available_the_day_before_and_is_not_now_has_vanished() -> None:
    before = {"generation": full(day=FIRST), "soc": full(40, day=FIRST, unit="%")}
    now = {"generation": unavailable("no data\n"), "soc": full(40, day=SECOND, unit="%")}
    vanished = "generation", "series_vanished", "96 valid buckets; now: not available, no_data"
    assert compared(before, now) == one(*vanished)
    assert compared(before, now, fetched=(3, 1)) == one(*vanished, hours=3)
    assert compared(before, {"soc": now["soc"]})[0][3].endswith("now: not available, not_sent")


def test_a_series_that_comes_or_stays_is_nothing_to_tell() -> None:
    series = {"generation": full(day=FIRST)}
    assert compared({"generation": unavailable()}, {"generation": full(day=SECOND)}) == []
    assert compared(series, {"generation": full(day=SECOND)}) == []


def test_a_new_resolution_and_a_new_unit_are_told() -> None:
    before = {"generation": full(day=FIRST)}
    fine = {"generation": full(day=SECOND, minutes=5)}
    assert compared(before, fine) == one("generation", "resolution_changed", "15 min; now: 5 min")
    watts = {"generation": full(day=SECOND, unit="W")}
    assert compared(before, watts) == one("generation", "unit_changed", "kW; now: W")
    soc = full(40, day=FIRST, unit=None), full(40, day=SECOND, unit="%")
    assert compared({"soc": soc[0]}, {"soc": soc[1]}) == one("soc", "unit_changed", "none; now: %")


def test_names_that_are_not_known_are_not_compared() -> None:
    assert compared({"heatPump": full(day=FIRST)}, {"generation": full(day=SECOND)}) == []


def test_without_the_day_before_there_is_nothing_to_compare() -> None:
    assert compared(None, {"generation": full(day=SECOND)}) == []
    assert compared({"generation": full(day=FIRST)}, {}, wanted=FIRST) == []
