"""Several processes and an analyst over one home: two Dagster runs and a `hem-etl run` whose days overlap."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock
from typing import Any

import dagster as dg
import polars as pl
import pytest
from launching import MODULE
from orchestration.on_disk import environment, present_world
from polars.testing import assert_frame_equal
from road.test_truth import same_as_truth
from waits import GENEROUS_SECONDS

from hem_etl.landing import Landing
from hem_etl.orchestration.partitions import SYSTEMS, encoded
from hem_etl.simulator import Simulator, serve
from hem_etl.simulator.exchange import Request, Response
from hem_etl.simulator.serving import Ticket
from hem_etl.warehouse import Warehouse

pytestmark = pytest.mark.slow

PROCESSES = 3
AS_THE_SCHEDULE = """
import sys
import dagster as dg
from hem_etl.orchestration.definitions import defs
from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.tags import WHY
from hem_etl.settings import load_settings
scheme = Scheme.of(load_settings())
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    window = scheme.window(sys.argv[1], sys.argv[2], scheme.system_keys(instance))
    job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("day_statistics")], tags={WHY: "daily"} | window
    )
"""
COMMAND_LINE = "from hem_etl.cli import main\nmain()"
KEEPS_IT_OPEN = """
import os, sys, time
import duckdb
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
connection = duckdb.connect(sys.argv[1], read_only=True)
ask = lambda: connection.execute("select count(*), count(distinct day) from core.reading").fetchone()
first = ask()
sys.stdin.readline()
assert ask() == first, (first, ask())
"""


class Gathering(Simulator):
    """Answers statistics only once all processes have listed the systems: from there on all of them are at work."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lists, self._counting, self._are_here = 0, Lock(), Event()

    def answer(self, request: Request, ticket: Ticket) -> Response:
        if ticket.endpoint == "systems":
            with self._counting:
                self._lists += 1
                if self._lists == PROCESSES:
                    self._are_here.set()
        if ticket.endpoint == "statistics":
            assert self._are_here.wait(GENEROUS_SECONDS)
        return super().answer(request, ticket)


def look(warehouse: Warehouse, before: pl.DataFrame | None) -> pl.DataFrame | None:
    """An analyst's look at all days: a day that is there is there whole, the same as in the look before."""
    if not warehouse.is_published():
        return before
    with warehouse.reading() as published:
        days = published.read("from marts.daily_energy where outcome is not null")
        cut = published.read("select system_id, day from core.series group by all having count(*) <> 7")
    assert cut.is_empty(), cut
    if before is not None:
        again = days.join(before.select("system_id", "day"), on=["system_id", "day"], how="semi")
        assert_frame_equal(again, before, check_row_order=False, rel_tol=1e-9, abs_tol=1e-9)
    return days


def test_three_processes_and_an_analyst_over_overlapping_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = present_world(tmp_path / "home", 6)
    world.simulator = Gathering(world.simulator.fleet)
    ids = [home.system_id for home in world.simulator.fleet.homes]
    order = [encoded(system_id) for system_id in ids]

    def day(back: int) -> str:
        return (world.now.date() - timedelta(days=back)).isoformat()

    with serve(world.simulator) as url:
        # two in flight each: a simulator that holds them back still has threads to list the systems
        variables = environment(world.home, url) | {"HEM_ETL_MAX_IN_FLIGHT": "2"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
        with dg.DagsterInstance.from_config(variables["DAGSTER_HOME"]) as instance:
            instance.add_dynamic_partitions(SYSTEMS, order)

            def start(name: str, *arguments: str) -> "subprocess.Popen[bytes]":
                with (tmp_path / f"{name}.log").open("wb") as log:
                    return subprocess.Popen(
                        [sys.executable, *arguments], env=variables, cwd=tmp_path, stdout=log, stderr=log
                    )

            materialize = ["-m", "dagster", "asset", "materialize", "-m", MODULE, "--select", "day_statistics"]
            window = f"{day(40)}|{order[0]}...{day(33)}|{order[-1]}"
            children = [
                start("by_hand", "-W", "ignore", *materialize, "--partition-range", window),
                start("schedule", "-c", AS_THE_SCHEDULE, day(36), day(29)),
                start("command_line", "-c", COMMAND_LINE, "run", "--start", day(38), "--end", day(31), "--no-months"),
            ]
            patient = subprocess.Popen(
                [sys.executable, "-c", KEEPS_IT_OPEN, str(world.settings.database)], stdin=subprocess.PIPE
            )
            try:
                seen: pl.DataFrame | None = None
                ends_at = time.monotonic() + GENEROUS_SECONDS
                while any(child.poll() is None for child in children) and time.monotonic() < ends_at:
                    seen = look(world.road().warehouse, seen)
                    time.sleep(0.25)
                told = {log.name: log.read_text() for log in tmp_path.glob("*.log")}
                assert [child.poll() for child in children] == [0, 0, 0], told
                patient.communicate(b"\n", timeout=GENEROUS_SECONDS)
                assert patient.returncode == 0
            finally:
                for child in (*children, patient):
                    child.kill()
                    child.communicate()
            green = instance.get_materialized_partitions(dg.AssetKey("day_statistics"))
    for name, text in told.items():
        assert not re.search(r"\block", text, re.IGNORECASE), f"{name}:\n{text}"
    seen = look(world.road().warehouse, seen)
    assert seen is not None
    wanted = {(system_id, day(back)) for system_id in ids for back in range(29, 41)}
    assert {(system_id, held.isoformat()) for system_id, held in seen.select("system_id", "day").iter_rows()} == wanted
    assert set(green) == {f"{label}|{encoded(system_id)}" for system_id, label in wanted}
    assert same_as_truth(world) == len(wanted)
    landing = Landing(world.settings.landing)
    receipts = landing.read_receipts(landing.segments())
    looks = Counter((receipt.system_id, receipt.interval.label) for receipt in receipts if receipt.interval)
    assert looks == Counter(world.simulator.ledger.statistics)
    assert looks.keys() == wanted
    assert not +world.simulator.ledger.overlaps
    assert not list(world.home.rglob(f".{os.path.basename(world.settings.database)}.*"))
