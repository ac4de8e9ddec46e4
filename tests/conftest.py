"""Fixtures that several test folders share."""

import logging
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import duckdb
import pytest
from world import World

_connect = duckdb.connect


@wraps(_connect)
def _connect_with_one_thread(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """Tests run on all cores already, and their tables are small: more threads only cost."""
    return _connect(*arguments, **options | {"config": {"threads": 1} | options.get("config", {})})


duckdb.connect = _connect_with_one_thread


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The default fleet of 18 homes on a Sunday afternoon."""
    return World(tmp_path / "home")


@pytest.fixture(autouse=True)
def log_level_as_it_was() -> Iterator[None]:
    """A command sets how much `hem_etl` logs; the next test of the process must not inherit it."""
    logger = logging.getLogger("hem_etl")
    level = logger.level
    yield
    logger.setLevel(level)
