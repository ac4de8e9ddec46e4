"""Lets the same SQL mean some days or months instead of all: a catalogue of views beside the real one.

In it tables of days show the rows of `temp.seen_day` alone, tables of months those of `temp.seen_month`; views that are
local to a day or month are made of those by their own text; every other relation is whole. So the file of a model or
check is run as it stands, and pastes into a shell so too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from hem_etl.warehouse.models.header import quoted, quoted_relation
from hem_etl.warehouse.models.macros import MACRO_SCHEMA
from hem_etl.warehouse.models.model import DAYS, MONTHS, VIEW_SCHEMAS, Key, Model, Models

NARROWED: Final = "narrowed"
SEEN: Final = {DAYS: "temp.main.seen_day", MONTHS: "temp.main.seen_month"}
"""Tables of the keys whose rows are seen."""
NOTHING: Final = {key: f"select null::varchar as {key[0]}, null::date as {key[1]} limit 0" for key in SEEN}
DAYS_OF_MONTHS: Final = f"""
select system_id, month + cast(unnest(range(dayofmonth(last_day(month)))) as integer) as day
from {SEEN[MONTHS]}
"""


class Narrowed:
    """The catalogue, once it is made by `narrowed`."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        ((here,),) = con.execute("select current_database()").fetchall()
        self.real = quoted(here)
        """Name of the real catalogue."""

    def make(self, models: Models) -> None:
        """A view of each relation; nothing is seen at first."""
        for key, nothing in NOTHING.items():
            self.see(key, nothing)
        self._con.execute(f"attach ':memory:' as {NARROWED}")
        for schema in ("core", *VIEW_SCHEMAS):
            self._con.execute(f"create schema {NARROWED}.{schema}")
        with self.names():
            for model in (*models.tables, *models.views):
                self._con.execute(f"create view {NARROWED}.{quoted_relation(model.relation)} as {self._rows_of(model)}")

    def see(self, key: Key, keys: str) -> None:
        """Show the rows of these keys, a query; of months also all their days."""
        self._con.execute(f"create or replace temporary table {SEEN[key]} as select {', '.join(key)} from ({keys})")
        if key == MONTHS:
            self._con.execute(f"create or replace temporary table {SEEN[DAYS]} as {DAYS_OF_MONTHS}")

    @contextmanager
    def names(self) -> Iterator[None]:
        """Inside, names mean what is seen of them."""
        self._con.execute(f"set search_path = '{NARROWED}.{MACRO_SCHEMA},{self.real}.{MACRO_SCHEMA}'")
        try:
            yield
        finally:
            self._con.execute(f"use {self.real}")

    def remove(self) -> None:
        """Leave nothing of it."""
        self._con.execute(f"detach database if exists {NARROWED}")
        for table in SEEN.values():
            self._con.execute(f"drop table if exists {table}")

    def _rows_of(self, model: Model) -> str:
        if model.local_to and not model.is_table:
            return model.sql
        seen = DAYS if model.is_table and model.has(DAYS) else model.rebuilt_by
        only = f" semi join {SEEN[seen]} using ({', '.join(seen)})" if seen else ""
        return f"from {self.real}.{quoted_relation(model.relation)}{only}"


@contextmanager
def narrowed(con: duckdb.DuckDBPyConnection, models: Models) -> Iterator[Narrowed]:
    """Inside, the catalogue is there; begin no transaction before it, end every one before its end."""
    made = Narrowed(con)
    try:
        made.make(models)
        yield made
    finally:
        made.remove()
