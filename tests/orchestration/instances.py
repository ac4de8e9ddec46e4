"""Dagster in process, over a simulated world."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from world import World

from hem_etl.orchestration.definitions import make_definitions
from hem_etl.orchestration.partitions import SYSTEMS, Scheme
from hem_etl.orchestration.resources import told_plainly
from hem_etl.pipeline import Road
from hem_etl.settings import Settings

START = "2026-10-01"


class WorldRoads:
    """Roads through a simulated world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def settings(self) -> Settings:
        return self.world.settings

    @contextmanager
    def open(self, log: logging.Logger, *, is_part: bool = False) -> Iterator[Road]:
        with told_plainly(), self.world.client() as client:
            yield Road(self.world.settings, client=client, clock=self.world.clock, is_part=is_part)


class Instance:
    """An ephemeral Dagster over a world: its definitions, runs, and the state of its partitions."""

    def __init__(self, world: World, instance: dg.DagsterInstance, buckets: int = 0, start: str = START) -> None:
        self.world, self.dagster = world, instance
        self.scheme = Scheme(start, buckets)
        self.roads = WorldRoads(world)
        self.definitions = make_definitions(self.scheme, self.roads)

    def add_fleet(self) -> list[str]:
        keys = sorted(self.scheme.system_key(home.system_id) for home in self.world.simulator.fleet.homes)
        self.dagster.add_dynamic_partitions(SYSTEMS, keys)
        return keys

    def run(
        self,
        *assets: str,
        tags: dict[str, str] | None = None,
        partition: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of these assets with their checks."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            run_config=config,
            instance=self.dagster,
            asset_selection=[dg.AssetKey.from_user_string(name) for name in assets],
            tags=tags,
            partition_key=partition,
            raise_on_error=False,
        )

    def run_range(
        self, asset: str, first: str, last: str, keys: Sequence[str] | None = None
    ) -> dg.ExecuteInProcessResult:
        order = keys or self.scheme.system_keys(self.dagster)
        return self.run(asset, tags=self.scheme.window(first, last, order))

    def green(self, asset: str = "day_statistics") -> set[str]:
        return set(self.dagster.get_materialized_partitions(dg.AssetKey(asset)))

    def events(self, asset: str = "day_statistics") -> list[dg.AssetMaterialization]:
        records = self.dagster.fetch_materializations(dg.AssetKey.from_user_string(asset), limit=10_000).records
        found = [record.asset_materialization for record in records]
        assert all(found)
        return [event for event in found if event]

    def failure(self, result: dg.ExecuteInProcessResult) -> str:
        (event,) = result.get_step_failure_events()
        data = event.step_failure_data
        assert data.user_failure_data is not None
        return str(data.user_failure_data.description)
