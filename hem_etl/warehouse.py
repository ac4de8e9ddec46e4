"""The DuckDB file: the writer's lock, reading and replacing rows, publishing the copy that people query.

DuckDB lets one process write a file or several read it. So there are two files: the writer's own, opened only under an
operating-system lock that dies with its holder, and the published copy, put in place by an atomic rename and opened by
everybody else. What the rows mean is not known here: which rows replace which is `pipeline`'s business, what the
tables look like is `dbt_like_sql`'s.
"""

import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TextIO

import duckdb
import polars as pl

from hem_etl.errors import HemEtlError, TornFileError, WriterBusyError, disk_trouble

LOG = logging.getLogger(__name__)

LOCK_WAIT_SECONDS: Final = 3600.0
"""Longer than the loads and publishes of several other runs: who gives up earlier fails beside a healthy one."""
LOCK_POLL_SECONDS: Final = 0.2
LOCK_TOLD_SECONDS: Final = 60.0
INTERRUPTED: Final = "Query interrupted"
"""What DuckDB makes of a Ctrl-C that comes while it works."""
TORN: Final = re.compile(
    r"corrupt (database|wal) file|not a valid duckdb database|could not read enough bytes|while replaying wal file",
    re.IGNORECASE,
)
"""What DuckDB says of a file that was half written; never of access, a full disk or another process."""
NEWER: Final = re.compile(r"version number|newer version|storage version", re.IGNORECASE)
PUBLISHED_MODE: Final = 0o444
"""Read-only for everybody: whoever opens it for writing by mistake is refused instead of leaving a `.wal` behind."""


