"""A Postgres for these tests, and a database of its own for each; an S3, and a place of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from lake.shared_landing import Ticking
from postgres import Server, served
from seaweed import PROGRAM, Store, stored
from world import NOW, World

from hem_etl.simulator import make_fleet


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with served() as server:
        yield server


@pytest.fixture
def url(server: Server, tmp_path: Path) -> str:
    """Of an empty database."""
    name = f"lake_{abs(hash(tmp_path))}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    return server.url(name)


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A home on one machine, with the file, of which only landing is taken elsewhere."""
    world = Ticking(tmp_path_factory.mktemp("landed") / "home", make_fleet(4, today=NOW.date()))
    for day in ("2026-11-19", "2026-11-20", "2026-11-21"):
        world.run(day)
    return world


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    if not PROGRAM.exists():
        pytest.skip("SeaweedFS is not here: `make test-lake` installs it where it can")
    with stored() as store:
        yield store
