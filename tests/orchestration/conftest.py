"""A Dagster in memory over the simulated world."""

from collections.abc import Iterator

import dagster as dg
import pytest
from orchestration.instances import Instance
from world import World


@pytest.fixture
def dagster(world: World) -> Iterator[Instance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Instance(world, instance)
