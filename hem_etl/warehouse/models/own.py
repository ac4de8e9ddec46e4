"""Models of a user's own: a folder of `seeds/*.csv`, `own/*.sql` and `checks/*.sql`, made into the schema `own`.

The same headers, order and checks as in `dbt_like_sql`. They read ours and each other; none of ours reads them, and a
statement is one select, so that nothing of ours depends on what they do. What is wrong with them leaves the schema
away: a cost of last week that looks like today's would be worse than none.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from hem_etl.errors import ModelError
from hem_etl.vocabulary import Severity
from hem_etl.warehouse.models.making import CheckResult, drop_schema, fingerprint_of, make_schema, note_fingerprint
from hem_etl.warehouse.models.model import Check, Model, Models
from hem_etl.warehouse.models.reading import (
    in_order,
    key_check,
    read_check,
    read_model,
    require_known_references,
)
from hem_etl.warehouse.transactions import transaction

SCHEMA: Final = "own"
FOLDERS: Final = {"seeds": "*.csv", "own": "*.sql", "checks": "*.sql"}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class OwnModels:
    """What a folder holds, read and found consistent."""

    seeds: dict[str, Path]
    models: tuple[Model, ...]
    """Each after what it reads."""
    checks: tuple[Check, ...]
    sha256: str
    """Fingerprint of every file."""

    @property
    def seed_relations(self) -> frozenset[str]:
        """Qualified names of the seeds."""
        return frozenset(f"{SCHEMA}.{name}" for name in self.seeds)


def load_own(folder: Path, ours: Models) -> OwnModels:
    """Read and verify the folder. ModelError names the file that is wrong and what is wrong with it."""
    if not folder.is_dir():
        raise ModelError(f"HEM_ETL_MODELS={folder} is no folder: docs/extending.md says what it holds")
    seeds = {path.stem: path for path in _files(folder, "seeds")}
    models = [read_model(folder, path) for path in _files(folder, "own")]
    checks = [read_check(folder, path) for path in _files(folder, "checks")]
    if not seeds and not models:
        raise ModelError(
            f"HEM_ETL_MODELS={folder} holds no own/*.sql and no seeds/*.csv: docs/extending.md shows a folder"
        )
    for name in (*seeds, *(model.name for model in models), *(check.name for check in checks)):
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no name: take a-z, 0-9 and _, as in tariff_valid")
    if twice := sorted(seeds.keys() & {model.name for model in models}):
        raise ModelError(f"own.{twice[0]} is both a seed and a model: rename one")
    known = {model.relation: model for model in (*ours.tables, *ours.built, *map(_seed, seeds), *models)}
    readers: list[Model | Check] = [*models, *checks]
    for reader in readers:
        require_known_references(reader, known)
    keys = [key_check(model) for model in models if model.key and not model.key_checked_by]
    if twice := sorted({check.name for check in checks} & {check.name for check in keys}):
        raise ModelError(f"checks/{twice[0]}.sql has the name of a key that is checked anyway: rename it")
    return OwnModels(
        seeds,
        tuple(in_order({model.relation: model for model in models})),
        (*checks, *keys),
        _sha256(folder),
    )


def make_own(con: duckdb.DuckDBPyConnection, folder: Path | None, ours: Models) -> list[CheckResult]:
    """The schema anew from the folder; without a folder, none. What plausibility checks find.

    Raises ModelError, in one line, for what is wrong with a file or for rows that a structural check finds; the schema
    is then not there.
    """
    _leave_out(con)
    if folder is None:
        return []
    own = load_own(folder, ours)
    found = make_schema(con, SCHEMA, own.seeds, own.models, own.checks)
    for check, result in zip(own.checks, found, strict=True):
        if check.severity is Severity.ERROR and result.failing_rows:
            _leave_out(con)
            raise ModelError(
                f"{check.file}: {result.name} does not hold: {result.failing_rows} rows, e.g. {result.sample}"
            )
    with transaction(con):
        note_fingerprint(con, SCHEMA, own.sha256)
    return found


def _leave_out(con: duckdb.DuckDBPyConnection) -> None:
    with transaction(con):
        drop_schema(con, SCHEMA)
        note_fingerprint(con, SCHEMA, None)


def is_own_made(con: duckdb.DuckDBPyConnection, folder: Path | None) -> bool:
    """Whether the schema is what the folder makes now."""
    made = fingerprint_of(con, SCHEMA)
    return made is None if folder is None else made == _sha256(folder)


def _files(folder: Path, kind: str) -> Iterator[Path]:
    yield from sorted((folder / kind).glob(FOLDERS[kind]))


def _sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for kind in FOLDERS:
        for path in _files(folder, kind):
            digest.update(f"{kind}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _seed(name: str) -> Model:
    """A seed as what models may read; its columns are the file's."""
    return Model(
        schema=SCHEMA,
        name=name,
        file=f"seeds/{name}.csv",
        meaning="",
        grain="",
        key=(),
        key_checked_by=None,
        null="",
        is_table=True,
        columns=(),
        sql="",
        references=(),
    )
