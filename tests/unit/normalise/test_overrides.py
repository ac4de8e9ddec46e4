"""Corrections by hand take the place of what was sent, and what was sent stays."""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hem_etl.normalise import (
    OVERRIDE_SCHEMA,
    day_energy,
    day_totals,
    edits_of,
    quarter_hours,
    read_days,
    with_overrides,
)

from .bodies import LATER, day_body, full, series, stamps, unavailable

DAY = "2026-03-29"  # 23 hours in Berlin


def rows(*said, day=DAY, system_id="s1"):
    """Corrections: (metric, value) for the whole day, or (metric, value, start, end) with hours of UTC."""
    made = []
    for number, (metric, value, *bounds) in enumerate(said):
        instants = [datetime.fromisoformat(bound) for bound in bounds] or [None, None]
        made.append((system_id, date.fromisoformat(day), metric, *instants, value, f"id{number}"))
    return pl.DataFrame(made, schema=OVERRIDE_SCHEMA, orient="row")


def read(timeseries, day=DAY, **more):
    return read_days([day_body(timeseries, day, **more)], over_limit_kw=50.0)


def totals(days):
    return day_totals(days, day_energy(days, quarter_hours(days))).row(0, named=True)


def of(days, metric):
    return days.series.filter(metric=metric).row(0, named=True)


