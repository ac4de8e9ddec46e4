"""A lake whose files lie on S3, its catalogue in Postgres: the file's numbers, and nothing lost where S3 fails."""

from datetime import timedelta
from pathlib import Path

import pytest
from engines import files_of, publish_days, published_kwh
from lake.shared_landing import (
    lake_of,
    lake_settings,
    lake_with,
    landing_in,
    let_go,
    loader,
    on_a_lake,
    transactions_of,
)
from postgres import PASSWORD
from seaweed import KEY_ID, SECRET, Store
from world import World, same_tables

from hem_etl.errors import HemEtlError, SettingsError
from hem_etl.settings import GivenSettings
from hem_etl.warehouse import LakeWarehouse

pytestmark = pytest.mark.services


@pytest.fixture
def storage(store: Store, tmp_path: Path) -> dict[str, str]:
    """Settings of a place of its own."""
    landing_in(store, "hem-lakes/landing", tmp_path)  # makes the bucket
    return store.settings(f"hem-lakes/{abs(hash(tmp_path))}/year=2026")


@pytest.fixture
def lake(url: str, tmp_path: Path, storage: dict[str, str]) -> LakeWarehouse:
    return lake_with(GivenSettings(HEM_ETL_HOME=tmp_path, **(lake_settings(url, tmp_path) | storage)))


def test_numbers_of_a_lake_on_s3_are_those_of_the_file_where_s3_fails_for_a_while_too(
    landed: World, url: str, tmp_path: Path, store: Store, storage: dict[str, str]
) -> None:
    world = on_a_lake(landed, url, tmp_path / "home", storage)
    child = loader(world)
    let_go(child)
    while transactions_of(world) < 4:
        assert child.poll() is None, child.communicate()
    store.is_out_of_order = True
    out, told = child.communicate()
    store.is_out_of_order = False
    assert store.refused
    assert "done" not in out
    assert "HEM_ETL_S3_ENDPOINT" in told
    assert KEY_ID not in told
    assert SECRET not in told

    world.road().load()
    world.road().publish()

    same_tables(world.tables(), landed.tables())
    lake = lake_of(world)
    with lake._connected() as connection:  # at least one
        connection.execute(f"copy (select 1) to '{lake.storage.path}/core/load/ducklake-orphan.parquet'")
    there, named = files_of(lake)
    assert "ducklake-orphan.parquet" in there - named
    lake.keep = timedelta(0)
    done = lake.maintain()
    assert done.files_after < done.files_before
    same_tables(world.tables(), landed.tables())
    there, named = files_of(lake)
    assert there == named


def test_a_misspelt_catalogue_is_no_new_lake_among_the_files_of_another(
    lake: LakeWarehouse, tmp_path: Path, storage: dict[str, str]
) -> None:
    publish_days(lake)
    settings = lake_settings(str(tmp_path / "another.sqlite"), tmp_path) | storage
    with pytest.raises(SettingsError, match=r"HEM_ETL_LAKE_CATALOG.*empty"):
        publish_days(lake_with(GivenSettings(HEM_ETL_HOME=tmp_path, **settings)))
    assert published_kwh(lake) == 6.0


def test_any_client_reads_what_is_published_with_the_statements_that_are_told(
    lake: LakeWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_days(lake)
    assert published_kwh(lake) == 6.0
    described = lake.describe()
    assert str(tmp_path) not in str((described.folders, described.owned))
    told = described.attach.replace("'KEY_ID'", f"'{KEY_ID}'").replace("'SECRET'", "'s3cr/et+k''ey='")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with lake._connected() as connection:
        connection.execute("use memory; detach hem; drop secret hem_data")
        connection.execute(told)
        assert connection.execute("select count(*) from days").fetchall() == [(3,)]


def test_nobody_is_told_the_keys(
    lake: LakeWarehouse, url: str, tmp_path: Path, storage: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    publish_days(lake)
    told = [str(lake.describe()), repr(lake.storage), caplog.text]
    with lake.reading() as reader, reader.asked("from duckdb_secrets()") as answer:
        told.append(str(answer.rows()).replace(KEY_ID, ""))  # DuckDB tells the id, as it tells a user's name
    for name in ("HEM_ETL_S3_SECRET_ACCESS_KEY", "HEM_ETL_S3_ACCESS_KEY_ID"):
        wrong = GivenSettings(HEM_ETL_HOME=tmp_path, **(lake_settings(url, tmp_path) | storage | {name: "wr0ng"}))
        told.append(repr(wrong))
        with pytest.raises(HemEtlError, match="HEM_ETL_S3_ENDPOINT") as unread:
            published_kwh(lake_with(wrong))
        with pytest.raises(HemEtlError, match="HEM_ETL_S3_ENDPOINT") as unwritten:
            publish_days(lake_with(wrong))
        told += [f"{error.value} {error.value.__cause__}" for error in (unread, unwritten)]
    assert not [text for text in told if SECRET in text or KEY_ID in text or "wr0ng" in text or "s3cr/et" in text]
