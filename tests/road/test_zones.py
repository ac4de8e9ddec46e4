"""Zones move: the rules of a zone change with the tz database, and a site's zone is corrected. No hour counts twice."""

import json
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from tiers import swept
from world import World, same_tables

from hem_etl import local_day
from hem_etl.answer import Answer, Kind
from hem_etl.landing import Landing
from hem_etl.local_day import Interval, day_bounds_utc, first_instant, zone_named
from hem_etl.normalise import axes
from hem_etl.pipeline import reference

pytestmark = pytest.mark.slow

LIST = {"data": [{"id": "home", "userId": "u"}], "pagination": {"after": None}}


def body(day: date, zone: str) -> bytes:
    """A whole day of 1 kW of generation in quarter hours, cut by the zone's rules as they are now."""
    tz = zone_named(zone)
    assert tz is not None
    start, end = day_bounds_utc(day, tz)
    stamps = [start + timedelta(minutes=15 * n) for n in range(int((end - start) / timedelta(minutes=15)))]
    points = [{"t": stamp.astimezone(tz).isoformat(), "v": 1.0} for stamp in stamps]
    said = {"isAvailable": True, "unit": "kW", "sampling": {"resolution": "PT15M"}, "timezone": zone}
    return json.dumps({"timeseries": {"generation": said | {"data": points}}}).encode()


def land(world: World, *days: tuple[date, str], at: datetime | None = None) -> None:
    at = at or world.now
    with Landing(world.settings.landing).writer() as writer:
        sent = json.dumps(LIST).encode()
        writer.add(Answer(Kind.SYSTEMS, None, None, 0, None, at, 1, 1, 200, None, None, sent))
        for day, zone in days:
            writer.add(
                Answer(Kind.DAY, "home", Interval.of_day(day), 0, None, at, 1, 1, 200, None, None, body(day, zone))
            )
    world.road().load()
    world.road().publish()


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Path]:
    """A folder whose files stand in front of the tz database; all memory of zones is emptied around the test."""

    def forget() -> None:
        zoneinfo.ZoneInfo.clear_cache()
        for cached in (first_instant, axes.calendar_of, axes.expected_of):
            cached.cache_clear()

    folder = tmp_path / "zones"
    folder.mkdir()
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(folder), *before])
    forget()
    yield folder
    zoneinfo.reset_tzpath(to=before)
    forget()


def as_if(rules: Path, zone: str, like: str | None) -> None:
    """From now on the zone goes by the rules of another one; None: by its own again."""
    file = rules / zone
    file.unlink(missing_ok=True)
    if like is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        data = next(
            path.read_bytes()
            for path in (*(Path(root) / like for root in zoneinfo.TZPATH[1:]), tzdata(like))
            if path.is_file()
        )
        file.write_bytes(data)
    zoneinfo.ZoneInfo.clear_cache()
    for cached in (first_instant, axes.calendar_of, axes.expected_of):
        cached.cache_clear()


def tzdata(name: str) -> Path:
    import tzdata

    return Path(tzdata.__file__).parent / "zoneinfo" / name


CHANGED = [
    ("Asia/Almaty", "Asia/Omsk", date(2026, 3, 1)),
    ("Asia/Qyzylorda", "Asia/Omsk", date(2026, 3, 1)),
    ("Asia/Tehran", "Asia/Dubai", date(2026, 3, 1)),
    ("America/Mexico_City", "America/Chicago", date(2026, 6, 1)),
    ("America/Ciudad_Juarez", "America/Chicago", date(2026, 6, 1)),
    ("America/Nuuk", "America/Sao_Paulo", date(2026, 6, 1)),
    ("Asia/Amman", "Europe/Helsinki", date(2026, 12, 1)),
    ("Asia/Damascus", "Europe/Helsinki", date(2026, 12, 1)),
    ("Europe/Volgograd", "Europe/Samara", date(2026, 3, 1)),
    ("Africa/Cairo", "Africa/Tripoli", date(2026, 6, 1)),
    ("Africa/Juba", "Africa/Nairobi", date(2026, 3, 1)),
    ("Pacific/Fiji", "Pacific/Auckland", date(2026, 1, 10)),
    ("Asia/Gaza", "Africa/Tripoli", date(2026, 7, 1)),
]


