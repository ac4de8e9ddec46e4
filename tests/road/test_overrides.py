"""Corrections by hand on the road: whatever the order in which looks and files were landed and loaded, the tables end
the same."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from tiers import swept
from world import NOW, World, same_tables

from hem_etl.answer import Answer, Kind
from hem_etl.errors import UsageError
from hem_etl.facts.provenance import explain
from hem_etl.landing import Landing
from hem_etl.local_day import Interval
from hem_etl.simulator import Faults

HEADER = "system_id,start,end,metric,value,author,reason\n"
LIST = {"data": [{"id": "home", "vendor": "SMA", "timezone": "Europe/Berlin"}], "pagination": {"after": None}}
MIDNIGHT = datetime(2026, 11, 9, 23, tzinfo=UTC)  # 2026-11-10 in Berlin


def file(*rows: str) -> bytes:
    """A file of rows; author and reason are always the same."""
    return (HEADER + "".join(f"{row},ann,meter\n" for row in rows)).encode()


DOUBLE = file("home,2026-11-10,2026-11-10,generation,8")
OUT = file("home,2026-11-10T00:00+01:00,2026-11-10T06:00+01:00,generation,ignore")
NOTHING = file()


def body(kilowatts: float | None, *, is_available: bool = True, buckets: int = 96) -> bytes:
    start = datetime(2026, 11, 10)
    points = [
        {"t": f"{start + timedelta(minutes=15 * n):%Y-%m-%dT%H:%M:%S}+01:00", "v": kilowatts} for n in range(buckets)
    ]
    said = {"isAvailable": True, "unit": "kW", "sampling": {"resolution": "PT15M"}, "timezone": "Europe/Berlin"}
    series = said | {"data": points} if is_available else {"isAvailable": False, "reason": "outage"}
    soc = said | {"unit": "%", "data": [point | {"v": 50} for point in points]}
    return json.dumps({"timeseries": {"generation": series, "soc": soc}}).encode()


Landed = tuple[float, bytes]
"""Hours after the local midnight of 2026-11-10, and the bytes: a look's body, or a file of corrections."""


def land(world: World, *landed: Landed) -> None:
    """Land these in one segment."""
    with Landing(world.settings.landing).writer() as writer:
        listed = json.dumps(LIST).encode()
        writer.add(Answer("systems", None, None, 0, None, MIDNIGHT, 1, 1, 200, None, None, listed))
        for hours, sent in landed:
            at = MIDNIGHT + timedelta(hours=hours)
            if sent.startswith(b"system_id"):
                writer.add(Answer(Kind.OVERRIDES, None, None, 0, None, at, 0, 0, None, None, None, sent))
            else:
                writer.add(
                    Answer("day", "home", Interval.parse("2026-11-10"), 0, None, at, 1, 1, 200, None, None, sent)
                )


def load(world: World) -> None:
    world.road().load()
    world.road().publish()


def held(world: World) -> dict[str, pl.DataFrame]:
    """What the writer's file holds, loaded and not published, but for when it was loaded and what a build makes."""
    with world.road().warehouse.writing() as writer:
        names = writer.read("select distinct table_name from duckdb_columns() where schema_name = 'core'")["table_name"]
        frames = {f"core.{name}": writer.read(f"from core.{name}") for name in names}
    for name in ("core.check_result", "core.loaded_segment", "core.model", "core.change", "core.dictionary"):
        del frames[name]
    return {name: frame.drop("loaded_at_utc", strict=False) for name, frame in frames.items()}


def held_after(world: World, *sequence: Landed) -> dict[str, pl.DataFrame]:
    """What is held when each was loaded before the next was landed."""
    road = world.road()
    for landed in sequence:
        land(world, landed)
        road.load()
    return held(world)


def versions(world: World) -> list[tuple[object, ...]]:
    rows = world.sql(
        "select version, cause, hour(fetched_at_utc - timestamp '2026-11-09 23:00') + 24 * "
        "datediff('day', timestamp '2026-11-09 23:00', fetched_at_utc) as hours, generation_kwh, was_settled, applied "
        "from core.day_version order by version"
    )
    return [row[:2] + row[3:] for row in rows.rows()]


SEQUENCES = {
    "apply between two looks": ((25, body(4)), (30, DOUBLE), (49, body(5))),
    "apply before a day is ever loaded": ((20, DOUBLE), (25, body(4))),
    "a look that says nothing new after the apply": ((25, body(4)), (30, DOUBLE), (49, body(4))),
    "a failed state: unreadable after the apply": ((25, body(4)), (30, DOUBLE), (49, b"<html>")),
    "taken back": ((25, body(4)), (30, DOUBLE), (31, NOTHING)),
    "the same file twice": ((25, body(4)), (30, DOUBLE), (40, DOUBLE)),
    "another file in its place, then a look": ((25, body(4)), (30, DOUBLE), (31, OUT), (49, body(3))),
    "a running day": ((12, body(4, buckets=40)), (13, OUT), (14, body(4, buckets=50)), (25, body(4)), (26, NOTHING)),
    "a series that vanishes under a correction, which is then taken back": (
        (25, body(4)),
        (30, DOUBLE),
        (49, body(4, is_available=False)),
        (60, NOTHING),
        (73, body(4)),
    ),
    "a correction after the series has vanished": ((25, body(4)), (49, body(4, is_available=False)), (50, OUT)),
    "looks and files at the same instant": ((25, body(4)), (25, DOUBLE), (49, body(5)), (49, OUT)),
    "a settled day": ((250, body(4)), (260, DOUBLE)),
    "a series that comes back": ((25, body(4, is_available=False)), (30, DOUBLE), (49, body(4))),
}


