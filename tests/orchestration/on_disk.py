"""Dagster on disk with the shipped `dagster.yaml`, over the code location as webserver and daemon load it.

In process, but for what a test starts itself: runs are queued and taken from the queue by Dagster's own code, and then
executed here or nowhere.
"""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import MockedRunLauncher
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._scheduler.scheduler import launch_scheduled_runs
from launching import MODULE, launch, re_execute_from_failure
from world import World

from hem_etl.orchestration.definitions import defs
from hem_etl.orchestration.partitions import Scheme
from hem_etl.settings import load_settings
from hem_etl.simulator import Fleet, Simulator, make_fleet

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "hem_etl" / "orchestration" / "dagster.yaml"
KEEPS_WHAT_IT_LAUNCHES = {"run_launcher": {"module": MockedRunLauncher.__module__, "class": MockedRunLauncher.__name__}}


def present_world(home: Path, systems: int) -> World:
    """A world at the machine's own time, which other processes share."""
    now = datetime.now(UTC)
    world = World(home, Fleet(make_fleet(systems, today=now.date()).homes), now)
    world.simulator = Simulator(world.simulator.fleet, clock=lambda: datetime.now(UTC))
    return world


def environment(home: Path, simulator_url: str) -> dict[str, str]:
    """The whole environment of a process over this home; makes its DAGSTER_HOME with the shipped configuration."""
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True)
    (dagster_home / "dagster.yaml").write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    foreign = ("HEM_ETL_", "ENODE_", "DAGSTER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "DAGSTER_HOME": str(dagster_home),
        "ENODE_CLIENT_ID": "simulator",
        "ENODE_CLIENT_SECRET": "simulator-secret",
        "ENODE_API_URL": simulator_url,
        "ENODE_OAUTH_URL": f"{simulator_url}/oauth2/token",
        "HEM_ETL_HOME": str(home),
        "PYTHONPATH": str(REPOSITORY),
    }


class OnDisk:
    """An instance in DAGSTER_HOME and the code location."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance, self.workspace = instance, workspace
        self.scheme = Scheme.of(load_settings())
        self.job = defs.resolve_implicit_global_asset_job_def()
        self._queue = QueuedRunCoordinatorDaemon(interval_seconds=1)

    def launch(self, asset: str, tags: Mapping[str, str]) -> str:
        """Launch one run of an asset, as the browser does; its id. It is queued."""
        return launch(self.workspace, asset, tags)

    def re_execute_from_failure(self, run_id: str) -> str:
        """As the browser does; the id of the new run, which is queued."""
        return re_execute_from_failure(self.workspace, run_id)

    def tick(self, now: datetime) -> None:
        """What the daemon does for schedules at this time."""
        for error in launch_scheduled_runs(self.workspace, logging.getLogger(__name__), now, iteration_times={}):
            assert error is None, error

    def dequeue(self) -> list[dg.DagsterRun]:
        """One look of the daemon at the queue: the runs that it launches."""
        launcher = self.instance.run_launcher
        assert isinstance(launcher, MockedRunLauncher)
        before = len(launcher.queue())
        for _ in self._queue.run_iteration(self.workspace):
            pass
        return list(launcher.queue()[before:])

    def monitor(self) -> None:
        """What the daemon does for runs that are under way."""
        for error in execute_run_monitoring_iteration(self.workspace, logging.getLogger(__name__)):
            assert error is None, error

    def execute(self, run: dg.DagsterRun) -> bool:
        """Execute here what was taken from the queue; whether it succeeded."""
        return execute_run(InMemoryJob(self.job), run, self.instance).success

    def green(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey("day_statistics")))


@contextmanager
def on_disk() -> Iterator[OnDisk]:
    """In the DAGSTER_HOME of this process; what the daemon launches is kept and not executed."""
    ref = InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides=KEEPS_WHAT_IT_LAUNCHES)
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    location = InProcessCodeLocationOrigin(target, location_name=MODULE)
    with dg.DagsterInstance.from_ref(ref) as instance, _workspace(instance, location) as workspace:
        yield OnDisk(instance, workspace)


def _workspace(instance: dg.DagsterInstance, location: InProcessCodeLocationOrigin) -> WorkspaceProcessContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Dagster's own use of what it has deprecated
        return WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(location))
