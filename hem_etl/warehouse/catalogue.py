"""Where a lake's catalogue is kept: how DuckDB attaches it, the lock of its writers, and what is asked of it directly.

Only what must be known before a lake is attached is asked here, of DuckLake's own tables (format 1.0): attaching takes
a tenth of a second and needs the number of the snapshot to read.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from pydantic import SecretStr

from hem_etl.errors import HemEtlError
from hem_etl.locks import FileLock, Lock, Patience
from hem_etl.warehouse.models.header import literal

AS_NAMED: Final = "hem_catalogue"
"""What DuckDB calls the catalogue's password."""
PUBLISHED: Final = "published"
"""The message of a commit that makes its snapshot the one that readers see."""
NEWEST_PUBLISHED: Final = f"select max(snapshot_id) from ducklake_snapshot_changes where commit_message = '{PUBLISHED}'"
HAS_TABLES: Final = """
select count(*) from ducklake_table as tables join ducklake_schema as schemas using (schema_id)
where schemas.schema_name = 'core' and tables.end_snapshot is null
"""
PUBLISHED_BYTES: Final = f"""
select coalesce(sum(file_size_bytes), 0) from ducklake_data_file
where begin_snapshot <= ({NEWEST_PUBLISHED}) and (end_snapshot is null or end_snapshot > ({NEWEST_PUBLISHED}))
"""
FILES: Final = """
select coalesce(sum(files), 0) from (
  select count(*) as files from ducklake_data_file where end_snapshot is null
  union all select count(*) from ducklake_delete_file where end_snapshot is null
) as counted
"""
BYTES: Final = FILES.replace("count(*)", "coalesce(sum(file_size_bytes), 0)")
"""Of the newest snapshot."""
FILES_WAITING: Final = "select count(*) from ducklake_files_scheduled_for_deletion"


class Catalogue(Protocol):
    """The database that holds a lake's catalogue."""

    extensions: Sequence[str]
    """Of DuckDB, to reach it."""
    address: str
    """What stands behind `ducklake:`; never a secret."""
    secret: str | None
    """The statement that gives DuckDB the password, which `options` name; None: there is none."""
    options: Mapping[str, str]
    """How to attach it besides."""
    lock: Lock
    """Held by whoever writes to the lake, over everybody who uses this catalogue."""
    name: str
    """For people."""
    folders: Mapping[Path, str]
    """Folders of this machine that it lies in, and the setting that names each."""
    owned: Sequence[Path]
    """Files of this machine that hold it and nothing else."""

    def ask(self, *questions: str) -> list[int | None]:
        """The one number that answers each; None where it is NULL or where there is no lake yet."""


class SqliteCatalogue:
    """In a SQLite file: for one machine."""

    extensions: Sequence[str] = ("sqlite_scanner",)
    secret: str | None = None
    options: Mapping[str, str] = {"meta_journal_mode": "'WAL'", "meta_busy_timeout": "60000"}
    """Readers and the writer do not refuse each other."""

    def __init__(self, file: Path, patience: Patience) -> None:
        self._file = file
        self.address = f"sqlite:{file}"
        self.name = str(file)
        self.folders: Mapping[Path, str] = {file.parent: "HEM_ETL_LAKE_CATALOG"}
        self.owned: Sequence[Path] = (file,)
        self.lock: Lock = FileLock(file.with_name(f"{file.name}.lock"), "the lake", patience)

    def ask(self, *questions: str) -> list[int | None]:
        nothing: list[int | None] = [None] * len(questions)
        if not self._file.exists():
            return nothing
        try:
            with closing(sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                if not connection.execute("select 1 from sqlite_master where name = 'ducklake_snapshot'").fetchall():
                    return nothing
                return [connection.execute(question).fetchone()[0] for question in questions]
        except sqlite3.Error as error:
            raise HemEtlError(
                f"cannot read the lake's catalogue {self._file} ({error}): let HEM_ETL_LAKE_CATALOG name it, or "
                "restore it from a backup. `hem-etl rebuild` fills a new one, with an empty folder, from landing."
            ) from error


class PostgresCatalogue:
    """In a Postgres database of its own: for many machines."""

    extensions: Sequence[str] = ("postgres_scanner",)
    folders: Mapping[Path, str] = {}
    owned: Sequence[Path] = ()

    def __init__(self, address: SecretStr, patience: Patience) -> None:
        """SettingsError where the address is none, or psycopg is not there."""
        from hem_etl.locks.postgres import PostgresLock, read_address

        facts, conninfo, password = read_address(address)
        self._asked_at = address
        self.address = f"postgres:{conninfo}"
        self.secret: str | None = None
        self.options: Mapping[str, str] = {}
        if password is not None:
            self.secret = f"create temporary secret {AS_NAMED} (type postgres, password {literal(password)})"
            self.options = {"meta_secret": literal(AS_NAMED)}
        self.name = " ".join(f"{name}={facts[name]}" for name in ("host", "port", "dbname") if name in facts)
        self.lock: Lock = PostgresLock(address, "the lake", patience)

    def ask(self, *questions: str) -> list[int | None]:
        from hem_etl.locks.postgres import session, the_only

        with session(self._asked_at) as connection:
            if the_only(connection, "select to_regclass('ducklake_snapshot')") is None:
                return [None] * len(questions)
            found = [the_only(connection, question) for question in questions]
        return [None if number is None else int(number) for number in found]
