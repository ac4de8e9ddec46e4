"""Everything goes wrong: each system-day gets its outcome, healthy ones are right, a later run repairs."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from tiers import swept
from world import World, same_tables

from hem_etl.errors import SettingsError
from hem_etl.simulator import Faults, Fleet
from hem_etl.vocabulary import FLOWS

START, END = "2026-11-03", "2026-11-12"

OUTCOME_OF_FAULT = {
    None: {"loaded", "unavailable"},
    "relink": {"relink_needed"},
    "forbidden": {"forbidden"},
    "vanish": {"refused", "loaded"},  # it was still on the list of this run; the next one finds it gone
    "unsupported": {"unsupported"},
    "before_installation": {"before_installation"},
    "bad_query": {"refused"},
    "lying_404": {"refused"},
    "unreadable": {"unreadable"},
    "bad_points": {"loaded"},
    "vanished_series": {"loaded", "unavailable"},
    "outage": {"unreachable"},
}


def ledger(world: World) -> dict[tuple[str, str], dict[str, object]]:
    rows = world.sql("from core.load").iter_rows(named=True)
    return {(row["system_id"], row["interval"]): row for row in rows}


def is_before_installation(world: World, system_id: str, interval: str) -> bool:
    return interval < str(world.simulator.fleet.by_id[system_id].installed_on)[: len(interval)]


@pytest.mark.parametrize("seed", swept(zip([1, 2, 3]), 1))
def test_with_every_fault_on_the_run_ends_and_every_interval_has_its_outcome(world: World, seed: int) -> None:
    world.simulator.faults = Faults.all(seed)
    report = world.run(START, END)
    faults, rows = world.simulator.faults, ledger(world)
    assert report.exit_code == 3
    assert len(rows) == 18 * 11
    for (system_id, interval), row in rows.items():
        fault = faults.describe(system_id, interval)
        is_before = is_before_installation(world, system_id, interval)
        allowed = OUTCOME_OF_FAULT[fault] | ({"before_installation"} if is_before else set())
        assert row["outcome"] in allowed, (fault, row)
        assert row["outcome"] in ("loaded", "unavailable") or row["detail"], row
    healthy_are_right(world)
    assert Counter(str(row["outcome"]) for row in rows.values()) == report.outcomes
    assert {item["outcome"] for item in report.failed} <= {"unreachable", "unreadable", "refused"}


def healthy_are_right(world: World) -> None:
    checked = 0
    for row in world.sql("from marts.daily_energy").iter_rows(named=True):
        fault = world.simulator.faults.describe(row["system_id"], str(row["day"]))
        if row["outcome"] != "loaded" or fault in ("bad_points", "vanished_series"):
            continue
        truth = world.simulator.truth_day(row["system_id"], row["day"], as_of=world.now)
        for flow in FLOWS:
            kwh = truth.metrics[flow].kwh
            assert row[f"{flow}_kwh"] == (None if kwh is None else pytest.approx(kwh, rel=1e-9)), row
        checked += 1
    assert checked > 80


@pytest.mark.slow
def test_a_later_run_asks_for_exactly_what_is_due_and_repairs_it(world: World) -> None:
    world.simulator.faults = Faults.all(1)
    world.run(START, END)
    before = ledger(world)
    world.simulator.faults = Faults.none()
    world.simulator.ledger.clear()
    world.run(START, END)
    requests = set(world.simulator.ledger.statistics)
    again = {"unreachable", "unreadable", "refused", "relink_needed", "forbidden", "gone"}
    assert requests == {key for key, row in before.items() if row["outcome"] in again}
    left = {key for key, row in ledger(world).items() if row["outcome"] not in ("loaded", "unavailable")}
    finals = {key for key, row in before.items() if row["outcome"] in ("before_installation", "unsupported")}
    truly_before = {key for key in before if is_before_installation(world, *key)}
    assert left == finals | truly_before
    assert finals - truly_before
    report = world.run(START, END, refresh=True)
    assert report.exit_code == 0
    assert {key for key, row in ledger(world).items() if row["outcome"] == "before_installation"} == truly_before
    healthy_are_right(world)


@pytest.mark.slow
def test_a_blocked_system_is_probed_once_and_its_history_stays(world: World) -> None:
    world.run("2026-11-03", "2026-11-05", months=False)
    victim = world.simulator.fleet.homes[0].system_id
    world.simulator.faults = Faults.pinned({victim: "relink"})
    world.simulator.ledger.clear()
    report = world.run("2026-11-03", "2026-11-08", months=False, refresh=True, systems=(victim,))
    assert (report.exit_code, world.simulator.ledger.statistics[victim, "2026-11-08"]) == (0, 1)
    assert world.simulator.ledger.statistics.total() == 1
    rows = ledger(world)
    assert {rows[victim, f"2026-11-0{day}"]["outcome"] for day in range(3, 9)} == {"relink_needed"}
    assert rows[victim, "2026-11-04"]["detail"] == "not asked"
    daily = world.sql(
        f"select generation_kwh, outcome from marts.daily_energy where system_id = '{victim}' order by day"
    )
    assert [kwh is not None for kwh in daily["generation_kwh"]] == [True] * 3 + [False] * 3
    health = world.sql(f"select needs_relink, relink_reason from marts.system_health where system_id = '{victim}'").row(
        0
    )
    assert health[0] is True
    assert health[1]
    world.simulator.ledger.clear()
    segments = len(world.road().landing.segments())
    world.run("2026-11-03", "2026-11-08", months=False, systems=(victim,))
    assert world.simulator.ledger.statistics.total() == 1
    assert len(world.road().landing.segments()) <= segments + 2
    world.simulator.faults = Faults.none()
    world.run("2026-11-03", "2026-11-08", months=False, systems=(victim,))
    assert {row["outcome"] for key, row in ledger(world).items() if key[0] == victim} == {"loaded"}


@pytest.mark.slow
def test_gone_is_said_only_when_everything_agrees(world: World) -> None:
    world.run("2026-11-10", months=False)
    liar, vanisher = (home.system_id for home in world.simulator.fleet.homes[:2])
    world.simulator.faults = Faults.pinned({liar: "lying_404", vanisher: "vanish"})
    world.simulator._asked[vanisher] = 99
    world.pass_time(minutes=1)
    report = world.run("2026-11-11", "2026-11-12", months=False, systems=(liar, vanisher))
    rows = ledger(world)
    assert rows[liar, "2026-11-11"]["outcome"] == "refused"
    assert rows[vanisher, "2026-11-11"]["outcome"] == "gone"
    assert report.exit_code == 3
    gone = world.sql("select system_id from core.system where gone_at_utc is not null")
    assert gone["system_id"].to_list() == [vanisher]
    assert world.sql(f"select count(*) from core.reading where system_id = '{vanisher}'").item() > 0
    world.pass_time(minutes=1)
    world.simulator.ledger.clear()
    world.run("2026-11-11", "2026-11-12", months=False)
    assert world.simulator.ledger.statistics[vanisher, "2026-11-11"] == 0
    world.simulator.faults = Faults.none()
    world.run("2026-11-11", "2026-11-12", months=False)
    assert ledger(world)[vanisher, "2026-11-11"]["outcome"] == "loaded"
    assert world.sql("select count(*) from core.system where gone_at_utc is not null").item() == 0
    history = world.sql("from core.system_history order by valid_from_utc").filter(pl.col("system_id") == vanisher)
    assert history["gone_at_utc"].is_not_null().to_list() == [False, True, False]


def test_a_list_that_fails_is_no_empty_fleet(world: World) -> None:
    world.run("2026-11-10", months=False)
    world.simulator.faults = Faults.parse("outage:0.0")
    world.now = datetime(2026, 11, 22, 14, tzinfo=UTC)
    fleet = world.simulator.fleet
    world.simulator.fleet = type(fleet)(())
    report = world.run("2026-11-10", months=False, refresh=True)
    assert report.fleet_size == 18
    assert world.sql("select count(*) from core.system").item() == 18


@pytest.mark.slow
def test_one_system_with_a_zone_that_nobody_knows_stops_nobody(world: World) -> None:
    victim = world.simulator.fleet.homes[0]
    odd = replace(victim, quirks=replace(victim.quirks, has_system_timezone=False, has_series_timezone=False))
    world.simulator.fleet = Fleet((odd, *world.simulator.fleet.homes[1:]))
    report = world.run("2026-10-24", "2026-10-26")
    assert report.exit_code == 3
    assert {item["system_id"] for item in report.failed} == {victim.system_id}
    assert "no known time zone" in report.failed[0]["detail"]
    world.simulator.fleet = Fleet((victim, *world.simulator.fleet.homes[1:]))
    world.pass_time(minutes=1)
    assert world.run("2026-10-24", "2026-10-26").exit_code == 0
    before = world.tables()
    world.road().rebuild()
    same_tables(before, world.tables())


def test_a_fleet_whose_zones_nobody_knows_yet_is_asked_again_later(world: World) -> None:
    homes = world.simulator.fleet.homes[:3]
    hide = [replace(home, quirks=replace(home.quirks, has_system_timezone=False)) for home in homes]
    world.simulator.fleet = Fleet(hide)
    world.simulator.faults = Faults.pinned({home.system_id: "forbidden" for home in homes})
    assert world.run("2026-11-10").outcomes == {"forbidden": 6}
    world.simulator.faults = Faults.none()
    assert world.run("2026-11-10").outcomes == {"loaded": 6}
    zones = world.sql("select timezone from core.system order by system_id")["timezone"].to_list()
    assert sorted(zones) == sorted(home.timezone for home in homes)


@pytest.mark.slow
def test_another_limit_needs_a_rebuild_and_says_so(world: World) -> None:
    world.run("2026-11-10", months=False)
    world.settings = world.settings.model_copy(update={"over_limit_kw": 1.0})
    with pytest.raises(SettingsError, match="hem-etl rebuild"):
        world.run("2026-11-11", months=False)
    world.road().rebuild()
    assert world.sql("select sum(over_limit_buckets) > 0 from core.series").item()
    assert world.run("2026-11-11", months=False).exit_code == 0
