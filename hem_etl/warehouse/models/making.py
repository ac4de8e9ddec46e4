"""Makes the models in a DuckDB file: tables, views, macros, comments; compares headers with what is there; runs checks.

Nothing here knows what a model means, where the file is or when to build: that is the road's business.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from hem_etl.errors import ModelError
from hem_etl.vocabulary import Scope, Severity
from hem_etl.warehouse.models.header import literal, quoted, quoted_relation
from hem_etl.warehouse.models.macros import MACRO_SCHEMA, Macro
from hem_etl.warehouse.models.model import VIEW_SCHEMAS, Check, Model, Models
from hem_etl.warehouse.refusals import first_line
from hem_etl.warehouse.transactions import transaction

SAMPLE_ROWS: Final = 5
FINGERPRINTS: Final = "core.model"
DICTIONARY: Final = "core.dictionary"
TABLES: Final = """
select schema_name || '.' || table_name, 'table' from duckdb_tables() where database_name = current_database()
"""

NEWEST_RESULTS: Final = """
select check_name, severity, failing_rows, sample, scope
from core.check_result
qualify row_number() over (partition by check_name order by at_utc desc) = 1
order by check_name
"""

Made = Macro | Model | Check
Columns = dict[str, list[tuple[str, str]]]
"""Qualified name → (column, type) in order."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. `sample`: up to five failing rows as text; None where there is none."""

    name: str
    severity: Severity
    failing_rows: int
    sample: str | None
    scope: str = Scope.ALL
    """`all`, or `changed`: run on the days that had changed since the publish before."""


def create_tables(con: duckdb.DuckDBPyConnection, models: Models) -> None:
    """Make the schemas, the tables that are missing, and their comments. In one transaction; again changes nothing.

    ModelError where a table of an older file has other columns than the model: `hem-etl rebuild` makes it anew.
    """
    real = _real_columns(con)
    if _is_made_of(con, models.tables) and not any(
        _differences(model, real.get(model.relation, [])) for model in models.tables
    ):
        return
    with transaction(con):
        for schema in ("core", *VIEW_SCHEMAS):
            con.execute(f"create schema if not exists {quoted(schema)}")
        before = _kinds(con)
        for model in models.tables:
            if (kind := before.get(model.relation, model.kind)) != model.kind:
                raise _of_another_version(model, f"it is a {kind}, not a {model.kind}")
            run(con, model, model.made_by[0])
        for model in models.tables:
            if model.shows_stored:
                _show_stored(con, model, is_new=model.relation not in before)
        real = _real_columns(con)
        for model in models.tables:
            differences = _differences(model, real[model.relation])
            if differences and model.relation in before:
                raise _of_another_version(model, differences)
            _require_honest(model, differences)
        _write_meaning(con, models.tables)
        remember(con, models.tables)


def _show_stored(con: duckdb.DuckDBPyConnection, model: Model, *, is_new: bool) -> None:
    """The view of what is kept narrower; it may read what other tables keep."""
    try:
        run(con, model, model.made_by[1])
    except ModelError as error:
        if is_new:
            raise
        raise _of_another_version(model, "what it is made from has other columns") from error


def _of_another_version(model: Model, differences: str) -> ModelError:
    return ModelError(
        f"{model.relation} was made by another version of hem_etl ({differences}): run `hem-etl rebuild`, "
        "which makes the warehouse again from what is landed."
    )


def build(con: duckdb.DuckDBPyConnection, models: Models, *, rebuild: Callable[[Model], None] | None = None) -> None:
    """Fill every table that is made of others, make every view and macro whose text is another; in one transaction.

    What is no model any more is dropped. rebuild: what brings a table up to date that has a key to be rebuilt by, where
    no text is another; without it the whole of each table is made anew.
    """
    made: tuple[Macro | Model, ...] = (*models.macros, *models.built)
    with transaction(con):
        kept = {each.relation: each.kind for each in made}
        kinds = _kinds(con)
        for relation, kind in kinds.items():
            if relation.split(".", 1)[0] in (*VIEW_SCHEMAS, MACRO_SCHEMA) and kept.get(relation) != kind:
                con.execute(f"drop {kind} {quoted_relation(relation)}")
                _forget_meaning(con, [relation])
        fingerprints = _fingerprints(con)
        anew = [
            each
            for each in made
            if fingerprints.get(each.relation) != each.sha256 or kinds.get(each.relation) != each.kind
        ]
        for each in made:
            if isinstance(each, Macro):
                if each in anew:
                    _make_macro(con, each)
            elif each in anew:
                run(con, each, f"create or replace {_made_as(each)}\n{each.sql}")
            elif each.is_table and each.rebuilt_by and rebuild and not anew:
                rebuild(each)
            elif each.is_table:
                con.execute(f"delete from {quoted_relation(each.relation)}")
                run(con, each, f"insert into {quoted_relation(each.relation)}\n{each.sql}")
        _require_honest_headers(con, [each for each in anew if isinstance(each, Model)])
        _write_meaning(con, anew)
        remember(con, anew)


