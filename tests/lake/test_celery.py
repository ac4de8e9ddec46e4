"""Workers of Celery with homes of their own, on a lake in Postgres and S3: a day's buckets, and what dies meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RETRY_NUMBER_TAG
from lake.shared_landing import lake_settings
from postgres import Server
from seaweed import Store
from world import World, same_tables

from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.publishing import AFTER, PUBLISHING
from hem_etl.orchestration.tags import LATER, WHY
from hem_etl.pipeline import Road
from hem_etl.settings import environment_of_others
from hem_etl.simulator import Fleet, Simulator, make_fleet, serve

pytest.importorskip("dagster_celery", reason="`make test-lake` installs it where it can")

from broker import Broker, broking
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from lake.machines import Machines, machines, make_dagster_home

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore:The .warn. method:DeprecationWarning"),  # calls of Dagster's own
    pytest.mark.filterwarnings("ignore:Task name 'execute_job' is already registered"),
]

BUCKETS = 2


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with broking() as broker:
        yield broker


class Pause:
    """Enode's clock: it answers for so many intervals and one more, then no more until it goes on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.after: int | None = None
        self.goes_on = threading.Event()

    def clock(self) -> datetime:
        if self.after is not None and len(self._world.simulator.ledger.statistics) > self.after:
            self.goes_on.wait()
        return datetime.now(UTC)


class Cluster:
    """A simulated Enode on a socket, and the machines that ask it."""

    def __init__(self, world: World, machines: Machines, pause: Pause, first_day: datetime) -> None:
        self.world, self.machines, self.pause = world, machines, pause
        self.scheme = Scheme(first_day.date().isoformat(), BUCKETS)
        self.first_day = self.scheme.start
        self._began = datetime.now(UTC)

    def begin(self) -> None:
        """As an operator does: the fleet, and the first day by hand over all buckets."""
        self.machines.launch("hem_systems")
        self.machines.work_off()
        keys = self.scheme.system_keys(self.machines.instance)
        self.machines.launch("day_statistics", self.scheme.window(self.first_day, self.first_day, keys))
        self.machines.work_off()

    def counts(self) -> list[int]:
        """How often each interval was asked; without homes whose day ended meanwhile: theirs may be due once more."""
        days = {
            home.system_id: [at.astimezone(home.zone).date() for at in (self._began, datetime.now(UTC))]
            for home in self.world.simulator.fleet.homes
        }
        asked = self.world.simulator.ledger.statistics
        return [count for (system_id, _), count in asked.items() if len(set(days[system_id])) == 1]

    def publish(self) -> None:
        """The daemon's sensors, until nothing is left to do."""
        self.machines.sense()
        while self.machines.under_way():
            self.machines.work_off()
            self.machines.sense()

    def parts(self) -> list[dg.DagsterRun]:
        return [run for run in self.machines.instance.get_runs() if run.tags.items() >= LATER.items()]

    def publishings(self) -> list[dg.DagsterRun]:
        return [run for run in self.machines.instance.get_runs() if run.tags.get(WHY) == PUBLISHING]

    def same_as_one_machine(self, home: Path) -> None:
        """Tables of all that is landed, as a file on one machine makes them."""
        alone = {"HEM_ETL_LANDING": str(self.world.settings.landing)}
        other = World(home, self.world.simulator.fleet, datetime.now(UTC), has_tables=False, settings=alone)
        Road(other.settings, clock=other.clock).rebuild()
        same_tables(self.world.tables(), other.tables())


