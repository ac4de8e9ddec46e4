"""What does not fit in memory lies in a folder of its own for each process: DuckDB gives them all the same."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import gettempdir

import duckdb
import pytest
from engines import publish_days

from hem_etl.settings import GivenSettings
from hem_etl.warehouse import FileWarehouse, Reader, Warehouse, open_warehouse
from hem_etl.warehouse.spilling import LEFT_AFTER_SECONDS, PREFIX

ROWS = "select hash(i * {}) as number from range(4000000) as numbers (i)"
SPILL = f"set memory_limit = '24MB'; set threads = 1; create temp table mine as {ROWS}"
SUM = "select sum(number) from mine"
OTHER = f"""
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from hem_etl.settings import GivenSettings
from hem_etl.warehouse import open_warehouse
settings = GivenSettings(HEM_ETL_HOME=Path(sys.argv[1]), HEM_ETL_WAREHOUSE=sys.argv[2],
    HEM_ETL_LAKE_CATALOG=sys.argv[1] + "/catalogue.sqlite", HEM_ETL_LAKE_DATA=sys.argv[1] + "/data")
with open_warehouse(settings).reading() as reader:
    reader._connection.execute("{SPILL.format(7)}")
    print(reader.read("{SUM}").item())
"""


def warehouse_of(home: Path, engine: str) -> Warehouse:
    lake = {"HEM_ETL_LAKE_CATALOG": str(home / "catalogue.sqlite"), "HEM_ETL_LAKE_DATA": str(home / "data")}
    return open_warehouse(GivenSettings(HEM_ETL_HOME=home, HEM_ETL_WAREHOUSE=engine, **lake))


@pytest.fixture(params=["file", "lake"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def filled(tmp_path: Path, engine: str) -> Warehouse:
    (tmp_path / "work").mkdir()
    warehouse = warehouse_of(tmp_path, engine)
    publish_days(warehouse)
    return warehouse


def spilled(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX}*"))


def place_of(reader: Reader) -> Path:
    return Path(reader.read("select current_setting('temp_directory')").item())


def test_two_processes_that_spill_at_once_keep_what_is_theirs(filled: Warehouse, tmp_path: Path, engine: str) -> None:
    with filled.reading() as reader:
        reader._connection.execute(SPILL.format(3))
        assert [folder.parent for folder in spilled(tmp_path / "work")] == [tmp_path / "work"]
        command = [sys.executable, "-c", OTHER, str(tmp_path), engine, *sys.path]
        other = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
        own = reader.read(SUM).item()
    expected = [duckdb.sql(f"select sum(number) from ({ROWS.format(factor)})").fetchall()[0][0] for factor in (3, 7)]
    assert [int(own), int(other.stdout)] == expected
    assert spilled(tmp_path / "work") == []
    assert not (tmp_path / ".tmp").exists()


def test_a_query_of_a_person_may_spill(filled: Warehouse, tmp_path: Path) -> None:
    with filled.reading() as reader:
        reader._connection.execute("set memory_limit = '24MB'; set threads = 1")
        query = "select count(*) from (select i, lag(i) over (order by hash(i)) from range(1000000) as numbers (i))"
        with reader.asked(query) as asked:
            assert asked.rows()[1] == [(1000000,)]
            assert len(spilled(tmp_path / "work")) == 1


def test_readers_of_one_process_share_what_they_must(tmp_path: Path) -> None:
    """DuckDB opens a file once in a process: a second connection cannot have another folder."""
    warehouse = warehouse_of(tmp_path, "file")
    publish_days(warehouse)
    with warehouse.reading() as first, warehouse.reading() as second:
        assert place_of(first) == place_of(second)
        before = place_of(first)
    with warehouse.reading() as third:
        assert place_of(third) != before


def test_who_may_not_write_into_the_home_spills_where_everybody_may(tmp_path: Path) -> None:
    publish_days(FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb"))
    elsewhere = FileWarehouse(tmp_path / "not there", tmp_path / "hem.duckdb")
    with elsewhere.reading() as reader:
        assert place_of(reader).parent == Path(gettempdir())


def test_the_next_writer_removes_what_the_dead_left(filled: Warehouse, tmp_path: Path) -> None:
    old, new = (tmp_path / "work" / f"{PREFIX}{name}" for name in ("old", "new"))
    long_ago = time.time() - LEFT_AFTER_SECONDS - 60
    for folder in (old, new):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
        os.utime(folder, (long_ago, long_ago))
    os.utime(old / "duckdb_temp_storage_DEFAULT-0.tmp", (long_ago, long_ago))
    with filled.writing():
        pass
    assert spilled(tmp_path / "work") == [new]
