"""Machines that share a lake, a landing, Dagster's Postgres and a redis: workers of Celery, a home for each.

What the daemon does is done here, step by step and at hours that the test chooses, by Dagster's own code; the code
location is a process, as the daemon's is.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import dagster as dg
from dagster._core.test_utils import freeze_time
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from launching import MODULE, launch, re_execute_from_failure

from hem_etl.orchestration.celery_runs import WatchedCeleryRunLauncher

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "hem_etl" / "orchestration" / "celery.yaml"
LOG = logging.getLogger(__name__)
LEAVES_NO_PROCESS = "code_servers: {wait_for_local_processes_on_shutdown: true}"
OVER = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


class Machine:
    """A worker of one place, with a home of its own."""

    def __init__(self, name: str, home: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._environment = {**environment, "HEM_ETL_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
        make_dagster_home(home)
        self._log = home / "worker.log"
        self.start()

    def start(self) -> None:
        options = ["-c", "1", "-n", self.name, "--loglevel", "WARNING"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hem_etl.orchestration.celery_runs", *options],
                env=self._environment,
                cwd=self._environment["HEM_ETL_HOME"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """As when its power goes: the worker, the run that it executes, and whoever prepares for it."""
        with suppress(ProcessLookupError):  # it was killed before
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def is_up(self) -> bool:
        assert self._process.poll() is None, f"{self.name} ended"
        return True


def make_dagster_home(home: Path) -> None:
    (home / "dagster").mkdir(parents=True)
    shipped = SHIPPED.read_text(encoding="utf-8")
    (home / "dagster" / "dagster.yaml").write_text(f"{shipped}\n{LEAVES_NO_PROCESS}", encoding="utf-8")


class Machines:
    """The daemon's part, and workers `a` and `b`."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext, workers: list[Machine]):
        self.instance, self._workspace, self.workers = instance, workspace, {each.name: each for each in workers}
        launcher = instance.run_launcher
        assert isinstance(launcher, WatchedCeleryRunLauncher)
        self._celery = launcher.celery
        self._queue = QueuedRunCoordinatorDaemon(interval_seconds=1)
        self._retries = EventLogConsumerDaemon(interval_seconds=1)
        self._later = timedelta()

    def launch(self, asset: str, tags: Mapping[str, str] | None = None) -> str:
        """Launch one run of an asset, as the browser does; its id."""
        return launch(self._workspace, asset, tags or {})

    def re_execute_from_failure(self, run_id: str) -> str:
        """What `Re-execute → From failure` does; the new run's id."""
        return re_execute_from_failure(self._workspace, run_id)

    def switch_on(self, schedule: str, since: datetime) -> None:
        location = self._workspace.create_request_context().get_code_location(MODULE)
        with freeze_time(since):
            self.instance.start_schedule(location.get_repository("__repository__").get_schedule(schedule))

    def tick(self, now: datetime) -> None:
        """What the daemon does for schedules at this time."""
        for error in launch_scheduled_runs(self._workspace, LOG, now, iteration_times={}):
            assert error is None, error

    def look(self) -> None:
        """One look of the daemon at the queue, and at failures that call for another try."""
        for error in (*self._queue.run_iteration(self._workspace), *self._retries.run_iteration(self._workspace)):
            assert error is None, error

    def sense(self) -> None:
        """One look of the daemon at its sensors; each is due again, whatever the clock says."""
        self._later += timedelta(minutes=1)
        with freeze_time(datetime.now().astimezone() + self._later):
            for error in execute_sensor_iteration(self._workspace, LOG, None, None):
                assert error is None, error

    def monitor(self, later: timedelta = timedelta()) -> None:
        """What the daemon does for runs that are under way, so much later."""
        with freeze_time(datetime.now().astimezone() + later):
            for error in execute_run_monitoring_iteration(self._workspace, LOG):
                assert error is None, error

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        """Newest first."""
        return list(self.instance.get_runs(dg.RunsFilter(statuses=statuses)))

    def under_way(self) -> list[dg.DagsterRun]:
        return [run for run in self.instance.get_runs() if run.status not in OVER]

    def executing(self) -> dict[str, list[str]]:
        """Ids of tasks by the worker that executes them; only of workers that answer."""
        with self._celery.connection_for_write() as broker:  # not one of before the broker was killed
            active = self._celery.control.inspect(timeout=5, connection=broker).active() or {}
        return {name.partition("@")[2]: [task["id"] for task in tasks] for name, tasks in active.items()}

    def wait_for_workers(self, *names: str) -> None:
        while not set(names) <= self.executing().keys():
            assert all(self.workers[name].is_up() for name in names)

    def wait_for_idle_workers(self) -> None:
        """Until all answer that they execute nothing; asks nobody but redis."""
        while (found := self.executing()).keys() != self.workers.keys() or any(found.values()):
            assert all(worker.is_up() for worker in self.workers.values())

    def work_off(self) -> None:
        """Until nothing is queued or under way."""
        while self.under_way():
            self.look()
            Event().wait(0.2)


@contextmanager
def machines(home: Path, environment: Mapping[str, str]) -> Iterator[Machines]:
    """environment: of this process too, which must live in the DAGSTER_HOME of `home / "daemon"`."""
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.get())
        workers = [Machine(name, home / name, environment) for name in ("a", "b")]
        for worker in workers:
            stack.callback(worker.kill)
        target = ModuleTarget(module_name=MODULE, attribute=None, working_directory=None, location_name=MODULE)
        workspace = stack.enter_context(WorkspaceProcessContext(instance, target))
        found = Machines(instance, workspace, workers)
        found.wait_for_workers("a", "b")
        yield found
