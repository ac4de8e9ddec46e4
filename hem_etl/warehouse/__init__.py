"""The warehouse: the only room that knows DuckDB, where tables are kept and what is published.

protocol    the verbs: writing, publishing, reading, is_published, is_current, holder, reset, describe
rows        Reader and Writer: rows in and out of an open database
files       the engine of one machine: a pair of DuckDB files
models/     `dbt_like_sql`: its headers, what it makes, its checks, its lineage
"""

from functools import cache

from hem_etl.settings import Settings
from hem_etl.warehouse.files import FileWarehouse
from hem_etl.warehouse.models import Check, CheckResult, Column, Model, Models, load_models
from hem_etl.warehouse.models.own import OwnModels, load_own
from hem_etl.warehouse.protocol import Description, Warehouse
from hem_etl.warehouse.rows import EVERYTHING, Asked, Reader, Writer

__all__ = [
    "EVERYTHING",
    "Asked",
    "Check",
    "CheckResult",
    "Column",
    "Description",
    "FileWarehouse",
    "Model",
    "Models",
    "OwnModels",
    "Reader",
    "Warehouse",
    "Writer",
    "load_own",
    "open_warehouse",
    "packaged_models",
]


def open_warehouse(settings: Settings) -> Warehouse:
    """The warehouse that the settings describe; nothing is opened until it is needed."""
    return FileWarehouse(settings.work, settings.database)


@cache
def packaged_models() -> Models:
    """The models that come with the package: they do not change while a process lives."""
    return load_models()