class Warehouse:
    """The pair of files. Cheap to make: nothing is opened until it is needed."""

    def __init__(
        self,
        work: Path,
        published: Path,
        *,
        wait_seconds: float = LOCK_WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.file = work / "warehouse.duckdb"
        self.lock_file = work / "warehouse.lock"
        self.published = published
        self._wait_seconds = wait_seconds
        self._monotonic = monotonic
        self._sleep = sleep

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """The writer's file, open, under the lock. Never hold it across a network wait.

        Raises WriterBusyError, which names the holder, when another process does not let go in time.
        """
        with self._locked(), self._connected() as connection:
            yield Writer(connection)

    @contextmanager
    def publishing(self) -> Iterator["Writer"]:
        """Like `writing`; at its end a copy is put where people query, unless the block raised.

        Readers keep what they opened until they open anew.
        """
        with self._locked():
            with self._connected() as connection:
                yield Writer(connection)
                connection.execute("checkpoint")
            _replace_file(self.file, self.published)

    def reset(self) -> None:
        """Remove the writer's file: a rebuild begins with nothing. The published file stays until the next publish."""
        with self._locked():
            for path in (self.file, self.file.with_name(f"{self.file.name}.wal")):
                path.unlink(missing_ok=True)

    def set_aside(self) -> Path | None:
        """Move a torn file out of the way, under a name with the time, in place of the one set aside before."""
        with self._locked():
            if not self.file.exists():
                return None
            for old in self.file.parent.glob(f"{self.file.stem}.torn-*"):
                old.unlink(missing_ok=True)
            aside = self.file.with_name(
                f"{self.file.stem}.torn-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.duckdb"
            )
            self.file.replace(aside)
            wal = self.file.with_name(f"{self.file.name}.wal")
            if wal.exists():
                wal.replace(aside.with_name(f"{aside.name}.wal"))
            return aside

    def holder(self) -> str | None:
        """Who holds the lock now (for people); None: nobody."""
        if not self.lock_file.exists():
            return None
        with self.lock_file.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder_told(file)
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.lock_file.parent.mkdir(parents=True, exist_ok=True)
            opened = self.lock_file.open("a+")
        except OSError as error:
            raise HemEtlError(
                f"cannot write in {self.lock_file.parent} ({disk_trouble(error, 'HEM_ETL_HOME')})."
            ) from error
        with opened as file:
            started = self._monotonic()
            told_after = LOCK_TOLD_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    waited = self._monotonic() - started
                    if waited >= self._wait_seconds:
                        raise WriterBusyError(_holder_told(file), waited) from None
                    if waited >= told_after:
                        LOG.warning("waiting for the warehouse seconds=%.0f held_by=%r", waited, _holder_told(file))
                        told_after += LOCK_TOLD_SECONDS
                    self._sleep(LOCK_POLL_SECONDS)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(str(self.file))
        except duckdb.IOException as error:
            intruder = re.search(r"\(PID (\d+)\)", str(error))
            if intruder is None:
                raise self._refused(str(error)) from error
            raise WriterBusyError(f"process {intruder[1]}, which has {self.file} open", 0) from error
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        except (duckdb.Error, HemEtlError) as error:
            said = " ".join(_causes(error))
            if TORN.search(said):
                raise self._refused(said) from error
            if isinstance(error, duckdb.Error) and "No space left" in said:
                raise HemEtlError(
                    f"the disk of {self.file.parent} is full: make room, run again. What was fetched stays landed."
                ) from error
            raise
        except RuntimeError as error:
            if str(error) == INTERRUPTED:
                raise KeyboardInterrupt from error
            raise
        finally:
            with suppress(duckdb.Error):  # of a torn file; what it holds is made again
                connection.close()

    def _refused(self, said: str) -> HemEtlError:
        """Why the file cannot be used, as the error that says what to do."""
        why = said.splitlines()[0][:200]
        if TORN.search(said):
            return TornFileError(f"{self.file} is damaged ({why}): `hem-etl rebuild` makes it anew from landing.")
        if NEWER.search(said):
            return HemEtlError(
                f"{self.file} was written by a newer DuckDB than {duckdb.__version__}, which is here ({why}): install "
                "the version of hem_etl that wrote it, or `hem-etl rebuild` makes the file anew for this one."
            )
        return HemEtlError(
            f"cannot open {self.file} ({why}): give this user access and room there; `hem-etl rebuild` makes the file "
            "anew from landing."
        )


class Writer:
    """Rows in and out of the open writer's file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """All of it or nothing."""
        self.connection.execute("begin")
        try:
            yield self
        except BaseException:
            with suppress(duckdb.Error):  # a torn file ends the transaction by itself
                self.connection.execute("rollback")
            raise
        self.connection.execute("commit")

    def read(self, query: str, **frames: pl.DataFrame) -> pl.DataFrame:
        """The query's rows; it may read the given frames by their names."""
        return read(self.connection, query, **frames)

    def rows(self, table: str, columns: Iterable[str], *, keys: pl.DataFrame | None = None) -> pl.DataFrame:
        """Columns of a table; with `keys`, only the rows that agree with one of them in all columns of that frame."""
        said = ", ".join(f'"{name}"' for name in columns)
        if keys is None:
            return self.read(f"select {said} from {table}")
        using = ", ".join(f'"{name}"' for name in keys.columns)
        return self.read(f"select {said} from {table} semi join wanted using ({using})", wanted=keys)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Insert rows, columns by name."""
        if rows.is_empty():
            return
        columns = ", ".join(f'"{name}"' for name in rows.columns)
        with _scanned(self.connection, rows):
            self.connection.execute(f"insert into {table} ({columns}) select {columns} from scanned")

    def replace(self, table: str, rows: pl.DataFrame, *, keys: pl.DataFrame) -> None:
        """Delete what the table holds of `keys` (all columns of that frame), then insert `rows`."""
        self.remove(table, keys)
        self.append(table, rows)

    def remove(self, table: str, keys: pl.DataFrame) -> None:
        """Delete every row that agrees with a row of `keys` in all columns of that frame."""
        if keys.is_empty():
            return
        same = " and ".join(f'{table}."{name}" = gone."{name}"' for name in keys.columns)
        with _lent(self.connection, gone=keys.unique()):
            self.connection.execute(f"delete from {table} using gone where {same}")


def read(connection: duckdb.DuckDBPyConnection, query: str, **frames: pl.DataFrame) -> pl.DataFrame:
    """The query's rows as a frame; it may read the given frames by their names."""
    with _lent(connection, **frames):
        return pl.DataFrame(connection.sql(query))


@contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, read-only. Raises HemEtlError where there is none yet or it cannot be read."""
    if not published.exists():
        raise HemEtlError(
            f"{published} does not exist yet: `hem-etl run` makes it, `hem-etl demo` makes one to look at."
        )
    try:
        connection = duckdb.connect(str(published), read_only=True)
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        step = "It is damaged" if TORN.search(why) else "Does a program hold it open for writing? Close it"
        raise HemEtlError(f"cannot read {published} ({why}). {step}; the next run publishes a clean copy.") from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise HemEtlError(
            f"{published} lacks what this version reads ({str(error).splitlines()[0]}): another version published it. "
            "`hem-etl rebuild` publishes it anew from landing, without the API."
        ) from error
    finally:
        connection.close()


def _causes(error: BaseException) -> Iterator[str]:
    """What the error says, and what led to it."""
    cause: BaseException | None = error
    while cause is not None:
        yield str(cause)
        cause = cause.__cause__ or cause.__context__


class _Stream:
    """A frame as an Arrow stream and nothing else: DuckDB asks a polars frame for pyarrow, which is not needed."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


@contextmanager
def _lent(connection: duckdb.DuckDBPyConnection, **frames: pl.DataFrame) -> Iterator[None]:
    """The frames as temporary tables of these names.

    Copied and not scanned in place: where pyarrow happens to be installed, DuckDB hands a filter on a scanned frame to
    it, and pyarrow cannot compare polars' text.
    """
    try:
        for name, frame in frames.items():
            with _scanned(connection, frame):
                connection.execute(f'create or replace temporary table "{name}" as select * from scanned')
        yield
    finally:
        for name in frames:
            connection.execute(f'drop table if exists temp."{name}"')


@contextmanager
def _scanned(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> Iterator[None]:
    connection.register("scanned", _Stream(frame))
    try:
        yield
    finally:
        connection.unregister("scanned")


def _replace_file(source: Path, target: Path) -> None:
    """Copy, flush to disk, rename: a reader finds the old file or the new one, whole."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.publishing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for stale in target.parent.glob(f".{target.name}.*.publishing"):
            stale.unlink(missing_ok=True)
        with source.open("rb") as old, temporary.open("wb") as new:
            shutil.copyfileobj(old, new, 16 * 1024 * 1024)
            new.flush()
            os.fsync(new.fileno())
        temporary.chmod(PUBLISHED_MODE)
        # A `.wal` that somebody's read-write session left would be replayed into the new file: no reader could open it.
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
        temporary.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise HemEtlError(
            f"cannot publish {target} ({disk_trouble(error, 'HEM_ETL_DATABASE')}), then run again. "
            "The file that was published before is untouched."
        ) from error


def _holder_told(file: TextIO) -> str:
    file.seek(0)
    pid = file.read().strip()
    return f"process {pid}" if pid else "another process"