@pytest.mark.parametrize("sequence", swept(zip(SEQUENCES.values()), 1), ids=SEQUENCES)
def test_whatever_the_order_of_loading_the_tables_are_the_same(
    world: World, tmp_path: Path, sequence: tuple[Landed, ...]
) -> None:
    live = held_after(world, *sequence)
    world.road().publish()
    world.road().warehouse.reset()
    world.road().load()
    same_tables(live, held(world))
    same_tables(live, held_after(World(tmp_path / "backwards"), *reversed(sequence)))
    same_tables(live, held_after(World(tmp_path / "middle last"), sequence[0], *sequence[2:], sequence[1]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "apply between two looks",
            [(1, "answer", 96.0, False, True), (2, "override", 192.0, False, True), (3, "answer", 192.0, False, True)],
        ),
        ("apply before a day is ever loaded", [(1, "answer", 192.0, False, True)]),
        (
            "a look that says nothing new after the apply",
            [(1, "answer", 96.0, False, True), (2, "override", 192.0, False, True)],
        ),
        (
            "taken back",
            [(1, "answer", 96.0, False, True), (2, "override", 192.0, False, True), (3, "override", 96.0, False, True)],
        ),
        ("the same file twice", [(1, "answer", 96.0, False, True), (2, "override", 192.0, False, True)]),
        (
            "another file in its place, then a look",
            [
                (1, "answer", 96.0, False, True),
                (2, "override", 192.0, False, True),
                (3, "override", 72.0, False, True),
                (4, "answer", 54.0, False, True),
            ],
        ),
        (
            "a series that vanishes under a correction, which is then taken back",
            [
                (1, "answer", 96.0, False, True),
                (2, "override", 192.0, False, True),
                (3, "answer", 192.0, False, False),
                (4, "override", 96.0, False, False),
                (5, "answer", 96.0, False, True),
            ],
        ),
        ("a settled day", [(1, "answer", 96.0, False, True), (2, "override", 192.0, True, True)]),
        ("a series that comes back", [(1, "answer", None, False, True), (2, "answer", 192.0, False, True)]),
    ],
)
def test_a_day_has_the_versions_that_were_known(world: World, name: str, expected: list[tuple[object, ...]]) -> None:
    land(world, *SEQUENCES[name])
    load(world)
    assert versions(world) == expected


def test_what_was_sent_stays_and_the_marts_tell_of_the_correction(world: World) -> None:
    land(world, (25, body(4)))
    load(world)
    sent = world.tables()
    land(world, (30, OUT))
    load(world)
    now = world.tables()
    for name in ("core.reading", "core.finding"):
        same_tables({name: sent[name]}, {name: now[name]})
    (entry,), (before) = now["core.load"].drop("version").rows(), sent["core.load"].drop("version").rows()
    assert [entry] == before
    assert now["core.load"]["version"].to_list() == [2]
    counts = pl.exclude("valid_minutes", "edited_buckets")
    same_tables({"core.": sent["core.series"].select(counts)}, {"core.": now["core.series"].select(counts)})
    assert world.sql("select edited_buckets, generation_kwh, generation_coverage from marts.daily_energy").rows() == [
        (24, 72.0, 0.75)
    ]
    assert world.sql("select edited_days from marts.monthly_energy").item() == 1
    assert world.sql("select edited_systems from marts.fleet_daily").item() == 1
    assert world.sql("select edited_systems from marts.vendor_monthly").item() == 1
    (explained,) = world.sql(
        "select coverage, valid_buckets, edited_buckets, explanation from marts.coverage_daily "
        "where metric = 'generation'"
    ).rows()
    assert explained == (0.75, 96, 24, "24 buckets are corrected by hand (core.override)")
    assert world.sql("select cause, was_settled, changed_flows from marts.restatement").rows() == [
        ("override", False, "generation")
    ]


def test_explain_works_a_corrected_number_out_anew(world: World) -> None:
    land(world, (25, body(4, buckets=90)), (30, file("home,2026-11-10T20:00Z,2026-11-12T00:00Z,generation,2")))
    load(world)
    told = explain(world.road().warehouse, world.road().landing, "home", date(2026, 11, 10), "generation")
    energy, coverage = told["figures"][:2]
    assert (energy["value"], energy["agrees"], coverage["value"], coverage["agrees"]) == (90.0, True, 1.0, True)
    assert [row["author"] for row in told["overrides"]] == ["ann"]


