"""Which engine keeps the warehouses of the tests: `pytest --engine=lake` runs them on a DuckLake."""

import atexit
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import duckdb
import polars as pl

from hem_etl.settings import Engine, GivenSettings, Settings
from hem_etl.warehouse import FileWarehouse, LakeWarehouse, Warehouse, open_warehouse, packaged_models
from hem_etl.warehouse.catalogue import NEWEST_PUBLISHED

CATALOGUE = "catalogue.sqlite"

DAYS = pl.DataFrame({"system_id": ["a", "a", "b"], "day": [date(2026, 3, d) for d in (28, 29, 29)], "kwh": [1.0, 2, 3]})
"""Three rows to keep where no model matters."""

engine = Engine.FILE
"""Set once, by the option."""


def engine_settings(home: Path) -> dict[str, str]:
    """What a home's settings say besides: everything of a lake lies below its home."""
    if engine is Engine.FILE:
        return {}
    lake = home / "lake"
    return {
        "HEM_ETL_WAREHOUSE": "lake",
        "HEM_ETL_LAKE_CATALOG": str(lake / CATALOGUE),
        "HEM_ETL_LAKE_DATA": str(lake / "data"),
    }


def moved(home: Path) -> None:
    """A lake that was copied with its home: its catalogue says where its files are."""
    file = home / "lake" / CATALOGUE
    if file.exists():
        with closing(sqlite3.connect(file)) as connection, connection:
            data = f"{(home / 'lake' / 'data').absolute()}/"
            connection.execute("update ducklake_metadata set value = ? where key = 'data_path'", [data])


def begun(home: Path) -> bool:
    """Whether the home's warehouse has been begun."""
    return _warehouse(home).describe().is_begun


def begin(home: Path) -> None:
    """What a home is that has been listed nothing yet: every table, view and comment; made once."""
    if engine is Engine.FILE:
        file = home / "work" / "warehouse.duckdb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_begun_file())
    else:
        shutil.copytree(_begun_lake(), home / "lake")
        moved(home)


@contextmanager
def tampering(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The writer's tables, to be changed as a bug would: nobody notes it."""
    warehouse = open_warehouse(settings)
    if isinstance(warehouse, FileWarehouse):
        with duckdb.connect(str(warehouse.file)) as connection:
            yield connection
    else:
        assert isinstance(warehouse, LakeWarehouse)
        with warehouse._connected() as connection:
            yield connection


@contextmanager
def published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """What any DuckDB client sees."""
    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, FileWarehouse | LakeWarehouse)
    with warehouse.reading() as reader:
        yield reader._connection


def identity(settings: Settings) -> object:
    """Another one after each publish."""
    warehouse = open_warehouse(settings)
    if isinstance(warehouse, FileWarehouse):
        found = warehouse.published.stat()
        return found.st_ino, found.st_mtime_ns
    assert isinstance(warehouse, LakeWarehouse)
    return warehouse.catalogue.ask(NEWEST_PUBLISHED)


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database of the engine, to make models in."""
    if engine is Engine.FILE:
        with duckdb.connect() as connection:
            yield connection
        return
    with TemporaryDirectory() as folder:
        home = Path(folder)
        warehouse = _warehouse(home)
        (home / "lake").mkdir()
        assert isinstance(warehouse, LakeWarehouse)
        with warehouse._connected() as connection:
            yield connection


def publish_days(warehouse: Warehouse) -> None:
    """A table `days` that holds DAYS."""
    with warehouse.publishing() as writer:
        writer.change("create table days (system_id varchar, day date, kwh double)")
        writer.append("days", DAYS)


def published_kwh(warehouse: Warehouse) -> float:
    with warehouse.reading() as published:
        return float(published.read("select sum(kwh) as kwh from days").item())


def files_of(lake: LakeWarehouse) -> tuple[set[str], set[str]]:
    """Names of the files that lie where a lake keeps them, and of those that its catalogue names."""
    tables = ("ducklake_data_file", "ducklake_delete_file", "ducklake_files_scheduled_for_deletion")
    named = " union all ".join(f"select path from __ducklake_metadata_hem.{table}" for table in tables)
    with lake._connected() as connection:
        paths = connection.execute(named).fetchall()
        files = connection.execute("select file from glob(?)", [f"{lake.storage.path}/**"]).fetchall()
    on_disk, in_catalogue = ({Path(path).name for (path,) in found} for found in (files, paths))
    return on_disk, in_catalogue


@cache
def _begun_file() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "work" / "warehouse.duckdb"
        _make_models(Path(folder))
        return file.read_bytes()


@cache
def _begun_lake() -> Path:
    home = Path(mkdtemp())
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    _make_models(home)
    return home / "lake"


def _make_models(home: Path) -> None:
    with _warehouse(home).writing() as writer:
        writer.create_tables(packaged_models())
        writer.build(packaged_models())


def _warehouse(home: Path) -> Warehouse:
    return open_warehouse(GivenSettings(HEM_ETL_HOME=home, **engine_settings(home)))
