"""Runs as tasks of Celery: the launcher that `celery.yaml` names, and the worker.

`python -m hem_etl.orchestration.celery_runs -c 2` is a worker of two places; options are those of `celery worker`. What
it knows of the broker stands in the `dagster.yaml` of its DAGSTER_HOME, the same as everywhere.
"""

import sys
from datetime import timedelta
from typing import Final

import dagster as dg
from celery import Celery
from celery.exceptions import OperationalError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._time import get_current_timestamp
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

from hem_etl.errors import SettingsError

REPLY_SECONDS: Final = 10.0
"""Within which a worker that lives tells what it executes, however busy its machine is."""
LONGEST_SILENCE: Final = timedelta(hours=20)
"""For how long a run that no worker was given may log nothing before it is dead."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Dagster's launcher, but a run that workers were given is alive if and only if one says that it executes it.

    The task's state, by which Dagster's own goes, stays `started` for ever where a worker was killed, and is unknown,
    which fails a run that goes on, where the broker forgot it. Of a run that was executed by hand (`dagster job
    execute`) no worker knows: it is alive while it logs.
    """

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return self._health_by_log(run)
        with self.celery.connection_for_write() as broker:
            try:
                workers = self.celery.control.inspect(timeout=REPLY_SECONDS, connection=broker).active() or {}
            except (OperationalError, *broker.connection_errors) as error:
                # who cannot ask knows nothing of the run: the next look tells
                return CheckRunHealthResult(WorkerStatus.RUNNING, f"the broker is out of reach: {type(error).__name__}")
        if any(task["id"] == task_id for tasks in workers.values() for task in tasks):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"none of {len(workers)} workers executes it any more")

    def _health_by_log(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """RUNNING or FAILED: Dagster fails a run whose worker is UNKNOWN too."""
        newest = self._instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        last = max((record.event_log_entry.timestamp for record in newest), default=0.0)
        if get_current_timestamp() - last < LONGEST_SILENCE.total_seconds():
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no worker was given it, and it logs")
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"no worker was given it, and it logged nothing for {LONGEST_SILENCE}"
        )

    def terminate(self, run_id: str) -> bool:
        """Whether a worker was told to. Not of a run that no worker was given: who executes it must end it."""
        run = self._instance.get_run_by_id(run_id)
        return run is not None and DAGSTER_CELERY_TASK_ID_TAG in run.tags and super().terminate(run_id)

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
