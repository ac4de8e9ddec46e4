"""Runs as tasks of Celery: the launcher that `celery.yaml` names, and the worker.

`python -m hem_etl.orchestration.celery_runs -c 2` is a worker of two places; options are those of `celery worker`. What
it knows of the broker stands in the `dagster.yaml` of its DAGSTER_HOME, the same as everywhere.
"""

import sys
from typing import Final

import dagster as dg
from celery import Celery
from celery.exceptions import OperationalError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from hem_etl.errors import SettingsError

REPLY_SECONDS: Final = 10.0
"""Within which a worker that lives tells what it executes, however busy its machine is."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's launcher, but a run is alive if and only if a worker says that it executes it.

    The task's state, by which Dagster's own goes, stays `started` for ever where a worker was killed, and is unknown,
    which fails a run that goes on, where the broker forgot it.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        with self.celery.connection_for_write() as broker:
            try:
                workers = self.celery.control.inspect(timeout=REPLY_SECONDS, connection=broker).active() or {}
            except (OperationalError, *broker.connection_errors) as error:
                # who cannot ask knows nothing of the run: the next look tells
                return CheckRunHealthResult(WorkerStatus.RUNNING, f"the broker is out of reach: {type(error).__name__}")
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if any(task["id"] == task_id for tasks in workers.values() for task in tasks):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"none of {len(workers)} workers executes it any more")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Dagster's own asks the task's result, which nobody keeps."""
        return None


def worker_of(instance: dg.DagsterInstance) -> Celery:
    """The application of the instance's launcher, able to execute runs. SettingsError where it has another launcher."""
    launcher = instance.run_launcher
    if not isinstance(launcher, CeleryRunLauncher):
        raise SettingsError(
            f"the dagster.yaml of DAGSTER_HOME launches runs by {type(launcher).__name__}: copy celery.yaml there "
            "under that name (docs/scale.md)."
        )
    create_execute_job_task(launcher.celery)
    create_resume_job_task(launcher.celery)
    return launcher.celery


def main(arguments: list[str]) -> int:
    """Work until a signal comes."""
    with dg.DagsterInstance.get() as instance:
        try:
            app = worker_of(instance)
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        app.worker_main(["worker", *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
