"""What the tables hold, as planning and reporting read it: from the writer's file or the published one alike."""

from dataclasses import fields
from datetime import date

import duckdb
import polars as pl

from hem_etl.pipeline.fleet import SYSTEM_SCHEMA
from hem_etl.pipeline.ledger import Entry
from hem_etl.warehouse import read


def known_systems(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Rows of core.system."""
    return read(connection, f"select {', '.join(SYSTEM_SCHEMA)} from core.system")


def entries_between(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> list[Entry]:
    """The ledger's rows of intervals that begin in `first`..`last`."""
    span = pl.DataFrame({"first": [first], "last": [last]})
    columns = ", ".join(column.name for column in fields(Entry))
    rows = read(connection, f"select {columns} from core.load, span where day between first and last", span=span)
    return [Entry.of_row(row) for row in rows.iter_rows(named=True)]


def seconds_per_request(connection: duckdb.DuckDBPyConnection) -> float | None:
    """The median of the last looks that asked."""
    timed = "select median(duration_ms / 1000) as seconds from core.load where attempts > 0"
    seconds: float | None = read(connection, timed).item()
    return seconds


def overrides_in_force(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return set(read(connection, "select override_id from core.override where valid_to_utc is null")["override_id"])
