"""The lake: one writer at a time even where a lock was lost, a publish is a snapshot, readers change nothing."""

import os
import random
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from engines import DAYS, files_of, publish_days, published_kwh

from hem_etl.errors import HemEtlError, SettingsError, UsageError, WriterBusyError
from hem_etl.locks import FileLock, Note, Patience
from hem_etl.settings import GivenSettings
from hem_etl.warehouse import FileWarehouse, LakeWarehouse, Reader, maintaining, open_warehouse, packaged_models

COLUMNS = ["system_id", "day", "kwh"]
UNSIGNED = {"allow_unsigned_extensions": True}
DICTIONARY = "select relation, kind, position, column_name, type, unit, meaning from core.dictionary"


@pytest.fixture(autouse=True)
def quick_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extensions' signatures are proved by one test alone: that takes longer than many a test."""
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *file, config=None: connect(*file, config=(config or {}) | UNSIGNED))


def lake_of(folder: Path, **given: str) -> LakeWarehouse:
    catalogue, data = str(folder / "catalogue.sqlite"), str(folder / "it's data")
    settings = {"HEM_ETL_LAKE_CATALOG": catalogue, "HEM_ETL_LAKE_DATA": data, **given}
    warehouse = open_warehouse(GivenSettings(HEM_ETL_HOME=folder, HEM_ETL_WAREHOUSE="lake", **settings))
    assert isinstance(warehouse, LakeWarehouse)
    return warehouse


@pytest.fixture
def lake(tmp_path: Path) -> LakeWarehouse:
    return lake_of(tmp_path)


@pytest.fixture
def filled(lake: LakeWarehouse) -> LakeWarehouse:
    publish_days(lake)
    return lake


class NoLock:
    """As the lock looks to one who lost it and does not know."""

    @contextmanager
    def hold(self) -> Iterator[Note]:
        yield lambda _: None

    def holder(self) -> str | None:
        return None


def unlocked(folder: Path) -> LakeWarehouse:
    lake = lake_of(folder)
    lake.catalogue.lock = NoLock()
    return lake


def test_rows_are_replaced_by_keys_and_what_fails_leaves_nothing(filled: LakeWarehouse) -> None:
    of_a = DAYS.filter(pl.col("system_id") == "a")
    with filled.writing() as writer:
        writer.replace("days", of_a.head(1).with_columns(kwh=pl.lit(10.0)), keys=of_a.select("system_id", "day"))
        with pytest.raises(ZeroDivisionError), writer.transaction():
            writer.clear("days")
            raise ZeroDivisionError
        assert sorted(writer.rows("days", ["system_id", "kwh"]).rows()) == [("a", 10.0), ("b", 3.0)]


def test_a_publish_is_a_snapshot(filled: LakeWarehouse) -> None:
    with filled.reading() as before:
        with filled.writing() as writer:
            writer.append("days", DAYS)
        assert published_kwh(filled) == 6.0
        with filled.publishing():
            pass
        assert before.read("select sum(kwh) from days").item() == 6.0
    assert published_kwh(filled) == 12.0


def test_what_fails_publishes_nothing(filled: LakeWarehouse) -> None:
    with pytest.raises(ZeroDivisionError), filled.publishing() as writer:
        writer.append("days", DAYS)
        raise ZeroDivisionError
    assert published_kwh(filled) == 6.0


def test_a_writer_that_lost_its_lock_cannot_build_on_what_it_read_before_another_wrote(
    filled: LakeWarehouse, tmp_path: Path
) -> None:
    with unlocked(tmp_path).writing() as lost:
        assert lost.count("days") == 3
        with filled.writing() as other:
            other.append("days", DAYS)
        with pytest.raises(WriterBusyError, match=r"process \d+ on "):
            lost.append("days", DAYS)
    with filled.writing() as writer:
        assert writer.count("days") == 6


def test_of_two_transactions_at_once_one_stands(filled: LakeWarehouse, tmp_path: Path) -> None:
    with (
        pytest.raises(HemEtlError, match="another writer came in between"),
        unlocked(tmp_path).writing() as lost,
        lost.transaction(),
    ):
        lost.append("days", DAYS)
        with filled.writing() as other:
            other.append("days", DAYS)
    with filled.writing() as writer:
        assert writer.count("days") == 6


