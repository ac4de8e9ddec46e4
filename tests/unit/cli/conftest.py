"""A simulator of four homes, and commands against it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import TODAY, Run, commands

from hem_etl.simulator import Simulator, make_fleet


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(make_fleet(4, today=TODAY))


@pytest.fixture
def run(simulator: Simulator, tmp_path: Path) -> Iterator[Run]:
    """Runs a command in an empty folder with the settings of a served simulator."""
    with commands(simulator, tmp_path) as run:
        yield run
