"""Runs whose process is dead: after a crash of the machine Dagster shows them as going on, and all waits behind them.

`python -m hem_etl.orchestration.dead_runs`, before the daemon starts, settles them; `make dev` does so by itself. A run
is dead when the process that it logged is there no more, or when that number now belongs to a process that began later.
"""

import os
import re
import sys
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

TOLD: Final = (
    "its process is dead: the machine went down, or it was killed. Re-execute it, or leave its intervals to late_data."
)
PID: Final = re.compile(r"\(pid: ([0-9]+)\)")
PROC: Final = Path("/proc")
LATER_SECONDS: Final = 5.0
"""A process that began so much after the run's start is another one."""


def settle_dead_runs(instance: dg.DagsterInstance, proc: Path = PROC) -> list[str]:
    """Fail every run in progress whose process is dead; returns their ids. Runs that wait in the queue stay there.

    None where runs are launched on other machines: numbers of processes there mean nothing here; the daemon watches.
    """
    if not isinstance(instance.run_launcher, DefaultRunLauncher | SyncInMemoryRunLauncher):
        return []
    settled = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES))):
        run = record.dagster_run
        pid = _pid_of(instance, run.run_id)
        if pid is None or _is_alive(pid, record.start_time, proc):
            continue
        instance.report_run_failed(run, TOLD)
        settled.append(run.run_id)
    return settled


def _pid_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The newest process that the run says it went on in."""
    mentions = [PID.search(entry.message or entry.user_message or "") for entry in instance.all_logs(run_id)]
    pids = [int(found[1]) for found in mentions if found]
    return pids[-1] if pids else None


def _is_alive(pid: int, started: float | None, proc: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's: the number was given away
        return False
    try:
        began = (proc / str(pid)).stat().st_mtime
    except OSError:  # no such folder on this system: that the number is in use is all that is known
        return True
    return started is None or began <= started + LATER_SECONDS


def main() -> int:
    """Settle them in the instance of DAGSTER_HOME."""
    with dg.DagsterInstance.get() as instance:
        settled = settle_dead_runs(instance)
    sys.stdout.write("".join(f"run {run_id}: {TOLD}\n" for run_id in settled) or "no dead run\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