def test_a_correction_of_a_settled_day_is_no_surprise(world: World) -> None:
    land(world, *SEQUENCES["a settled day"])
    load(world)
    assert world.sql("select was_settled from marts.restatement").item()
    assert (
        world.sql("select sum(failing_rows) from core.check_result where check_name = 'settled_days_unchanged'").item()
        == 0
    )


def test_the_history_tells_what_was_in_force_when(world: World) -> None:
    land(world, (30, DOUBLE), (31, NOTHING), (32, DOUBLE), (33, DOUBLE))
    load(world)
    periods = world.sql(
        "select count(distinct override_id) over () as rows, "
        "epoch(valid_from_utc - timestamp '2026-11-09 23:00') / 3600 as since, "
        "epoch(valid_to_utc - timestamp '2026-11-09 23:00') / 3600 as until from core.override order by since"
    ).rows()
    assert periods == [(1, 30.0, 31.0), (1, 32.0, None)]


@pytest.mark.slow
def test_applying_a_file_loads_checks_publishes_and_says_what_changed(world: World) -> None:
    world.run("2026-11-10", "2026-11-11", months=False)
    home = world.simulator.fleet.homes[0].system_id
    world.pass_time(hours=1)
    rows = (f"{home},2026-11-10,2026-11-30,generation,1.5", f"{home},2026-12-10,2026-12-10,generation,1")
    report = world.road().apply_overrides(file(*rows))
    assert (report.rows, report.new_rows, report.taken_back) == (2, 2, 0)
    assert report.changed_days == [(home, Interval.parse(label)) for label in ("2026-11-10", "2026-11-11")]
    assert [row["loaded_days"] for row in report.idle] == [0]
    assert world.sql(f"select distinct generation_kwh from marts.daily_energy where system_id = '{home}'").rows() == [
        (36.0,)
    ]
    listed = world.road().overrides()
    assert listed.select("edited_days", "loaded_days").rows() == [(2, 2), (0, 0)]
    assert listed["edited_buckets"].sum() == world.sql("select sum(edited_buckets) from marts.daily_energy").item()
    same = world.tables()
    again = world.road().apply_overrides(file(*rows))
    assert (again.new_rows, again.taken_back, again.changed_days) == (0, 0, [])
    same_tables(same, world.tables())
    world.run("2026-11-10", "2026-11-11", months=False, refresh=True)
    assert world.sql(f"select max(generation_kwh) from marts.daily_energy where system_id = '{home}'").item() == 36.0
    back = world.road().apply_overrides(NOTHING)
    assert (back.rows, back.taken_back, len(back.changed_days)) == (0, 2, 2)
    live = world.tables()
    world.road().rebuild()
    same_tables(live, world.tables())


@pytest.mark.slow
def test_a_series_that_vanished_keeps_its_corrected_values_until_they_are_taken_back(world: World) -> None:
    victim = world.simulator.fleet.homes[0].system_id
    world.run("2026-11-10", months=False, systems=(victim,))
    first = world.tables()
    world.pass_time(hours=1)
    world.road().apply_overrides(file(f"{victim},2026-11-10,2026-11-10,generation,1.5"))
    world.pass_time(hours=1)
    world.simulator.faults = Faults.pinned({victim: "vanished_series"})
    world.simulator.ledger.answered[victim, "2026-11-10"] = 1
    world.run("2026-11-10", months=False, refresh=True, systems=(victim,))
    world.pass_time(hours=1)
    world.road().apply_overrides(NOTHING)
    now = world.tables()
    for name in ("core.reading", "core.interval_15min", "core.series", "core.day_energy"):
        same_tables({name: first[name]}, {name: now[name]})
    world.road().rebuild()
    same_tables(now, world.tables())


def test_a_file_with_a_problem_changes_nothing(world: World) -> None:
    world.run("2026-11-10", months=False)
    before = world.tables()
    with pytest.raises(UsageError, match=r"line 2, system_id: no system 'nobody' is known"):
        world.road().apply_overrides(file("nobody,2026-11-10,2026-11-10,generation,1"))
    assert world.road().load().receipts == 0
    same_tables(before, world.tables())


@pytest.mark.slow
def test_a_clock_that_stands_still_or_goes_back_does_not_reorder_files(world: World) -> None:
    world.run("2026-11-10", months=False)
    home = world.simulator.fleet.homes[0].system_id
    for value in ("1", "2", "3"):
        world.now = NOW if value != "3" else NOW - timedelta(hours=1)
        world.road().apply_overrides(file(f"{home},2026-11-10,2026-11-10,generation,{value}"))
    assert world.road().overrides()["value"].to_list() == [3.0]
    assert world.sql(f"select generation_kwh from marts.daily_energy where system_id = '{home}'").item() == 72.0
