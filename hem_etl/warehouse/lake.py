"""The warehouse past one file: a DuckLake, whose catalogue is a database and whose data are Parquet files.

One writer at a time holds the catalogue's lock for every write. A publish is a commit that says so: its snapshot is
what readers attach, so that nobody sees a build half done, and reading and writing do not wait for each other. Rows are
never kept in the catalogue itself (inlining 0): measured, maintenance beside writers then left keys of older days.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import uuid4

import duckdb

from hem_etl.errors import HemEtlError, SettingsError
from hem_etl.warehouse.catalogue import (
    BYTES,
    FILES,
    FILES_WAITING,
    HAS_TABLES,
    NEWEST_PUBLISHED,
    PUBLISHED,
    PUBLISHED_BYTES,
    Catalogue,
)
from hem_etl.warehouse.maintaining import maintain, rows_of_tables
from hem_etl.warehouse.models.header import literal, quoted
from hem_etl.warehouse.protocol import Description, Maintained, Warehouse
from hem_etl.warehouse.refusals import first_line, interruptible, read_by_this_version
from hem_etl.warehouse.rows import Reader, Writer
from hem_etl.warehouse.spilling import remove_left, spill_apart
from hem_etl.warehouse.storage import Storage
from hem_etl.warehouse.transactions import FENCE, only_writer, raise_fence, transaction, writer_of

LAKE: Final = "hem"
"""The name that it is attached by."""
INLINED_ROWS: Final = 0
HELD: Final = """
select distinct schema_name from (
    select database_name, schema_name from duckdb_tables() union all
    select database_name, schema_name from duckdb_views() where not internal
) where database_name = current_database() and schema_name <> split_part(?, '.', 1)
"""
"""The schemas of what it holds; all but the fence's."""


