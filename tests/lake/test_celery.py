"""Workers of Celery with homes of their own, landing and lake on S3: a day's buckets, and what dies meanwhile."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RETRY_NUMBER_TAG
from dagster._core.test_utils import freeze_time
from engines import files_of
from lake.shared_landing import lake_of, lake_settings, landing_in
from postgres import PASSWORD, Server, served
from seaweed import Store
from world import World, same_tables

from hem_etl.orchestration.partitions import Scheme
from hem_etl.orchestration.publishing import AFTER, PUBLISHING
from hem_etl.orchestration.tags import LATER, WHY
from hem_etl.pipeline import Road
from hem_etl.settings import environment_of_others
from hem_etl.simulator import Fleet, Simulator, make_fleet, serve
from hem_etl.simulator.exchange import Request, Response
from hem_etl.simulator.serving import Ticket

pytest.importorskip("dagster_celery", reason="`make test-lake` installs it where it can")

from broker import Broker, broking
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from lake.machines import Machines, machines, make_dagster_home

from hem_etl.orchestration.celery_runs import LONGEST_SILENCE, WatchedCeleryRunLauncher

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


@pytest.fixture(scope="module")
def dagsters() -> Iterator[Server]:
    """Dagster's Postgres, apart from the lake's: one may die without the other."""
    with served() as server:
        yield server


class HoldingSimulator(Simulator):
    """An Enode that keeps its answers about one interval back, until it is told otherwise."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet, clock=lambda: datetime.now(UTC))
        self._held: str | None = None
        self._waiting: set[str] = set()
        self._changed = threading.Condition()

    def hold(self, label: str | None) -> None:
        """Answers about this interval alone; None: none."""
        with self._changed:
            self._held = label
            self._waiting.clear()
            self._changed.notify_all()

    def waiting(self) -> set[str]:
        """The systems whose answers are kept back."""
        with self._changed:
            return set(self._waiting)

    def answer(self, request: Request, ticket: Ticket) -> Response:
        with self._changed:
            while ticket.system_id and request.query == f"interval={self._held}":
                self._waiting.add(ticket.system_id)
                self._changed.wait()
        return super().answer(request, ticket)


