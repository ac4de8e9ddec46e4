"""Tables and marts do not depend on the machine: its time zone, the session's, the batches, the threads of DuckDB."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import engines
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_warehouse import MODELS, fill_ledger, mart
from world import NOW, World

from hem_etl.pipeline import batches
from hem_etl.settings import Engine
from hem_etl.simulator import make_fleet
from hem_etl.warehouse import Reader, Writer
from hem_etl.warehouse import models as sql_models

EVERY = tuple(model.relation for model in MODELS.views)
SUMMED = ("staging.month_energy", "marts.monthly_energy", "marts.vendor_monthly", "marts.fleet_daily")


@pytest.fixture
def zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def exactly_the_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name, frame in one.items():
        assert_frame_equal(frame, other[name], check_row_order=False, check_exact=True)


def built(file: Path, relations: tuple[str, ...] = EVERY, **settings: object) -> dict[str, pl.DataFrame]:
    """What the models make of the file's tables in a session with these settings."""
    with duckdb.connect(str(file)) as con:
        for name, value in settings.items():
            con.execute(f"set {name} = '{value}'")
        sql_models.build(con, MODELS)
        return {relation: mart(con, relation) for relation in relations}


@pytest.mark.slow
def test_nothing_follows_the_zone_of_the_machine_or_of_the_session_or_the_size_of_a_batch(
    tmp_path: Path, zone_of_the_machine: pytest.MonkeyPatch
) -> None:
    worlds = []
    for zone, bodies in (("Pacific/Auckland", 1), ("America/Los_Angeles", 250)):
        zone_of_the_machine.setenv("TZ", zone)
        time.tzset()
        zone_of_the_machine.setattr(batches, "BODIES_PER_BATCH", bodies)
        world = World(tmp_path / zone.replace("/", " "), make_fleet(5, today=NOW.date()))
        world.run("2026-10-31", "2026-11-02")
        worlds.append(world)
    tables = [world.tables() for world in worlds]
    exactly_the_same(tables[0], tables[1])
    if engines.engine is not Engine.FILE:
        return  # what follows is about sessions and threads of DuckDB

    file = tmp_path / "copy.duckdb"
    shutil.copy(worlds[0].settings.database, file)
    file.chmod(0o644)
    sessions = [built(file, TimeZone=zone, threads=1) for zone in ("Pacific/Auckland", "America/Los_Angeles")]
    exactly_the_same(sessions[0], sessions[1])
    assert sum(frame.height for frame in sessions[0].values()) > 1_000


@pytest.mark.slow
def test_marts_of_many_rows_are_the_same_with_one_thread_and_with_four(tmp_path: Path) -> None:
    """More days than one row group of DuckDB holds, so that four threads do share the sums."""
    file = tmp_path / "many.duckdb"
    with duckdb.connect(str(file)) as con:
        sql_models.create_tables(con, MODELS)
        days = Reader(con).read(
            "select 'h' || home as system_id, date '2026-01-01' + cast(day as integer) as day, 'loaded' as outcome, "
            "'Europe/Berlin' as timezone from range(700) homes (home), range(181) days (day)",
        )
        fill_ledger(Writer(con), days)
        con.execute("update core.system set vendor = 'V' || (hash(system_id) % 2)")
        names = [column.name for column in MODELS.model("core.day_energy").columns if column.name.endswith("_kwh")]
        values = ", ".join(f"(hash(system_id, day, '{name}') % 30000019) / 1e6 as {name}" for name in names)
        con.execute(
            f"insert into core.day_energy by name select system_id, day, {values}, 1440 as attributed_minutes "
            "from core.load order by hash(system_id, day)"
        )
        con.execute(
            "insert into core.series by name select system_id, day, unnest(['generation', 'consumption', "
            "'grid_import', 'grid_export', 'battery_charge', 'battery_discharge']) as metric, "
            "true as is_known, true as is_available, 1410 as valid_minutes from core.load "
            "where hash(system_id) % 10 = 0"
        )
    # nobody counts on the order in which threads are done
    one, four = (built(file, SUMMED, threads=threads, preserve_insertion_order=False) for threads in (1, 4))
    exactly_the_same(one, four)
    assert one["marts.monthly_energy"].height == 700 * 6
