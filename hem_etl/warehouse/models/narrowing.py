"""Lets the same SQL mean some days instead of all: a catalogue of views beside the real one.

In it every table that has `system_id` and `day` shows the rows of the wanted days alone, every other table is whole,
and views are made of those by their own text. So a check's file is run as it stands, and pastes into a shell so too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from hem_etl.warehouse.models.header import quoted, quoted_relation
from hem_etl.warehouse.models.macros import MACRO_SCHEMA
from hem_etl.warehouse.models.reading import VIEW_SCHEMAS, Models

NARROWED: Final = "narrowed"
DAYS: Final = f"{NARROWED}.main.wanted_day"


@contextmanager
def narrowed(con: duckdb.DuckDBPyConnection, models: Models, days: str) -> Iterator[None]:
    """Inside, relations show what they hold of the (system_id, day) rows of `days`, a temporary table."""
    ((here,),) = con.execute("select current_database()").fetchall()
    con.execute(f"attach ':memory:' as {NARROWED}")
    try:
        con.execute(f"create table {DAYS} as select distinct system_id, day from temp.{quoted(days)}")
        for schema in ("core", *VIEW_SCHEMAS):
            con.execute(f"create schema {NARROWED}.{schema}")
        for table in (*models.tables, *(view for view in models.views if view.is_table)):
            rows = f"from {quoted(here)}.{quoted_relation(table.relation)}"
            only = f" semi join {DAYS} using (system_id, day)" if table.has_days else ""
            con.execute(f"create view {NARROWED}.{quoted_relation(table.relation)} as {rows}{only}")
        con.execute(f"set search_path = '{NARROWED}.{MACRO_SCHEMA},{quoted(here)}.{MACRO_SCHEMA}'")
        for view in models.views:
            if not view.is_table:
                con.execute(f"create view {NARROWED}.{quoted_relation(view.relation)} as {view.sql}")
        yield
    finally:
        con.execute(f"use {quoted(here)}")
        con.execute(f"detach {NARROWED}")
