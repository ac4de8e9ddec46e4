"""The real webserver and daemon, over a simulated Enode on a socket: a backfill as the browser launches it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from road.test_truth import same_as_truth
from waits import GENEROUS_SECONDS
from world import World

from hem_etl.orchestration.dev import free_port, stop
from hem_etl.orchestration.partitions import SYSTEMS, encoded
from hem_etl.settings import environment_of_others
from hem_etl.simulator import Faults, Fleet, Simulator, make_fleet, serve

pytestmark = pytest.mark.slow

MODULE = "hem_etl.orchestration.definitions"
REPOSITORY = Path(__file__).parents[2]
DAEMON = f"""
import sys
import dagster._daemon.controller as controller
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
from dagster._daemon.cli import main
sys.argv = ["dagster-daemon", "run", "-m", "{MODULE}"]
main()
"""
ADD_KEY = """
mutation AddDynamicPartition($repository: RepositorySelector!, $name: String!, $key: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $name, partitionKey: $key) { __typename }
}"""
LAUNCH_BACKFILL = """
mutation LaunchPartitionBackfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
BACKFILL = (
    "query Backfill($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)
MATRIX = """
query Matrix {
  assetNodeOrError(assetKey: {path: ["day_statistics"]}) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on MultiPartitionStatuses {
          primaryDimensionName
          ranges {
            primaryDimStartKey
            primaryDimEndKey
            secondaryDim {
              ... on DefaultPartitionStatuses { materializedPartitions failedPartitions }
            }
          }
        }
      }
    }
  }
}"""


class Dagster:
    """A running Dagster, asked as the browser asks it."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=GENEROUS_SECONDS)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer
        (data,) = answer["data"].values()
        return data

    def add_systems(self, keys: list[str]) -> None:
        repository = {"repositoryName": "__repository__", "repositoryLocationName": MODULE}
        for key in keys:
            added = self.ask(ADD_KEY, repository=repository, name=SYSTEMS, key=key)
            assert added["__typename"] == "AddDynamicPartitionSuccess", added

    def backfill(self, keys: list[str]) -> str:
        """Launch and wait; the status in which it ends."""
        params = {"assetSelection": [{"path": ["day_statistics"]}], "partitionNames": keys, "fromFailure": False}
        backfill_id = self.ask(LAUNCH_BACKFILL, params=params)["backfillId"]
        ends = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED"}
        ends_at = time.monotonic() + GENEROUS_SECONDS
        while (status := str(self.ask(BACKFILL, id=backfill_id)["status"])) not in ends:
            assert time.monotonic() < ends_at, f"still {status}"
            time.sleep(0.5)
        return status

    def matrix(self) -> tuple[set[str], set[str]]:
        """Keys of the green and of the red partitions, by the query behind the partitions page."""
        statuses = self.ask(MATRIX)["assetPartitionStatuses"]
        assert statuses["primaryDimensionName"] == "day"
        green, red = set[str](), set[str]()
        for stretch in statuses["ranges"]:
            first, last = (datetime.fromisoformat(stretch[f"primaryDim{end}Key"]) for end in ("Start", "End"))
            for number in range((last - first).days + 1):
                day = (first + timedelta(days=number)).date().isoformat()
                green |= {f"{day}|{key}" for key in stretch["secondaryDim"]["materializedPartitions"]}
                red |= {f"{day}|{key}" for key in stretch["secondaryDim"]["failedPartitions"]}
        return green, red


@contextmanager
def dagster_over(world: World, simulator_url: str, start: str) -> Iterator[Dagster]:
    """Webserver and daemon with the shipped configuration; the daemon looks every second instead of every thirty."""
    home = world.home / "dagster"
    home.mkdir(parents=True)
    shipped = REPOSITORY / "hem_etl" / "orchestration" / "dagster.yaml"
    (home / "dagster.yaml").write_text(shipped.read_text())
    environment = environment_of_others() | {
        "DAGSTER_HOME": str(home),
        "ENODE_CLIENT_ID": "simulator",
        "ENODE_CLIENT_SECRET": "simulator-secret",
        "ENODE_API_URL": simulator_url,
        "ENODE_OAUTH_URL": f"{simulator_url}/oauth2/token",
        "HEM_ETL_HOME": str(world.home),
        "HEM_ETL_START_DATE": start,
        "PYTHONPATH": str(REPOSITORY),
    }
    # makes Dagster's tables: webserver and daemon would make them at the same moment, and spoil them
    first = [sys.executable, "-m", "hem_etl.orchestration.dead_runs"]
    assert subprocess.run(first, env=environment, cwd=world.home, check=True, capture_output=True).stdout
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = (world.home / "dagster.log").open("wb")
    webserver = [sys.executable, "-m", "dagster_webserver", "-m", MODULE, "-h", "127.0.0.1", "-p", str(port)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    children = [
        subprocess.Popen(command, env=environment, cwd=world.home, stdout=log, stderr=log, start_new_session=True)
        for command in (webserver, [sys.executable, "-c", DAEMON])
    ]
    try:
        dagster = Dagster(url)
        ends_at = time.monotonic() + GENEROUS_SECONDS
        while True:
            try:
                dagster.client.get("/server_info")
                break
            except httpx.HTTPError:
                assert time.monotonic() < ends_at, "the webserver does not answer"
                time.sleep(0.3)
        yield dagster
    finally:
        dagster.client.close()
        for child in children:
            stop(child)
        log.close()
        signal.signal(signal.SIGINT, before)


def test_a_backfill_in_which_two_systems_fail_then_missing_only_ends_with_the_truth(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    days = [(now.date() - timedelta(days=back)).isoformat() for back in (5, 4, 3)]
    world = World(tmp_path / "home", Fleet(make_fleet(6, today=now.date()).homes), now)
    world.simulator = Simulator(world.simulator.fleet, clock=lambda: datetime.now(UTC))
    ids = [home.system_id for home in world.simulator.fleet.homes]
    every = {f"{day}|{encoded(system_id)}" for day in days for system_id in ids}
    bad = {f"{day}|{encoded(system_id)}" for day in days for system_id in (ids[1], ids[4])}
    world.simulator.faults = Faults.pinned({ids[1]: "bad_query", ids[4]: "unreadable"})
    with serve(world.simulator) as url, dagster_over(world, url, days[0]) as dagster:
        dagster.add_systems([encoded(system_id) for system_id in ids])
        assert dagster.backfill(sorted(every)) in ("COMPLETED", "COMPLETED_FAILED")
        assert dagster.matrix() == (every - bad, bad)

        world.simulator.faults = Faults.none()
        world.simulator.ledger.clear()
        assert dagster.backfill(sorted(bad)) in ("COMPLETED", "COMPLETED_SUCCESS")
        assert dagster.matrix() == (every, set())
        asked = set(world.simulator.ledger.statistics)
        assert asked == {(system_id, day) for day in days for system_id in (ids[1], ids[4])}
    assert same_as_truth(world) == len(every)
