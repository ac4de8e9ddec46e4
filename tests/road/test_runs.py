"""Runs: twice gives the same, any order gives the same, what is not due is not asked, nothing is lost."""

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from engines import engine_settings, published
from world import NOW, World, same_tables

from hem_etl.errors import AccessError, StructuralCheckError, UsageError
from hem_etl.pipeline import batches, commit
from hem_etl.simulator import Faults, make_fleet
from hem_etl.vocabulary import FLOWS


def same(kwh: float | None) -> object:
    return None if kwh is None else pytest.approx(kwh, rel=1e-12)


def asked(world: World) -> int:
    """Statistics requests since the last time of asking."""
    count = sum(world.simulator.ledger.statistics.values())
    world.simulator.ledger.clear()
    return count


def test_a_second_run_asks_for_nothing_and_changes_nothing(world: World) -> None:
    first = world.run("2026-11-17", "2026-11-21")
    before = world.tables()
    assert asked(world) == first.asked == 18 * (5 + 1)
    second = world.run("2026-11-17", "2026-11-21")
    assert (second.asked, asked(world)) == (0, 0)
    same_tables(before, world.tables())


@pytest.mark.slow
def test_a_refresh_asks_for_everything_and_changes_nothing_that_is_unchanged(world: World) -> None:
    world.run("2026-11-10", "2026-11-11", months=False)
    before = world.sql("from core.reading order by all")
    report = world.run("2026-11-10", "2026-11-11", months=False, refresh=True)
    assert report.asked == 36
    assert (report.new_days, report.changed_days) == (0, 0)
    assert before.equals(world.sql("from core.reading order by all"))
    assert world.sql("select max(version) from core.day_version").item() == 1