@pytest.mark.parametrize("minutes", [5, 15, 60])
@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-02", "Europe/Berlin", 24),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2025-10-05", "Australia/Lord_Howe", 23.5),
        ("2025-04-06", "Australia/Lord_Howe", 24.5),
    ],
)
def test_a_whole_day_is_every_bucket_of_it_whatever_its_length(minutes, day, zone, hours) -> None:
    sent = read({"generation": full(1, day, zone, minutes)}, day)
    days = with_overrides(sent, rows(("generation", 2.0), day=day))
    assert days.readings["generation_kw"].unique().to_list() == [2.0]
    assert of(days, "generation")["edited_buckets"] == -(-hours * 60 // minutes)
    assert of(days, "generation")["valid_minutes"] == of(sent, "generation")["valid_minutes"] == 60 * hours
    assert totals(days)["generation_kwh"] == pytest.approx(2 * hours)
    assert totals(days)["generation_coverage"] == 1.0


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_a_range_takes_the_buckets_that_begin_in_it(minutes) -> None:
    sent = read({"generation": full(1, minutes=minutes)})
    bounds = ("2026-03-29T10:00", "2026-03-29T12:00")
    days = with_overrides(sent, rows(("generation", 5.0, *bounds)))
    changed = days.readings.filter(pl.col("generation_kw") == 5.0)["start_utc"]
    assert (changed.min(), changed.len()) == (datetime(2026, 3, 29, 10), 120 // minutes)
    assert totals(days)["generation_kwh"] == pytest.approx(23 + 2 * 4)


def test_a_range_between_two_bucket_starts_edits_nothing() -> None:
    sent = read({"generation": full(1)})
    assert with_overrides(sent, rows(("generation", 5.0, "2026-03-29T10:05", "2026-03-29T10:14"))) is sent


def test_ignore_takes_buckets_out_and_coverage_falls() -> None:
    sent = read({"generation": full(1)})
    days = with_overrides(sent, rows(("generation", None, "2026-03-29T00:00", "2026-03-29T23:00")))
    assert totals(days)["generation_kwh"] == pytest.approx(1.0)
    assert totals(days)["generation_coverage"] == pytest.approx(1 / 23)
    told = of(days, "generation")
    assert (told["valid_buckets"], told["null_buckets"], told["edited_buckets"]) == (92, 0, 88)


def test_ignoring_every_bucket_leaves_null_and_not_zero() -> None:
    days = with_overrides(read({"generation": full(1)}), rows(("generation", None)))
    assert (totals(days)["generation_kwh"], totals(days)["generation_coverage"]) == (None, 0.0)


def test_a_value_fills_what_was_null_or_not_sent() -> None:
    points = [(t, None) for t in stamps()[:4]] + [(t, 1) for t in stamps()[8:]]
    sent = read({"generation": series(points)})
    days = with_overrides(sent, rows(("generation", 2.0, "2026-03-28T23:00", "2026-03-29T01:00")))
    told = of(days, "generation")
    assert (told["valid_buckets"], told["null_buckets"], told["missing_buckets"]) == (84, 4, 4)
    assert (told["edited_buckets"], told["valid_minutes"]) == (8, 23 * 60)
    assert totals(days)["generation_kwh"] == pytest.approx(21 + 2 * 2)
    assert sent.readings.height == 88
    filled = days.readings.row(4, named=True)
    assert (filled["start_local"], filled["utc_offset_minutes"]) == (datetime(2026, 3, 29, 1), 60)
    assert days.readings["start_utc"].is_sorted()
    assert days.readings["start_local"][8] == datetime(2026, 3, 29, 3)


def test_a_series_that_came_without_a_point_can_be_filled() -> None:
    days = with_overrides(read({"generation": full(data=[])}), rows(("generation", 2.0)))
    assert (totals(days)["generation_kwh"], totals(days)["generation_coverage"]) == (pytest.approx(46.0), 1.0)


def test_only_buckets_that_had_ended_can_be_filled() -> None:
    fetched = datetime(2026, 3, 29, 3, 7, tzinfo=UTC)
    sent = read({"generation": full(1)}, fetched_at=fetched)
    days = with_overrides(sent, rows(("generation", 2.0)))
    told = of(days, "generation")
    assert told["expected_buckets"] == told["edited_buckets"] == 16
    assert days.readings["start_utc"].max() == datetime(2026, 3, 29, 2, 45)


def test_the_state_of_charge_is_edited_like_a_flow_and_has_no_limit_in_kilowatts() -> None:
    days = with_overrides(
        read({"soc": full(40, unit="%")}), rows(("soc", 90.0, "2026-03-29T10:00", "2026-03-29T11:00"))
    )
    energy = day_energy(days, quarter_hours(days)).row(0, named=True)
    assert (energy["soc_max_pct"], energy["soc_last_pct"]) == (90.0, 40.0)
    assert (of(days, "soc")["edited_buckets"], of(days, "soc")["valid_minutes"]) == (4, 23 * 60)


def test_a_value_over_the_limit_is_replaced_and_one_set_over_the_limit_does_not_count() -> None:
    sent = read({"generation": full(99)})
    days = with_overrides(sent, rows(("generation", 3.0)))
    assert (of(days, "generation")["over_limit_buckets"], totals(days)["generation_coverage"]) == (92, 1.0)
    days = with_overrides(sent, rows(("generation", 60.0)))
    assert (totals(days)["generation_kwh"], totals(days)["generation_coverage"]) == (None, 0.0)


def test_a_series_that_is_not_available_or_is_another_metric_is_left_alone() -> None:
    sent = read({"generation": full(1), "import": unavailable(), "heat": full(2)})
    said = rows(("grid_import", 1.0), ("consumption", 1.0), ("heat", 1.0))
    assert with_overrides(sent, said) is sent
    assert of(sent, "generation")["edited_buckets"] == 0
    assert of(sent, "grid_import")["edited_buckets"] is None


def test_what_says_the_same_as_was_sent_is_no_edit() -> None:
    sent = read({"generation": full(1)})
    assert with_overrides(sent, rows(("generation", 1.0))) is sent
    empty = read({"generation": full(None)})
    assert with_overrides(empty, rows(("generation", None))) is empty


def test_of_two_corrections_in_a_bucket_the_one_with_bounds_goes_first() -> None:
    said = rows(("generation", 7.0, "2026-03-29T10:00", "2026-03-29T11:00"), ("generation", 3.0))
    edits = edits_of(read({"generation": full(1)}), said)
    assert edits.filter(value=7.0)["override_id"].to_list() == ["id0"] * 4
    assert edits.filter(value=3.0).height == 88


def test_counts_findings_and_fingerprint_are_of_what_was_sent() -> None:
    sent = read({"generation": full(1), "import": full("x")})
    days = with_overrides(sent, rows(("generation", 2.0), ("grid_import", 2.0)))
    computed = ("valid_minutes", "edited_buckets")
    assert_frame_equal(days.series.drop(computed), sent.series.drop(computed))
    assert days.findings is sent.findings
    assert days.days is sent.days


def test_applying_it_again_changes_nothing_and_without_rows_takes_it_back() -> None:
    sent = read(
        {
            "generation": full(1, "2025-10-05", "Australia/Lord_Howe", 60),
            "import": full(1, "2025-10-05", "Australia/Lord_Howe", 5),
        },
        "2025-10-05",
    )
    said = rows(("generation", None, "2025-10-05T00:00", "2025-10-05T13:30"), day="2025-10-05")
    once = with_overrides(sent, said)
    assert of(once, "generation")["valid_minutes"] == 11 * 60  # the last bucket, half an hour, is out
    held = replace(sent, series=once.series)
    assert_frame_equal(with_overrides(held, said).series, once.series)
    back = with_overrides(held, said.clear())
    assert_frame_equal(back.series, sent.series)
    assert_frame_equal(back.readings, sent.readings)


def test_other_days_of_the_batch_are_left_alone() -> None:
    bodies = [day_body({"generation": full(1)}, system_id=name) for name in ("a", "b")]
    sent = read_days(bodies, over_limit_kw=50.0)
    days = with_overrides(sent, rows(("generation", 4.0), system_id="b"))
    assert_frame_equal(days.readings.filter(system_id="a"), sent.readings.filter(system_id="a"))
    assert days.readings["system_id"].to_list() == sent.readings["system_id"].to_list()
    assert days.series.filter(metric="generation")["edited_buckets"].to_list() == [0, 92]


def test_every_fetch_long_after_the_day_reads_it_whole() -> None:
    assert of(read({"generation": full(1)}, fetched_at=LATER), "generation")["expected_buckets"] == 92
