"""What is known of a model, a check, and all of them: the facts of their headers, and the SQL below."""

import hashlib
from dataclasses import dataclass
from typing import Final

from hem_etl.errors import ModelError
from hem_etl.vocabulary import Severity
from hem_etl.warehouse.models.header import Column, quoted_relation
from hem_etl.warehouse.models.macros import Macro

VIEW_SCHEMAS: Final = ("staging", "marts")
Key = tuple[str, ...]
DAYS: Final[Key] = ("system_id", "day")
MONTHS: Final[Key] = ("system_id", "month")
KEYS: Final[dict[str, Key]] = {", ".join(key): key for key in (DAYS, MONTHS)}
"""What a model or check can be local to, and what a model can be rebuilt by, as a header says it."""
CHANGED: Final = "changed"
"""What a header's queries call the keys that are known to have changed."""

SAMPLE_ARGUMENTS: Final = {"timestamp": "timestamp '9999-12-31'"}
"""Types that a parameter may have, and what a macro is called with to see its columns and to check its key."""


@dataclass(frozen=True, slots=True)
class Model:
    """One file of `tables`, `staging` or `marts`: its header and its statement."""

    schema: str
    name: str
    file: str
    meaning: str
    grain: str
    key: tuple[str, ...]
    key_checked_by: str | None
    null: str
    is_table: bool
    columns: tuple[Column, ...]
    sql: str
    references: tuple[str, ...]
    """Qualified names of the relations that the statement reads, sorted."""
    parameters: tuple[Column, ...] = ()
    """Of a table macro; empty for a table or view. DuckDB knows their names, not their types (its files keep none)."""
    local_to: Key = ()
    """Each row is made of rows of its own system and day (or month), and of what has no days; empty: not so."""
    rebuilt_by: Key = ()
    """Of a table that is made of others: the key by which rows are replaced; empty: always the whole of it."""
    reaches: str = ""
    """Query of `changed`: further keys whose rows are others because of those."""
    looks_at: str = ""
    """Query of `changed`, with those further keys: keys whose rows the statement has to see to make theirs."""
    is_key_proved: bool = False
    """By a check that is written, or by its own statement, which groups by the key."""
    sha256: str = ""
    """Fingerprint of its text and of the models that it reads."""

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.name}"

    def has(self, key: Key) -> bool:
        """Whether its rows can be told apart by these columns."""
        return {column.name for column in self.columns} >= set(key)

    @property
    def kind(self) -> str:
        """As DuckDB names it in `drop` and `comment on`."""
        if self.parameters:
            return "macro table"
        return "table" if self.is_table and not self.shows_stored else "view"

    @property
    def made_by(self) -> tuple[str, str]:
        """Of a table of the contract: what makes the table, and what makes the view that shows it, if one does."""
        table, view, shown = self.sql.partition(f"create or replace view {self.relation} as")
        return table, view + shown

    @property
    def shows_stored(self) -> bool:
        """A table of the contract that is kept narrower, in the schema `stored`: rows are written there."""
        return bool(self.made_by[1])

    @property
    def comment(self) -> str:
        parameters = "".join(f" {parameter.name}: {parameter.comment}." for parameter in self.parameters)
        return f"{self.meaning} Grain: {self.grain}. NULL: {self.null}{parameters}"

    @property
    def source(self) -> str:
        """What stands behind `from`: the quoted name; a macro's is called with sample arguments."""
        arguments = ", ".join(SAMPLE_ARGUMENTS[parameter.type] for parameter in self.parameters)
        return quoted_relation(self.relation) + (f"({arguments})" if self.parameters else "")


@dataclass(frozen=True, slots=True)
class Check:
    """A query that must return no rows: a file of `checks`, or the key that a header states."""

    name: str
    file: str
    meaning: str
    severity: Severity
    failing_row: str
    sql: str
    references: tuple[str, ...]
    local_to: Key
    """What it finds of a day (or month) depends on what the tables hold of that system and day alone; empty: not so."""

    @property
    def relation(self) -> str:
        return f"checks.{self.name}"

    @property
    def sha256(self) -> str:
        """Fingerprint of its text; what it reads is not in it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Models:
    """All of the folder. `tables` and `checks` by name; `built`: views and table macros, each after what it reads.

    `macros`: the formulas that those call, each after what it calls.
    """

    tables: tuple[Model, ...]
    built: tuple[Model, ...]
    checks: tuple[Check, ...]
    macros: tuple[Macro, ...] = ()

    @property
    def views(self) -> tuple[Model, ...]:
        """What a build makes and `from` reads without arguments: views, and the tables that it makes anew."""
        return tuple(model for model in self.built if not model.parameters)

    @property
    def table_macros(self) -> tuple[Model, ...]:
        """Nothing is kept of them but their SQL."""
        return tuple(model for model in self.built if model.parameters)

    def model(self, relation: str) -> Model:
        """The model of a qualified name (`marts.daily_energy`); ModelError where there is none."""
        for model in (*self.tables, *self.built):
            if model.relation == relation:
                return model
        raise ModelError(
            f"there is no SQL model {relation!r}: take one of {', '.join(model.relation for model in self.built)}"
        )

    def check(self, name: str) -> Check:
        """The check of a name; ModelError where there is none."""
        for check in self.checks:
            if check.name == name:
                return check
        raise ModelError(f"there is no SQL check {name!r}: take one of {', '.join(c.name for c in self.checks)}")

    def upstream(self, relation: str) -> list[str]:
        """Every relation that the model reads, directly or through others: tables first, each after what it reads."""
        wanted, found = [relation], set[str]()
        while wanted:
            fresh = [name for name in self.model(wanted.pop()).references if name not in found]
            found.update(fresh)
            wanted.extend(fresh)
        return [model.relation for model in (*self.tables, *self.built) if model.relation in found]
