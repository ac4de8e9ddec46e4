"""What a statement reads, calls and names, by DuckDB's own parser. Nothing is run and no file is opened.

What it means for a model, a check or a macro is not known here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb


@dataclass(frozen=True, slots=True)
class Statement:
    """One `select`, taken apart."""

    relations: frozenset[str]
    """What it reads, as it is spelt (`marts.daily_energy`), but for its own steps and functions without a schema."""
    functions: frozenset[str]
    """What it calls, operators among them."""
    columns: frozenset[str]
    """Columns as they are spelt: `day`, `load.day`."""
    is_expression: bool
    """`select` of one expression, which reads nothing."""
    grouped_by: frozenset[str]
    """Names of its columns by whose values it groups, each group in one row; empty where it groups by anything else."""


@cache
def parse(sql: str) -> Statement | None:
    """The statement, or None where there is not exactly one `select`. ValueError says why it cannot be parsed."""
    nodes: list[dict[str, Any]] = []

    def noted(node: dict[str, Any]) -> dict[str, Any]:
        nodes.append(node)
        return node

    said = _parser().cursor().execute("select json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0]
    parsed = json.loads(said, object_hook=noted)
    if parsed["error"] and parsed["error_type"] == "parser":
        raise ValueError(parsed["error_message"])
    if parsed["error"] or len(parsed["statements"]) != 1:
        return None
    select = parsed["statements"][0]["node"]
    steps = {step["key"] for node in nodes for step in node.get("cte_map", {}).get("map", ())}
    tables = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    macros = [node["function"] for node in nodes if node.get("type") == "TABLE_FUNCTION"]
    arguments = {name for node in nodes if node.get("class") == "LAMBDA" for name in _columns(_nodes(node["lhs"]))}
    return Statement(
        relations=frozenset(
            {_spelt(node["schema_name"], node["table_name"]) for node in tables if _is_foreign(node, steps)}
            | {_spelt(node["schema"], node["function_name"]) for node in macros if node.get("schema")}
        ),
        functions=frozenset(node["function_name"] for node in nodes if node.get("class") == "FUNCTION"),
        columns=frozenset(_columns(nodes)) - arguments,
        is_expression=select["type"] == "SELECT_NODE"
        and len(select["select_list"]) == 1
        and select["from_table"]["type"] == "EMPTY"
        and not any(node.get("class") in ("SUBQUERY", "STAR") for node in nodes),
        grouped_by=_grouped_by(select),
    )


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree."""
    if isinstance(tree, dict):
        yield tree
        for branch in tree.values():
            yield from _nodes(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _nodes(branch)


def _columns(nodes: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if node.get("class") == "COLUMN_REF":
            yield ".".join(node["column_names"])


def _grouped_by(select: dict[str, Any]) -> frozenset[str]:
    if select["type"] != "SELECT_NODE" or len(select["group_sets"]) != 1:
        return frozenset()
    groups = {_said(expression) for expression in select["group_expressions"]}
    if not groups:
        return frozenset()
    shown = {_said(each): each["alias"] or each.get("column_names", [""])[-1] for each in select["select_list"]}
    return frozenset(shown[said] for said in groups) if groups <= shown.keys() else frozenset()


def _said(expression: Any) -> str:
    """The expression alone: not where it stands or what it is called."""
    return json.dumps(_bare(expression), sort_keys=True)


def _bare(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _bare(part) for key, part in tree.items() if key not in ("query_location", "alias")}
    return [_bare(part) for part in tree] if isinstance(tree, list) else tree


def _is_foreign(table: dict[str, Any], steps: set[str]) -> bool:
    return bool(table["schema_name"]) or table["table_name"] not in steps


def _spelt(schema: str, name: str) -> str:
    return f"{schema}.{name}" if schema else name
