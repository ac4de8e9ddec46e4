"""Maintenance of a lake on Postgres: beside readers and a writer, and killed, it changes no number, loses no file."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from engines import DAYS, files_of, publish_days, published_kwh
from lake.shared_landing import lake_settings, lake_with, let_go, waiting

from hem_etl.settings import GivenSettings
from hem_etl.warehouse import LakeWarehouse

pytestmark = pytest.mark.services

PUBLISHES = 5
MAINTAINS = """
import sys
from datetime import timedelta
from hem_etl.settings import load_settings
from hem_etl.warehouse import open_warehouse
lake = open_warehouse(load_settings())
lake.keep = timedelta(0)
print("begins", flush=True)
sys.stdin.readline()
lake.maintain()
"""


@pytest.fixture
def settings(url: str, tmp_path: Path) -> dict[str, str]:
    return lake_settings(url, tmp_path) | {"HEM_ETL_HOME": str(tmp_path / "home")}


@pytest.fixture
def lake(settings: dict[str, str]) -> LakeWarehouse:
    """With rows that were replaced a few times."""
    lake = lake_with(GivenSettings(**settings))
    publish_days(lake)
    for number in range(4):
        publish(lake, number)
    return lake


def publish(lake: LakeWarehouse, number: int) -> None:
    """All days anew, in three transactions: readers may see `number` or what it was before, for all of them."""
    with lake.publishing() as writer:
        for day in DAYS.partition_by("system_id", "day"):
            writer.replace("days", day.with_columns(kwh=pl.lit(float(number))), keys=day.select("system_id", "day"))


def newest_snapshot(lake: LakeWarehouse) -> int:
    (newest,) = lake.catalogue.ask("select max(snapshot_id) from ducklake_snapshot")
    assert newest is not None
    return newest


def test_readers_and_a_writer_beside_maintenance_see_whole_publishes_alone(lake: LakeWarehouse) -> None:
    stop, wrong, seen = threading.Event(), [], set()

    def repeat(verb: Callable[[], object]) -> None:
        while not stop.is_set():
            try:
                verb()
            except Exception as error:
                wrong.append(error)

    def look() -> None:
        with lake.reading() as published:
            for _ in range(3):
                seen.add(published.read("select count(*), min(kwh), max(kwh) from days").row(0))

    beside = [threading.Thread(target=repeat, args=[verb]) for verb in (look, look, lake.maintain)]
    for thread in beside:
        thread.start()
    for number in range(PUBLISHES):
        publish(lake, number)
    stop.set()
    for thread in beside:
        thread.join()
    assert not wrong
    assert seen
    assert not [found for found in seen if found[0] != 3 or found[1] != found[2]]
    assert published_kwh(lake) == 3 * (PUBLISHES - 1)


@pytest.mark.parametrize("steps", [1, 4])
def test_maintenance_that_is_killed_leaves_what_the_next_one_completes(
    lake: LakeWarehouse, settings: dict[str, str], steps: int
) -> None:
    before = newest_snapshot(lake)
    child = waiting(MAINTAINS, settings)
    let_go(child)
    while newest_snapshot(lake) < before + steps:
        assert child.poll() is None, child.communicate()
    child.kill()
    child.communicate()

    assert published_kwh(lake) == 9.0
    lake.keep = timedelta(0)
    lake.maintain()
    assert published_kwh(lake) == 9.0
    on_disk, named = files_of(lake)
    assert on_disk == named
