"""What marts.vendor_behaviour measures is what the simulator's vendors do."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from engines import tampering
from world import NOW, World

from hem_etl.local_day import day_bounds_utc, days_between
from hem_etl.simulator import Fleet, make_fleet
from hem_etl.simulator.fleet import REPORTED_BIAS
from hem_etl.simulator.homes import Home, Quirks
from hem_etl.vocabulary import FLOWS, METRICS
from hem_etl.warehouse import models as sql_models

FIRST, LAST = date(2026, 11, 8), date(2026, 11, 21)


@pytest.fixture(scope="module")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("fortnight") / "home")
    world.run(FIRST, LAST)
    return world


@pytest.fixture(scope="module")
def behaviour(fortnight: World) -> dict[tuple[str, str], dict[str, Any]]:
    return rows(fortnight.sql("from marts.vendor_behaviour"))


def rows(frame: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["vendor"], row["metric"]): row for row in frame.iter_rows(named=True)}


def read_days(home: Home) -> Iterator[date]:
    return (
        day
        for day in days_between(FIRST, LAST)
        if day >= home.installed_on and day_bounds_utc(day, home.zone)[1] <= NOW
    )


@pytest.mark.slow
def test_gaps_resolutions_and_absences_are_those_of_the_simulated_vendors(
    fortnight: World, behaviour: dict[tuple[str, str], dict[str, Any]]
) -> None:
    homes = fortnight.simulator.fleet.homes
    assert len(behaviour) == len({home.vendor for home in homes}) * len(METRICS)
    for (vendor, metric), row in behaviour.items():
        days = [(home, day) for home in homes if home.vendor == vendor for day in read_days(home)]
        truths = [fortnight.simulator.truth_day(home.system_id, day, as_of=NOW).metrics[metric] for home, day in days]
        held = [truth for truth in truths if truth.is_available]
        lengths = Counter(truth.resolution_minutes for truth in held)
        expected = sum(truth.expected_buckets for truth in held)

        def share(name: str, held: list[Any] = held, expected: int = expected) -> Any:
            return pytest.approx(sum(getattr(truth, name) for truth in held) / expected, rel=1e-12) if held else None

        assert row["systems"] == len({home.system_id for home, _ in days if home.unavailable_reason(metric) is None})
        assert (row["read_days"], row["days"]) == (len(days), len(held))
        assert row["unavailable_ratio"] == pytest.approx(1 - len(held) / len(days))
        assert (row["unavailable_absence"] is None) == (len(held) == len(days))
        if held:
            assert lengths[row["resolution_minutes"]] == max(lengths.values())
            assert row["other_resolution_days"] == len(held) - max(lengths.values())
        assert row["expected_buckets"] == expected
        for name in ("null", "missing", "duplicate", "off_grid"):
            assert row[f"{name}_ratio"] == share(f"{name}_buckets"), (vendor, metric, name)
        assert row["offset_mismatch_ratio"] == (0 if held else None)
    assert {absence for row in behaviour.values() if (absence := row["unavailable_absence"])} == {
        "no_data",
        "missing_scope",
    }


@pytest.mark.slow
def test_the_bias_of_reported_values_is_the_simulated_one(
    fortnight: World, behaviour: dict[tuple[str, str], dict[str, Any]]
) -> None:
    homes = fortnight.simulator.fleet.homes
    restating = {home.vendor for home in homes if home.quirks.restated_days}
    for (vendor, flow), row in behaviour.items():
        if flow not in FLOWS:
            continue
        ratios = []
        for home in fortnight.simulator.fleet.homes:
            for day in read_days(home) if home.vendor == vendor else ():
                true = fortnight.simulator.truth_day(home.system_id, day, as_of=NOW).metrics[flow]
                reported = fortnight.simulator.truth_month(home.system_id, day.replace(day=1))[day][flow]
                if true.coverage == 1 and true.kwh is not None and reported is not None and reported >= 1:
                    ratios.append(true.kwh / reported)
        assert row["compared_days"] == len(ratios), (vendor, flow)
        for name, share in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
            told = row[f"integrated_to_reported_ratio_{name}"]
            assert told == pytest.approx(pl.Series(ratios).quantile(share, "linear"), rel=1e-9), (vendor, flow)
            # the counters are off by 0.8 % at most, and rounded to 0.01 kWh; days to be restated are off by more
            if told is not None and vendor not in restating:
                assert abs(told - 1) <= (REPORTED_BIAS + 0.005) / (1 - REPORTED_BIAS - 0.005)
        assert row["reported_step_kwh"] in (0.01, 1, None)


@pytest.mark.slow
def test_restated_days_are_those_that_the_simulator_says_anew(tmp_path: Path) -> None:
    restating = [home for home in make_fleet(18, today=NOW.date()).homes if home.vendor in ("GIVENERGY", "SOLAX")]
    world = World(tmp_path / "home", Fleet(tuple(restating)), NOW - timedelta(days=6))
    looks = []
    for _ in range(5):
        looks.append(world.now)
        world.run("2026-11-12", "2026-11-17", refresh=True)
        world.pass_time(days=1)
    told = rows(world.sql("from marts.vendor_behaviour"))

    seen_changes = 0
    for vendor in ("GIVENERGY", "SOLAX"):
        for flow in FLOWS:
            watched, restated, hours = 0, set(), []
            for home in restating:
                for day in days_between(date(2026, 11, 12), date(2026, 11, 17)):
                    end = day_bounds_utc(day, home.zone)[1]
                    whole = [look for look in looks if look >= end]
                    if home.vendor != vendor or home.unavailable_reason(flow) is not None or len(whole) < 2:
                        continue
                    watched += 1
                    said = [flow_as_of(world, home, day, flow, look) for look in whole]
                    for before, after, look in zip(said[:-1], said[1:], whole[1:], strict=True):
                        if before != after:
                            restated.add((home.system_id, day))
                            hours.append((look - end) / timedelta(hours=1))
            row = told[vendor, flow]
            assert (row["watched_days"], row["restated_days"]) == (watched, len(restated)), (vendor, flow)
            assert row["restated_ratio"] == pytest.approx(len(restated) / watched)
            assert row["restatement_hours_max"] == (pytest.approx(max(hours)) if hours else None)
            assert row["restatement_hours_p50"] == (pytest.approx(pl.Series(hours).median()) if hours else None)
            seen_changes += len(hours)
    assert seen_changes > 5
    assert told["GIVENERGY", "grid_import"]["restated_days"] > 0 == told["GIVENERGY", "generation"]["restated_days"]


def flow_as_of(world: World, home: Home, day: date, flow: str, look: datetime) -> tuple[Any, Any]:
    truth = world.simulator.truth_day(home.system_id, day, as_of=look.astimezone(UTC)).metrics[flow]
    return truth.exact_kwh, truth.valid_hours


@pytest.mark.parametrize("resolution_minutes", [5, 15])
def test_the_stamps_side_is_found_where_they_name_starts_and_where_they_name_ends(
    tmp_path: Path, resolution_minutes: int
) -> None:
    """The simulator stamps starts; a vendor that stamps ends is made of its rows: each bucket one stamp later."""
    homes = tuple(
        replace(home, quirks=Quirks(), resolution_minutes=resolution_minutes, switches_on=None)
        for home in make_fleet(3, today=NOW.date()).homes
    )
    world = World(tmp_path / "home", Fleet(homes))
    world.run(FIRST, LAST)
    starts = world.sql("from marts.vendor_behaviour where metric = 'consumption'")
    with tampering(world.settings) as connection:
        connection.execute(STAMPED_ONE_BUCKET_LATER)
        sql_models.build(connection, sql_models.load_models())
        ends = pl.DataFrame(connection.sql("from marts.vendor_behaviour where metric = 'consumption'"))

    assert starts["label_start_days"].sum() > 5
    assert starts["label_end_days"].sum() == 0
    assert ends["label_start_days"].sum() == 0
    assert ends["label_end_days"].sum() > 5
    for told in (starts, ends):
        sides = told["label_start_days"] + told["label_end_days"] + told["label_undecided_days"]
        assert sides.to_list() == told["days"].to_list()


STAMPED_ONE_BUCKET_LATER = """
with
last_bucket as (
    select
        reading.system_id,
        reading.day + 1 as day,
        last(reading.consumption_kw * series.resolution_minutes / 60 order by reading.start_utc) as kwh
    from core.reading as reading
    inner join core.series as series on series.system_id = reading.system_id and series.day = reading.day
    where series.metric = 'consumption'
    group by reading.system_id, reading.day
),

later as (
    select
        energy.system_id,
        energy.day,
        energy.consumption_kwh - own.kwh + inherited.kwh as kwh,
        inherited.kwh as first_bucket_kwh
    from core.day_energy as energy
    inner join last_bucket as own on own.system_id = energy.system_id and own.day = energy.day + 1
    left join last_bucket as inherited on inherited.system_id = energy.system_id and inherited.day = energy.day
)

update core.day_energy
set consumption_kwh = later.kwh, consumption_first_bucket_kwh = later.first_bucket_kwh
from later
where later.system_id = day_energy.system_id and later.day = day_energy.day
"""
