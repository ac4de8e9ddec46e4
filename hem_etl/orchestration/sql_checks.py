"""The SQL checks as Dagster shows them: at which asset, and what was found."""

from functools import cache
from typing import Any

import dagster as dg
import duckdb

from hem_etl import sql_models
from hem_etl.orchestration.tables import markdown
from hem_etl.sql_models import Check, CheckResult, Models
from hem_etl.vocabulary import Severity


def model_key(relation: str) -> dg.AssetKey:
    """`marts.daily_energy` → `marts/daily_energy`."""
    return dg.AssetKey(relation.split("."))


@cache
def packaged_models() -> Models:
    """The models that come with the package."""
    return sql_models.load_models()


def checked_key(check: Check, models: Models) -> dg.AssetKey:
    """The asset that a check is shown at: the model that its name begins with, else the last one that it reads."""
    order = [model.relation for model in (*models.tables, *models.views)]
    named = [name for name in check.references if check.name.startswith(name.partition(".")[2])]
    return model_key(max(named or check.references, key=lambda name: (len(name) if named else 0, order.index(name))))


def evaluate(result: CheckResult, models: Models, connection: duckdb.DuckDBPyConnection | None) -> dg.AssetCheckResult:
    """What a check found, for its page; with `connection` the rows that fail."""
    metadata: dict[str, Any] = {"failing_rows": result.failing_rows}
    if result.failing_rows and connection is not None:
        metadata["rows"] = markdown(*sql_models.rows(connection, models, result.name))
    elif result.sample:
        metadata["rows"] = result.sample
    return dg.AssetCheckResult(
        passed=not result.failing_rows,
        check_name=result.name,
        asset_key=checked_key(models.check(result.name), models),
        severity=dg.AssetCheckSeverity.ERROR if result.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
