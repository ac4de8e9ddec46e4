"""A series that had values and now has none keeps the last good ones."""

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hem_etl.normalise import (
    FrameError,
    day_energy,
    day_totals,
    keep_vanished,
    keep_vanished_months,
    quarter_hours,
    read_days,
    read_months,
)

from .bodies import LATER, day_body, encoded, full, series, stamps, unavailable
from .test_months import month_body


def read(timeseries, **more):
    return read_days([day_body(timeseries, **more)], over_limit_kw=50.0)


def kept(now, before, **more):
    held = read(before)
    return keep_vanished(read(now, **more), held.readings, held.series)


BEFORE = {"generation": full(2, minutes=5), "soc": full(40, unit="%"), "import": full(1)}


@pytest.mark.parametrize(
    "now",
    [
        {"generation": unavailable("gone"), "soc": full(50, unit="%")},
        {"soc": full(50, unit="%")},
        {"generation": full(None, minutes=5), "soc": full(50, unit="%")},
        {"generation": full(99, minutes=15), "soc": full(50, unit="%")},
        {"generation": full(data=[]), "soc": full(50, unit="%")},
    ],
    ids=["unavailable", "not sent", "only nulls", "only over limit", "empty"],
)
def test_a_series_without_a_valid_bucket_keeps_the_held_ones(now) -> None:
    before = {name: BEFORE[name] for name in ("generation", "soc")}
    days = kept(now, before)
    held = read(before)
    assert_frame_equal(
        days.readings.filter(pl.col("generation_kw").is_not_null()).drop("soc_pct"),
        held.readings.drop("soc_pct"),
    )
    assert days.readings["soc_pct"].drop_nulls().unique().to_list() == [50.0]
    assert_frame_equal(days.series.filter(metric="generation"), held.series.filter(metric="generation"))
    assert days.series["metric"].to_list() == held.series["metric"].to_list()
    assert days.days.select("outcome", "detail", "applied").row(0) == (
        "loaded",
        "kept the last good values of generation",
        False,
    )
    assert days.findings.select("metric", "rule", "severity").rows() == [("generation", "series_vanished", "warning")]
    assert day_totals(days, day_energy(days, quarter_hours(days)))["generation_kwh"].to_list() == [pytest.approx(46.0)]


def test_the_fingerprint_stays_that_of_what_was_sent() -> None:
    now = {"soc": full(50, unit="%")}
    assert kept(now, BEFORE).days["content_sha256"].to_list() == read(now).days["content_sha256"].to_list()


def test_nothing_vanished_changes_nothing() -> None:
    now = read(BEFORE)
    assert keep_vanished(now, now.readings, now.series) is now
    empty = read_days([], over_limit_kw=50.0)
    assert keep_vanished(now, empty.readings, empty.series) is now


def test_a_day_that_comes_back_wholly_unavailable_is_held_in_its_own_zone() -> None:
    days = kept({"generation": unavailable()}, BEFORE, zone="America/New_York")
    held = read(BEFORE)
    assert_frame_equal(days.readings, held.readings)
    assert_frame_equal(days.series, held.series)
    assert days.days.select("outcome", "timezone", "day_hours", "applied").row(0) == (
        "loaded",
        "Europe/Berlin",
        23.0,
        False,
    )
    assert_frame_equal(quarter_hours(days), quarter_hours(held))
    assert days.findings.height == 3


def test_a_day_held_without_a_known_zone_is_kept_as_it_was() -> None:
    before = {"generation": series([(t.replace("+01:00", "+05:30"), 1) for t in stamps()[:4]], zone=None)}
    held = read(before)
    days = keep_vanished(read({"generation": unavailable()}), held.readings, held.series)
    assert_frame_equal(days.readings, held.readings)
    assert_frame_equal(quarter_hours(days), quarter_hours(held))


def test_held_values_of_another_stretch_of_time_are_given_up_and_the_finding_says_so() -> None:
    days = kept({"soc": full(5, zone="Asia/Tokyo", unit="%")}, {"generation": full(1), "soc": full(5, unit="%")})
    assert days.readings["generation_kw"].null_count() == days.readings.height
    assert days.days["applied"].to_list() == [True]
    assert "could not be kept" in days.findings.filter(rule="series_vanished")["evidence"][0]


