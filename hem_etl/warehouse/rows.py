"""Rows in and out of an open database: what readers may do, and what the one writer may do besides.

Frames cross through the Arrow C stream. What the rows mean is not known here: which rows replace which is `pipeline`'s
business, what the tables look like is `dbt_like_sql`'s. Outside this room nobody holds a connection.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import polars as pl
from duckdb.sqltypes import DuckDBPyType

from hem_etl.errors import UsageError
from hem_etl.warehouse.models import making, own
from hem_etl.warehouse.models.changing import Changed, changed
from hem_etl.warehouse.models.header import quoted, quoted_relation
from hem_etl.warehouse.models.making import CheckResult
from hem_etl.warehouse.models.model import Check, Models
from hem_etl.warehouse.transactions import transaction

CHANGES: Final = "core.change"
EVERYTHING: Final = pl.DataFrame(
    {"system_id": [None], "day": [None]}, schema={"system_id": pl.String(), "day": pl.Date()}
)
"""As a row of core.change: anything may be another."""
SEALED: Final = "set enable_external_access = false; set lock_configuration = true"
"""A query reads the database and no file, writes none, and cannot lift that."""

NO_OWN: Final = 'schema "own" does not exist'
"""What DuckDB says where somebody asks for models of their own that are not there."""
OWN_IS_NOT_THERE: Final = (
    " (It holds the models of HEM_ETL_MODELS: `hem-etl doctor` says whether a run can read them, the run why it left "
    "them out.)"
)

_CHANGED: Final = re.compile(r"\s*(?:update|insert into|delete from)\s+([a-z_0-9.]+)")
_EXPLAIN: Final = re.compile(r"^\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\$([a-z_0-9]+)")


class Reader:
    """Questions to an open database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def read(self, query: str, values: Mapping[str, Any] | None = None, **frames: pl.DataFrame) -> pl.DataFrame:
        """The query's rows; it may read the given frames by their names, and `values` as `$name`."""
        with _lent(self._connection, **frames):
            return pl.DataFrame(self._connection.sql(query, params=_named_in(query, values)))

    def records(self, query: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The query's rows as plain data; values as in `read`."""
        cursor = self._connection.execute(query, _named_in(query, values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def rows(
        self, table: str, columns: Iterable[str], *, keys: pl.DataFrame | None = None, most: int | None = None
    ) -> pl.DataFrame:
        """Columns of a table or view: all rows, the first `most`, or those that agree with a row of `keys`.

        In all columns of that frame.
        """
        query = f"select {_listed(columns)} from {quoted_relation(table)}"
        if most is not None:
            query += f" limit {most:d}"
        if keys is None:
            return self.read(query)
        return self.read(f"{query} semi join wanted using ({_listed(keys.columns)})", wanted=keys)

    def count(self, table: str) -> int:
        """How many rows a table or view has."""
        return int(self.read(f"select count(*) from {quoted_relation(table)}").item())

    @contextmanager
    def asked(self, query: str) -> Iterator["Asked"]:
        """The answer to a query that a person wrote: of this database alone. UsageError where it is refused.

        Nothing else can be asked of this reader afterwards but queries of that kind.
        """
        self._connection.execute(SEALED)
        try:
            statements = self._connection.extract_statements(query)
            if len(statements) != 1:
                raise UsageError('give one query: `hem-etl sql "select * from marts.monthly_energy"`')
            # a lake's reader may open the lake's files: what writes files must not run
            is_explained = statements[0].type == duckdb.StatementType.EXPLAIN
            explained = self._connection.extract_statements(_EXPLAIN.sub("", query)) if is_explained else statements
            relation: duckdb.DuckDBPyRelation | None = None
            if [statement.type for statement in explained] == [duckdb.StatementType.SELECT]:
                relation = self._connection.sql(query)
            if relation is None:
                raise UsageError("this statement has no rows: ask with select, from, describe or summarize")
            yield Asked(relation)
        except duckdb.Error as error:
            said = str(error).strip()
            raise UsageError(f"DuckDB refuses the query: {said}{OWN_IS_NOT_THERE if NO_OWN in said else ''}") from error
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # a panic is no Exception
            raise UsageError(f"these rows cannot be exported: {error}. Cast what is odd in the query.") from error

    def newest_results(self) -> list[CheckResult]:
        """What each check found when it ran last, by name."""
        return making.newest_results(self._connection)

    def run_checks(self, models: Models, checks: Iterable[Check] | None = None) -> list[CheckResult]:
        """Run every check of the folder and every key that a header states, or these."""
        return making.run_checks(self._connection, models, checks)

    def failing_rows(self, check: Check) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and the first failing rows of a check, for a person to read."""
        return making.rows(self._connection, check)

    def is_own_made(self, folder: Path | None) -> bool:
        """Whether the schema `own` is what the folder makes now."""
        return own.is_own_made(self._connection, folder)


class Asked:
    """The answer to a query; read it while the reader is open."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def rows(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names and rows."""
        return list(self._relation.columns), self._relation.fetchall()

    def frame(self) -> pl.DataFrame:
        """The same, with the types that DuckDB gives. UsageError that names the columns which no frame can hold."""
        for name, kind in zip(self._relation.columns, self._relation.types, strict=True):
            if _lacks_a_frame_type(kind):
                raise UsageError(
                    f"column {name} is of type {kind}, which no frame holds, so neither CSV nor Parquet: cast it in "
                    f"the query, such as {quoted(name)}::varchar, or write JSON"
                )
        return pl.DataFrame(self._relation)


class Writer(Reader):
    """The one writer: rows in, and the models made.

    What changed since the last publish is noted in `core.change` in the same transaction: what `note_changes` says,
    or, where a transaction writes to a table of which nobody says what changed, that anything may have.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._is_in_transaction = False
        self._written: set[str] = set()
        self._noted: set[str] = set()
        """Tables of this transaction: written to, and those of which it is said what changed."""
        self.is_to_publish = False
        """Whether readers get, at the end, what the tables then hold."""

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """All of it or nothing."""
        self._is_in_transaction, self._written, self._noted = True, set(), set()
        try:
            with transaction(self._connection):
                yield self
                if self._written - self._noted:
                    self._note(EVERYTHING)
        finally:
            self._is_in_transaction = False

    @contextmanager
    def in_one_thread(self) -> Iterator[None]:
        """For frames that come in: DuckDB takes one in its order, and of several threads most wait.

        What scans a history is quicker with all of them.
        """
        ((threads,),) = self._connection.execute("select current_setting('threads')").fetchall()
        self._connection.execute("set threads = 1")
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # of a torn file
                self._connection.execute(f"set threads = {threads:d}")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """What is not part of a transaction is one of its own."""
        with nullcontext() if self._is_in_transaction else self.transaction():
            yield

    def note_changes(self, keys: pl.DataFrame, tables: Iterable[str]) -> None:
        """Say what this transaction changes in these tables: (system_id, day) rows, none where readers see no change.

        A NULL day is every day of the system, a NULL system everything.
        """
        with self._whole():
            self._noted.update(tables)
            self._note(keys)

    def _note(self, keys: pl.DataFrame) -> None:
        if keys.is_empty() or not making.has_table(self._connection, CHANGES):
            return
        with _scanned(self._connection, keys.select("system_id", "day")):
            self._connection.execute(f"insert into {CHANGES} select distinct system_id, day from scanned")

    def changes(self) -> pl.DataFrame:
        """(system_id, day) rows of what changed since the last publish; NULLs as in `note_changes`."""
        return self.read(f"select distinct system_id, day from {CHANGES}")

    def forget_changes(self) -> None:
        """Readers are about to see them."""
        if making.has_table(self._connection, CHANGES):
            with self._whole():
                self._connection.execute(f"delete from {CHANGES}")

    def publish(self) -> None:
        """At the end of this opening readers get what the tables then hold, unless the block raises."""
        self.is_to_publish = True

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Insert rows, columns by name."""
        if rows.is_empty():
            return
        columns = _listed(rows.columns)
        with self._whole(), _scanned(self._connection, rows):
            self._connection.execute(f"insert into {table} ({columns}) select {columns} from scanned")
            self._written.add(table)

    def replace(self, table: str, rows: pl.DataFrame, *, keys: pl.DataFrame) -> None:
        """Delete what the table holds of `keys` (all columns of that frame), then insert `rows`."""
        with self._whole():
            self.remove(table, keys)
            self.append(table, rows)

    def remove(self, table: str, keys: pl.DataFrame) -> None:
        """Delete every row that agrees with a row of `keys` in all columns of that frame."""
        if keys.is_empty():
            return
        same = " and ".join(f"{table}.{quoted(name)} = gone.{quoted(name)}" for name in keys.columns)
        with self._whole(), _lent(self._connection, gone=keys.unique()):
            if self._connection.execute(f"delete from {table} using gone where {same}").fetchall() != [(0,)]:
                self._written.add(table)

    def update(self, table: str, rows: pl.DataFrame, *, key: str) -> None:
        """Set the other columns of `rows` where the key is that of a row."""
        if rows.is_empty():
            return
        names = [quoted(name) for name in rows.columns if name != key]
        settings = ", ".join(f"{name} = changed.{name}" for name in names)
        with self._whole(), _lent(self._connection, changed=rows):
            same = f"{table}.{quoted(key)} = changed.{quoted(key)}"
            self._connection.execute(f"update {table} set {settings} from changed where {same}")
            self._written.add(table)

    def clear(self, table: str) -> None:
        """Delete every row."""
        with self._whole():
            self._connection.execute(f"delete from {table}")
            self._written.add(table)

    def change(self, statement: str, values: Mapping[str, Any] | None = None, **frames: pl.DataFrame) -> None:
        """Run an `update` or `delete` of our own; values and frames as in `read`."""
        changed = _CHANGED.match(statement)
        with self._whole(), _lent(self._connection, **frames):
            self._connection.execute(statement, _named_in(statement, values))
            self._written.add(changed[1] if changed else statement)

    def is_made_of(self, models: Models) -> bool:
        """Whether every table, view and macro is made of these very texts, and these very checks were run."""
        return making.is_made_of(self._connection, models)

    def create_tables(self, models: Models) -> None:
        """Make what tables are missing, and verify them all against their headers.

        ModelError where a table of an older file has other columns: `hem-etl rebuild` makes it anew.
        """
        making.create_tables(self._connection, models)

    def build(self, models: Models) -> None:
        """Bring views, macros and the tables made of others up to date; drop what is no model any more."""
        making.build(self._connection, models)

    @contextmanager
    def changed(self, models: Models, days: pl.DataFrame) -> Iterator[Changed]:
        """Inside, what (system_id, day) rows and all that they reach can be built and checked, without the rest."""
        with _lent(self._connection, noted_day=days), changed(self._connection, models, "noted_day") as found:
            yield found

    def make_own(self, folder: Path | None, ours: Models) -> list[CheckResult]:
        """The schema `own` anew from a user's folder; ModelError, and no such schema, where it cannot be made."""
        return own.make_own(self._connection, folder, ours)

    def remember_checks(self, models: Models) -> None:
        """These checks were run."""
        with self._whole():
            making.remember(self._connection, models.checks)


def _lacks_a_frame_type(kind: DuckDBPyType) -> bool:
    """Whether it is, or holds, an INTERVAL or a UNION: polars panics at their Arrow types."""
    if kind.id in ("interval", "union"):
        return True
    parts = kind.children if kind.id in ("list", "array", "struct", "map") else []
    return any(_lacks_a_frame_type(part) for _, part in parts if isinstance(part, DuckDBPyType))


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(quoted, columns))


def _named_in(query: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those of the values that the query names: DuckDB refuses one that it does not."""
    named = set(_PARAMETER.findall(query))
    return {name: value for name, value in (values or {}).items() if name in named}


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
