"""Any question in SQL, answered by what is published and by nothing else."""

from typing import Any

import polars as pl

from hem_etl.warehouse import Warehouse


def query(warehouse: Warehouse, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names and rows of one query. Read-only, of the database alone. UsageError where it is refused."""
    with warehouse.reading() as published, published.asked(sql) as asked:
        return asked.rows()


def query_frame(warehouse: Warehouse, sql: str) -> pl.DataFrame:
    """The same as a frame, with the types that DuckDB gives."""
    with warehouse.reading() as published, published.asked(sql) as asked:
        return asked.frame()