def test_held_values_beside_the_grid_of_the_day_as_it_is_now_are_given_up_whole() -> None:
    """Hours of a zone whose midnight is half an hour off: their rows went, and their counts stayed."""
    midday = series([(t, 1) for t in stamps(minutes=60)[10:14]], resolution="PT60M")
    days = kept({"soc": full(5, minutes=60, zone="Asia/Kolkata", unit="%")}, {"generation": midday})
    assert days.series.filter(metric="generation")["valid_buckets"].to_list() in ([None], [0])
    assert days.readings["generation_kw"].null_count() == days.readings.height
    assert "could not be kept" in days.findings.filter(rule="series_vanished")["evidence"][0]


def test_rows_of_other_metrics_that_are_no_longer_sent_do_not_come_back() -> None:
    before = {"generation": full(2, minutes=60), "soc": full(5, minutes=5, unit="%")}
    days = kept({"soc": full(6, minutes=30, unit="%")}, before)
    assert days.readings.height == 46
    assert days.readings["generation_kw"].drop_nulls().len() == 23


def test_unreadable_days_and_unknown_names_keep_nothing() -> None:
    held = read({**BEFORE, "heat": full()})
    unreadable = read(b"?")
    assert keep_vanished(unreadable, held.readings, held.series) is unreadable
    now = read(BEFORE)
    assert keep_vanished(now, held.readings, held.series) is now


def test_other_days_of_the_batch_are_left_alone() -> None:
    bodies = [day_body(BEFORE, system_id="a"), day_body({"soc": full(1, unit="%")}, system_id="s1")]
    days = read_days(bodies, over_limit_kw=50.0)
    held = read(BEFORE)
    after = keep_vanished(days, held.readings, held.series)
    assert_frame_equal(after.readings.filter(system_id="a"), days.readings.filter(system_id="a"))
    assert after.days["applied"].to_list() == [True, False]
    assert after.readings.equals(after.readings.sort("day", "system_id", "start_utc"))


def test_applying_it_twice_changes_nothing_more() -> None:
    now = {"soc": full(50, unit="%")}
    once = kept(now, BEFORE)
    twice = keep_vanished(read(now), once.readings, once.series)
    assert_frame_equal(twice.readings, once.readings)
    assert_frame_equal(twice.series, once.series)
    assert_frame_equal(twice.days, once.days)


def test_held_frames_of_another_shape_are_refused() -> None:
    now = read(BEFORE)
    with pytest.raises(FrameError):
        keep_vanished(now, now.readings.drop("soc_pct"), now.series)


def test_a_flow_that_vanishes_from_a_month_keeps_its_reported_days() -> None:
    held = read_months([month_body({"generation": [1, 2], "import": [3, 4]})]).reported
    now = read_months([month_body({"import": [5, 6]}, fetched_at=LATER.replace(year=2031))])
    months = keep_vanished_months(now, held)
    assert months.reported.select("day", "generation_kwh", "grid_import_kwh").rows() == [
        (date(2026, 3, 1), 1.0, 5.0),
        (date(2026, 3, 2), 2.0, 6.0),
    ]
    assert months.reported["fetched_at_utc"].dt.year().to_list() == [2031, 2031]
    assert months.findings.select("metric", "rule").rows() == [("generation", "series_vanished")]
    assert months.months["content_sha256"].to_list() == now.months["content_sha256"].to_list()


def test_a_month_wholly_unavailable_keeps_what_is_held_and_another_month_is_left_alone() -> None:
    held = read_months([month_body({"generation": [1, 2]})]).reported
    body = month_body({}, raw=encoded({"generation": unavailable()}))
    months = keep_vanished_months(read_months([body, month_body({"import": [1]}, system_id="s2")]), held)
    assert_frame_equal(months.reported.filter(system_id="s1"), held)
    assert months.months["outcome"].to_list() == ["loaded", "loaded"]
    same = read_months([month_body({"generation": [7]})])
    assert keep_vanished_months(same, held) is same
