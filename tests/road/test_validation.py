"""Findings in the tables: the same whatever came first, and what a fleet with bad habits gives."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from world import World, same_tables

from hem_etl.answer import Answer
from hem_etl.errors import SettingsError
from hem_etl.local_day import Interval

LIST = {"data": [{"id": "home", "vendor": "SMA", "timezone": "Europe/Berlin"}], "pagination": {"after": None}}
MIDNIGHT = datetime(2026, 11, 8, 23, tzinfo=UTC)  # 2026-11-09 in Berlin


def body(day: str, minutes: int, *flows: str) -> bytes:
    """A day of these flows; the others are unavailable."""
    stamps = [datetime.fromisoformat(day) + timedelta(minutes=minutes * n) for n in range(1440 // minutes)]
    data = [{"t": f"{t:%Y-%m-%dT%H:%M:%S}+01:00", "v": 0.01 + n % 7 / 100} for n, t in enumerate(stamps)]
    head = {"isAvailable": True, "unit": "kW", "sampling": {"resolution": f"PT{minutes}M"}, "timezone": "Europe/Berlin"}
    return json.dumps({"timeseries": {flow: head | {"data": data} for flow in flows}}).encode()


LOOKS = {
    "first": ("2026-11-09", 100, body("2026-11-09", 15, "generation", "consumption", "import")),
    "second": ("2026-11-10", 90, body("2026-11-10", 5, "generation", "consumption")),
    "third": ("2026-11-11", 95, body("2026-11-11", 5, "generation", "consumption", "import")),
    "second restated": ("2026-11-10", 120, body("2026-11-10", 15, "consumption", "import")),
    "fourth": ("2026-11-12", 101, None),
}
"""Name → day, hours after MIDNIGHT, body; None: 422."""


def land(world: World, *names: str) -> None:
    """Land the list and then these looks, in a segment of their own, and load it."""
    with world.road().landing.writer() as writer:
        listed = json.dumps(LIST).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
        for name in names:
            day, hours, sent = LOOKS[name]
            at = MIDNIGHT + timedelta(hours=hours)
            status, outcome = (200, None) if sent is not None else (422, "unsupported")
            writer.add(Answer("day", "home", Interval.parse(day), 0, None, at, 1, 1, status, outcome, None, sent))
    world.road().load()


def findings(world: World) -> pl.DataFrame:
    with world.road().warehouse.writing() as writer:
        return writer.read("select * exclude (system_id) from core.finding order by all")


@pytest.mark.slow
def test_two_days_are_compared_in_whatever_order_they_are_loaded(tmp_path) -> None:
    """Each look in a segment and a load of its own, in any order: the same findings to the last word."""
    told = None
    for number, order in enumerate(permutations(LOOKS)):
        if number % 35:  # four of the 120 orders, spread over all of them
            continue
        world = World(tmp_path / str(number))
        for name in order:
            land(world, name)
        found = findings(world)
        told = found if told is None else told
        assert_frame_equal(found, told)
    assert told is not None
    rows = told.select(pl.col("day").cast(pl.String), "metric", "rule", "evidence", "found_at_utc").rows()
    at = {name: (MIDNIGHT + timedelta(hours=hours)).replace(tzinfo=None) for name, (_, hours, _) in LOOKS.items()}
    had = "the day before: "
    assert [row for row in rows if row[3].startswith(had)] == [
        # generation was not sent again, and keeps the held values
        ("2026-11-10", "generation", "resolution_changed", f"{had}15 min; now: 5 min", at["second restated"]),
        ("2026-11-11", "consumption", "resolution_changed", f"{had}15 min; now: 5 min", at["second restated"]),
        ("2026-11-11", "grid_import", "resolution_changed", f"{had}15 min; now: 5 min", at["second restated"]),
        *(
            (
                "2026-11-12",
                flow,
                "series_vanished",
                f"{had}288 valid buckets; now: not available, unsupported",
                at["third"],
            )
            for flow in ("consumption", "generation", "grid_import")
        ),
    ]


def test_a_restatement_replaces_what_was_found_with_the_day_before_and_the_day_after(world: World) -> None:
    land(world, "first", "second", "third")
    before = findings(world).filter(pl.col("rule") == "resolution_changed")
    assert before["day"].unique().to_list() == [date(2026, 11, 10)]
    land(world, "second restated")
    after = findings(world).filter(pl.col("rule") == "resolution_changed")
    # generation was not sent again and keeps the held 5 minutes; consumption came back in 15
    assert after.select(pl.col("day").dt.day(), "metric").rows() == [
        (10, "generation"),
        (11, "consumption"),
        (11, "grid_import"),
    ]


@pytest.mark.slow
def test_the_demo_fleet_gives_the_findings_of_its_bad_habits_and_rebuild_gives_them_again(world: World) -> None:
    world.run("2026-11-12", "2026-11-15", months=False)
    tables = world.tables()
    found = world.sql(
        "select distinct vendor || ' ' || rule as found from core.finding join core.system using (system_id) order by 1"
    )["found"].to_list()
    assert found == [
        "ENPHASE outside_day",
        "HUAWEI negative",
        "SMA resolution_changed",
        "SOLAREDGE gap",
        "SOLIS duplicate_bucket",
        "SOLIS off_grid",
        "SOLIS over_limit",
    ]
    world.road().rebuild()
    same_tables(tables, world.tables())


def test_days_judged_with_other_limits_never_stand_side_by_side(world: World) -> None:
    land(world, "first")
    given = world.settings
    for changed, says in (
        ({"over_limit_kw": 1.0}, "HEM_ETL_OVER_LIMIT_KW is 1, and"),
        ({"stale_buckets": 12}, "HEM_ETL_STALE_BUCKETS is 12, and"),
        ({"night_generation_kw": 0.1}, "HEM_ETL_NIGHT_GENERATION_KW is 0.1, and"),
        ({"simultaneous_kw": 0.1}, "HEM_ETL_SIMULTANEOUS_KW is 0.1, and"),
        ({"balance_tolerance": {"default": 0.05}}, "HEM_ETL_BALANCE_TOLERANCE is 0.05, and"),
        (
            {"balance_tolerance": {"default": 0.02, "SMA": 0.05}},
            "HEM_ETL_BALANCE_TOLERANCE of SMA is 0.05, and the warehouse was loaded without it",
        ),
        ({"spike_kw": 20.0}, "HEM_ETL_SPIKE_KW is 20, and the warehouse was loaded with 15: run `hem-etl rebuild`"),
    ):
        world.settings = given.model_copy(update=changed)
        with pytest.raises(SettingsError, match=says):
            land(world)
    world.road().rebuild()
    land(world, "third")


def test_the_tolerance_of_a_vendor_goes_with_its_systems(world: World) -> None:
    world.settings = world.settings.model_copy(update={"balance_tolerance": {"default": 0.02, "SMA": 0.9}})
    unbalanced = dict.fromkeys(("generation", "import", "discharge", "consumption", "export"), 1.0) | {"charge": 0.5}
    sent = json.loads(body("2026-11-09", 15, *unbalanced))
    for name, value in unbalanced.items():
        for n, point in enumerate(sent["timeseries"][name]["data"]):
            point["v"] = value + n % 5 / 100
    for vendor, tolerated in (("SMA", True), ("TESLA", False)):
        other = World(world.home / vendor)
        other.settings = other.settings.model_copy(update={"balance_tolerance": world.settings.balance_tolerance})
        with other.road().landing.writer() as writer:
            listed = json.dumps({**LIST, "data": [LIST["data"][0] | {"vendor": vendor}]}).encode()
            writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
            at = MIDNIGHT + timedelta(hours=50)
            writer.add(
                Answer(
                    "day",
                    "home",
                    Interval.parse("2026-11-09"),
                    0,
                    None,
                    at,
                    1,
                    1,
                    200,
                    None,
                    None,
                    json.dumps(sent).encode(),
                )
            )
        other.road().load()
        assert ("balance" not in findings(other)["rule"].to_list()) is tolerated


def day_of(buckets: int, soc: list[float] | None = None) -> bytes:
    """The first so many quarter hours of 2026-11-10 at 1 kW of generation, and a state of charge."""
    stamps = [f"2026-11-10T{n // 4:02}:{15 * (n % 4):02}:00+01:00" for n in range(96)]
    head = {"isAvailable": True, "sampling": {"resolution": "PT15M"}, "timezone": "Europe/Berlin"}
    series = {
        "generation": head
        | {"unit": "kW", "data": [{"t": t, "v": 1 + 0.01 * n} for n, t in enumerate(stamps)][:buckets]}
    }
    if soc is not None:
        data = [{"t": t, "v": soc[n % len(soc)]} for n, t in enumerate(stamps)]
        series["batteryLevel"] = head | {"unit": "%", "data": data}
    return json.dumps({"timeseries": series}).encode()


def land_days(world: World, *looks: tuple[str, float, bytes]) -> None:
    """system, hours after the end of 2026-11-10, body."""
    listed = {"data": [{"id": system} for system in sorted({system for system, *_ in looks})]}
    with world.road().landing.writer() as writer:
        sent = json.dumps(listed | {"pagination": {}}).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, sent))
        for system, hours, body in looks:
            at = MIDNIGHT + timedelta(hours=48 + hours)
            writer.add(Answer("day", system, Interval.parse("2026-11-10"), 0, None, at, 1, 1, 200, None, None, body))
    world.road().load()
    world.road().publish()


def found(world: World, rule: str) -> list[str]:
    return world.sql(f"select evidence from core.finding where rule = '{rule}'")["evidence"].to_list()


@pytest.mark.parametrize(("later", "is_found"), [(33, True), (86, True), (87, False), (96, False)])
def test_a_later_answer_with_clearly_less_is_found_counts_and_is_told_as_a_restatement(
    later: int, is_found: bool, world: World
) -> None:
    land_days(world, ("home", 1, day_of(96)), ("home", 30, day_of(later)))
    told = [f"had 96 valid buckets of 15 min, now {later} of 15 min: the newer answer counts"] if is_found else []
    assert found(world, "coverage_fell") == told
    assert world.sql("select generation_coverage from marts.daily_energy").item() == pytest.approx(later / 96)
    if later < 96:
        assert world.sql("select fallen_flows from marts.restatement").item() == ("generation" if is_found else None)


def test_a_day_that_grows_again_has_fallen_no_more(world: World) -> None:
    land_days(world, ("home", 1, day_of(96)), ("home", 30, day_of(40)), ("home", 60, day_of(96)))
    assert found(world, "coverage_fell") == []
    assert world.sql("select count(*) from marts.restatement where fallen_flows is not null").item() == 1


@pytest.mark.parametrize(
    ("soc", "is_found"),
    [
        ([0.2, 0.5, 0.77], True),
        ([0.0, 1.0], True),
        ([20.0, 50.0, 77.0], False),
        ([0.4], False),
        ([0.0], False),
        ([0.5, 1.1], False),
    ],
)
def test_a_state_of_charge_that_looks_like_a_fraction_is_found_and_not_edited(
    soc: list[float], is_found: bool, world: World
) -> None:
    land_days(world, ("home", 1, day_of(96, soc)))
    assert bool(found(world, "soc_fraction")) == is_found
    assert world.sql("select max(soc_pct) from core.reading").item() == max(soc)


def test_a_home_that_comes_back_under_a_new_id_is_told_by_a_check(world: World) -> None:
    with world.road().landing.writer() as writer:
        for day in ("2026-11-09", "2026-11-10"):
            for system in ("old", "new"):
                sent = LOOKS["first"][2] if day == "2026-11-09" else day_of(96)
                at = MIDNIGHT + timedelta(hours=50)
                writer.add(Answer("day", system, Interval.parse(day), 0, None, at, 1, 1, 200, None, None, sent))
    world.road().load()
    checks = {check.name: check for check in world.road().publish()}
    twice = checks["no_home_is_there_twice"]
    assert (twice.severity, twice.failing_rows) == ("warning", 1)
    assert all(name in str(twice.sample) for name in ("old", "new"))