def make_schema(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    files: Mapping[str, Path],
    models: Sequence[Model],
    checks: Iterable[Check],
) -> list[CheckResult]:
    """A schema anew: a table of each CSV file, by name, then views and tables in this order, then what checks find.

    All or nothing. ModelError where DuckDB refuses a file or a model, or a header lies.
    """
    with transaction(con):
        con.execute(f"create schema {quoted(schema)}")
        for name, path in files.items():
            relation = quoted_relation(f"{schema}.{name}")
            try:
                con.execute(f"create table {relation} as select * from read_csv(?, header = true)", [str(path)])
            except duckdb.Error as error:
                raise ModelError(f"{path.name}: DuckDB cannot read it: {first_line(error)}") from error
        for model in models:
            run(con, model, f"create {_made_as(model)}\n{model.sql}")
        _require_honest_headers(con, models)
        _write_meaning(con, models)
        return [_run_check(con, check) for check in checks]


def drop_schema(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """With all that is in it; nothing where it is not there."""
    _forget_meaning(con, [relation for relation in _kinds(con) if relation.startswith(f"{schema}.")])
    con.execute(f"drop schema if exists {quoted(schema)} cascade")


def _require_honest_headers(con: duckdb.DuckDBPyConnection, made: Sequence[Model]) -> None:
    real = _real_columns(con) | {model.relation: _macro_columns(con, model) for model in made if model.parameters}
    for model in made:
        _require_honest(model, _differences(model, real[model.relation]))


def is_made_of(con: duckdb.DuckDBPyConnection, models: Models) -> bool:
    """Whether all that these models make, and the checks that were run, is of their very texts."""
    return _is_made_of(con, (*models.tables, *models.macros, *models.built, *models.checks))


def _is_made_of(con: duckdb.DuckDBPyConnection, made: Iterable[Made]) -> bool:
    fingerprints = _fingerprints(con)
    return all(fingerprints.get(each.relation) == each.sha256 for each in made)


def has_table(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    return bool(con.execute(f"select 1 from ({TABLES}) as tables (name, kind) where name = ?", [relation]).fetchall())


def _fingerprints(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Relation → what it was made from; empty in a file that no version with `core.model` has made."""
    if not has_table(con, FINGERPRINTS):
        return {}
    return dict(con.execute(f"select relation, sha256 from {FINGERPRINTS}").fetchall())


def remember(con: duckdb.DuckDBPyConnection, made: Iterable[Made]) -> None:
    """What each was made from, or of what text a check was that ran."""
    there = _fingerprints(con)
    other = [each for each in made if there.get(each.relation) != each.sha256]
    if other and has_table(con, FINGERPRINTS):
        noted = ", ".join(_literals((each.relation, each.sha256)) for each in other)
        con.execute(f"delete from {FINGERPRINTS} where relation in {_literals(each.relation for each in other)}")
        con.execute(f"insert into {FINGERPRINTS} values {noted}")


def fingerprint_of(con: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """What was noted under a name; None where nothing was."""
    return _fingerprints(con).get(name)


def note_fingerprint(con: duckdb.DuckDBPyConnection, name: str, sha256: str | None) -> None:
    """Note it in place of what was noted; None takes it away."""
    con.execute(f"delete from {FINGERPRINTS} where relation = ?", [name])
    if sha256 is not None:
        con.execute(f"insert into {FINGERPRINTS} values (?, ?)", [name, sha256])


def newest_results(con: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """What each check found when it ran last, by name."""
    found = con.execute(NEWEST_RESULTS).fetchall()
    return [CheckResult(name, Severity(severity), *rest) for name, severity, *rest in found]


def run_checks(
    con: duckdb.DuckDBPyConnection, models: Models, checks: Iterable[Check] | None = None
) -> list[CheckResult]:
    """Run every check of the folder and every key that a header states, or these. Reads only."""
    return [_run_check(con, check) for check in (models.checks if checks is None else checks)]


def run(con: duckdb.DuckDBPyConnection, model: Model | Macro, sql: str) -> list[tuple[Any, ...]]:
    """Run a statement that is made of the model's; ModelError names its file where DuckDB refuses it."""
    try:
        return con.execute(sql).fetchall()
    except duckdb.Error as error:
        raise ModelError(f"{model.file}: DuckDB refuses it: {error}") from error


def rows(con: duckdb.DuckDBPyConnection, check: Check, limit: int = 20) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and up to `limit` failing rows of a check, for a person to read."""
    cursor = con.execute(f"select * from (\n{check.sql}\n) limit ?", [limit])
    return [column[0] for column in cursor.description or ()], cursor.fetchall()


def _make_macro(con: duckdb.DuckDBPyConnection, macro: Macro) -> None:
    names = ", ".join(quoted(parameter.name) for parameter in macro.parameters)
    run(con, macro, f"create or replace macro {quoted_relation(macro.relation)}({names}) as\n{macro.sql}")
    ((kind,),) = run(con, macro, f"select lower(typeof({macro.sample}))")
    if kind != macro.type:
        raise ModelError(f"{macro.file}: the header does not say what the SQL makes: it returns {kind}")


def _made_as(model: Model) -> str:
    """The part of a `create` between the verb and the select."""
    if not model.parameters:
        return f"{model.kind} {quoted_relation(model.relation)} as"
    names = ", ".join(quoted(parameter.name) for parameter in model.parameters)
    return f"macro {quoted_relation(model.relation)}({names}) as table"


def _kinds(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Qualified name → `table`, `view`, `macro table` or `macro`, of everything in this database."""
    found = con.execute(
        f"{TABLES} union all "
        "select schema_name || '.' || view_name, 'view' from duckdb_views() "
        "where database_name = current_database() and not internal union all "
        "select schema_name || '.' || function_name, 'macro table' from duckdb_functions() "
        "where database_name = current_database() and function_type = 'table_macro' and not internal union all "
        "select schema_name || '.' || function_name, 'macro' from duckdb_functions() "
        "where database_name = current_database() and function_type = 'macro' and not internal"
    ).fetchall()
    return dict(found)


def _real_columns(con: duckdb.DuckDBPyConnection) -> Columns:
    """Qualified name → (column, type) in order, of everything in this database."""
    found: Columns = {}
    for relation, name, kind in con.execute(
        "select schema_name || '.' || table_name, column_name, lower(data_type) from duckdb_columns() "
        "where database_name = current_database() order by schema_name, table_name, column_index"
    ).fetchall():
        found.setdefault(relation, []).append((name, kind))
    return found


def _macro_columns(con: duckdb.DuckDBPyConnection, model: Model) -> list[tuple[str, str]]:
    """The same of a macro, which is bound only where it is called."""
    found = run(con, model, f"describe select * from {model.source}")
    return [(name, kind.lower()) for name, kind, *_ in found]


def _differences(model: Model, real: list[tuple[str, str]]) -> str:
    """What the header says and the database does not, or the other way round; empty where they agree."""
    said = [(column.name, column.type.lower()) for column in model.columns]
    if real == said:
        return ""
    differences = [f"{name} {kind} is not in the header" for name, kind in real if name not in dict(said)]
    differences += [f"{name} does not exist" for name, _ in said if name not in dict(real)]
    differences += [
        f"{name} is {dict(real)[name]}, not {kind}" for name, kind in said if dict(real).get(name, kind) != kind
    ]
    return "; ".join(differences) or f"the order is {', '.join(name for name, _ in real)}"


def _require_honest(model: Model, differences: str) -> None:
    if differences:
        raise ModelError(f"{model.file}: the header does not say what the SQL makes: {differences}")


def _write_meaning(con: duckdb.DuckDBPyConnection, made: Iterable[Model | Macro]) -> None:
    """Meaning and unit of each relation and column into the catalogue and `core.dictionary`, where they are not yet."""
    made = list(made)
    _write_comments(con, made)
    if not made or not has_table(con, DICTIONARY):
        return
    wanted = {row for each in made for row in _dictionary_rows(each)}
    there = set(
        con.execute(f"from {DICTIONARY} where relation in {_literals(each.relation for each in made)}").fetchall()
    )
    other = {relation for relation, *_ in wanted ^ there}
    rows = sorted((row for row in wanted if row[0] in other), key=lambda row: (row[0], row[2]))
    _forget_meaning(con, other)
    if rows:
        con.execute(f"insert into {DICTIONARY} values {', '.join(map(_literals, rows))}")


def _forget_meaning(con: duckdb.DuckDBPyConnection, relations: Collection[str]) -> None:
    if relations and has_table(con, DICTIONARY):
        con.execute(f"delete from {DICTIONARY} where relation in {_literals(relations)}")


def _dictionary_rows(made: Model | Macro) -> Iterator[tuple[Any, ...]]:
    """As `core.dictionary` holds them, columns before parameters."""
    returns = (made.type, made.unit) if isinstance(made, Macro) else (None, "-")
    yield made.relation, made.kind, 0, None, returns[0], _unit(returns[1]), made.comment
    columns = () if isinstance(made, Macro) else made.columns
    named = [*(("column", column) for column in columns), *(("parameter", each) for each in made.parameters)]
    for position, (kind, column) in enumerate(named, 1):
        yield made.relation, kind, position, column.name, column.type, _unit(column.unit), column.meaning


def _unit(said: str) -> str | None:
    return None if said == "-" else said


def _literals(values: Iterable[str | int | None]) -> str:
    """As a list of SQL. Not bound: at each value that DuckDB is given it searches for pandas anew, if there is none."""
    written = (
        "null" if value is None else str(value) if isinstance(value, int) else literal(value) for value in values
    )
    return f"({', '.join(written)})"


def _write_comments(con: duckdb.DuckDBPyConnection, models: Iterable[Model | Macro]) -> None:
    """Only what is not there yet.

    A macro's columns have no place there: its own comment tells its parameters, `core.dictionary` its columns. In a
    lake only tables can have comments.
    """
    ((engine,),) = con.execute(
        "select type from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    models = [model for model in models if model.kind == "table" or engine != "ducklake"]
    if not models:
        return
    there = dict(
        con.execute(
            "select schema_name || '.' || table_name || '.' || column_name, comment from duckdb_columns() "
            "where database_name = current_database() union all "
            "select schema_name || '.' || table_name, comment from duckdb_tables() "
            "where database_name = current_database() union all "
            "select schema_name || '.' || view_name, comment from duckdb_views() "
            "where database_name = current_database() and not internal union all "
            "select schema_name || '.' || function_name, comment from duckdb_functions() "
            "where database_name = current_database() and function_type in ('macro', 'table_macro') and not internal"
        ).fetchall()
    )
    comments = []
    for model in models:
        name = quoted_relation(model.relation)
        if there.get(model.relation) != model.comment:
            comments.append(f"comment on {model.kind} {name} is {literal(model.comment)}")
        comments += [
            f"comment on column {name}.{quoted(column.name)} is {literal(column.comment)}"
            for column in (() if isinstance(model, Macro) or model.parameters else model.columns)
            if there.get(f"{model.relation}.{column.name}") != column.comment
        ]
    con.execute(";\n".join(comments))


def _run_check(con: duckdb.DuckDBPyConnection, check: Check) -> CheckResult:
    # Counted first, sampled on failure: in DuckDB 1.5.5 `count(*) over ()` under a LIMIT sometimes dies of a race.
    try:
        ((failing,),) = con.execute(f"select count(*) from (\n{check.sql}\n)").fetchall()
        columns, found = rows(con, check, SAMPLE_ROWS) if failing else ([], [])
    except duckdb.Error as error:
        raise ModelError(f"{check.file}: DuckDB refuses it: {error}") from error
    samples = (", ".join(f"{name}={value}" for name, value in zip(columns, row, strict=True)) for row in found)
    return CheckResult(check.name, check.severity, failing, " · ".join(samples) or None)
