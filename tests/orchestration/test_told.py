"""What a person reads in a run's log when it fails or waits: the sentence of the command line, no bare trace."""

import errno
import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from orchestration.instances import Instance
from world import World

from hem_etl.locks import waiting

SHIPPED = Path(__file__).parents[2] / "hem_etl" / "orchestration" / "dagster.yaml"


def refusing(number: int) -> Any:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "/data/hem/some.file")

    return refuse


@pytest.mark.parametrize("asset", ["hem_systems", "day_statistics", "marts/daily_energy"])
@pytest.mark.parametrize(
    ("number", "step"), [(errno.ENOSPC, "make room"), (errno.EACCES, "give this user access"), (errno.EIO, "failing")]
)
def test_a_disk_that_refuses_is_told_as_the_command_line_does(
    asset: str, number: int, step: str, dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster.add_fleet()
    monkeypatch.setattr("hem_etl.pipeline.Road.publish", refusing(number))
    monkeypatch.setattr("hem_etl.pipeline.Road.run_intervals", refusing(number))
    is_of_days = asset == "day_statistics"
    told = dagster.failure(dagster.run_range(asset, "2026-11-20", "2026-11-20") if is_of_days else dagster.run(asset))
    assert told.startswith(f"/data/hem/some.file: {os.strerror(number)}: ")
    assert step in told
    assert told.endswith(", then run again.")


def test_an_error_that_no_disk_explains_is_a_bug_with_its_trace(
    dagster: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hem_etl.pipeline.Road.publish", refusing(errno.EPIPE))
    (event,) = dagster.run("hem_systems").get_step_failure_events()
    assert event.step_failure_data.user_failure_data is None
    assert "BrokenPipeError" in str(event.step_failure_data.error)


@pytest.mark.parametrize("check", ["no_partition_is_red", "webhooks_arrive", "every_system_is_fresh"])
def test_a_check_before_anything_is_published_says_what_to_do(check: str, dagster: Instance) -> None:
    (key,) = (key for key in dagster.definitions.resolve_asset_graph().asset_check_keys if key.name == check)
    job = dagster.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_check_selection={key})
    told = dagster.failure(job.execute_in_process(instance=dagster.dagster, raise_on_error=False))
    assert "does not exist yet: `hem-etl run` makes it" in told


def test_a_run_that_waits_for_another_writer_says_so_in_its_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the configuration that is shipped; the other writer ends when that is told."""
    logs = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["python_logs"]
    monkeypatch.setattr(waiting, "TOLD_AFTER_SECONDS", 0.0)
    with ExitStack() as works, dg.instance_for_test(overrides={"python_logs": logs}) as on_disk:
        works.enter_context(world.road().warehouse.writing())

        class WhenTold(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                works.close()

        handler = WhenTold()
        waiting.LOG.addHandler(handler)
        works.callback(waiting.LOG.removeHandler, handler)
        result = Instance(world, on_disk).run("hem_systems")
        assert result.success
        told = [entry.user_message for entry in on_disk.all_logs(result.run_id)]
    assert any(f"waiting for the warehouse held_by='process {os.getpid()}'" in line for line in told)
