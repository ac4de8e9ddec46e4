"""The warehouse: one writer at a time, whole days replaced, a published file that readers never see half-made."""

import fcntl
import mmap
import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pytest
from engines import DAYS, publish_days, published_kwh

from hem_etl.disk import FICLONE
from hem_etl.errors import HemEtlError, SettingsError, WriterBusyError
from hem_etl.locks import Patience
from hem_etl.warehouse import FileWarehouse, packaged_models
from hem_etl.warehouse.files import WRITERS_PATIENCE


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def warehouse(tmp_path: Path) -> FileWarehouse:
    clock = Clock()
    return FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb", Patience(5, clock, clock.sleep))


@pytest.fixture
def filled(warehouse: FileWarehouse) -> FileWarehouse:
    publish_days(warehouse)
    return warehouse


def test_replace_touches_only_the_rows_of_the_keys(filled: FileWarehouse) -> None:
    with filled.writing() as writer:
        new = DAYS.filter(pl.col("system_id") == "a").with_columns(kwh=pl.lit(10.0)).head(1)
        writer.replace("days", new, keys=DAYS.filter(pl.col("system_id") == "a").select("system_id", "day"))
        assert sorted(writer.rows("days", ["system_id", "kwh"]).rows()) == [("a", 10.0), ("b", 3.0)]


def test_rows_of_keys_are_those_that_agree_in_all_columns(filled: FileWarehouse) -> None:
    with filled.writing() as writer:
        assert writer.rows("days", ["kwh"], keys=DAYS.select("system_id", "day").tail(1)).rows() == [(3.0,)]
        assert writer.rows("days", ["kwh"], keys=DAYS.select("system_id", "day").clear()).rows() == []


def test_an_id_is_a_value_never_sql(filled: FileWarehouse) -> None:
    hostile = DAYS.with_columns(system_id=pl.lit("'; drop table days; --"))
    with filled.writing() as writer:
        writer.append("days", hostile)
        writer.remove("days", hostile.select("system_id"))
        assert writer.rows("days", ["kwh"]).height == 3


def test_a_transaction_that_fails_leaves_nothing(filled: FileWarehouse) -> None:
    with filled.writing() as writer:
        with pytest.raises(ZeroDivisionError), writer.transaction():
            writer.append("days", DAYS)
            raise ZeroDivisionError
        assert writer.rows("days", ["kwh"]).height == 3


def test_all_threads_work_again_after_one_did_alone(warehouse: FileWarehouse) -> None:
    threads = "select current_setting('threads')"
    with warehouse.writing() as writer:
        writer.change("set threads = 3")
        with pytest.raises(ZeroDivisionError), writer.in_one_thread():
            assert writer.read(threads).item() == 1
            raise ZeroDivisionError
        assert writer.read(threads).item() == 3


def test_a_second_writer_waits_and_then_names_the_holder(warehouse: FileWarehouse) -> None:
    warehouse.lock.path.parent.mkdir(parents=True)
    with warehouse.lock.path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 4711\n")
        file.flush()
        assert warehouse.holder() == "process 4711"
        with pytest.raises(WriterBusyError, match="process 4711.*run again"), warehouse.writing():
            pass
    assert warehouse.holder() is None
    with warehouse.writing():
        assert warehouse.holder() == f"process {os.getpid()}"


def test_who_waits_says_soon_what_for_and_then_seldom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    patience = replace(WRITERS_PATIENCE, monotonic=clock, sleep=clock.sleep)
    warehouse = FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb", patience)
    other = FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb")
    with (
        other.writing(),
        pytest.raises(WriterBusyError, match=f"written by process {os.getpid()}; gave up after 3600 s"),
        warehouse.writing(),
    ):
        pass
    assert len(caplog.messages) == 12
    assert caplog.messages[0] == f"waiting for the warehouse held_by='process {os.getpid()}' seconds=3 of=3600"
    assert "seconds=303 of=3600" in caplog.messages[1]


