"""A Postgres for these tests, and a database of its own for each."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres import Server, served


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
