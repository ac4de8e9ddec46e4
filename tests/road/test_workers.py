"""Days prepared ahead, in worker processes: the tables are the same, and whatever dies loses nothing."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import engines
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from waits import GENEROUS_SECONDS
from world import NOW, World, same_tables

from hem_etl.answer import Kind
from hem_etl.errors import LandingError, WorkerError
from hem_etl.landing import Landing
from hem_etl.landing import writer as landing_writer
from hem_etl.pipeline import batches, loading, road
from hem_etl.pipeline.ahead import Ahead, Hire, hire
from hem_etl.preparing.crew import WorkerProcesses
from hem_etl.preparing.prepare import Judging, PreparedDays
from hem_etl.preparing.shards import DayLook, Shard, prepare_looks, read_prepared, write_prepared
from hem_etl.preparing.worker import answer_to
from hem_etl.settings import OUR_PREFIXES, GivenSettings, Settings
from hem_etl.simulator import Faults, make_fleet

ROOT = Path(__file__).parents[2]
TOLERANCES = '{"default": 0.02, "TESLA": 0.0001, "SMA": 0.5}'


class Here:
    """A Crew without processes: a shard is prepared when it is taken, in no order but that of who asks."""

    def __init__(self, landing: Landing, folder: Path) -> None:
        self.landing = landing
        self.folder = folder
        self.taken: list[Shard] = []
        folder.mkdir(parents=True, exist_ok=True)

    def submit(self, shard: Shard) -> Future[None]:
        future = Future[None]()
        future.set_result(None)
        return future

    def take(self, shard: Shard) -> PreparedDays:
        self.taken.append(shard)
        write_prepared(shard.prepared(self.landing), self.folder, shard.number)
        return read_prepared(self.folder, shard.number, shard.judging)

    def close(self) -> None:
        assert list(self.folder.iterdir()) == []
        self.folder.rmdir()


class Given(Future[None]):
    """Of a shard that a worker has ready when somebody waits for it, if one has begun."""

    def result(self, timeout: float | None = None) -> None:
        if not self.done():
            assert self.running(), "nobody would ever have it ready"
            self.set_result(None)
        super().result(timeout)


class Busy(Here):
    """A Crew that begins every third shard alone, or none at all."""

    begins = True

    def __init__(self, landing: Landing, folder: Path) -> None:
        super().__init__(landing, folder)
        self.given: list[Given] = []

    def submit(self, shard: Shard) -> Future[None]:
        self.given.append(Given())
        if self.begins and shard.number % 3 == 0:
            self.given[-1].set_running_or_notify_cancel()
        return self.given[-1]


class Idle(Busy):
    begins = False


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with everything that goes wrong, looked at again and again, in many segments, and nothing loaded."""
    world = World(tmp_path_factory.mktemp("hostile") / "home")
    world.simulator.faults = Faults.all(3)
    for end in ("2026-11-14", "2026-11-18", "2026-11-21"):
        world.run("2026-11-12", end, refresh=end == "2026-11-21")
        world.pass_time(days=1)
    return world.home


def loaded(
    landed: Path,
    home: Path,
    workers: int,
    hire: Hire,
    *,
    least: int = 1,
    tolerance: str = TOLERANCES,
) -> dict[str, pl.DataFrame]:
    """The tables of core that a load of what is landed there makes."""
    shutil.copytree(landed / "landing", home / "landing", dirs_exist_ok=True)
    world = World(home, settings={**engines.engine_settings(home), "HEM_ETL_BALANCE_TOLERANCE": tolerance})
    settings = world.settings.model_copy(update={"workers": workers})
    whole = world.road()
    with whole.warehouse.writing() as writer, Ahead(whole.landing, settings, hire, least) as ahead:
        writer.create_tables(whole.models)
        now = NOW + timedelta(days=9)
        loading.load(writer, whole.landing, settings, now, ahead, is_clock_right=True)
        names = writer.read("select table_name from duckdb_tables() where schema_name = 'core' order by all")
        frames = {f"core.{name}": writer.read(f"from core.{name}") for name in names["table_name"]}
    for name in ("core.loaded_segment", "core.model"):
        frames.pop(name)
    return {name: frame.drop("loaded_at_utc", strict=False) for name, frame in frames.items()}


