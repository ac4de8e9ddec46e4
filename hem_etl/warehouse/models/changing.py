"""After a small change: tables rebuilt by the keys that changed and what these reach, local checks run on them alone.

What a change reaches beyond its own key is said by each model's header, not here. The keys only grow from model to
model, in the order in which these read each other: to make a row again that is the same costs time and changes nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import duckdb

from hem_etl.vocabulary import Scope
from hem_etl.warehouse.models import making
from hem_etl.warehouse.models.header import quoted, quoted_relation
from hem_etl.warehouse.models.making import CheckResult
from hem_etl.warehouse.models.model import CHANGED, DAYS, MONTHS, Check, Key, Model, Models
from hem_etl.warehouse.models.narrowing import NOTHING, Narrowed, narrowed

CHANGED_KEYS: Final = {DAYS: "temp.main.changed_day", MONTHS: "temp.main.changed_month"}
"""Tables of the keys that are known to have changed."""
MONTHS_OF_DAYS: Final = f"select system_id, cast(date_trunc('month', day) as date) as month from {CHANGED_KEYS[DAYS]}"


class Changed:
    """What is known to have changed: at first the days that it is told of, then what each rebuilt table reaches."""

    def __init__(self, con: duckdb.DuckDBPyConnection, models: Models, narrowed: Narrowed) -> None:
        self._con, self._models, self._narrowed = con, models, narrowed

    def know(self, key: Key, keys: str) -> None:
        """The keys that a query finds have changed too, and with days their months."""
        self._con.execute(
            f"insert into {CHANGED_KEYS[key]} select {', '.join(key)} from ({keys}) except from {CHANGED_KEYS[key]}"
        )
        if key == DAYS:
            self.know(MONTHS, MONTHS_OF_DAYS)

    def build(self) -> None:
        """As `making.build`, but tables that can be rebuilt by a key get the rows of changed keys alone anew."""
        making.build(self._con, self._models, rebuild=self._rebuild)

    def run_checks(self, checks: Iterable[Check]) -> list[CheckResult]:
        """Run local checks on what is known to have changed."""
        checks = list(checks)
        found = []
        for key, changed_keys in CHANGED_KEYS.items():
            self._narrowed.see(key, f"from {changed_keys}")
            with self._narrowed.names():
                of_key = [check for check in checks if check.local_to == key]
                found += making.run_checks(self._con, self._models, of_key)
        return [replace(result, scope=Scope.CHANGED) for result in found]

    def _rebuild(self, model: Model) -> None:
        key = model.rebuilt_by
        self._con.execute(f"create or replace temporary view {CHANGED} as from {CHANGED_KEYS[key]}")
        if model.reaches:
            self.know(key, model.reaches)
        besides = f"union select {', '.join(key)} from ({model.looks_at})" if model.looks_at else ""
        self._narrowed.see(key, f"from {CHANGED_KEYS[key]} {besides}")
        relation = f"{self._narrowed.real}.{quoted_relation(model.relation)}"
        same = " and ".join(f"gone.{name} = changed.{name}" for name in key)
        self._con.execute(f"delete from {relation} as gone using {CHANGED_KEYS[key]} as changed where {same}")
        with self._narrowed.names():
            only = f"semi join {CHANGED_KEYS[key]} using ({', '.join(key)})"
            making.run(self._con, model, f"insert into {relation} from (\n{model.sql}\n) {only}")


@contextmanager
def changed(con: duckdb.DuckDBPyConnection, models: Models, days: str) -> Iterator[Changed]:
    """Inside, it is known what changed: at first the (system_id, day) rows of `days`, a temporary table."""
    try:
        for key, table in CHANGED_KEYS.items():
            con.execute(f"create or replace temporary table {table} as {NOTHING[key]}")
        with narrowed(con, models) as catalogue:
            found = Changed(con, models, catalogue)
            found.know(DAYS, f"from temp.main.{quoted(days)}")
            yield found
    finally:
        con.execute(f"drop view if exists temp.main.{CHANGED}")
        for table in CHANGED_KEYS.values():
            con.execute(f"drop table if exists {table}")
