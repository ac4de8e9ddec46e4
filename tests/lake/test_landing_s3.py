"""Landing in a bucket of S3: the same tables as from a folder, one segment once, nothing lost where S3 fails."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lake.shared_landing import Ticking, landing_in
from seaweed import KEY_ID, SECRET, Store
from world import NOW, World, same_tables

from hem_etl.cli.app import run_app
from hem_etl.cli.doctor import examine
from hem_etl.errors import HemEtlError, LandingError
from hem_etl.facts import explain
from hem_etl.landing import copy_landing, open_landing, open_place, waiting_segments
from hem_etl.landing.places import Folder
from hem_etl.pipeline import extraction, road
from hem_etl.preparing.crew import WorkerProcesses
from hem_etl.preparing.prepare import Judging
from hem_etl.preparing.shards import DayLook, Shard
from hem_etl.settings import GivenSettings, environment_of_others
from hem_etl.simulator import make_fleet

pytestmark = pytest.mark.services

DAYS = ("2026-11-19", "2026-11-20", "2026-11-21")


@pytest.fixture
def storage(store: Store, tmp_path: Path) -> dict[str, str]:
    """Settings of a landing of its own, in a bucket that is there."""
    return landing_in(store, f"hem-landing/{abs(hash(tmp_path))}/year=2026", tmp_path)


def machine(home: Path, storage: dict[str, str]) -> World:
    return Ticking(home, make_fleet(4, today=NOW.date()), settings=storage)


@contextmanager
def out_of_order(store: Store) -> Iterator[None]:
    store.is_out_of_order = True
    try:
        yield
    finally:
        store.is_out_of_order = False


def test_a_run_a_rebuild_and_explain_are_those_of_a_folder(storage: dict[str, str], tmp_path: Path) -> None:
    fleet = make_fleet(4, today=NOW.date())
    folder, one, other = (
        World(tmp_path / name, fleet, settings=settings)
        for name, settings in (("folder", {}), ("one", storage), ("other", storage))
    )
    for world in (folder, one):
        for day in DAYS:
            world.run(day)
            world.pass_time(minutes=1)
    tables = folder.tables()
    same_tables(one.tables(), tables)
    one.road().rebuild()
    same_tables(one.tables(), tables)
    other.road().rebuild()
    same_tables(other.tables(), tables)
    assert other.run(*DAYS[::2]).asked == 0
    system = folder.sql("select min(system_id) from core.system").item()
    told = [
        explain(world.road().warehouse, world.road().landing, system, date(2026, 11, 20))
        for world in (folder, one, other)
    ]
    for facts in told:
        bodies = [version.pop("raw_body") for version in facts["versions"]]
        assert bodies
        assert all(body["is_there"] and body["is_whole"] for body in bodies)
    assert [facts["figures"] for facts in told] == [told[0]["figures"]] * 3
    assert not (tmp_path / "one" / "landing").exists()
    assert ("ok", "landing") in [finding[:2] for finding in examine(one.settings)]


def test_racing_creates_of_one_segment_have_one_winner(storage: dict[str, str], tmp_path: Path) -> None:
    name, count = "20260329T120000000000Z-00000000.parquet", 32
    together = threading.Barrier(count)

    def create(number: int) -> str:
        place = open_landing(GivenSettings(HEM_ETL_HOME=tmp_path / str(number), **storage)).place
        together.wait()
        try:
            place.create(name, f"segment {number}".encode())
        except LandingError as error:
            return str(error)
        return "won"

    with ThreadPoolExecutor(count) as pool:
        told = list(pool.map(create, range(count)))
    assert told.count("won") == 1
    assert sum(f"keeps other bytes by the name {name}" in text for text in told) == count - 1
    kept = open_landing(GivenSettings(HEM_ETL_HOME=tmp_path, **storage)).place.read(name)
    assert kept == f"segment {told.index('won')}".encode()


def test_racing_creates_of_the_same_bytes_are_all_right(storage: dict[str, str], tmp_path: Path) -> None:
    """As two processes of one home that send what waits."""
    name, count = "20260329T120000000000Z-00000000.parquet", 16
    together = threading.Barrier(count)

    def create(number: int) -> None:
        place = open_landing(GivenSettings(HEM_ETL_HOME=tmp_path / str(number), **storage)).place
        together.wait()
        place.create(name, b"the same" * 100_000)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(create, range(count)))
    assert list(open_landing(GivenSettings(HEM_ETL_HOME=tmp_path, **storage)).place.listed()) == [name]


def test_what_was_asked_while_s3_fails_is_sent_by_the_next_run(
    store: Store, storage: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make_fleet(4, today=NOW.date())
    folder, world = World(tmp_path / "folder", fleet, settings={}), World(tmp_path / "home", fleet, settings=storage)
    for each in (folder, world):
        each.run(DAYS[0])
    asks = extraction.extract

    def asks_while_s3_fails(*arguments: Any, **options: Any) -> extraction.Extracted:
        with out_of_order(store):
            return asks(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(road, "extract", asks_while_s3_fails)
        with pytest.raises(LandingError, match="503 Service Unavailable, SlowDown.*the next run sends it"):
            world.run(DAYS[1])
    with out_of_order(store):
        findings = examine(world.settings)
    assert store.refused
    assert "SlowDown" in str([text for status, what, text in findings if (status, what) == ("FAIL", "landing")])
    assert "1 segments wait" in str([text for status, what, text in findings if (status, what) == ("warn", "landing")])
    assert len(waiting_segments(world.settings)) == 1
    assert folder.run(DAYS[1]).asked == 4
    assert world.run(DAYS[1]).asked == 0
    assert waiting_segments(world.settings) == []
    same_tables(world.tables(), folder.tables())


def test_a_run_goes_on_where_s3_fails_for_a_moment(store: Store, storage: dict[str, str], tmp_path: Path) -> None:
    world = machine(tmp_path / "home", storage)
    before = store.refused

    def mend() -> None:
        while store.refused < before + 2:
            threading.Event().wait(0.01)
        store.is_out_of_order = False

    mending = threading.Thread(target=mend)
    with out_of_order(store):
        mending.start()
        world.run(DAYS[0])
    mending.join()
    assert world.sql("select count(distinct system_id) from marts.daily_energy").item() == 4


def test_worker_processes_know_no_key_and_read_what_was_brought(storage: dict[str, str], tmp_path: Path) -> None:
    one = machine(tmp_path / "one", storage)
    one.run(DAYS[0])
    one.run(DAYS[0], refresh=True)
    landing = machine(tmp_path / "other", storage).road().landing
    newest = [r for r in landing.read_receipts(landing.segments()[-1:]) if r.kind == "day"]
    looks = [DayLook(r.key[0], r.key[1].day, r.fetched_at_utc, str(r.body_sha256), r.segment) for r in newest]
    judging = Judging.by(GivenSettings(), dict.fromkeys(look.system_id for look in looks))
    shard = Shard(0, tuple(looks), dict.fromkeys(looks), judging)
    with WorkerProcesses(1, landing, tmp_path / "prepared") as crew:
        crew.submit(shard).result()
        assert crew.take(shard).outcomes.height == len(looks) == 4


COPIES = """
import sys
from hem_etl.cli.app import run_app
sys.exit(run_app(sys.argv[1:]))
"""


def test_a_copy_to_s3_and_back_is_equal_though_it_is_killed(
    landed: World, store: Store, storage: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = landed.settings.landing
    names = sorted(Folder(source).listed())
    place = storage["HEM_ETL_LANDING"]
    keys = {name: value for name, value in storage.items() if name != "HEM_ETL_LANDING"}
    settings = keys | {"HEM_ETL_HOME": str(tmp_path), "HEM_ETL_LANDING": str(source)}
    command = [sys.executable, "-c", COPIES, "landing", "copy", "--to", place]
    before = store.passed
    child = subprocess.Popen(command, env=environment_of_others() | settings, stderr=subprocess.PIPE)
    while store.passed < before + 3:
        assert child.poll() is None, child.communicate()
    child.kill()
    child.communicate()
    target = open_place(GivenSettings(**settings), place)
    whole = {name: (source / name).read_bytes() for name in names}
    assert all(target.read(name) == whole[name] for name in target.listed())

    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.chdir(tmp_path)
        assert run_app(["landing", "copy", "--to", place]) == 0
        told = capsys.readouterr().err
        assert f"{place} holds all {len(names)} segments" in told
        assert "Both are equal" in told
        assert run_app(["landing", "copy", "--from", place, "--to", "back", "--json"]) == 0
        assert '"is_equal": true' in capsys.readouterr().out
    assert {name: target.read(name) for name in target.listed()} == whole
    assert {name: (tmp_path / "back" / name).read_bytes() for name in names} == whole
    away = machine(tmp_path / "away", storage)
    away.road().rebuild()
    same_tables(away.tables(), landed.tables())


def test_nobody_is_told_the_keys(
    storage: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "https://nobody.example")
    caplog.set_level(0)
    right = GivenSettings(HEM_ETL_HOME=tmp_path / "home", **storage)
    place = open_landing(right).place
    place.create("20260329T120000000000Z-00000000.parquet", b"")
    told = [repr(place), str(vars(place)), repr(right)]
    for name in ("HEM_ETL_S3_SECRET_ACCESS_KEY", "HEM_ETL_S3_ACCESS_KEY_ID"):
        wrong = open_landing(GivenSettings(HEM_ETL_HOME=tmp_path / "home", **(storage | {name: "wr0ng"}))).place
        for ask in (wrong.listed, partial(wrong.create, "a.parquet", b""), wrong.prove):
            with pytest.raises(HemEtlError, match="403 Forbidden.*HEM_ETL_S3_") as refused:
                ask()
            told.append(f"{refused.value} {refused.value.__cause__}")
    told += [caplog.text, *(str(file) for file in (tmp_path / "home").rglob("*"))]
    assert not [text for text in told if any(word in text for word in (SECRET, KEY_ID, "wr0ng", "s3cr/et"))]


def test_a_copy_leaves_nothing_in_the_home(landed: World, storage: dict[str, str], tmp_path: Path) -> None:
    settings = GivenSettings(HEM_ETL_HOME=tmp_path, **storage)
    copied = copy_landing(Folder(landed.settings.landing), open_landing(settings).place)
    assert copied.is_equal
    assert os.listdir(tmp_path) == []