def test_a_short_wait_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, works = Clock(), ExitStack()
    works.enter_context(FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb").writing())

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > 2.5:
            works.close()

    warehouse = FileWarehouse(tmp_path / "work", tmp_path / "hem.duckdb", Patience(3600, clock, sleep))
    with warehouse.writing():
        assert 2.5 < clock.now < 3
    assert caplog.messages == []


def test_the_lock_dies_with_its_holder(warehouse: FileWarehouse) -> None:
    script = (
        "import sys, os\nfrom pathlib import Path\nfrom hem_etl.warehouse import FileWarehouse, packaged_models\n"
        "w = FileWarehouse(Path(sys.argv[1]), Path(sys.argv[2]))\nwith w.writing():\n    os._exit(9)\n"
    )
    arguments = [sys.executable, "-c", script, str(warehouse.lock.path.parent), str(warehouse.published)]
    assert subprocess.run(arguments, check=False).returncode == 9
    with warehouse.writing() as writer:
        assert writer.read("select 1 as one").item() == 1


def test_a_program_that_holds_the_writers_file_open_is_named(warehouse: FileWarehouse) -> None:
    with warehouse.writing() as writer:
        writer.change("create table t (i int)")
    script = "import sys, duckdb\ncon = duckdb.connect(sys.argv[1])\nprint('open', flush=True)\nsys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(warehouse.file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(WriterBusyError, match=f"process {process.pid}"), warehouse.writing():
        pass
    process.communicate("")


def test_a_failure_before_the_end_publishes_nothing(filled: FileWarehouse) -> None:
    with pytest.raises(ZeroDivisionError), filled.publishing() as writer:
        writer.append("days", DAYS)
        raise ZeroDivisionError
    assert published_kwh(filled) == 6.0
    with filled.publishing():
        pass
    assert published_kwh(filled) == 12.0


def test_an_open_reader_keeps_its_snapshot(filled: FileWarehouse) -> None:
    script = (
        "import sys, duckdb\ncon = duckdb.connect(sys.argv[1], read_only=True)\n"
        "ask = lambda: print(con.execute('select sum(kwh) from days').fetchone()[0], flush=True)\n"
        "ask()\nsys.stdin.readline()\nask()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(filled.published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "6.0\n"
    with filled.publishing() as writer:
        writer.append("days", DAYS)
    assert process.communicate("\n")[0] == "6.0\n"
    assert published_kwh(filled) == 12.0


def test_the_published_file_is_read_only_and_a_stale_log_beside_it_does_no_harm(filled: FileWarehouse) -> None:
    assert filled.published.stat().st_mode & 0o777 == 0o444
    stale = filled.published.with_name("hem.duckdb.wal")
    stale.write_bytes(b"left by somebody who opened the file for writing")
    with filled.publishing() as writer:
        writer.append("days", DAYS)
    assert not stale.exists()
    assert published_kwh(filled) == 12.0


def test_nothing_but_the_published_file_is_left_beside_it(filled: FileWarehouse) -> None:
    (filled.published.parent / ".hem.duckdb.99.publishing").write_bytes(b"half a copy of a killed run")
    with filled.publishing():
        pass
    assert sorted(path.name for path in filled.published.parent.iterdir()) == ["hem.duckdb", "work"]


@pytest.mark.parametrize("kind", ["a database", "a text", "the writer's own"])
def test_a_file_of_somebody_else_is_not_replaced(filled: FileWarehouse, tmp_path: Path, kind: str) -> None:
    place = filled.file if kind == "the writer's own" else tmp_path / "mine.duckdb"
    if kind == "a database":
        with duckdb.connect(str(place)) as mine:
            mine.execute("create table precious as select 42 as answer")
    elif kind == "a text":
        place.write_text("not to be lost")
    before = place.read_bytes()
    warehouse = FileWarehouse(filled.file.parent, place)
    for write in (warehouse.reset, lambda: publish_days(warehouse)):
        with pytest.raises(SettingsError, match="HEM_ETL_DATABASE"):
            write()
    assert place.read_bytes() == before


def test_what_was_published_is_replaced_where_the_disk_knows_no_modes(filled: FileWarehouse) -> None:
    with filled.publishing() as writer:
        writer.create_tables(packaged_models())
    filled.published.chmod(0o755)
    with filled.publishing() as writer:
        writer.append("days", DAYS)
    assert published_kwh(filled) == 12.0


def test_reading_what_was_never_published_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(HemEtlError, match="hem-etl run"), FileWarehouse(tmp_path, tmp_path / "hem.duckdb").reading():
        pass


def test_reading_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "hem.duckdb").write_bytes(b"not a database, but long enough to look at" * 1000)
    with pytest.raises(HemEtlError, match="cannot read"), FileWarehouse(tmp_path, tmp_path / "hem.duckdb").reading():
        pass


@pytest.mark.parametrize(
    ("said", "step"),
    [
        ("The file exists, but it is not a valid DuckDB database file!", "the next run publishes a clean copy"),
        ("Trying to read a database file with version number 99, but we can only read 64", "Install the version"),
        ('Cannot open file "hem.duckdb": Permission denied', "Give this user access"),
        ('Could not read from file "hem.duckdb": Is a directory', "HEM_ETL_DATABASE"),
        ('Could not set lock on file "hem.duckdb": Conflicting lock is held', "close it"),
        ("something that nobody has seen yet", "hem-etl rebuild"),
    ],
)
def test_a_published_file_that_cannot_be_read_says_what_to_do(
    said: str, step: str, filled: FileWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise duckdb.IOException(f"IO Error: {said}")

    monkeypatch.setattr("duckdb.connect", refused)
    with pytest.raises(HemEtlError, match=step), filled.reading():
        pass


def test_a_reset_begins_with_nothing_and_keeps_what_is_published(filled: FileWarehouse) -> None:
    filled.reset()
    with filled.writing() as writer:
        assert writer.read("select count(*) as n from duckdb_tables()").item() == 0
    assert published_kwh(filled) == 6.0


def test_a_home_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(HemEtlError, match="HEM_ETL_HOME"),
        FileWarehouse(tmp_path / "file" / "work", tmp_path / "x").writing(),
    ):
        pass


def test_a_published_place_that_cannot_be_written_names_the_setting(filled: FileWarehouse, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert filled.describe().folders == dict.fromkeys((tmp_path / "work", tmp_path), "HEM_ETL_HOME")
    filled.published = tmp_path / "file" / "hem.duckdb"
    with pytest.raises(HemEtlError, match="HEM_ETL_DATABASE"), filled.publishing():
        pass


def test_an_interrupt_while_duckdb_works_is_an_interrupt(warehouse: FileWarehouse) -> None:
    with pytest.raises(KeyboardInterrupt), warehouse.writing():
        raise RuntimeError("Query interrupted")


def test_a_full_disk_says_so(warehouse: FileWarehouse) -> None:
    with pytest.raises(HemEtlError, match="make room"), warehouse.writing():
        raise duckdb.TransactionException("Failed to commit: No space left on device")


KEYS = DAYS.select("system_id", "day")
NOTHING = KEYS.clear()


@pytest.fixture
def noting(warehouse: FileWarehouse) -> FileWarehouse:
    with warehouse.writing() as writer:
        writer.create_tables(packaged_models())
        writer.change("create table days (system_id varchar, day date, kwh double)")
        writer.publish()
    return warehouse


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        (None, [(None, None)]),
        ((NOTHING, ["days"]), []),
        ((KEYS.head(1), ["days"]), KEYS.head(1).rows()),
        ((KEYS.head(1), ["others"]), [*KEYS.head(1).rows(), (None, None)]),
        ((NOTHING, []), [(None, None)]),
    ],
)
@pytest.mark.parametrize(
    "write",
    [
        lambda writer: writer.append("days", DAYS),
        lambda writer: writer.replace("days", DAYS, keys=KEYS),
        lambda writer: writer.clear("days"),
        lambda writer: writer.change("insert into days values ('a', '2026-01-01', 1)"),
        lambda writer: writer.change("update days set kwh = 1"),
    ],
)
def test_a_transaction_that_does_not_say_what_it_changed_in_a_table_has_changed_everything(
    noting: FileWarehouse, write: Any, said: Any, noted: list[tuple[object, object]]
) -> None:
    with noting.writing() as writer:
        with writer.transaction():
            write(writer)
            if said is not None:
                writer.note_changes(*said)
        assert sorted(writer.changes().rows(), key=repr) == sorted(noted, key=repr)


