"""The example of own models: costs by a tariff with windows equal a sum by hand, with bounds where time is missing."""

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from world import World

from hem_etl.simulator import make_fleet

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "tariff"
NOW = datetime(2026, 10, 27, 13, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Nine homes over the end of summer time; some have gaps, one of another tariff."""
    folder = tmp_path_factory.mktemp("tariff")
    world = World(folder / "home", make_fleet(9, today=NOW.date()), NOW)
    shutil.copytree(EXAMPLE, folder / "mine")
    flat = world.simulator.fleet.homes[0].system_id
    with (folder / "mine" / "seeds" / "home_tariff.csv").open("a") as file:
        file.write(f"{flat},flat\n")
    world.settings = world.settings.model_copy(update={"own_models": folder / "mine"})
    world.run("2026-09-29", "2026-10-02")
    world.run("2026-10-24", "2026-10-26")
    return world


def prices(tariff: str, day: date) -> list[dict[str, str]]:
    with (EXAMPLE / "seeds" / "tariff.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["tariff"] == tariff]
    return [row for row in rows if row["valid_from"] <= str(day) <= (row["valid_to"] or "9999")]


def test_a_days_cost_is_the_sum_by_hand_of_its_quarter_hours(world: World) -> None:
    costs = world.sql("from own.cost_daily order by system_id, day").rows(named=True)
    assert {row["tariff"] for row in costs} == {"flat", "day and night"}
    quarters = world.sql(
        "select system_id, day, start_local, grid_import_kwh, grid_export_kwh from marts.interval_15min"
    )
    assert len(costs) >= 7 * 9
    for cost in costs:
        bought, sold = [], []
        of_day = quarters.filter(system_id=cost["system_id"], day=cost["day"])
        for start, imported, exported in of_day.select("start_local", "grid_import_kwh", "grid_export_kwh").rows():
            (price,) = [
                row
                for row in prices(cost["tariff"], cost["day"])
                if row["starts_at"] <= f"{start:%H:%M}" < row["ends_at"]
            ]
            bought += [] if imported is None else [imported * float(price["import_eur_per_kwh"])]
            sold += [] if exported is None else [exported * float(price["export_eur_per_kwh"])]
        assert cost["import_eur"] == (pytest.approx(sum(bought)) if bought else None)
        assert cost["export_eur"] == (pytest.approx(sum(sold)) if sold else None)


def test_what_is_missing_makes_the_bounds_wide_and_what_is_whole_makes_them_one(world: World) -> None:
    costs = world.sql("from own.cost_daily").rows(named=True)
    known = [row for row in costs if row["cost_eur"] is not None]
    whole = [row for row in known if row["import_coverage"] == row["export_coverage"] == 1]
    assert whole
    for row in whole:
        assert row["cost_eur_low"] == pytest.approx(row["cost_eur"]) == pytest.approx(row["cost_eur_high"])
    holed = [row for row in known if row["import_coverage"] < 1]
    assert holed
    for row in holed:
        assert row["cost_eur_low"] <= row["cost_eur"] < row["cost_eur_high"]
    assert all(row["cost_eur_high"] is None for row in costs if row["import_coverage"] is None)


def test_a_month_adds_its_days_up_and_has_no_bounds_where_a_day_could_hold_anything(world: World) -> None:
    months = world.sql("from own.cost_monthly").rows(named=True)
    days = world.sql("from own.cost_daily").rows(named=True)
    for month in months:
        own = [r for r in days if r["system_id"] == month["system_id"] and r["day"].replace(day=1) == month["month"]]
        assert month["days"] == len(own)
        assert month["standing_eur"] == pytest.approx(sum(row["standing_eur"] for row in own))
        lows = [row["cost_eur_low"] for row in own]
        assert month["cost_eur_low"] == (None if None in lows else pytest.approx(sum(lows)))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("flat,2027-01-01,,00:00,23:00,0.1,0,0", "windows_tile_the_day"),
        ("night,2024-01-01,,00:00,23:00,0.1,0,0", "windows_tile_the_day"),
        ("night,2024-01-01,,00:00,12:00,0.1,0,0\nnight,2024-01-01,,11:00,23:00,0.1,0,0", "windows_tile_the_day"),
    ],
    ids=["two periods at once", "an hour without a price", "an overlap"],
)
def test_a_tariff_with_a_hole_or_an_overlap_is_told_and_costs_nobody_anything(
    line: str, why: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    folder = world.settings.own_models
    assert folder is not None
    seed = folder / "seeds" / "tariff.csv"
    before = seed.read_text()
    seed.write_text(before + line + "\n")
    try:
        world.road().publish()
        assert why in caplog.text
        assert world.sql("select * from information_schema.tables where table_schema = 'own'").is_empty()
    finally:
        seed.write_text(before)
        world.road().publish()
    assert world.sql("select count(*) from own.cost_daily").item() > 0
