"""Fixtures that several test folders share."""

import logging
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import duckdb
import engines
import pytest
from world import World

from hem_etl.settings import Engine

_connect = duckdb.connect


@wraps(_connect)
def _connect_with_one_thread(*arguments: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """Tests run on all cores already, and their tables are small: more threads only cost."""
    config = {"threads": 1} | options.get("config", {})
    if engines.engine is Engine.LAKE:
        config["allow_unsigned_extensions"] = True  # to prove a signature takes longer than many a test
    return _connect(*arguments, **options | {"config": config})


duckdb.connect = _connect_with_one_thread


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=list(Engine), default="file", help="what keeps the warehouses of the tests")


def pytest_configure(config: pytest.Config) -> None:
    engines.engine = Engine(config.getoption("engine"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (marker := item.get_closest_marker("only_file")) and engines.engine is not Engine.FILE:
            item.add_marker(pytest.mark.skip(reason=f"of the file alone: {marker.args[0]}"))


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
