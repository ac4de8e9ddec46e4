"""Any question in SQL, answered by the published file and by nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from hem_etl.errors import UsageError
from hem_etl.warehouse import reading

SEALED: Final = "set enable_external_access = false; set lock_configuration = true"
"""The query reads the database and no file, writes none, and cannot lift that."""


def query(database: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of one query. Read-only, of the database alone. UsageError where DuckDB refuses it."""
    with _asked(database, sql) as relation:
        return list(relation.columns), relation.fetchall()


def query_frame(database: Path, sql: str) -> pl.DataFrame:
    """The same as a frame, with the types that DuckDB gives."""
    with _asked(database, sql) as relation:
        return pl.DataFrame(relation)


@contextmanager
def _asked(database: Path, sql: str) -> Iterator[duckdb.DuckDBPyRelation]:
    with reading(database) as connection:
        connection.execute(SEALED)
        try:
            if len(connection.extract_statements(sql)) != 1:
                raise UsageError('give one query: `hem-etl sql "select * from marts.monthly_energy"`')
            relation: duckdb.DuckDBPyRelation | None = connection.sql(sql)
            if relation is None:
                raise UsageError("this statement has no rows: ask with select, from, describe or summarize")
            yield relation
        except duckdb.Error as error:
            raise UsageError(f"DuckDB refuses the query: {str(error).strip()}") from error
        except pl.exceptions.PolarsError as error:
            raise UsageError(f"these rows cannot be exported: {error}. Cast what is odd in the query.") from error