@pytest.mark.slow
def test_the_order_of_days_and_batches_does_not_matter(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("2026-10-31", "2026-11-02")
    other = World(tmp_path / "other")
    monkeypatch.setattr(batches, "BODIES_PER_BATCH", 7)
    for day in ("2026-11-01", "2026-10-31", "2026-11-02"):
        other.run(day)
    same_tables(world.tables(), other.tables())


@pytest.mark.slow
def test_segments_loaded_out_of_order_end_in_the_same_tables(world: World, tmp_path: Path) -> None:
    """A process that landed earlier answers after a newer one was loaded: its intervals are folded again."""
    late = World(tmp_path / "late", now=NOW - timedelta(days=1))
    late.run("2026-11-20", "2026-11-21")
    world.run("2026-11-20", "2026-11-21")
    for segment in late.road().landing.segments():
        (world.settings.landing / segment).write_bytes((late.settings.landing / segment).read_bytes())
    world.road().load()
    world.road().publish()
    in_order = World(tmp_path / "in order", now=NOW - timedelta(days=1))
    in_order.run("2026-11-20", "2026-11-21")
    in_order.now = NOW
    in_order.run("2026-11-20", "2026-11-21", refresh=True)
    theirs, ours = in_order.tables(), world.tables()
    for name in ("core.system", "core.system_history", "staging.system", "marts.system_health"):
        del theirs[name], ours[name]
    same_tables(theirs, ours)
    assert world.sql("select count(*) from core.day_version where version = 2").item() > 0


def test_a_rebuild_from_landing_alone_gives_the_same_tables(world: World) -> None:
    world.now = NOW - timedelta(days=3)
    world.run("2026-11-14", "2026-11-19")
    world.now = NOW
    world.run("2026-11-14", "2026-11-21", refresh=True)
    before = world.tables()
    world.road().rebuild()
    same_tables(before, world.tables())


def test_processes_with_homes_of_their_own_share_a_landing(tmp_path: Path) -> None:
    homes = {}
    for name in ("one", "other"):
        landing = {"HEM_ETL_LANDING": str(tmp_path / "shared")}
        settings = engine_settings(tmp_path / name) | landing
        homes[name] = World(tmp_path / name, make_fleet(2, today=NOW.date()), settings=settings)
    homes["one"].run("2026-11-20")
    assert homes["other"].run("2026-11-20").asked == 0
    same_tables(homes["one"].tables(), homes["other"].tables())
    assert not (tmp_path / "one" / "landing").exists()


def test_a_killed_run_loses_nothing_that_was_landed(world: World) -> None:
    """The run dies between landing and loading: the next one loads without asking."""
    with world.client() as client:
        road = world.road(client)
        listed = road.sync_systems()
        road.load()
        from_request = road.plan(request := world.request("2026-11-20"))
        road.extract(from_request, listed)
    asked(world)
    report = world.run("2026-11-20")
    assert (report.asked, asked(world), report.exit_code) == (0, 0, 0)
    assert world.sql("select count(*) from core.load where interval_kind = 'day'").item() == 18
    assert request.start == date(2026, 11, 20)


def test_nulls_survive_to_the_marts_and_a_day_of_only_nulls_is_null_not_zero(world: World) -> None:
    world.run("2026-10-10", "2026-10-24", months=False, systems=(world.simulator.fleet.homes[5].system_id,))
    empty = world.sql(
        "select d.generation_kwh, d.generation_coverage, d.is_complete, c.explanation from marts.daily_energy d "
        "join marts.coverage_daily c using (system_id, day) where c.metric = 'generation' "
        "and c.sent_buckets > 0 and c.null_buckets = c.sent_buckets"
    )
    assert empty.height > 0
    assert set(empty["generation_kwh"]) == {None}
    assert set(empty["generation_coverage"]) == {0.0}
    assert set(empty["is_complete"]) == {False}
    assert None not in set(empty["explanation"])
    holes = world.sql(
        "select count(*) from marts.interval_15min where generation_kw is null and generation_minutes = 0"
    )
    assert holes.item() >= 96


def test_late_data_make_a_version_and_the_restatement_says_what_changed(world: World) -> None:
    world.now = datetime(2026, 11, 10, 13, 15, tzinfo=UTC)
    world.run("2026-11-07", "2026-11-09", months=False)
    first = {(r["system_id"], r["day"]): r for r in world.sql("from marts.daily_energy").iter_rows(named=True)}
    world.now = NOW
    report = world.run("2026-11-07", "2026-11-09", months=False)
    assert report.changed_days > 0
    restated = world.sql("from marts.restatement")
    assert restated.height == report.changed_days
    now = {(r["system_id"], r["day"]): r for r in world.sql("from marts.daily_energy").iter_rows(named=True)}
    moved = 0
    for row in restated.iter_rows(named=True):
        key = row["system_id"], row["day"]
        assert (row["version"], row["was_settled"], row["applied"]) == (2, False, True)
        for flow in FLOWS:
            assert row[f"{flow}_kwh_before"] == same(first[key][f"{flow}_kwh"])
            assert row[f"{flow}_kwh"] == same(now[key][f"{flow}_kwh"])
            moved += row[f"{flow}_kwh_change"] not in (None, 0.0)
    assert moved > 0


def test_a_series_that_vanishes_keeps_its_last_good_values(world: World) -> None:
    world.run("2026-11-10", months=False)
    victim = world.simulator.fleet.homes[0].system_id
    before = world.tables()
    world.simulator.faults = Faults.pinned({victim: "vanished_series"})
    world.simulator.ledger.answered[victim, "2026-11-10"] = 1
    report = world.run("2026-11-10", months=False, refresh=True, systems=(victim,))
    assert (report.exit_code, report.outcomes, report.changed_days) == (0, {"loaded": 1}, 1)
    after = world.tables()
    for name in ("core.reading", "core.interval_15min", "core.series"):
        assert before[name].sort(pl.all()).equals(after[name].sort(pl.all())), name
    assert world.sql("select version, applied from core.day_version where not applied").rows() == [(2, False)]
    found = world.sql("select system_id, rule, severity from core.finding where rule = 'series_vanished'")
    assert found.rows() == [(victim, "series_vanished", "warning")]
    world.simulator.faults = Faults.none()
    world.run("2026-11-10", months=False, refresh=True, systems=(victim,))
    assert world.sql("select version, applied from core.day_version where version = 3").rows() == [(3, True)]
    assert world.sql("select count(*) from core.finding where rule = 'series_vanished'").item() == 0


@pytest.mark.slow
def test_a_day_is_asked_again_while_its_data_may_change_and_settles(world: World) -> None:
    victim = world.simulator.fleet.homes[0].system_id
    asks = []
    for hours in (14, 38, 38.5, 9 * 24, 30 * 24):
        world.now = datetime(2026, 11, 9, 23, tzinfo=UTC) + timedelta(hours=hours)
        asks.append(world.run("2026-11-09", months=False, systems=(victim,)).asked)
    assert asks == [1, 1, 0, 1, 0]
    assert world.sql("select state, version from core.load").rows() == [("settled", 1)]


def test_a_running_day_is_asked_again_after_an_hour_and_days_to_come_are_not(world: World) -> None:
    victim = world.simulator.fleet.homes[0].system_id
    assert world.run("2026-11-22", "2026-11-25", months=False, systems=(victim,)).asked == 1
    world.pass_time(minutes=59)
    assert world.run("2026-11-22", months=False, systems=(victim,)).asked == 0
    world.pass_time(minutes=1)
    report = world.run("2026-11-22", months=False, systems=(victim,))
    assert (report.asked, report.changed_days) == (1, 1)
    assert world.sql("select state from core.load").item() == "open"


@pytest.mark.slow
def test_a_reader_in_a_loop_never_gets_an_error_nor_half_a_day(world: World) -> None:
    world.run("2026-11-10", months=False)
    stop, wrong, reads = threading.Event(), [], []

    def look() -> None:
        while not stop.is_set():
            try:
                with published(world.settings) as connection:
                    days = connection.execute(
                        "select count(*) from marts.daily_energy d where is_complete and (select count(*) "
                        "from core.interval_15min i where i.system_id = d.system_id and i.day = d.day) < 80"
                    ).fetchone()
                    systems = connection.execute(
                        "select day, count(*) from marts.daily_energy group by day having count(*) <> 18"
                    ).fetchall()
                reads.append(1)
                if days != (0,) or systems:
                    wrong.append((days, systems))
            except Exception as error:
                wrong.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for day in ("2026-11-11", "2026-11-12", "2026-11-13", "2026-11-14"):
        world.run(day, months=False)
    stop.set()
    thread.join()
    assert wrong == []
    assert len(reads) > 4


def test_a_structural_failure_publishes_nothing_and_shows_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("2026-11-10", months=False)
    before = world.sql("select max(day) from marts.daily_energy").item()
    real = commit.Commit.finish

    def twice(self: commit.Commit) -> None:
        real(self)
        self._writer.change("insert into stored.reading from stored.reading order by day desc limit 1")

    monkeypatch.setattr(commit.Commit, "finish", twice)
    with pytest.raises(StructuralCheckError, match="reading_key"):
        world.run("2026-11-11", months=False)
    assert world.sql("select max(day) from marts.daily_energy").item() == before


def test_an_unknown_system_is_a_clear_error(world: World) -> None:
    with pytest.raises(UsageError, match=r"no system 'nobody' is known.*hem-etl systems"):
        world.run("2026-11-10", systems=("nobody",))


def test_a_feature_that_is_not_enabled_stops_the_run_with_the_next_step(world: World) -> None:
    world.simulator.is_feature_enabled = False
    with pytest.raises(AccessError, match="Customer Success"):
        world.run("2026-11-10")
