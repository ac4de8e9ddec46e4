"""What one machine has landed, and lakes above the same landing, which other processes fill."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from seaweed import Store
from world import World

from hem_etl.landing import open_landing
from hem_etl.landing.bucket import Bucket
from hem_etl.settings import GivenSettings, Settings, environment_of_others
from hem_etl.warehouse import LakeWarehouse, open_warehouse

LOADS = """
import logging, os, sys
from datetime import UTC, datetime
import duckdb
from hem_etl.pipeline import Road, batches
from hem_etl.settings import load_settings
batches.SEGMENTS_PER_TRANSACTION = 1
road = Road(load_settings(), clock=lambda: datetime(2026, 11, 22, 13, 15, tzinfo=UTC))
print("begins", flush=True)
sys.stdin.readline()
road.load()
road.publish()
print("done", flush=True)
"""


SETTINGS_OF_A_LAKE = {
    field: str(info.alias)
    for field, info in Settings.model_fields.items()
    if field in ("home", "warehouse") or field.startswith(("lake_", "s3_"))
}


class Ticking(World):
    """No two answers of one instant: segments are named by it, and a list stands before what was asked after it."""

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


def lake_settings(url: str, home: Path) -> dict[str, str]:
    return {
        "HEM_ETL_WAREHOUSE": "lake",
        "HEM_ETL_LAKE_CATALOG": url,
        "HEM_ETL_LAKE_DATA": str(home / "lake" / "data"),
    }


def landing_in(store: Store, place: str, home: Path) -> dict[str, str]:
    """Settings of a landing in this place of it, in a bucket that is there."""
    settings = store.settings(place, "HEM_ETL_LANDING")
    landing = open_landing(GivenSettings(HEM_ETL_HOME=home, **settings)).place
    assert isinstance(landing, Bucket)
    landing._store.put("makes-the-bucket", b"")
    return settings


def on_a_lake(landed: World, url: str, home: Path, storage: dict[str, str] | None = None) -> World:
    """The same landing below a lake that holds nothing yet; storage: what its settings say of where its files lie."""
    (home / "landing").parent.mkdir(parents=True)
    os.symlink(landed.home / "landing", home / "landing")
    return World(home, landed.simulator.fleet, has_tables=False, settings=lake_settings(url, home) | (storage or {}))


def loader(world: World) -> "subprocess.Popen[str]":
    """Another process that will load what is landed, when it is told to."""
    given = {name: getattr(world.settings, field) for field, name in SETTINGS_OF_A_LAKE.items()}
    lake = {
        name: str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in given.items()
        if value is not None
    }
    return waiting(LOADS, lake)


def waiting(program: str, settings: dict[str, str]) -> "subprocess.Popen[str]":
    """Another process, which has said that it begins and waits to be `let_go`."""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment_of_others() | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begins\n", child.communicate()
    return child


def let_go(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def lake_of(world: World) -> LakeWarehouse:
    return lake_with(world.settings)


def lake_with(settings: Settings) -> LakeWarehouse:
    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, LakeWarehouse)
    return warehouse


def transactions_of(world: World) -> int:
    """How many have been committed."""
    (newest,) = lake_of(world).catalogue.ask("select max(snapshot_id) from ducklake_snapshot")
    return newest or 0
