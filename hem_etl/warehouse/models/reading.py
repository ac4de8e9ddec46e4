"""Reads the models and checks of `dbt_like_sql`: header, statement, what it reads, the order in which to make views.

A file is one statement (`create table if not exists` in `tables/`, a bare `select` elsewhere) below a header. A table
that is kept narrower than it is shown makes a table of the schema `stored` and, under its own name, a view of what is
stored.

    -- name: marts.daily_energy          schema and name, as the path says
    -- meaning: one sentence
    -- grain: what one row is
    -- key: system_id, day               columns that are unique together; `none` where nothing is
    -- key checked by: some_check        only where a check proves the key cheaper than `group by` does
    -- null: what NULL means
    -- local to: system_id, day           of a view made of rows of the same system and day (or month); of a table whose
    --                                   key does not say the day: rows of one key lie on one
    -- materialized: table               only where a view would be too slow; every build makes it anew
    -- rebuilt by: system_id, day         small changes replace the rows of the keys that changed alone (or month)
    -- reaches: select …                 further keys whose rows change with those of the table `changed`
    -- looks at: select …                further keys whose rows must be seen to make those of `changed`
    -- parameters:                       makes the select a table macro, which is called with them
    --   instant | timestamp | UTC | meaning            as for columns; the select names them like columns
    -- columns:
    --   system_id | varchar | - | meaning          name | type | unit or - | meaning, in the order of the select

A check has `name` (`checks.<stem>`), `meaning`, `severity` (structural or plausibility) and `failing row` (what it is).
One that is `local to: system_id, day` (or `month`) finds a row of a day by what the tables hold of that system and day
alone: after small changes it is run on the days that changed. The key of a view that groups by it needs no check.
A longer text goes on in lines indented by three blanks. No database is asked here: whether columns and keys are as the
header says is found out when the models are built and checked.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import hem_etl
from hem_etl.errors import ModelError
from hem_etl.vocabulary import Severity
from hem_etl.warehouse.models.header import Column, quoted, read_column, read_header
from hem_etl.warehouse.models.macros import Macro, read_macros
from hem_etl.warehouse.models.model import (
    CHANGED,
    DAYS,
    KEYS,
    MONTHS,
    SAMPLE_ARGUMENTS,
    VIEW_SCHEMAS,
    Check,
    Key,
    Model,
    Models,
)
from hem_etl.warehouse.models.statements import parse

SCHEMAS: Final = {"tables": "core", "staging": "staging", "marts": "marts", "checks": "checks", "own": "own"}
"""Folder → schema. `checks` makes no relation; `own` is of a user's folder (see `own`)."""

SEVERITIES: Final = {"structural": Severity.ERROR, "plausibility": Severity.WARNING}

_MODEL_LABELS: Final = (
    "name",
    "meaning",
    "grain",
    "key",
    "key checked by",
    "null",
    "local to",
    "materialized",
    "rebuilt by",
    "reaches",
    "looks at",
    "parameters",
    "columns",
)
_CHECK_LABELS: Final = ("name", "meaning", "severity", "local to", "failing row")


def load_models(folder: Path | None = None) -> Models:
    """Read, verify and order every model. ModelError names the file that is wrong and what is wrong with it."""
    root = folder or default_folder()
    if not root.is_dir():
        raise ModelError(f"there are no SQL models in {root}: install hem_etl again")
    models = {
        model.relation: model
        for name in ("tables", *VIEW_SCHEMAS)
        for model in (read_model(root, path) for path in sorted((root / name).glob("*.sql")))
    }
    checks = [read_check(root, path) for path in sorted((root / "checks").glob("*.sql"))]
    readers: list[Model | Check] = [*models.values(), *checks]
    for reader in readers:
        require_known_references(reader, models)
    for reader in readers:
        if reader.local_to:
            _require_local_references(reader, models)
    for model in models.values():
        if model.rebuilt_by:
            _require_possible_keys(model, models)
    keys = [key_check(model) for model in models.values() if model.key and not model.is_key_proved]
    _require_proved_keys(models.values(), {check.name for check in checks}, {key.name for key in keys})
    macros = read_macros(root)
    ordered = _with_fingerprints([*(m for m in models.values() if m.schema == "core"), *in_order(models)], macros)
    return Models(
        tables=tuple(model for model in ordered if model.schema == "core"),
        built=tuple(model for model in ordered if model.schema != "core"),
        checks=tuple(sorted((*checks, *keys), key=lambda check: check.name)),
        macros=macros,
    )


def default_folder() -> Path:
    """The copy inside the installed package, else the repository's folder beside the package."""
    package = Path(hem_etl.__file__).resolve().parent
    packaged = package / "dbt_like_sql"
    return packaged if packaged.is_dir() else package.parent / "dbt_like_sql"


