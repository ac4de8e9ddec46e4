"""`make dev` as a person uses it: start it, look, stop it, start it again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import httpx
import pytest
from orchestration.on_disk import REPOSITORY
from waits import GENEROUS_SECONDS

from hem_etl.local_day import newest_day_over
from hem_etl.orchestration.dev import DAYS_FILLED, SYSTEMS

pytestmark = pytest.mark.slow

READY = "Dagster is at "


class Dev:
    """The process, what it has printed, and the address at which Dagster answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self.lines = process, list[str]()
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)
            if line.startswith(READY):
                break
        else:
            raise AssertionError("".join(self.lines))
        self.url = line.removeprefix(READY).split()[0]

    def end(self, number: signal.Signals) -> int:
        """Its exit code after this signal."""
        self.process.send_signal(number)
        self.process.communicate(timeout=GENEROUS_SECONDS)
        return self.process.returncode


@contextmanager
def dev(folder: Path) -> Iterator[Dev]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "hem_etl.orchestration.dev"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Dev(process)
        finally:
            process.terminate()


def at_work_in(folder: Path) -> set[int]:
    """The processes whose working directory is in this folder, whoever their parents are."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.add(int(process.name))
    return found


def all_end(folder: Path) -> bool:
    ends_at = time.monotonic() + GENEROUS_SECONDS
    while at_work_in(folder) and time.monotonic() < ends_at:
        time.sleep(0.1)
    return not at_work_in(folder)


def test_dev_starts_fills_answers_ends_whole_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "hem_dev"

    def green() -> int:
        monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
        with dg.DagsterInstance.get() as instance:
            return len(instance.get_materialized_partitions(dg.AssetKey("day_statistics")))

    started = datetime.now(UTC)
    with dev(tmp_path) as first:
        assert any("Filling" in line for line in first.lines)
        assert any("moved in" in line for line in first.lines)
        assert httpx.get(f"{first.url}/server_info", timeout=GENEROUS_SECONDS).status_code == 200
        assert len(at_work_in(tmp_path)) > 3
        assert first.end(signal.SIGINT) == 0
        assert all_end(tmp_path)
    filled = green()
    start_date = (home / "start_date").read_text()
    # the past of the home that moved in goes up to the newest day that is over everywhere: at noon that is another
    pasts = [newest_day_over(at) - date.fromisoformat(start_date) for at in (started, datetime.now(UTC))]
    assert filled - DAYS_FILLED * SYSTEMS in {past.days + 1 for past in pasts}

    with dev(tmp_path) as second:
        assert not any("Filling" in line or "moved in" in line for line in second.lines)
        assert httpx.get(f"{second.url}/server_info", timeout=GENEROUS_SECONDS).status_code == 200
        assert second.end(signal.SIGTERM) == 0
        assert all_end(tmp_path)
    assert green() == filled
    assert (home / "start_date").read_text() == start_date