@dataclass
class Asking:
    """A crew that is there while Enode is asked, and what it was given by then."""

    world: World
    crew: list[Here] = field(default_factory=list)
    asked_at: list[int] = field(default_factory=list)
    """Requests for statistics that had been made, at each shard."""

    def hire(self, size: int, landing: Landing, settings: Settings) -> Here:
        assert size == 1
        here = Here(landing, settings.prepared)
        self.crew.append(here)
        submit = here.submit

        def counted(shard: Shard) -> Future[None]:
            self.asked_at.append(sum(self.world.simulator.ledger.statistics.values()))
            return submit(shard)

        here.submit = counted  # type: ignore[method-assign]
        return here


def test_what_is_landed_is_prepared_while_others_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing_writer, "SEGMENT_RECEIPTS", 20)
    names = count()  # all looks of a run have one instant here, and stand in the order of their segments' names
    monkeypatch.setattr(landing_writer, "secrets", SimpleNamespace(token_hex=lambda size: f"{next(names):08x}"))
    alone, together = World(tmp_path / "alone"), World(tmp_path / "together")
    together.settings = together.settings.model_copy(update={"workers": 2, "max_in_flight": 1})
    asking = Asking(together)
    monkeypatch.setattr(road, "Ahead", partial(Ahead, hire=asking.hire, least=20))
    for last in ("2026-11-18", "2026-11-21"):
        alone.run("2026-11-12", last)
        together.run("2026-11-12", last)
    assert min(asking.asked_at) < 60 < 18 * 7 < max(asking.asked_at)
    assert sum(len(shard.looks) for crew in asking.crew for shard in crew.taken) > 100
    same_tables(alone.tables(), together.tables())


def nobody(*_: object) -> Any:
    raise AssertionError("no worker is wanted")


@pytest.mark.parametrize(("workers", "bodies", "segments"), [(2, 7, 1), (3, 40, 2), (2, 500, 16)])
def test_tables_do_not_depend_on_what_was_prepared_ahead(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, bodies: int, segments: int
) -> None:
    """Though a transaction is prepared with what was known before it: other vendors, other zones."""
    monkeypatch.setattr(batches, "BODIES_PER_BATCH", bodies)
    monkeypatch.setattr(batches, "SEGMENTS_PER_TRANSACTION", segments)
    alone = loaded(hostile, tmp_path / "alone", 1, nobody)
    crew = list[Here]()

    def hire(size: int, landing: Landing, settings: Settings) -> Here:
        assert size == workers - 1
        crew.append(Here(landing, settings.prepared))
        return crew[0]

    together = loaded(hostile, tmp_path / "together", workers, hire)
    same_tables(alone, together)
    assert sum(len(shard.looks) for shard in crew[0].taken) > 100
    assert alone["core.day_version"].height > 100


@pytest.mark.parametrize("kind", [Busy, Idle])
def test_what_no_worker_has_begun_is_prepared_here_rather_than_waited_for(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Busy]
) -> None:
    monkeypatch.setattr(batches, "BODIES_PER_BATCH", 40)
    crew = list[Busy]()

    def hire(size: int, landing: Landing, settings: Settings) -> Busy:
        crew.append(kind(landing, settings.prepared))
        return crew[0]

    same_tables(loaded(hostile, tmp_path / "alone", 1, nobody), loaded(hostile, tmp_path / "together", 2, hire))
    prepared_here = [done for done in crew[0].given if done.cancelled()]
    assert len(prepared_here) > 5
    assert bool(crew[0].taken) == kind.begins


def test_few_bodies_are_prepared_without_workers(hostile: Path, tmp_path: Path) -> None:
    loaded(hostile, tmp_path / "home", 3, nobody, least=10_000)


