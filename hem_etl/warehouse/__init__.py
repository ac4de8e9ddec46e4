"""The warehouse: the only room that knows DuckDB, where tables are kept and what is published.

protocol    the verbs: writing, publishing, reading, is_published, is_current, holder, reset, maintain, describe
rows        Reader and Writer: rows in and out of an open database
files       the engine of one machine: a pair of DuckDB files
lake        the engine past it: a DuckLake, whose `catalogue` is a database, its files in a `storage`; `maintaining` it
models/     `dbt_like_sql`: its headers, what it makes, its checks, its lineage
"""

from datetime import timedelta
from functools import cache
from pathlib import Path

from hem_etl.settings import Engine, Settings
from hem_etl.warehouse.catalogue import Catalogue, PostgresCatalogue, SqliteCatalogue
from hem_etl.warehouse.files import WRITERS_PATIENCE, FileWarehouse
from hem_etl.warehouse.lake import LakeWarehouse
from hem_etl.warehouse.models import Check, CheckResult, Column, Model, Models, load_models
from hem_etl.warehouse.models.own import OwnModels, load_own
from hem_etl.warehouse.protocol import NOTHING_TO_MAINTAIN, Description, Maintained, Warehouse
from hem_etl.warehouse.rows import EVERYTHING, Asked, Reader, Writer
from hem_etl.warehouse.storage import storage_of

__all__ = [
    "EVERYTHING",
    "NOTHING_TO_MAINTAIN",
    "Asked",
    "Check",
    "CheckResult",
    "Column",
    "Description",
    "FileWarehouse",
    "LakeWarehouse",
    "Maintained",
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
    """The warehouse that the settings describe; nothing is opened until it is needed. SettingsError: they lack one."""
    if settings.warehouse is Engine.LAKE:
        return _open_lake(settings)
    return FileWarehouse(settings.work, settings.database)


def _open_lake(settings: Settings) -> LakeWarehouse:
    address, data = settings.lake()
    catalogue: Catalogue
    if (postgres := settings.shared_postgres) is not None:
        catalogue = PostgresCatalogue(postgres, WRITERS_PATIENCE)
    else:
        catalogue = SqliteCatalogue(Path(address.get_secret_value()).absolute(), WRITERS_PATIENCE)
    return LakeWarehouse(catalogue, storage_of(settings, data), timedelta(days=settings.lake_keep_days), settings.work)


@cache
def packaged_models() -> Models:
    """The models that come with the package: they do not change while a process lives."""
    return load_models()