@pytest.mark.parametrize(("zone", "old", "day"), swept(CHANGED, 1), ids=[zone for zone, *_ in CHANGED])
def test_days_of_a_zone_whose_rules_changed_are_cut_anew_and_published(
    zone: str, old: str, day: date, rules: Path, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.now = datetime(day.year, day.month, day.day, 13, tzinfo=UTC) + timedelta(days=30)
    as_if(rules, zone, old)
    days = [(day + timedelta(days=n), zone) for n in range(3)]
    land(world, *days)
    assert world.sql("select sum(generation_kwh) from core.day_energy").item() == 72
    as_if(rules, zone, None)
    world.pass_time(days=1)
    loaded = world.road().load()
    assert {interval.day for _, interval in loaded.recut} == {each for each, _ in days}
    assert f"zone={zone} has other rules now" in caplog.text
    checks = world.road().publish()
    assert [check.name for check in checks if check.severity == "error" and check.failing_rows] == []
    bounds = {each: [b.replace(tzinfo=None) for b in day_bounds_utc(each, zone_named(zone))] for each, _ in days}
    for each, start, end in world.sql("select day, start_utc, end_utc from core.local_day").rows():
        if each in bounds:
            assert [start, end] == bounds[each]
    outside = world.sql(
        "select sum(outside_day_buckets), max(valid_minutes) / 60 from core.series where is_available"
    ).row(0)
    assert outside[0] > 0
    assert outside[1] < 24
    before = world.tables()
    assert world.road().load().recut == set()
    world.road().rebuild()
    same_tables(before, world.tables())


def test_rules_that_change_nothing_for_the_days_held_move_nothing(rules: Path, world: World) -> None:
    world.now = datetime(2026, 3, 20, 13, tzinfo=UTC)
    land(world, (date(2026, 3, 1), "Europe/Berlin"))
    before = world.tables()
    as_if(rules, "Europe/Berlin", "Europe/Paris")
    assert world.road().load().recut == set()
    world.road().publish()
    assert_frame_equal(before["core.reading"], world.tables()["core.reading"])


def test_the_run_tells_which_days_were_cut_anew(rules: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from hem_etl.cli.reports import print_report

    world.run("2026-11-20", "2026-11-20", months=False)
    as_if(rules, "Europe/Berlin", "Europe/London")
    report = world.run("2026-11-20", "2026-11-20", months=False)
    assert report.exit_code == 0
    assert {interval.label for _, interval in report.recut} == {"2026-11-20"}
    print_report(report, is_json=False)
    assert "intervals from 2026-11-20 to 2026-11-20 were cut anew" in capsys.readouterr().err


def test_the_fingerprint_is_of_the_rules_in_use(rules: Path) -> None:
    assert local_day.rules_sha256("Europe/Berlin") is not None
    assert local_day.rules_sha256("Mars/Olympus") is None
    own = local_day.rules_sha256("Asia/Almaty")
    as_if(rules, "Asia/Almaty", "Asia/Omsk")
    assert local_day.rules_sha256("Asia/Almaty") not in (own, None)
    assert reference.CALENDAR_SCHEMA.names()[0] == "timezone"


PAIRS = [
    ("America/Los_Angeles", "UTC", 8),
    ("UTC", "America/Los_Angeles", -8),
    ("Europe/Berlin", "Australia/Lord_Howe", 10),
    ("Asia/Kathmandu", "Asia/Kolkata", -0.25),
    ("Pacific/Auckland", "Pacific/Honolulu", -23),
    ("Europe/Berlin", "Europe/Paris", 0),
]


@pytest.mark.parametrize(("first", "second", "hours"), swept(PAIRS, 1), ids=[f"{a} to {b}" for a, b, _ in PAIRS])
def test_an_hour_that_stands_in_two_days_counts_once_in_the_month_and_is_found(
    first: str, second: str, hours: float, world: World
) -> None:
    """A site's zone was corrected between two days. Before: both days had coverage 1.0, and the month 7 h too much."""
    world.now = datetime(2026, 2, 1, 13, tzinfo=UTC)
    land(world, (date(2026, 1, 10), first), (date(2026, 1, 11), second), (date(2026, 1, 12), second))
    (month,) = world.sql("from marts.monthly_energy").to_dicts()
    found = world.sql(
        "select day, rule, evidence from core.finding where rule in ('days_overlap', 'days_apart')"
    ).rows()
    checks = {check.name: check.failing_rows for check in world.road().publish()}
    assert checks["days_tile_time"] == (hours != 0)
    assert checks["months_equal_their_days"] == 0
    daily = world.sql("select generation_kwh, generation_coverage from marts.daily_energy").rows()
    assert daily == [(24.0, 1.0)] * 3
    if hours > 0:
        ((day, rule, evidence),) = found
        assert (day, rule) == (date(2026, 1, 11), "days_overlap")
        assert f"{hours:g} h are in both days" in evidence
        assert (month["generation_kwh"], month["overlapping_days"], month["complete_days"]) == (48.0, 1, 2)
    elif hours < 0:
        ((day, rule, evidence),) = found
        assert (day, rule) == (date(2026, 1, 11), "days_apart")
        assert f"{-hours:g} h are in none of the two" in evidence
        assert (month["generation_kwh"], month["overlapping_days"]) == (72.0, 0)
    else:
        assert found == []
        assert month["generation_kwh"] == 72.0
    assert month["generation_coverage"] <= month["generation_kwh"] / month["month_hours"] + 1e-12


def test_a_refresh_in_the_corrected_zone_heals_the_month(world: World) -> None:
    world.now = datetime(2026, 2, 1, 13, tzinfo=UTC)
    zones = "America/Los_Angeles", "UTC"
    land(world, (date(2026, 1, 10), zones[0]), (date(2026, 1, 11), zones[1]))
    world.pass_time(hours=1)
    land(world, (date(2026, 1, 10), zones[1]))
    (month,) = world.sql("from marts.monthly_energy").to_dicts()
    assert (month["generation_kwh"], month["overlapping_days"]) == (48.0, 0)
    assert world.sql("select * from core.finding where rule like 'days_%'").is_empty()