def test_days_prepared_in_parts_are_those_prepared_at_once(hostile: Path) -> None:
    landing = Landing(hostile / "landing")
    looks = looks_of(landing)
    zones, judging = dict.fromkeys(looks, "Europe/Berlin"), judging_of(looks)
    whole = prepare_looks(landing, looks, zones, judging)
    shards = [prepare_looks(landing, looks[first::3], zones, judging) for first in range(3)]
    joined = PreparedDays.joined(shards)
    for number, frame in enumerate(joined.frames()):
        is_ordered = frame is not joined.findings
        assert_frame_equal(frame, whole.frames()[number], check_exact=True, check_row_order=is_ordered)


def looks_of(landing: Landing) -> list[DayLook]:
    """The first answer about each day."""
    answers = [r for r in landing.read_receipts(landing.segments(), Kind.DAY) if r.outcome is None]
    first = {receipt.key: receipt for receipt in reversed(answers)}
    return [
        DayLook(system_id, interval.day, r.fetched_at_utc, str(r.body_sha256), r.segment)
        for (system_id, interval), r in first.items()
    ]


def judging_of(looks: Iterable[DayLook]) -> Judging:
    return Judging.by(GivenSettings(), dict.fromkeys(look.system_id for look in looks))


def shard_of(landing: Landing, **others: Any) -> Shard:
    looks = looks_of(landing)[:50]
    shard = Shard(0, tuple(looks), dict.fromkeys(looks), judging_of(looks))
    return replace(shard, **others)


def test_a_worker_tells_why_and_nothing_of_what_was_sent(hostile: Path, tmp_path: Path) -> None:
    landing = Landing(hostile / "landing")
    shard = shard_of(landing)
    assert answer_to(shard, landing, tmp_path) is None
    lost = replace(shard.looks[0], body_sha256="0" * 64)
    missing = answer_to(replace(shard, looks=(lost,)), landing, tmp_path)
    assert missing is not None
    assert missing.is_of_landing
    assert "restore it from a backup" in missing.why
    for faulty, folder, why in (
        (replace(shard, zones={}), tmp_path, r"KeyError in shards\.py, line \d+"),
        (shard, tmp_path / "gone", "No such file or directory: make the folder, or let HEM_ETL_HOME name another"),
    ):
        failure = answer_to(faulty, landing, folder)
        assert failure is not None
        assert not failure.is_of_landing
        assert re.match(why, failure.why)


