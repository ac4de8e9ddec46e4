"""Local days: lengths are differences of instants, whatever a clock does at midnight."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hem_etl.local_day import (
    LAST_ZONE_ON_EARTH,
    Interval,
    day_bounds_utc,
    day_hours,
    days_between,
    expected_buckets,
    first_instant,
    months_between,
    zone_named,
)
from hem_etl.vocabulary import IntervalKind


@pytest.mark.parametrize(
    ("zone", "day", "hours", "of_5", "of_15"),
    [
        ("Europe/Berlin", "2025-03-30", 23, 276, 92),
        ("Europe/Berlin", "2025-10-26", 25, 300, 100),
        ("Europe/Berlin", "2025-06-01", 24, 288, 96),
        ("Australia/Lord_Howe", "2025-10-05", 23.5, 282, 94),
        ("Australia/Lord_Howe", "2025-04-06", 24.5, 294, 98),
        ("Africa/Cairo", "2025-04-25", 23, 276, 92),
        ("America/Havana", "2025-11-02", 25, 300, 100),
        ("America/Santiago", "2025-04-05", 25, 300, 100),
        ("Asia/Kathmandu", "2025-04-05", 24, 288, 96),
        ("Pacific/Apia", "2011-12-30", 0, 0, 0),
    ],
)
def test_the_length_of_a_day_and_its_buckets(zone: str, day: str, hours: float, of_5: int, of_15: int) -> None:
    info, local = ZoneInfo(zone), date.fromisoformat(day)
    assert day_hours(local, info) == hours
    start, end = day_bounds_utc(local, info)
    assert [expected_buckets(start, end, minutes, end) for minutes in (5, 15)] == [of_5, of_15]


@pytest.mark.parametrize(
    ("zone", "day", "starts_at"),
    [
        ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00"),  # midnight does not exist: the day begins at 01:00
        ("America/Havana", "2025-11-02", "2025-11-02T04:00"),  # midnight happens twice: the first one counts
        ("America/Santiago", "2025-04-06", "2025-04-06T04:00"),  # the evening before is repeated
        ("America/Toronto", "2010-11-07", "2010-11-07T04:00"),
        ("America/Scoresbysund", "2024-03-31", "2024-03-31T01:00"),
    ],
)
def test_where_a_day_begins_when_the_clock_changes_around_midnight(zone: str, day: str, starts_at: str) -> None:
    assert first_instant(date.fromisoformat(day), ZoneInfo(zone)) == datetime.fromisoformat(starts_at + "+00:00")


def test_days_of_a_year_follow_each_other_without_gap_in_every_zone() -> None:
    for name in ("Europe/Berlin", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca"):
        zone, day = ZoneInfo(name), date(2025, 1, 1)
        total = sum(day_hours(day + timedelta(days=n), zone) for n in range(365))
        assert total == 365 * 24, name


def test_a_running_day_expects_only_the_buckets_that_have_ended() -> None:
    start, end = day_bounds_utc(date(2026, 3, 29), ZoneInfo("Europe/Berlin"))
    assert expected_buckets(start, end, 15, start - timedelta(hours=1)) == 0
    assert expected_buckets(start, end, 15, start + timedelta(minutes=29)) == 1
    assert expected_buckets(start, end, 15, start + timedelta(minutes=30)) == 2


def test_a_last_bucket_cut_by_the_end_of_the_day_counts() -> None:
    start, end = day_bounds_utc(date(2025, 10, 5), ZoneInfo("Australia/Lord_Howe"))
    assert expected_buckets(start, end, 60, end) == 24


@pytest.mark.parametrize("label", ["2026-03-29", "2024-02-29", "2026-03"])
def test_an_interval_is_what_its_label_spells(label: str) -> None:
    assert Interval.parse(label).label == label


@pytest.mark.parametrize(
    "label", ["", "2026", "2026-3-1", "2026-02-30", "2026-13", "2026-W13-7", "20260329", "2026-03-29 "]
)
def test_any_other_text_is_no_interval(label: str) -> None:
    with pytest.raises(ValueError, match="neither a day"):
        Interval.parse(label)


def test_a_month_ends_with_its_last_local_day() -> None:
    march = Interval.of_month(date(2026, 3, 17))
    assert (march.kind, march.day, march.last_day) == (IntervalKind.MONTH, date(2026, 3, 1), date(2026, 3, 31))
    start, end = march.bounds_utc(ZoneInfo("Europe/Berlin"))
    assert (end - start) / timedelta(hours=1) == 31 * 24 - 1


def test_ranges_include_both_ends() -> None:
    assert list(days_between(date(2026, 2, 28), date(2026, 3, 1))) == [date(2026, 2, 28), date(2026, 3, 1)]
    assert list(months_between(date(2025, 12, 31), date(2026, 1, 1))) == [date(2025, 12, 1), date(2026, 1, 1)]


@pytest.mark.parametrize(
    "name", [None, "", "Nowhere/Land", "../../etc/passwd", "/etc/localtime", "Europe/Berlin\0", "Europe", "localtime"]
)
def test_an_unknown_zone_is_none_and_no_path_is_read(name: str | None) -> None:
    assert zone_named(name) is None


def test_an_unknown_zone_counts_as_over_when_it_is_over_everywhere() -> None:
    assert day_bounds_utc(date(2026, 3, 29), LAST_ZONE_ON_EARTH)[1] == datetime(2026, 3, 30, 12, tzinfo=UTC)