class Cluster:
    """A simulated Enode on a socket, and the machines that ask it."""

    def __init__(
        self,
        world: World,
        enode: HoldingSimulator,
        machines: Machines,
        first_day: datetime,
        landing: dict[str, str],
    ) -> None:
        self.world, self.enode, self.machines, self._landing = world, enode, machines, landing
        self.scheme = Scheme(first_day.date().isoformat(), BUCKETS)
        self.first_day = self.scheme.start
        self.second_day = (first_day + timedelta(days=1)).date().isoformat()
        self._began = datetime.now(UTC)

    def begin(self) -> None:
        """As an operator does: the fleet, and the first day by hand over all buckets."""
        self.machines.launch("hem_systems")
        self.machines.work_off()
        keys = self.scheme.system_keys(self.machines.instance)
        self.machines.launch("day_statistics", self.scheme.window(self.first_day, self.first_day, keys))
        self.machines.work_off()

    def ask_until(self, label: str) -> list[dg.DagsterRun]:
        """The runs, one for each bucket, when each waits for an answer about this interval."""
        self.enode.hold(label)
        while len({self.scheme.system_key(system_id) for system_id in self.enode.waiting()}) < BUCKETS:
            self.machines.look()
        return self.machines.runs(dg.DagsterRunStatus.STARTED)

    def end(self) -> None:
        """Whatever is under way, by itself; nothing else begins."""
        while self.machines.runs(dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED):
            threading.Event().wait(0.2)

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
        other = World(home, self.world.simulator.fleet, datetime.now(UTC), has_tables=False, settings=self._landing)
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
    dagsters: Server,
    store: Store,
    broker: Broker,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    homes, days = size
    first_day = latest_tick() - timedelta(days=days)
    name = url.rpartition("/")[2].replace("lake", "dagster")
    with psycopg.connect(dagsters.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    home = tmp_path / "daemon"
    landing = landing_in(store, f"homes/{name}/landing", home)
    settings = (
        lake_settings(url, tmp_path)
        | store.settings(f"homes/{name}/lake")
        | landing
        | {
            "HEM_ETL_SYSTEM_BUCKETS": str(BUCKETS),
            "HEM_ETL_START_DATE": first_day.date().isoformat(),
        }
    )
    world = World(home, Fleet(make_fleet(homes, today=datetime.now(UTC).date()).homes), settings=settings)
    world.simulator = enode = HoldingSimulator(world.simulator.fleet)
    make_dagster_home(home)
    with serve(enode) as enode_url:
        environment = (
            environment_of_others()
            | settings
            | {
                "ENODE_API_URL": enode_url,
                "ENODE_OAUTH_URL": f"{enode_url}/oauth2/token",
                "ENODE_CLIENT_ID": "simulator",
                "ENODE_CLIENT_SECRET": "simulator-secret",
                "HEM_ETL_HOME": str(home),
                "HEM_ETL_WORKERS": "1",
                "DAGSTER_HOME": str(home / "dagster"),
                "DAGSTER_POSTGRES_URL": dagsters.url(name).replace("postgresql://", "postgresql+psycopg2://"),
                "DAGSTER_CELERY_BROKER": broker.url,
                "DAGSTER_EVENT_BATCH_SIZE": "1000",
                "PYTHONPATH": str(Path(__file__).parents[2]),
            }
        )
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with machines(tmp_path, environment) as found:
            found.switch_on("daily", latest_tick() - timedelta(hours=20))
            yield Cluster(world, enode, found, first_day, landing)
            enode.hold(None)


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


@dg.job
def nothing() -> None: ...


def test_a_run_that_no_worker_was_given_lives_while_it_logs_and_cannot_be_ended_from_afar() -> None:
    """`dagster job execute` in a DAGSTER_HOME of Celery: the daemon failed it within a minute while it went on."""
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = WatchedCeleryRunLauncher("dagster", broker="memory://")
        launcher.register_instance(instance)
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        instance.report_engine_event("a line", run)
        logged = datetime.now(UTC)

        def health(after: timedelta) -> WorkerStatus:
            with freeze_time(logged + after):
                return launcher.check_run_worker_health(run).status

        minute = timedelta(minutes=1)
        assert health(LONGEST_SILENCE - minute) == WorkerStatus.RUNNING
        assert health(LONGEST_SILENCE + minute) == WorkerStatus.FAILED
        with freeze_time(logged + LONGEST_SILENCE):
            instance.report_engine_event("another", run)
        assert health(LONGEST_SILENCE + minute) == WorkerStatus.RUNNING
        assert not launcher.terminate(run.run_id)


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
    cluster.ask_until(cluster.second_day)
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
    cluster.enode.hold(None)
    machines.monitor(later=timedelta(minutes=15))  # what redis took along with it was never taken by a worker
    cluster.publish()

    again = [run for run in machines.instance.get_runs() if run.tags.get(RETRY_NUMBER_TAG)]
    assert {lost.run_id} | {run.root_run_id or run.run_id for run in waiting} <= {run.root_run_id for run in again}
    assert len(asked) == cluster.world.sql("select count(*) from core.load").item()
    (*_, last) = reversed(cluster.publishings())
    assert last.tags[AFTER] == cluster.parts()[0].run_id
    assert last.is_success
    cluster.same_as_one_machine(tmp_path / "alone")


@contextmanager
def commits_wait(url: str) -> Iterator[psycopg.Connection[Any]]:
    """No transaction of a lake is committed meanwhile."""
    with closing(psycopg.connect(url)) as connection:
        connection.execute("lock table ducklake_snapshot in share mode")
        yield connection


def test_a_lakes_postgres_that_dies_in_mid_commit_fails_its_runs_and_loses_nothing(
    cluster: Cluster, server: Server, url: str, tmp_path: Path
) -> None:
    machines, asked = cluster.machines, cluster.world.simulator.ledger.statistics
    cluster.begin()
    machines.tick(latest_tick())
    with commits_wait(url) as connection:
        waits = "select count(*) from pg_locks where not granted and relation = 'ducklake_snapshot'::regclass"
        while connection.execute(waits).fetchall() == [(0,)]:
            machines.look()
        server.stop(signal.SIGQUIT)
    cluster.end()
    server.start()

    failed = machines.runs(dg.DagsterRunStatus.FAILURE)
    assert {run.tags[WHY] for run in failed} == {run.tags[WHY] for run in cluster.parts()}
    for run in failed:
        told = str(machines.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))
        assert "HEM_ETL_LAKE_CATALOG" in told
        assert PASSWORD not in told
    machines.work_off()
    again = [machines.re_execute_from_failure(run.run_id) for run in failed]
    cluster.publish()
    assert {run.run_id for run in machines.runs(dg.DagsterRunStatus.FAILURE)} == {run.run_id for run in failed}
    assert set(again) <= {run.run_id for run in machines.runs(dg.DagsterRunStatus.SUCCESS)}
    assert set(cluster.counts()) == {1}, "what was fetched is landed"
    assert len(asked) == cluster.world.sql("select count(*) from core.load").item()
    cluster.same_as_one_machine(tmp_path / "alone")

    lake = lake_of(cluster.world)
    there, named = files_of(lake)
    assert there - named, "of the transaction that was in mid commit"
    lake.keep = timedelta(0)
    lake.maintain()
    there, named = files_of(lake)
    assert there == named
    cluster.same_as_one_machine(tmp_path / "after maintenance")


@pytest.mark.large  # Dagster tries for a quarter of a minute before it gives up each line of a log
def test_runs_go_on_without_dagsters_postgres_and_are_executed_once_more_where_it_is_gone_at_their_end(
    cluster: Cluster, dagsters: Server, size: tuple[int, int], tmp_path: Path
) -> None:
    machines, asked = cluster.machines, cluster.world.simulator.ledger.statistics
    cluster.begin()
    machines.tick(latest_tick())
    days = {run.run_id for run in cluster.ask_until(cluster.second_day)}
    assert len(days) == BUCKETS
    dagsters.stop(signal.SIGQUIT)
    month = (latest_tick() - timedelta(days=1)).date().isoformat()[:7]
    cluster.enode.hold(month)
    machines.wait_for_idle_workers()
    dagsters.start()
    assert len(asked) == size[0] * size[1], "nothing but lines of their logs is lost meanwhile"
    assert {run.run_id for run in machines.runs(dg.DagsterRunStatus.STARTED)} == days
    machines.monitor()
    assert {run.run_id for run in machines.runs(dg.DagsterRunStatus.FAILURE)} == days

    months = {run.run_id for run in cluster.ask_until(month)}
    dagsters.stop(signal.SIGQUIT)
    dagsters.start()
    cluster.enode.hold(None)
    cluster.publish()

    again = [run for run in machines.runs() if run.tags.get(RETRY_NUMBER_TAG)]
    assert {run.root_run_id for run in again} == days
    ended_well = {run.run_id for run in machines.runs(dg.DagsterRunStatus.SUCCESS)}
    assert months | {run.run_id for run in again} <= ended_well
    assert {run.run_id for run in machines.runs()} - ended_well == days
    assert set(cluster.counts()) == {1}, "what was landed is loaded without asking"
    assert len(asked) == cluster.world.sql("select count(*) from core.load").item()
    cluster.same_as_one_machine(tmp_path / "alone")