class LakeWarehouse(Warehouse):
    """A DuckLake. Cheap to make: nothing is opened until it is needed."""

    def __init__(self, catalogue: Catalogue, storage: Storage, keep: timedelta, work: Path) -> None:
        """keep: how long `maintain` leaves what readers attached before the newest publish, and files it needs not.

        work: a folder of this machine, for what does not fit in memory.
        """
        self.work = work
        self.catalogue = catalogue
        self.storage = storage
        self.keep = keep

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The newest snapshot, under the lock, which every one of its transactions proves again at the fence."""
        with self._locked(), self._connected() as connection:
            remove_left(self.work)
            raise_fence(connection, uuid4().hex, _this_process())
            writer = Writer(connection)
            yield writer
            if writer.is_to_publish:
                with writer.transaction():
                    writer.forget_changes()
                    connection.execute(f"call {LAKE}.set_commit_message('hem_etl', {literal(PUBLISHED)})")

    def is_current(self) -> bool:
        """What changes after a publish stands in `changes`, and a publish is one commit: none is half done."""
        return self.is_published()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """The snapshot that was published last, read-only."""
        snapshot, tables = self.catalogue.ask(NEWEST_PUBLISHED, HAS_TABLES)
        if tables is None:
            raise HemEtlError(
                f"there is no lake at {self.catalogue.name}: see that HEM_ETL_LAKE_CATALOG is spelt right; if there "
                "was none yet, `hem-etl run` makes it."
            )
        if snapshot is None:
            raise HemEtlError(
                f"{self._name} holds nothing published yet: `hem-etl run` fills it. If it is elsewhere, "
                "HEM_ETL_LAKE_CATALOG names the place."
            )
        with self._connected(snapshot) as connection, read_by_this_version(self._name):
            yield Reader(connection)

    def is_published(self) -> bool:
        return self.catalogue.ask(NEWEST_PUBLISHED) != [None]

    def holder(self) -> str | None:
        """Who writes now (for people); None: nobody."""
        return writer_of(self.catalogue.lock)

    def describe(self) -> Description:
        snapshot, size, tables = self.catalogue.ask(NEWEST_PUBLISHED, PUBLISHED_BYTES, HAS_TABLES)
        attach = self._attach({"snapshot_version": str(snapshot or 0), "read_only": ""})
        return Description(
            published=self._name,
            published_bytes=None if snapshot is None else size,
            is_begun=bool(tables),
            folders={**self.catalogue.folders, **self.storage.folders},
            owned=(*self.catalogue.owned, *self.storage.folders),
            room_to_publish=0,
            attach="; ".join(filter(None, (self.storage.told_secret, attach, f"use {LAKE};"))),
        )

    def reset(self, *, is_torn: bool = False) -> str | None:
        """Drop what it holds, in one commit; the published snapshot stays what readers see until the next publish."""
        with self._locked(), self._connected() as connection:
            raise_fence(connection, uuid4().hex, _this_process())
            with transaction(connection):
                for (schema,) in connection.execute(HELD, [FENCE]).fetchall():
                    connection.execute(f"drop schema if exists {quoted(schema)} cascade")
        return None

    def maintain(self) -> Maintained:
        """Under the lock of every writer; readers of what stays do not notice."""
        with self._locked(), self._connected() as connection:
            raise_fence(connection, uuid4().hex, _this_process())
            rows = self._rows_published()
            files_before, bytes_before = self.catalogue.ask(FILES, BYTES)
            expired, removed = maintain(connection, LAKE, datetime.now(UTC) - self.keep)
            files_after, bytes_after, waiting = self.catalogue.ask(FILES, BYTES, FILES_WAITING)
            if changed := sorted(name for name, count in self._rows_published().items() if rows.get(name) != count):
                raise HemEtlError(
                    f"maintenance of {self._name} changed the number of rows of {', '.join(changed)}, as only a bug of "
                    "DuckLake can: trust no number of it, take an empty catalogue and folder; `hem-etl rebuild` fills "
                    "them from landing."
                )
        return Maintained(
            snapshots_expired=expired,
            files_removed=removed,
            files_before=files_before or 0,
            files_after=files_after or 0,
            bytes_before=bytes_before or 0,
            bytes_after=bytes_after or 0,
            files_waiting=waiting or 0,
        )

    def _rows_published(self) -> dict[str, int]:
        """Of each table that readers see."""
        if not self.is_published():
            return {}
        with self.reading() as published:
            return rows_of_tables(published)

    @property
    def _name(self) -> str:
        return f"the lake of {self.catalogue.name}"

    def _attach(self, options: Mapping[str, str]) -> str:
        listed = ", ".join(f"{name} {value}".rstrip() for name, value in options.items())
        return f"attach {literal(f'ducklake:{self.catalogue.address}')} as {LAKE} ({listed})"

    def _locked(self) -> AbstractContextManager[None]:
        return only_writer(self.catalogue.lock, _this_process())

    @contextmanager
    def _connected(self, snapshot: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
        try:
            for name in ("ducklake", *self.catalogue.extensions, *self.storage.extensions):
                connection.execute(f"load {literal(str(_extension(name)))}")
            _tell(connection, self.catalogue.secret, "the password of HEM_ETL_LAKE_CATALOG")
            _tell(connection, self.storage.secret, "what HEM_ETL_S3_… say")
            connection.execute("set TimeZone = 'UTC'")
            spill_apart(connection, self.work)
            self._open(connection, snapshot)
            with interruptible():
                yield connection
        except (duckdb.TransactionException, duckdb.IOException) as error:
            raise self._refused(error) from error
        finally:
            with suppress(duckdb.Error):
                connection.close()

    def _refuse_files_of_another(self, connection: duckdb.DuckDBPyConnection) -> None:
        """A new lake among them is most likely a misspelt catalogue, and its maintenance would remove them."""
        if self.catalogue.ask(HAS_TABLES) != [None]:
            return
        files = literal(f"{self.storage.path}/**/*.parquet")
        if connection.execute(f"select file from glob({files}) limit 1").fetchone() is not None:
            raise SettingsError(
                f"there is no lake at {self.catalogue.name}, but HEM_ETL_LAKE_DATA={self.storage.path} holds files of "
                "one: let HEM_ETL_LAKE_CATALOG name its catalogue. If that is lost, take an empty folder or prefix; "
                "`hem-etl rebuild` fills it from landing."
            )

    def _open(self, connection: duckdb.DuckDBPyConnection, snapshot: int | None) -> None:
        options = dict(self.catalogue.options)
        try:
            if snapshot is None:
                self._refuse_files_of_another(connection)
                options |= {"data_path": literal(self.storage.path), "data_inlining_row_limit": str(INLINED_ROWS)}
            else:
                options |= {"snapshot_version": str(snapshot), "read_only": ""}
            connection.execute(self._attach(options))
        except duckdb.Error as error:
            raise self._refused(error) from error
        connection.execute(f"use {LAKE}")
        # what a sealed reader may still open; it writes nothing, because it is asked for rows alone
        connection.execute(f"set allowed_directories = [{literal(self.storage.path)}]")

    def _refused(self, error: duckdb.Error) -> HemEtlError:
        """Why the lake cannot be used, as the error that says what to do."""
        if isinstance(error, duckdb.TransactionException):  # each catalogue has words of its own for either cause
            return HemEtlError(
                f"{self._name} refused a commit ({first_line(error)}): another writer came in between, or what "
                "HEM_ETL_LAKE_CATALOG names was lost meanwhile. See that it runs, then run again: it goes on from what "
                "stands, and what was fetched stays landed."
            )
        if "DATA_PATH" in str(error):
            return SettingsError(
                f"HEM_ETL_LAKE_DATA={self.storage.path} is not where {self._name} keeps its files "
                f"({first_line(error)}): set it to what it was, or take a new catalogue and `hem-etl rebuild`."
            )
        if "No snapshot found" in str(error):
            return HemEtlError(f"what {self._name} had published has expired (HEM_ETL_LAKE_KEEP_DAYS): read it anew.")
        if "No space left" in str(error):
            return HemEtlError(f"{self.storage.path} is full: make room, run again. What was fetched stays landed.")
        if self.storage.secret is not None and "HTTP" in str(error):
            return HemEtlError(
                f"{self.storage.path} does not do what it is asked ({first_line(error)}): see that HEM_ETL_S3_ENDPOINT "
                "answers, that the bucket is there and that its keys may list, read, write and delete in it; then run "
                "again, what was fetched stays landed. If files are lost, take an empty catalogue and prefix and "
                "`hem-etl rebuild`."
            )
        return HemEtlError(
            f"cannot use {self._name} (HEM_ETL_LAKE_CATALOG) with data in {self.storage.path} ({first_line(error)}): "
            "see that it runs, give this user access to both, then run again; what was fetched stays landed. If files "
            "are lost, take an empty catalogue and folder; `hem-etl rebuild` fills them from landing."
        )


def _extension(name: str) -> Path:
    """DuckDB's extension inside the wheel that brings it: nothing is downloaded, nothing copied elsewhere."""
    found = find_spec(f"duckdb_extension_{name}")
    file = Path(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension")
    if found is None or found.origin is None or not (path := Path(found.origin).parent / file).exists():
        raise SettingsError(
            f"HEM_ETL_WAREHOUSE=lake needs DuckDB's extension {name} for DuckDB {duckdb.__version__}: "
            "`pip install 'hem_etl[lake]'` brings both in the versions that fit."
        )
    return path


def _tell(connection: duckdb.DuckDBPyConnection, secret: str | None, what: str) -> None:
    try:
        if secret is not None:
            connection.execute(secret)
    except duckdb.Error:  # whose text quotes the statement
        raise SettingsError(f"DuckDB cannot take {what}: look for signs in it that do not belong.") from None


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
