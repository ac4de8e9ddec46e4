"""The warehouse on one machine: a pair of DuckDB files.

DuckDB lets one process write a file or several read it. So there are two files: the writer's own, opened only under an
operating-system lock that dies with its holder, and the published copy, put in place by an atomic rename and opened by
everybody else.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from hem_etl.disk import copy_file, sync_folder
from hem_etl.errors import HemEtlError, SettingsError, TornFileError, WriterBusyError, disk_trouble
from hem_etl.locks import FileLock, Patience
from hem_etl.warehouse.compacting import is_bloated, remove, write_compacted
from hem_etl.warehouse.models.header import literal
from hem_etl.warehouse.protocol import Description, Warehouse
from hem_etl.warehouse.refusals import first_line, interruptible, read_by_this_version
from hem_etl.warehouse.rows import Reader, Writer
from hem_etl.warehouse.spilling import remove_left, spill_apart
from hem_etl.warehouse.transactions import only_writer, writer_of

LOG = logging.getLogger(__name__)

WRITERS_PATIENCE: Final = Patience(3600.0)
"""Longer than the loads and publishes of several other runs: who gives up earlier fails beside a healthy one."""
TORN: Final = re.compile(
    r"corrupt (database|wal) file|not a valid duckdb database|could not read enough bytes|while replaying wal file",
    re.IGNORECASE,
)
"""What DuckDB says of a file that was half written; never of access, a full disk or another process."""
NEWER: Final = re.compile(r"version number|newer version|storage version", re.IGNORECASE)
STEPS_OF_READERS: Final = (
    (TORN, "It is damaged; the next run publishes a clean copy."),
    (NEWER, "Install the version of hem_etl that published it, or `hem-etl rebuild` publishes it anew for this one."),
    (re.compile("permission denied", re.IGNORECASE), "Give this user access to it."),
    (re.compile("is a directory", re.IGNORECASE), "Let HEM_ETL_DATABASE name a file."),
    (re.compile("lock on file", re.IGNORECASE), "A program holds it open for writing: close it, then run again."),
    (re.compile(""), "Look at the file and its disk; `hem-etl rebuild` publishes it anew from landing."),
)
"""What DuckDB says of the published file, and what to do about it; the first that fits."""
PUBLISHED_MODE: Final = 0o444
"""Read-only for everybody: whoever opens it for writing by mistake is refused instead of leaving a `.wal` behind."""
ANY_MAY_WRITE: Final = 0o222
IS_OURS: Final = """
select count(*) = 0 or bool_or(schema_name = 'core' and table_name = 'load') from duckdb_tables()
"""
"""Or holds no table that could be lost."""


class FileWarehouse(Warehouse):
    """The pair of files. Cheap to make: nothing is opened until it is needed."""

    def __init__(self, work: Path, published: Path, patience: Patience = WRITERS_PATIENCE) -> None:
        self.file = work / "warehouse.duckdb"
        self.published = published
        self.lock = FileLock(work / "warehouse.lock", "the warehouse", patience)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The writer's file, open, under the lock; after `publish` a copy is put where people query.

        A file that is much larger than what it holds is replaced by one that is not before it is copied.
        """
        is_compacted = False
        with self._locked():
            remove_left(self.file.parent)
            with self._connected() as connection:
                writer = Writer(connection)
                yield writer
                if writer.is_to_publish:
                    self._mark.unlink(missing_ok=True)  # before the changes are forgotten: a kill in between is seen
                    writer.forget_changes()
                    connection.execute("checkpoint")
                    is_compacted = is_bloated(connection) and self._write_compacted(connection)
            if is_compacted:
                _put_in_place(self._compacted, self.file)
            if writer.is_to_publish:
                _replace_file(self.file, self.published, self._setting)
                self._mark.write_text(_identity(self.published), encoding="utf-8")

    def is_current(self) -> bool:
        return self.is_published() and self._mark.exists() and self._mark.read_text() == _identity(self.published)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """The published file, read-only."""
        if not self.is_published():
            raise HemEtlError(
                f"{self.published} does not exist yet: `hem-etl run` makes it, `hem-etl demo` makes one to look at. "
                f"If it is elsewhere, {self._setting} names the place."
            )
        try:
            connection = duckdb.connect(str(self.published), read_only=True)
        except duckdb.Error as error:
            raise self._unreadable(error) from error
        try:
            connection.execute("set TimeZone = 'UTC'")
            spill_apart(connection, self.file.parent)
            with read_by_this_version(str(self.published)):
                yield Reader(connection)
        except duckdb.IOException as error:
            raise self._unreadable(error) from error
        finally:
            connection.close()

    def is_published(self) -> bool:
        return self.published.exists()

    def holder(self) -> str | None:
        """Who writes now (for people); None: nobody."""
        return writer_of(self.lock)

    def describe(self) -> Description:
        published_bytes = self.published.stat().st_size if self.is_published() else None
        return Description(
            published=str(self.published),
            published_bytes=published_bytes,
            is_begun=self.file.exists(),
            folders={self.file.parent: "HEM_ETL_HOME", self.published.parent: self._setting},
            owned=(self.file.parent, self.published),
            room_to_publish=published_bytes or 0,  # one more copy
            attach=f"attach {literal(str(self.published))} as hem (read_only); use hem;",
        )

    def reset(self, *, is_torn: bool = False) -> str | None:
        """Remove the writer's file; a torn one is moved aside, in place of the one set aside before."""
        with self._locked():
            aside = None
            for old in self.file.parent.glob(f"{self.file.stem}.torn-*") if is_torn else ():
                old.unlink(missing_ok=True)
            if is_torn and self.file.exists():
                at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
                aside = self.file.with_name(f"{self.file.stem}.torn-{at}.duckdb")
                self.file.replace(aside)
                with suppress(FileNotFoundError):
                    self._wal.replace(aside.with_name(f"{aside.name}.wal"))
            for path in (self.file, self._wal, self._mark):
                path.unlink(missing_ok=True)
            remove(self._compacted)
            return str(aside) if aside else None

    def maintain(self) -> None:
        """Nothing: `writing` compacts the file where that is worth it, and a copy is replaced whole."""

    @property
    def _setting(self) -> str:
        """What names the place of the published file."""
        return "HEM_ETL_HOME" if self.published.parent == self.file.parent.parent else "HEM_ETL_DATABASE"

    @property
    def _mark(self) -> Path:
        """Tells which file was published last."""
        return self.file.with_name("published.mark")

    @property
    def _wal(self) -> Path:
        return self.file.with_name(f"{self.file.name}.wal")

    @property
    def _compacted(self) -> Path:
        """Takes the place of the file when it is whole."""
        return self.file.with_name(f"{self.file.name}.compacted")

    def _write_compacted(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether it could be written: without room for it the file stays as large as it is."""
        try:
            write_compacted(connection, self._compacted)
        except duckdb.Error as error:
            LOG.warning("the warehouse stays larger than what it holds: %s", first_line(error))
            return False
        return True

    def _locked(self) -> AbstractContextManager[None]:
        self._refuse_a_file_of_somebody_else()
        return only_writer(self.lock, f"process {os.getpid()}")

    def _refuse_a_file_of_somebody_else(self) -> None:
        """SettingsError where a publish would replace what we did not publish.

        Ours is read-only; on a disk that knows no such thing it is known by its tables.
        """
        if not self.published.is_file():
            return
        found = self.published.stat()
        if not found.st_size or not found.st_mode & ANY_MAY_WRITE:
            return
        is_writers = self.file.exists() and self.published.samefile(self.file)
        if is_writers or not _is_ours(self.published):
            raise SettingsError(
                f"{self.published} is no file that hem_etl published, and would be replaced: let HEM_ETL_DATABASE name "
                "another place, or move the file away."
            )

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
            with interruptible():
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

    def _unreadable(self, error: duckdb.Error) -> HemEtlError:
        """Why the published file cannot be read, as the error that says what to do."""
        why = first_line(error)
        step = next(step for said, step in STEPS_OF_READERS if said.search(why))
        return HemEtlError(f"cannot read {self.published} ({why}). {step}")


def _is_ours(file: Path) -> bool:
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return bool(connection.execute(IS_OURS).fetchall()[0][0])
    except duckdb.Error:  # no database, or one that somebody else holds open: not known as ours
        return False


def _identity(file: Path) -> str:
    """Another one for a file that is put in its place or written to."""
    found = file.stat()
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _causes(error: BaseException) -> Iterator[str]:
    """What the error says, and what led to it."""
    cause: BaseException | None = error
    while cause is not None:
        yield str(cause)
        cause = cause.__cause__ or cause.__context__


def _replace_file(source: Path, target: Path, setting: str) -> None:
    """Copy, flush to disk, rename: a reader finds the old file or the new one, whole."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.publishing")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for stale in target.parent.glob(f".{target.name}.*.publishing"):
            stale.unlink(missing_ok=True)
        copy_file(source, temporary)
        temporary.chmod(PUBLISHED_MODE)
        # A `.wal` that somebody's read-write session left would be replayed into the new file: no reader could open it.
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
        _put_in_place(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise HemEtlError(
            f"cannot publish {target} ({disk_trouble(error, setting)}), then run again. "
            "The file that was published before is untouched."
        ) from error


def _put_in_place(new: Path, old: Path) -> None:
    """Flush to disk, then rename: whoever opens `old`, and whatever dies, finds one of them whole."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(old)
    sync_folder(old.parent)
