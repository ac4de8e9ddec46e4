"""Reads `dbt_like_sql/macros`: formulas that are said once. Models and checks call them by their bare names.

A file is one expression below a header; it names its parameters and no column, so that a call says all that it reads:

    -- name: macros.ratio                     folder and name, as the path says
    -- meaning: one sentence
    -- null: when it is NULL
    -- parameters:                            left out where there are none: a constant, at home here alone
    --   part | double | kWh | meaning        as for a model's columns
    -- returns: double | ratio                type | unit or -

DuckDB keeps them in the file's schema `main` and puts their text in the place of each call. No database is asked here.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from hem_etl.errors import ModelError
from hem_etl.warehouse.models.header import Column, quoted, read_column, read_header
from hem_etl.warehouse.models.statements import parse

MACRO_SCHEMA: Final = "main"

_LABELS: Final = ("name", "meaning", "null", "parameters", "returns")


@dataclass(frozen=True, slots=True)
class Macro:
    """One file of `macros`: its header and its expression."""

    name: str
    file: str
    meaning: str
    null: str
    parameters: tuple[Column, ...]
    type: str
    """What a call returns, as DuckDB names it; `unit` as a column's."""
    unit: str
    sql: str

    @property
    def comment(self) -> str:
        parameters = "".join(f" {parameter.name}: {parameter.comment}." for parameter in self.parameters)
        unit = "" if self.unit == "-" else f" [{self.unit}]"
        return f"{self.meaning}{unit} NULL: {self.null}{parameters}"

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(parameter.name for parameter in self.parameters)})"

    @property
    def relation(self) -> str:
        """Schema and name, as the catalogue has them."""
        return f"{MACRO_SCHEMA}.{self.name}"

    @property
    def kind(self) -> str:
        """As DuckDB names it in `drop` and `comment on`."""
        return "macro"

    @property
    def sha256(self) -> str:
        """Fingerprint of its text. One that it calls stands in its place: where that changes, a call does too."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def sample(self) -> str:
        """A call with NULLs of the types that the header says: what it returns has the type that the header says."""
        nulls = ", ".join(f"cast(null as {parameter.type})" for parameter in self.parameters)
        return f"{quoted(self.name)}({nulls})"


def read_macros(root: Path) -> tuple[Macro, ...]:
    """Each after those that it calls. ModelError names the file that is wrong and what is wrong with it."""
    macros = [_read_macro(root, path) for path in sorted((root / "macros").glob("*.sql"))]
    return tuple(_ordered({macro.name: macro for macro in macros}))


def _read_macro(root: Path, path: Path) -> Macro:
    file = path.relative_to(root.parent).as_posix()
    header, sql = read_header(file, path.read_text(encoding="utf-8"), _LABELS)
    if header["name"] != f"macros.{path.stem}":
        raise ModelError(f"{file}: the header says name {header['name']!r}, the path says 'macros.{path.stem}'")
    kind, _, unit = (part.strip() for part in header["returns"].partition("|"))
    if not kind or not unit:
        raise ModelError(f"{file}: `returns` is `type | unit or -`, not {header['returns']!r}")
    parameters = tuple(read_column(file, line) for line in header.get("parameters", "").splitlines())
    _require_formula(file, sql, {parameter.name for parameter in parameters})
    return Macro(path.stem, file, header["meaning"], header["null"], parameters, kind, unit, sql)


def _require_formula(file: str, sql: str, parameters: set[str]) -> None:
    try:
        formula = parse(f"select {sql}")
    except ValueError as error:
        raise ModelError(f"{file}: cannot be parsed as an expression: {error}") from error
    if formula is None or not formula.is_expression:
        raise ModelError(f"{file}: must hold exactly one expression, which reads no relation")
    if strangers := formula.columns - parameters:
        raise ModelError(f"{file}: names what is no parameter: {', '.join(sorted(strangers))}")
    if unused := parameters - formula.columns:
        raise ModelError(f"{file}: does not use its parameter {', '.join(sorted(unused))}")


def _ordered(macros: Mapping[str, Macro]) -> Iterator[Macro]:
    calls = {name: sorted(_called(macro.sql) & macros.keys()) for name, macro in macros.items()}
    try:
        yield from (macros[name] for name in TopologicalSorter(calls).static_order())
    except CycleError as error:
        raise ModelError(f"macros call each other in a circle: {' → '.join(reversed(error.args[1]))}") from error


def _called(sql: str) -> frozenset[str]:
    formula = parse(f"select {sql}")
    assert formula is not None
    return formula.functions