def test_what_was_rolled_back_and_what_wrote_nothing_is_not_noted(noting: FileWarehouse) -> None:
    with noting.writing() as writer:
        with pytest.raises(ZeroDivisionError), writer.transaction():
            writer.append("days", DAYS)
            writer.note_changes(KEYS, ["days"])
            raise ZeroDivisionError
        with writer.transaction():
            writer.append("days", DAYS.clear())
            writer.remove("days", KEYS)
        assert writer.changes().is_empty()
        writer.append("days", DAYS)
        assert writer.changes().rows() == [(None, None)]


@pytest.mark.parametrize("refused_from", [None, 0, 1, 3])
@pytest.mark.parametrize("shares_blocks", [False, True])
@pytest.mark.parametrize("is_large", [False, True])
def test_a_published_copy_is_whole_whatever_the_file_system_can_do(
    filled: FileWarehouse,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_large: bool,
    shares_blocks: bool,
    refused_from: int | None,
) -> None:
    """By shared blocks, past the page cache, or through it where the disk refused, at once or after some writes."""
    parts: list[int] = []

    def sharing(new: FileIO, request: int, old: int) -> None:
        assert request == FICLONE
        if not shares_blocks:
            raise OSError(95, "Operation not supported")
        new.write(os.pread(old, os.fstat(old).st_size, 0))

    def writing(new: int, part: mmap.mmap) -> int:
        parts.append(new)
        if len(parts) - 1 == refused_from:
            raise OSError(22, "Invalid argument")
        return write(new, part)

    write = os.write
    monkeypatch.setattr("hem_etl.disk.COPIED_AT_ONCE", mmap.ALLOCATIONGRANULARITY)
    if is_large:
        monkeypatch.setattr("hem_etl.disk.LARGE", 0)
    monkeypatch.setattr("hem_etl.disk.fcntl.ioctl", sharing)
    monkeypatch.setattr(os, "write", writing)
    with filled.publishing() as writer:
        writer.append("days", DAYS)

    assert filled.published.read_bytes() == filled.file.read_bytes()
    assert published_kwh(filled) == 12.0
    assert bool(parts) is (is_large and not shares_blocks)


