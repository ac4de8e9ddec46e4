"""Which columns a column is made from, read from the SQL alone. No database is asked, and nobody draws or writes here.

What stands in a select list counts. Columns that only filter, join or order rows are no source of another column.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage
from sqlglot.optimizer import build_scope, qualify

from hem_etl.warehouse.models.model import Model, Models

Sources = Mapping[str, tuple[tuple[str, str], ...]]
"""Column → (qualified relation, column) of each column that it is made from, sorted; empty for counts and constants."""


@cache
def column_sources(models: Models, relation: str) -> Sources:
    """The columns that each column reads, one relation back. Empty for a table, whose rows come from outside."""
    model = models.model(relation)
    if model.schema == "core":
        return {}
    schema: dict[str, Any] = {}
    for name in model.references:
        read = models.model(name)
        schema.setdefault(read.schema, {})[read.name] = {column.name: column.type for column in read.columns}
    query = qualify.qualify(_without_parameters(model), schema=schema, dialect="duckdb")
    scope = build_scope(query)
    return {
        column.name: tuple(
            sorted(
                {
                    (f"{node.source.db}.{node.source.name}", node.name.rpartition(".")[2].strip('"'))
                    for node in lineage(
                        column.name, query, schema=schema, dialect="duckdb", scope=scope, copy=False, trim_selects=False
                    ).walk()
                    if isinstance(node.source, exp.Table)
                }
            )
        )
        for column in model.columns
    }


@cache
def table_sources(models: Models, relation: str) -> Sources:
    """The columns of `core` that each column is made from, through however many views."""
    return {
        column: tuple(sorted({table for source in sources for table in _down_to_tables(models, *source)}))
        for column, sources in column_sources(models, relation).items()
    }


def _down_to_tables(models: Models, relation: str, column: str) -> tuple[tuple[str, str], ...]:
    return table_sources(models, relation)[column] if column_sources(models, relation) else ((relation, column),)


def _without_parameters(model: Model) -> exp.Expression:
    """The statement; a macro's parameters, which are no columns, stand as NULL."""
    names = {parameter.name for parameter in model.parameters}
    return sqlglot.parse_one(model.sql, read="duckdb").transform(
        lambda node: exp.null() if isinstance(node, exp.Column) and not node.table and node.name in names else node
    )