def latest_tick() -> datetime:
    """The last 13:15 UTC."""
    tick = datetime.now(UTC).replace(hour=13, minute=15, second=0, microsecond=0)
    return tick if tick <= datetime.now(UTC) else tick - timedelta(days=1)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Homes and days."""
    return getattr(request, "param", (8, 3))


@pytest.fixture
def cluster(
    size: tuple[int, int],
    server: Server,
    store: Store,
    broker: Broker,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    homes, days = size
    first_day = latest_tick() - timedelta(days=days)
    dagsters = url.rpartition("/")[2].replace("lake", "dagster")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {dagsters}".encode())
    home = tmp_path / "daemon"
    settings = (
        lake_settings(url, tmp_path)
        | store.settings(f"homes/{dagsters}")
        | {
            "HEM_ETL_LANDING": str(tmp_path / "landing"),
            "HEM_ETL_SYSTEM_BUCKETS": str(BUCKETS),
            "HEM_ETL_START_DATE": first_day.date().isoformat(),
        }
    )
    world = World(home, Fleet(make_fleet(homes, today=datetime.now(UTC).date()).homes), settings=settings)
    pause = Pause(world)
    world.simulator = Simulator(world.simulator.fleet, clock=pause.clock)
    make_dagster_home(home)
    with serve(world.simulator) as enode:
        environment = (
            environment_of_others()
            | settings
            | {
                "ENODE_API_URL": enode,
                "ENODE_OAUTH_URL": f"{enode}/oauth2/token",
                "ENODE_CLIENT_ID": "simulator",
                "ENODE_CLIENT_SECRET": "simulator-secret",
                "HEM_ETL_HOME": str(home),
                "HEM_ETL_WORKERS": "1",
                "DAGSTER_HOME": str(home / "dagster"),
                "DAGSTER_POSTGRES_URL": server.url(dagsters).replace("postgresql://", "postgresql+psycopg2://"),
                "DAGSTER_CELERY_BROKER": broker.url,
                "DAGSTER_EVENT_BATCH_SIZE": "1000",
                "PYTHONPATH": str(Path(__file__).parents[2]),
            }
        )
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with machines(tmp_path, environment) as found:
            found.switch_on("daily", latest_tick() - timedelta(hours=20))
            yield Cluster(world, found, pause, first_day)
            pause.goes_on.set()


@contextmanager
def readers(world: World) -> Iterator[list[int]]:
    """Two, who look again and again; how many days each look found. No look may fail, or see half a day."""
    stop, wrong, seen = threading.Event(), [], []

    def look() -> None:
        while not stop.wait(1):
            try:
                half, days = world.sql(
                    "select count(*) filter (is_complete and (select count(*) from core.interval_15min i "
                    "where i.system_id = d.system_id and i.day = d.day) < 80), count(*) "
                    "from marts.daily_energy d where outcome <> 'not_asked'"
                ).row(0)
                wrong.extend(["half a day"] * half)
                seen.append(days)
            except Exception as error:
                wrong.append(error)

    two = [threading.Thread(target=look) for _ in range(2)]
    for reader in two:
        reader.start()
    try:
        yield seen
    finally:
        stop.set()
        for reader in two:
            reader.join()
    assert not wrong
    assert seen


@pytest.mark.parametrize("size", [(8, 3), pytest.param((200, 14), marks=pytest.mark.large)], indirect=True)
def test_a_day_of_buckets_is_asked_once_and_published_once(
    cluster: Cluster, size: tuple[int, int], tmp_path: Path
) -> None:
    cluster.begin()
    by_hand = cluster.world.sql("select count(*) from core.load").item()
    assert by_hand == size[0]
    with readers(cluster.world) as seen:
        cluster.machines.tick(latest_tick())
        assert len(cluster.parts()) == 3 * BUCKETS
        cluster.machines.sense()
        cluster.machines.work_off()
        assert cluster.publishings() == []
        before = set(seen)
        cluster.publish()
    assert before == {size[0]}, "what is published changes when all parts are over"
    assert {run.status for run in cluster.machines.instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
    (published,) = cluster.publishings()
    assert published.tags[AFTER] == cluster.parts()[0].run_id
    asked = cluster.world.simulator.ledger.statistics
    assert set(cluster.counts()) <= {1}
    assert len({label for _, label in asked if len(label) == 10}) == size[1]
    assert len(asked) == cluster.world.sql("select count(*) from core.load").item()
    assert set(seen) == {size[0], len({key for key in asked if len(key[1]) == 10})}
    cluster.same_as_one_machine(tmp_path / "alone")


def test_runs_of_a_worker_and_of_a_redis_that_are_killed_are_executed_once_more(
    cluster: Cluster, broker: Broker, size: tuple[int, int], tmp_path: Path
) -> None:
    machines, asked = cluster.machines, cluster.world.simulator.ledger.statistics
    cluster.begin()
    machines.tick(latest_tick())
    cluster.pause.after = size[0]
    while len(asked) == size[0] or not all(machines.executing().values()):
        machines.look()
    victim, task = next((name, tasks[0]) for name, tasks in machines.executing().items() if tasks)
    machines.workers[victim].kill()
    lost = next(run for run in machines.under_way() if run.tags.get(DAGSTER_CELERY_TASK_ID_TAG) == task)
    while not machines.instance.get_run_by_id(lost.run_id).is_finished:
        machines.monitor()
    while not machines.instance.get_run_by_id(lost.run_id).tags.get(AUTO_RETRY_RUN_ID_TAG):
        machines.look()

    while not (waiting := machines.runs(dg.DagsterRunStatus.STARTING)):
        machines.look()
    broker.kill()  # and tasks with it that nobody had taken
    machines.monitor()
    broker.start()
    machines.workers[victim].start()
    machines.wait_for_workers("a", "b")
    cluster.pause.goes_on.set()
    machines.monitor(later=timedelta(minutes=15))  # what redis took along with it was never taken by a worker
    cluster.publish()

    again = [run for run in machines.instance.get_runs() if run.tags.get(RETRY_NUMBER_TAG)]
    assert {lost.run_id} | {run.root_run_id or run.run_id for run in waiting} <= {run.root_run_id for run in again}
    assert len(asked) == cluster.world.sql("select count(*) from core.load").item()
    (*_, last) = reversed(cluster.publishings())
    assert last.tags[AFTER] == cluster.parts()[0].run_id
    assert last.is_success
    cluster.same_as_one_machine(tmp_path / "alone")