RANDOM: Final = "select i, random() as kwh from range(400000) as numbers (i)"
"""Rows that do not compress: some twelve blocks."""


@pytest.fixture
def replaced(warehouse: FileWarehouse, monkeypatch: pytest.MonkeyPatch) -> FileWarehouse:
    """A file of which the greater part is left of rows that were replaced; published before that."""
    monkeypatch.setattr("hem_etl.warehouse.compacting.FEWEST_BLOCKS", 8)
    with warehouse.publishing() as writer:
        writer.change(f"create table replaced as {RANDOM}")
        writer.change("create view shown as select i, kwh from replaced")
        writer.change("comment on column replaced.kwh is 'energy'")
    with warehouse.writing() as writer:
        writer.change(f"create table others as {RANDOM}")
        writer.change("drop table others")
        writer.change("delete from replaced where i % 2 = 0")
        writer.append("replaced", pl.DataFrame({"i": [0], "kwh": [0.0]}))
    return warehouse


def test_a_file_of_replaced_rows_is_published_no_larger_than_what_it_holds(replaced: FileWarehouse) -> None:
    before = replaced.file.stat().st_size
    query = "select i, kwh from shown"
    with replaced.writing() as writer:
        held = writer.read(query)
    with replaced.publishing():
        pass

    assert replaced.file.stat().st_size < before / 1.5
    assert replaced.published.read_bytes() == replaced.file.read_bytes()
    left = sorted(path.name for path in replaced.file.parent.iterdir())
    assert left == ["published.mark", "warehouse.duckdb", "warehouse.lock"]
    with replaced.reading() as published:
        assert published.read(query).equals(held)
        comments = published.read("select comment from duckdb_columns() where table_name = 'replaced'")["comment"]
    assert comments.to_list() == [None, "energy"]


def test_a_file_that_is_nearly_full_is_left_as_it_is(replaced: FileWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    with replaced.publishing():
        pass
    monkeypatch.setattr("hem_etl.warehouse.files.write_compacted", pytest.fail)
    with replaced.publishing() as writer:
        writer.append("replaced", pl.DataFrame({"i": [-1], "kwh": [0.0]}))


@pytest.mark.parametrize("dies_at", ["a full disk", "a kill while it is written", "a kill before it is in place"])
def test_a_file_that_could_not_be_compacted_is_whole(
    dies_at: str, replaced: FileWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
        target.write_bytes(b"half of it")
        target.with_name(f"{target.name}.wal").write_bytes(b"and of its log")
        raise duckdb.IOException("No space left on device") if dies_at == "a full disk" else KeyboardInterrupt

    def put(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt), replaced.publishing():
        if dies_at == "a kill before it is in place":
            patch.setattr("hem_etl.warehouse.files._put_in_place", put)
        else:
            patch.setattr("hem_etl.warehouse.files.write_compacted", write)
    assert replaced.is_current() is (dies_at == "a full disk")
    with replaced.publishing() as writer:
        assert writer.count("replaced") == 200_001
    with replaced.reading() as published:
        assert published.count("shown") == 200_001