def test_what_a_worker_found_damaged_ends_the_load_where_it_would_have_ended_alone(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transactions before it stay."""
    monkeypatch.setattr(batches, "SEGMENTS_PER_TRANSACTION", 1)
    landed = tmp_path / "landed"
    shutil.copytree(hostile / "landing", landed / "landing")
    landing = Landing(landed / "landing")
    newest = landing.folder / landing.segments()[-1]
    damaged = pl.col("body").fill_null(b"") + pl.lit(b" ")
    pl.read_parquet(newest).with_columns(body=pl.when(pl.col("body").is_not_null()).then(damaged)).write_parquet(newest)
    held = []
    crews: list[tuple[str, int, Hire]] = [
        ("alone", 1, nobody),
        ("ready", 2, lambda _, landing, settings: Here(landing, settings.prepared)),
        ("idle", 2, lambda _, landing, settings: Idle(landing, settings.prepared)),
    ]
    for name, workers, crew in crews:
        home = tmp_path / name
        with pytest.raises(LandingError, match="is damaged"):
            loaded(landed, home, workers, crew)
        with World(home, settings=engines.engine_settings(home)).road().warehouse.writing() as writer:
            held.append(writer.rows("core.loaded_segment", ["segment"])["segment"].sort().to_list())
    assert held[0] == held[1] == held[2] == landing.segments()[:-1]


@pytest.mark.slow
def test_worker_processes_make_the_same_tables_and_leave_nothing(hostile: Path, tmp_path: Path) -> None:
    alone = loaded(hostile, tmp_path / "1", 1, nobody)
    for workers in (2, 3):
        same_tables(alone, loaded(hostile, tmp_path / str(workers), workers, hire))
        assert not GivenSettings(HEM_ETL_HOME=tmp_path / str(workers)).prepared.exists()


class Dying(WorkerProcesses):
    """One of its workers is stopped when it gets its first shard, and then killed."""

    def submit(self, shard: Shard) -> Future[None]:
        if not shard.number:
            for process in self._processes:
                process.send_signal(signal.SIGSTOP)
        done = super().submit(shard)
        self._processes[0].kill()
        for process in self._processes[1:]:
            process.send_signal(signal.SIGCONT)
        return done


@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_load_and_the_next_one_goes_on(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BODIES_PER_BATCH", 20)
    crew = list[Dying]()

    def hire_dying(size: int, landing: Landing, settings: Settings) -> Dying:
        crew.append(Dying(size, landing, settings.prepared))
        return crew[0]

    with pytest.raises(WorkerError, match=r"was killed \(signal 9\).*Nothing is lost: run again") as raised:
        loaded(hostile, tmp_path / "home", 2, hire_dying)
    assert raised.value.exit_code == 1
    assert all(process.returncode is not None for process in crew[0]._processes)
    assert not crew[0].folder.parent.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]
    again = loaded(hostile, tmp_path / "home", 2, hire)
    same_tables(again, loaded(hostile, tmp_path / "alone", 1, nobody))


@pytest.mark.slow
def test_an_error_in_a_worker_ends_the_load(hostile: Path, tmp_path: Path) -> None:
    landing = Landing(hostile / "landing")
    with WorkerProcesses(1, landing, tmp_path / "prepared") as crew:
        failed = crew.submit(shard_of(landing, zones={}))
        good = crew.submit(shard_of(landing, number=1))
        with pytest.raises(WorkerError, match=r"failed \(KeyError in shards\.py, line \d+\)"):
            failed.result(GENEROUS_SECONDS)
        good.result(GENEROUS_SECONDS)
    assert not (tmp_path / "prepared").exists()


HIRES = """
import signal, sys, threading
from pathlib import Path
from hem_etl.landing import Landing
from hem_etl.preparing.crew import WorkerProcesses
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so do its children
with WorkerProcesses(2, Landing(Path(sys.argv[1])), Path(sys.argv[2])) as crew:
    print(crew.folder, flush=True)
    threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", HIRES, str(tmp_path / "landing"), str(tmp_path / "prepared")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir()
        process.send_signal(number)
        # the workers hold the pipe open, too: its end is the end of all of them
        _, told = process.communicate(timeout=GENEROUS_SECONDS)
    assert process.returncode == -number
    assert told.count("Traceback") == (number == signal.SIGINT)
    assert not folder.exists()


DAEMON = """
import multiprocessing, sys
def load(home):
    from datetime import UTC, datetime
    from pathlib import Path
    from hem_etl.pipeline import Road
    from hem_etl.settings import GivenSettings
    settings = GivenSettings(HEM_ETL_HOME=Path(home), HEM_ETL_WORKERS=2)
    Road(settings, clock=lambda: datetime(2026, 11, 22, 13, 15, tzinfo=UTC)).rebuild()
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=load, args=(sys.argv[1],), daemon=True)
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


@pytest.mark.slow
@pytest.mark.only_file("the settings of a lake are another matter")
def test_a_rebuild_has_workers_however_it_was_started(tmp_path: Path) -> None:
    """By a daemon, which may have no children by the rules of multiprocessing, and by `python -m hem_etl`."""
    world = World(tmp_path / "home", make_fleet(18, today=NOW.date()))
    world.run("2026-10-23", "2026-11-21", months=False)
    world.road().rebuild()
    alone = world.tables()
    (tmp_path / "daemon.py").write_text(DAEMON)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(OUR_PREFIXES)}
    ours = {"HEM_ETL_HOME": str(world.home), "HEM_ETL_WORKERS": "2", "ENODE_CLIENT_SECRET": "hush"}
    for command, told_of_workers in (
        ([str(tmp_path / "daemon.py"), str(world.home)], 0),
        (["-m", "hem_etl", "-v", "rebuild"], 1),
    ):
        environment = plain | ours | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("workers=2") == told_of_workers
        assert "hush" not in done.stdout + done.stderr
        same_tables(alone, world.tables())
        assert not world.settings.prepared.exists()
