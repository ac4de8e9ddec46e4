"""A lake on Postgres: two processes, a killed one and a killed Postgres all end in the tables of one machine."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from engines import tampering
from lake.shared_landing import lake_of, lake_settings, lake_with, let_go, loader, on_a_lake, transactions_of
from postgres import PASSWORD, Server
from world import World, same_tables

from hem_etl.errors import HemEtlError

pytestmark = pytest.mark.services

DAYS = "2026-11-19", "2026-11-21"


def test_two_processes_that_load_the_same_segments_load_them_once(landed: World, url: str, tmp_path: Path) -> None:
    world = on_a_lake(landed, url, tmp_path / "home")
    children = [loader(world) for _ in range(2)]
    for child in children:
        let_go(child)
    ended = [child.communicate() for child in children]
    assert [out for out, _ in ended] == ["done\n", "done\n"], ended
    same_tables(world.tables(), landed.tables())


@pytest.mark.parametrize("transactions", [1, 3, 5])
def test_a_writer_that_is_killed_leaves_what_the_next_run_completes(
    landed: World, url: str, tmp_path: Path, transactions: int
) -> None:
    world = on_a_lake(landed, url, tmp_path / "home")
    child = loader(world)
    let_go(child)
    while transactions_of(world) < transactions:
        assert child.poll() is None, child.communicate()
    child.kill()
    child.communicate()

    world.road().load()
    world.road().publish()

    same_tables(world.tables(), landed.tables())


def test_postgres_that_dies_in_mid_load_loses_nothing(landed: World, url: str, tmp_path: Path, server: Server) -> None:
    world = on_a_lake(landed, url, tmp_path / "home")
    child = loader(world)
    let_go(child)
    while transactions_of(world) < 4:
        assert child.poll() is None, child.communicate()
    server.stop(signal.SIGQUIT)
    with pytest.raises(HemEtlError, match="HEM_ETL_LAKE_CATALOG"):
        lake_of(world).is_published()
    server.start()
    out, told = child.communicate()
    assert "done" not in out
    assert PASSWORD not in told

    world.road().load()
    world.road().publish()

    same_tables(world.tables(), landed.tables())


def test_readers_always_see_whole_days(landed: World, url: str, tmp_path: Path) -> None:
    world = on_a_lake(landed, url, tmp_path / "home")
    world.road().load()
    world.road().publish()
    stop, wrong, reads = threading.Event(), [], []

    def look() -> None:
        while not stop.is_set():
            try:
                half = world.sql(
                    "select count(*) from marts.daily_energy d where is_complete and (select count(*) "
                    "from core.interval_15min i where i.system_id = d.system_id and i.day = d.day) < 80"
                ).item()
                reads.append(half)
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(2):
        lake_of(world).reset()
        world.road().load()
        world.road().publish()
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
    assert reads
    assert set(reads) == {0}
    same_tables(world.tables(), landed.tables())


def test_nobody_is_told_the_password(landed: World, url: str, tmp_path: Path, caplog: Any) -> None:
    world = on_a_lake(landed, url, tmp_path / "home")
    lake = lake_of(world)
    with lake.publishing():
        told = [str(lake.describe()), str(lake.holder()), repr(world.settings)]
    with lake.reading() as reader:
        told += [str(reader.read(query).rows()) for query in ("from duckdb_databases()", "from duckdb_secrets()")]
    wrong = {**lake_settings(url.replace("s3cr", "wr0ng"), tmp_path), "HEM_ETL_HOME": str(tmp_path)}
    refused = lake_with(world.settings.model_validate(wrong))
    with pytest.raises(HemEtlError) as error, refused._connected():
        pass
    told += [str(error.value), str(error.value.__cause__), caplog.text]
    assert not [text for text in told if "ss'w" in text or "ss%27w" in text or "wr0ng" in text]


def test_numbers_of_a_lake_on_postgres_are_those_of_the_file(landed: World, url: str, tmp_path: Path) -> None:
    """Also after another day, a correction and a rebuild: what a run does from day to day."""
    world = on_a_lake(landed, url, tmp_path / "home")
    assert world.road().rebuild().receipts
    same_tables(world.tables(), landed.tables())
    with tampering(world.settings) as connection:
        ((inlined,),) = connection.execute(
            "select count(*) from duckdb_tables() where table_name similar to 'ducklake_inlined_data_[0-9]+.*'"
        ).fetchall()
    assert inlined == 0
