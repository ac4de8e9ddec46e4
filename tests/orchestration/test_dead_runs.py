"""Runs that a crash has left: failed when their process is dead, and nothing else is touched."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._core.test_utils import MockedRunLauncher, instance_for_test

from hem_etl.orchestration.dead_runs import settle_dead_runs
from hem_etl.orchestration.dev import AlreadyRunning, only_one


@dg.job
def nothing() -> None: ...


def run_in(instance: dg.DagsterInstance, pid: int | None, status: DagsterRunStatus) -> str:
    run = instance.create_run_for_job(nothing, status=status)
    if pid is not None:
        instance.report_engine_event(f"Started process for run (pid: {pid}).", run)
    return run.run_id


@pytest.fixture
def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_run_whose_process_is_dead_is_failed_and_the_others_stay(dead_pid: int) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        dead = run_in(instance, dead_pid, DagsterRunStatus.STARTED)
        alive = run_in(instance, os.getpid(), DagsterRunStatus.STARTED)
        unknown = run_in(instance, None, DagsterRunStatus.STARTING)
        ended = run_in(instance, dead_pid, DagsterRunStatus.SUCCESS)
        assert settle_dead_runs(instance) == [dead]
        status = {run.run_id: run.status for run in instance.get_runs()}
        assert status[dead] is DagsterRunStatus.FAILURE
        assert status[alive] is DagsterRunStatus.STARTED
        assert status[unknown] is DagsterRunStatus.STARTING
        assert status[ended] is DagsterRunStatus.SUCCESS
        assert settle_dead_runs(instance) == []


def test_runs_of_other_machines_are_left_to_who_launched_them(dead_pid: int) -> None:
    launcher = {"module": MockedRunLauncher.__module__, "class": MockedRunLauncher.__name__}
    with instance_for_test(overrides={"run_launcher": launcher}) as instance:
        run_in(instance, dead_pid, DagsterRunStatus.STARTED)
        assert settle_dead_runs(instance) == []


def test_a_number_that_belongs_to_a_later_process_is_no_sign_of_life(tmp_path: Path) -> None:
    """After a reboot some other program has it."""
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = run_in(instance, os.getpid(), DagsterRunStatus.STARTED)
        (record,) = instance.get_run_records()
        folder = tmp_path / str(os.getpid())
        folder.mkdir()
        began = (record.start_time or record.create_timestamp.timestamp()) + 3600
        os.utime(folder, (began, began))
        expected = [run_id] if record.start_time is not None else []
        assert settle_dead_runs(instance, tmp_path) == expected


def test_a_second_one_on_the_same_home_is_told_where_the_first_is(tmp_path: Path) -> None:
    with only_one(tmp_path) as address:
        with pytest.raises(AlreadyRunning, match="starting"), only_one(tmp_path):
            pass
        address("http://127.0.0.1:3000")
        with pytest.raises(AlreadyRunning, match=r"http://127\.0\.0\.1:3000\. Stop that one first"), only_one(tmp_path):
            pass
    with only_one(tmp_path):
        pass