def test_the_fence_stands_after_what_was_rolled_back(filled: LakeWarehouse) -> None:
    with filled.writing() as writer:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), writer.transaction():
                writer.append("days", DAYS)
                raise ZeroDivisionError
        writer.append("days", DAYS)
        assert writer.count("days") == 6


def test_a_second_writer_names_the_holder(filled: LakeWarehouse, tmp_path: Path) -> None:
    impatient = lake_of(tmp_path)
    lock = filled.catalogue.lock
    assert isinstance(lock, FileLock)
    impatient.catalogue.lock = FileLock(lock.path, "the lake")
    assert impatient.holder() is None
    with filled.writing():
        assert "process" in str(impatient.holder())
        with pytest.raises(WriterBusyError, match=r"process \d+ on "), impatient.writing():
            pass


def test_who_waits_for_another_writer_says_soon_who_that_is(
    filled: LakeWarehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    waiting, lock, slept = lake_of(tmp_path), filled.catalogue.lock, [0.0]
    assert isinstance(lock, FileLock)
    patience = Patience(4, lambda: sum(slept), slept.append)
    waiting.catalogue.lock = FileLock(lock.path, "the lake", patience)
    with filled.writing(), pytest.raises(WriterBusyError), waiting.writing():
        pass
    assert re.fullmatch(r"waiting for the lake held_by='process \d+ on .+' seconds=3 of=4", *caplog.messages)


@pytest.mark.parametrize(
    "query",
    ["delete from days", "copy days to '{data}/stolen.csv'", "explain analyze copy days to '{data}/stolen.csv'"],
)
def test_a_readers_query_changes_nothing(query: str, filled: LakeWarehouse) -> None:
    with (
        filled.reading() as reader,
        pytest.raises(UsageError),
        reader.asked(query.format(data=filled.storage.path.replace("'", "''"))),
    ):
        pass
    assert not list(Path(filled.storage.path).glob("stolen*"))
    assert published_kwh(filled) == 6.0


@pytest.mark.parametrize("query", ["from days", "describe days", "explain select * from days", "summarize days"])
def test_a_readers_query_has_rows(query: str, filled: LakeWarehouse) -> None:
    with filled.reading() as reader, reader.asked(query) as answer:
        assert answer.rows()[1]


def test_a_readers_query_opens_no_other_file(filled: LakeWarehouse, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    with filled.reading() as reader, pytest.raises(UsageError), reader.asked(f"from '{tmp_path}/secret.csv'"):
        pass


def test_any_client_attaches_what_is_published(filled: LakeWarehouse) -> None:
    told = filled.describe()
    with filled.writing() as writer:
        writer.append("days", DAYS)
    with filled._connected() as connection:
        connection.execute("use memory; detach hem")
        connection.execute(told.attach)
        assert connection.execute("select count(*) from days").fetchall() == [(3,)]
    assert told.published_bytes
    assert told.is_begun is False, "it holds no table of ours"


def test_no_row_lies_in_the_catalogue(filled: LakeWarehouse, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as catalogue:
        names = {name for (name,) in catalogue.execute("select name from sqlite_master where type = 'table'")}
        assert not [name for name in names if name.startswith("ducklake_inlined_data_") and name[-1].isdigit()]


def test_a_reset_begins_with_nothing_and_keeps_what_is_published(lake: LakeWarehouse) -> None:
    assert (lake.is_published(), lake.is_current(), lake.describe().is_begun) == (False, False, False)
    reading = pl.DataFrame({"system_id": "a", "day": date(2026, 1, 1), "start_utc": datetime(2026, 1, 1)})
    with lake.publishing() as writer:
        writer.create_tables(packaged_models())
        writer.append("stored.reading", reading)
    assert (lake.is_published(), lake.is_current(), lake.describe().is_begun) == (True, True, True)
    lake.reset()
    assert not lake.describe().is_begun
    with lake.reading() as reader:
        assert reader.count("core.reading") == 1
    with lake.writing() as writer:
        writer.create_tables(packaged_models())
        assert writer.count("core.dictionary") > 0
        assert writer.count("core.reading") == 0


def churn(lake: LakeWarehouse, times: int) -> None:
    """Publishes that leave many files, and rows deleted in them."""
    for number in range(times):
        with lake.publishing() as writer:
            days = DAYS.with_columns(pl.col("day") + timedelta(days=number // 2), kwh=pl.lit(float(number)))
            writer.replace("days", days, keys=days.select("system_id", "day"))


def test_maintenance_changes_no_number_and_leaves_no_file_that_nothing_needs(filled: LakeWarehouse) -> None:
    churn(filled, 6)
    kwh = published_kwh(filled)
    filled.keep = timedelta(0)
    first, last = filled.maintain(), filled.maintain()
    assert published_kwh(filled) == kwh
    assert first.files_after < first.files_before
    assert first.bytes_after < first.bytes_before
    assert first.snapshots_expired > 5
    on_disk, named = files_of(filled)
    assert on_disk == named
    assert last.files_before == last.files_after == first.files_after
    assert f"are {last.files_after} files" in str(last)


def test_maintenance_spares_what_readers_may_hold_and_refuses_what_it_does_not(filled: LakeWarehouse) -> None:
    with filled.reading() as held, filled.reading() as other:
        churn(filled, 2)
        assert filled.maintain().files_removed == 0
        assert held.read("select sum(kwh) from days").item() == 6.0
        filled.keep = timedelta(0)
        filled.maintain()
        for reader in (held, other):
            with pytest.raises(duckdb.InvalidInputException, match="No snapshot found"):
                reader.read("select sum(kwh) from days")


def test_what_was_published_long_ago_stays_until_long_after_the_next_publish(filled: LakeWarehouse) -> None:
    """Who attached the day before the next publish holds a snapshot that was published any time ago."""
    filled.keep = timedelta(days=7)
    with filled.reading() as held:
        with filled._connected() as connection:
            ages = "update __ducklake_metadata_hem.ducklake_snapshot set snapshot_time = '2026-01-01 00:00:00+00'"
            connection.execute(ages)
        churn(filled, 1)
        filled.maintain()
        assert held.read("select sum(kwh) from days").item() == 6.0


def test_what_is_not_published_yet_outlives_maintenance(filled: LakeWarehouse) -> None:
    with filled.writing() as writer:
        writer.append("days", DAYS)
    filled.keep = timedelta(0)
    filled.maintain()
    assert published_kwh(filled) == 6.0
    with filled.publishing() as writer:
        assert writer.count("days") == 6
    assert published_kwh(filled) == 12.0


def test_a_file_that_nothing_names_is_removed_when_it_is_old(filled: LakeWarehouse) -> None:
    young, old = (Path(filled.storage.path) / "main" / "days" / f"ducklake-{name}.parquet" for name in ("young", "old"))
    for file in (young, old):
        file.write_bytes(b"of a transaction that was killed")
    os.utime(old, (0, 0))
    assert filled.maintain().files_removed == 1
    assert young.exists()
    assert not old.exists()


def test_a_writer_that_lost_its_lock_to_maintenance_is_refused(filled: LakeWarehouse, tmp_path: Path) -> None:
    with unlocked(tmp_path).writing() as lost:
        filled.maintain()
        with pytest.raises(WriterBusyError):
            lost.append("days", DAYS)
    assert published_kwh(filled) == 6.0


def test_maintenance_that_lost_its_lock_ends_at_the_next_step(
    filled: LakeWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = unlocked(tmp_path)

    def maintain_beside_another(connection: duckdb.DuckDBPyConnection, *arguments: Any) -> tuple[int, int]:
        with filled.writing() as other:
            other.append("days", DAYS)
        return maintaining.maintain(connection, *arguments)

    monkeypatch.setattr("hem_etl.warehouse.lake.maintain", maintain_beside_another)
    with pytest.raises(WriterBusyError):
        lost.maintain()


def test_maintenance_that_changes_a_number_says_what_to_do(
    filled: LakeWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> tuple[int, int]:
        with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as catalogue, catalogue:
            catalogue.execute("delete from ducklake_data_file where record_count = 3")
        return 0, 0

    monkeypatch.setattr("hem_etl.warehouse.lake.maintain", faulty)
    with pytest.raises(HemEtlError, match=r"main\.days.*hem-etl rebuild"):
        filled.maintain()


def test_nothing_is_published_and_maintained_all_the_same(lake: LakeWarehouse) -> None:
    assert lake.maintain().snapshots_expired
    assert not lake.is_published()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_maintenance_between_random_writes_changes_no_snapshot_that_stays(lake: LakeWarehouse, seed: int) -> None:
    chance = random.Random(seed)
    truth: dict[tuple[str, int], float] = {}
    with lake.publishing() as writer:
        writer.change("create table days (system_id varchar, day integer, kwh double)")

    def publish_some() -> None:
        with lake.publishing() as writer:
            for _ in range(chance.randrange(1, 6)):
                new = {(chance.choice("abcdef"), chance.randrange(10)): chance.random() for _ in range(4)}
                rows = pl.DataFrame([(*key, kwh) for key, kwh in new.items()], COLUMNS, orient="row")
                writer.replace("days", pl.concat([rows] * 3), keys=rows.select("system_id", "day"))
                truth.update(new)
            if chance.random() < 0.2:
                writer.change("delete from days where system_id = 'a'")
                for key in [key for key in truth if key[0] == "a"]:
                    del truth[key]

    def seen(reader: Reader) -> list[tuple[Any, ...]]:
        return sorted(reader.rows("days", COLUMNS).rows())

    for _ in range(3):
        publish_some()
        with lake.reading() as before:
            rows = seen(before)
            publish_some()
            lake.keep = timedelta(days=1)
            lake.maintain()
            assert seen(before) == rows
        lake.keep = timedelta(0)
        lake.maintain()
        with lake.reading() as now:
            assert seen(now) == sorted((*key, kwh) for key, kwh in truth.items() for _ in range(3))
    on_disk, named = files_of(lake)
    assert on_disk == named


def test_meanings_and_units_are_the_same_table_in_a_file_and_in_a_lake(lake: LakeWarehouse, tmp_path: Path) -> None:
    models = packaged_models()
    found = []
    for warehouse in (FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb"), lake):
        with warehouse.writing() as writer:
            writer.create_tables(models)
            writer.build(models)
            found.append(sorted(writer.read(DICTIONARY).rows(), key=repr))
    assert found[0] == found[1]
    named = {(relation, column) for relation, kind, _, column, *_ in found[0] if kind in ("column", "table", "view")}
    assert {(model.relation, None) for model in (*models.tables, *models.views)} <= named
    assert {(m.relation, column.name) for m in (*models.tables, *models.built) for column in m.columns} <= named


def test_a_lake_whose_files_are_said_to_be_elsewhere_is_refused(filled: LakeWarehouse, tmp_path: Path) -> None:
    elsewhere = lake_of(tmp_path, HEM_ETL_LAKE_DATA=str(tmp_path / "elsewhere"))
    with pytest.raises(SettingsError, match="HEM_ETL_LAKE_DATA"), elsewhere.writing():
        pass


def test_nothing_published_says_what_publishes(lake: LakeWarehouse) -> None:
    assert lake.describe().published_bytes is None
    with pytest.raises(HemEtlError, match="hem-etl run"), lake.reading():
        pass
    with lake.writing():
        pass
    with pytest.raises(HemEtlError, match="holds nothing published yet"), lake.reading():
        pass


def test_a_misspelt_catalogue_is_no_new_lake_among_the_files_of_another(filled: LakeWarehouse, tmp_path: Path) -> None:
    """Readers took it for one that has nothing published; maintenance of the new one would have removed the files."""
    before = published_kwh(filled)
    misspelt = lake_of(tmp_path, HEM_ETL_LAKE_CATALOG=str(tmp_path / "catalog.sqlite"))
    with pytest.raises(HemEtlError, match=r"no lake at .*catalog\.sqlite.*HEM_ETL_LAKE_CATALOG"), misspelt.reading():
        pass
    for write in (lambda: publish_days(misspelt), misspelt.reset, misspelt.maintain):
        with pytest.raises(SettingsError, match=r"HEM_ETL_LAKE_CATALOG.*empty"):
            write()
    assert not (tmp_path / "catalog.sqlite").exists()
    assert published_kwh(filled) == before


@pytest.mark.parametrize("sign", ["[1]", "*", "?"])
def test_a_folder_whose_name_is_a_pattern_is_refused(sign: str, tmp_path: Path) -> None:
    """Measured: what maintenance has to remove from one is not found, and stays."""
    with pytest.raises(SettingsError, match=r"HEM_ETL_LAKE_DATA=.*take another"):
        lake_of(tmp_path, HEM_ETL_LAKE_DATA=str(tmp_path / f"data {sign}"))


@pytest.mark.parametrize("missing", ["HEM_ETL_LAKE_CATALOG", "HEM_ETL_LAKE_DATA"])
def test_a_lake_needs_to_know_where_it_is(missing: str, tmp_path: Path) -> None:
    given = {"HEM_ETL_LAKE_CATALOG": "a.sqlite", "HEM_ETL_LAKE_DATA": "data"}
    del given[missing]
    with pytest.raises(SettingsError, match=missing):
        open_warehouse(GivenSettings(HEM_ETL_HOME=tmp_path, HEM_ETL_WAREHOUSE="lake", **given))


@pytest.mark.parametrize(
    ("data", "landing"), [("shared", "shared/landing"), ("shared", "shared"), ("home", None), ("a/../home", "home/x")]
)
def test_maintenance_of_a_lake_can_never_remove_what_is_landed(data: str, landing: str | None, tmp_path: Path) -> None:
    """It removes every old file of that folder which the lake does not name."""
    given = {} if landing is None else {"HEM_ETL_LANDING": str(tmp_path / landing)}
    with pytest.raises(SettingsError, match="HEM_ETL_LAKE_DATA"):
        lake_of(tmp_path / "home", HEM_ETL_LAKE_DATA=str(tmp_path / data), **given)


KEYS = {"HEM_ETL_S3_ACCESS_KEY_ID": "k3y-id", "HEM_ETL_S3_SECRET_ACCESS_KEY": "s3cr'et"}


@pytest.mark.parametrize("missing", KEYS)
def test_a_bucket_needs_keys(missing: str, tmp_path: Path) -> None:
    given = {name: value for name, value in KEYS.items() if name != missing}
    with pytest.raises(SettingsError, match=missing) as told:
        lake_of(tmp_path, HEM_ETL_LAKE_DATA="s3://homes", **given)
    assert not [value for value in KEYS.values() if value in str(told.value)]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({}, "region 'us-east-1', url_style 'vhost', scope 's3://homes/lake'"),
        (
            {"HEM_ETL_S3_ENDPOINT": "https://s3.example.eu", "HEM_ETL_S3_REGION": "eu-1"},
            "region 'eu-1', endpoint 's3.example.eu:443', use_ssl true, url_style 'path', scope 's3://homes/lake'",
        ),
        (
            {"HEM_ETL_S3_ENDPOINT": "http://127.0.0.1:8333", "HEM_ETL_S3_URL_STYLE": "vhost"},
            "region 'us-east-1', endpoint '127.0.0.1:8333', use_ssl false, url_style 'vhost', scope 's3://homes/lake'",
        ),
    ],
)
def test_a_bucket_is_told_to_duckdb_whole_and_to_people_without_keys(
    given: dict[str, str], parts: str, tmp_path: Path
) -> None:
    lake = lake_of(tmp_path, HEM_ETL_LAKE_DATA="s3://homes/lake/", **KEYS, **given)
    assert lake.storage.secret is not None
    assert f"key_id 'k3y-id', secret 's3cr''et', {parts})" in lake.storage.secret
    told = lake.describe()
    assert f"create secret (type s3, key_id 'KEY_ID', secret 'SECRET', {parts}); attach " in told.attach
    assert list(told.folders) == [tmp_path]
    assert not [value for value in KEYS.values() if value in f"{told} {lake.storage}"]


def test_a_lake_without_its_extensions_says_what_to_install(
    lake: LakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hem_etl.warehouse.lake.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"hem_etl\[lake\]"), lake.writing():
        pass


def test_a_lake_on_postgres_without_psycopg_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "hem_etl.locks.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"hem_etl\[lake\]") as told:
        lake_of(tmp_path, HEM_ETL_LAKE_CATALOG="postgresql://hem:s3cret@db.example/lake")
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("address", ["postgresql://hem:s3cret@[db/lake", "postgresql://hem:s3cret@db:port:x/lake?a"])
def test_an_address_that_cannot_be_read_is_not_told(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEM_ETL_LAKE_CATALOG") as told:
        lake_of(tmp_path, HEM_ETL_LAKE_CATALOG=address)
    assert "s3cret" not in str(told.value)


def test_a_catalogue_that_is_none_says_what_to_do(lake: LakeWarehouse, tmp_path: Path) -> None:
    (tmp_path / "catalogue.sqlite").write_bytes(b"no database at all" * 100)
    verbs: list[Any] = [lake.describe, lambda: lake.writing().__enter__(), lambda: lake.reading().__enter__()]
    for verb in verbs:
        with pytest.raises(HemEtlError, match="hem-etl rebuild"):
            verb()


def test_the_extensions_are_those_that_duckdb_signed(lake: LakeWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with lake.publishing():
        pass
    with lake.reading() as reader:
        assert reader.read("select current_setting('allow_unsigned_extensions')").item() is False
