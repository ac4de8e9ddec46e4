"""Fixtures that several test folders share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import World


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
