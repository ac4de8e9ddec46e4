"""The SQL checks as Dagster shows them: at which asset, and what was found."""

from typing import Any

import dagster as dg

from hem_etl.facts import FailingRows
from hem_etl.orchestration.tables import markdown
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import Check, CheckResult, Models


def model_key(relation: str) -> dg.AssetKey:
    """`marts.daily_energy` → `marts/daily_energy`."""
    return dg.AssetKey(relation.split("."))


def checked_key(check: Check, models: Models) -> dg.AssetKey:
    """The asset that a check is shown at: the model that its name begins with, else the last one that it reads."""
    order = [model.relation for model in (*models.tables, *models.views)]
    named = [name for name in check.references if check.name.startswith(name.partition(".")[2])]
    return model_key(max(named or check.references, key=lambda name: (len(name) if named else 0, order.index(name))))


def evaluate(result: CheckResult, asset: dg.AssetKey, rows: FailingRows | None) -> dg.AssetCheckResult:
    """What a check found at an asset, for its page; with the rows that fail, where they are published."""
    metadata: dict[str, Any] = {"failing_rows": result.failing_rows}
    if rows is not None:
        metadata["rows"] = markdown(rows.names, rows.rows)
    elif result.sample:
        metadata["rows"] = result.sample
    return dg.AssetCheckResult(
        passed=not result.failing_rows,
        check_name=result.name,
        asset_key=asset,
        severity=dg.AssetCheckSeverity.ERROR if result.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
