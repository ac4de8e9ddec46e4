"""Fixtures that several test folders share."""

from pathlib import Path

import pytest
from world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The default fleet of 18 homes on a Sunday afternoon."""
    return World(tmp_path / "home")