# --- reading files ---------------------------------------------------------------------------------------------------


def read_model(root: Path, path: Path) -> Model:
    """The model of a file; ModelError says what is wrong with it."""
    file, schema = _file_and_schema(root, path)
    header, sql = read_header(file, path.read_text(encoding="utf-8"), _MODEL_LABELS)
    _require_name(file, header, f"{schema}.{path.stem}")
    columns = tuple(read_column(file, line) for line in header["columns"].splitlines())
    names = [column.name for column in columns]
    key = () if header["key"] == "none" else tuple(part.strip() for part in header["key"].split(","))
    if strangers := [part for part in key if part not in names]:
        raise ModelError(f"{file}: the key names columns that the header does not list: {', '.join(strangers)}")
    if header.get("materialized", "table") != "table":
        raise ModelError(f"{file}: `materialized` can only be `table`; leave the line out for a view")
    rebuilt_by = _key_in(file, header, "rebuilt by")
    if rebuilt_by and not ("materialized" in header and set(rebuilt_by) <= set(key)):
        raise ModelError(f"{file}: `rebuilt by` can only be part of the key of a model that is a table")
    parameters = tuple(read_column(file, line) for line in header.get("parameters", "").splitlines())
    _require_possible_parameters(file, parameters, names, is_kept=schema == "core" or "materialized" in header)
    return Model(
        schema=schema,
        name=path.stem,
        file=file,
        meaning=header["meaning"],
        grain=header["grain"],
        key=key,
        key_checked_by=header.get("key checked by"),
        null=header["null"],
        is_table=schema == "core" or "materialized" in header,
        columns=columns,
        sql=sql,
        references=() if schema == "core" else _references(file, sql, [parameter.name for parameter in parameters]),
        parameters=parameters,
        local_to=_key_in(file, header, "local to"),
        rebuilt_by=rebuilt_by,
        reaches=header.get("reaches", ""),
        looks_at=header.get("looks at", ""),
        is_key_proved="key checked by" in header or ("materialized" not in header and _groups_by(sql, key)),
    )


def read_check(root: Path, path: Path) -> Check:
    """The check of a file; ModelError says what is wrong with it."""
    file, schema = _file_and_schema(root, path)
    header, sql = read_header(file, path.read_text(encoding="utf-8"), _CHECK_LABELS)
    _require_name(file, header, f"{schema}.{path.stem}")
    if header["severity"] not in SEVERITIES:
        raise ModelError(f"{file}: severity {header['severity']!r} is neither structural nor plausibility")
    return Check(
        name=path.stem,
        file=file,
        meaning=header["meaning"],
        severity=SEVERITIES[header["severity"]],
        failing_row=header["failing row"],
        sql=sql,
        references=_references(file, sql),
        local_to=_key_in(file, header, "local to"),
    )


def key_check(model: Model) -> Check:
    """The check that the key of a model's header makes."""
    columns = ", ".join(map(quoted, model.key))
    return Check(
        name=f"{model.schema}_{model.name}_key",
        file=model.file,
        meaning=f"{model.relation}: {', '.join(model.key)} is unique.",
        severity=Severity.ERROR,
        failing_row="a key that stands in more than one row",
        sql=f"select {columns}, count(*) as copies\nfrom {model.source}\ngroup by {columns}\nhaving count(*) > 1",
        references=model.references if model.parameters else (model.relation,),
        local_to=_key_is_local_to(model),
    )


def _key_is_local_to(model: Model) -> Key:
    """Rows of one key lie on one day (or month): in a table of core, in what is rebuilt by it or local to it."""
    if model.schema == "core":
        return model.local_to or (DAYS if set(model.key) >= set(DAYS) else ())
    part = model.rebuilt_by or model.local_to
    return part if set(model.key) >= set(part) else ()


def _groups_by(sql: str, key: Sequence[str]) -> bool:
    statement = parse(sql)
    return statement is not None and bool(key) and statement.grouped_by == set(key)


def _key_in(file: str, header: Mapping[str, str], label: str) -> Key:
    if label not in header:
        return ()
    if header[label] not in KEYS:
        raise ModelError(f"{file}: `{label}` can only be `{'` or `'.join(KEYS)}`; leave the line out otherwise")
    return KEYS[header[label]]


def _require_possible_parameters(
    file: str, parameters: Sequence[Column], columns: Sequence[str], *, is_kept: bool
) -> None:
    if parameters and is_kept:
        raise ModelError(f"{file}: a table has no parameters; leave out `parameters` or `materialized`")
    for parameter in parameters:
        if parameter.type not in SAMPLE_ARGUMENTS:
            raise ModelError(
                f"{file}: parameter {parameter.name} cannot be {parameter.type}: give it a sample argument"
            )
        if parameter.name in columns:
            raise ModelError(
                f"{file}: parameter {parameter.name} has the name of a column, which it would stand in for"
            )


def _file_and_schema(root: Path, path: Path) -> tuple[str, str]:
    return path.relative_to(root.parent).as_posix(), SCHEMAS[path.parent.name]


def _require_name(file: str, header: Mapping[str, str], expected: str) -> None:
    if header["name"] != expected:
        raise ModelError(f"{file}: the header says name {header['name']!r}, the path says {expected!r}")


# --- references and order --------------------------------------------------------------------------------------------


def _references(file: str, sql: str, parameters: Sequence[str] = ()) -> tuple[str, ...]:
    """The relations and macros that a statement reads, its own named steps left out; it must use its parameters."""
    try:
        statement = parse(sql)
    except ValueError as error:
        raise ModelError(f"{file}: cannot be parsed: {error}") from error
    if statement is None:
        raise ModelError(f"{file}: must hold exactly one select")
    if unused := [name for name in parameters if name not in statement.columns]:
        raise ModelError(f"{file}: the select does not use its parameter {', '.join(unused)}")
    return tuple(sorted(statement.relations))


def require_known_references(reader: Model | Check, models: Mapping[str, Model]) -> None:
    """ModelError where it reads what is none of the models."""
    if unknown := [name for name in reader.references if name not in models]:
        raise ModelError(f"{reader.file}: reads relations that are no SQL model: {', '.join(unknown)}")
    is_macro = isinstance(reader, Model) and reader.parameters
    if macros := [name for name in reader.references if models[name].parameters and not is_macro]:
        raise ModelError(f"{reader.file}: reads {macros[0]}: only a macro may read a macro, which keeps no rows")


def _require_local_references(reader: Model | Check, models: Mapping[str, Model]) -> None:
    """What is local reads tables of core, what is local or rebuilt by a key too, and views of tables without days."""
    for name in reader.references:
        model = models[name]
        behind = [models[relation] for relation in model.references]
        is_whole = not model.is_table and not any(table.has(DAYS) or not table.is_table for table in behind)
        is_of_months = MONTHS in (model.local_to, model.rebuilt_by) and reader.local_to == DAYS
        if is_of_months or not (model.schema == "core" or model.local_to or model.rebuilt_by or is_whole):
            raise ModelError(
                f"{reader.file}: is local to a system and {reader.local_to[-1]}, but {name}, which it reads, is not"
            )


def _require_possible_keys(model: Model, models: Mapping[str, Model]) -> None:
    """ModelError where what changes cannot be followed from what it reads, or its queries of keys cannot be asked."""
    for name in model.references:
        if MONTHS in (models[name].local_to, models[name].rebuilt_by) and model.rebuilt_by == DAYS:
            raise ModelError(f"{model.file}: is rebuilt by day, but {name}, which it reads, by month")
    for label, query in (("reaches", model.reaches), ("looks at", model.looks_at)):
        if strangers := set(_references(model.file, query) if query else ()) - {CHANGED, *models}:
            raise ModelError(f"{model.file}: `{label}` reads {min(strangers)}: neither `{CHANGED}` nor a model")


def _require_proved_keys(models: Iterable[Model], written: set[str], generated: set[str]) -> None:
    if twice := written & generated:
        raise ModelError(f"checks/{min(twice)}.sql: the name is taken by the key check that a model's header makes")
    for model in models:
        if model.key_checked_by and model.key_checked_by not in written | generated:
            raise ModelError(f"{model.file}: its key is said to be checked by {model.key_checked_by!r}: no such check")


def in_order(models: Mapping[str, Model]) -> Iterator[Model]:
    """Views and macros, each after what it reads; by name where the SQL leaves it open."""
    views = {name: model for name, model in models.items() if model.schema != "core"}
    sorter = TopologicalSorter({name: [r for r in views[name].references if r in views] for name in sorted(views)})
    try:
        sorter.prepare()
    except CycleError as error:
        raise ModelError(f"SQL models read each other in a circle: {' → '.join(reversed(error.args[1]))}") from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from (views[name] for name in ready)
        sorter.done(*ready)


def _with_fingerprints(ordered: Iterable[Model], macros: Iterable[Macro]) -> list[Model]:
    """The models, each after what it reads, with the fingerprint that changes when anything behind them does."""
    formulas = repr(tuple(macros))
    found: dict[str, Model] = {}
    for model in ordered:
        behind = [found[name].sha256 for name in model.references]
        facts = repr((model, behind, formulas if model.references else "")).encode()
        found[model.relation] = replace(model, sha256=hashlib.sha256(facts).hexdigest())
    return list(found.values())
