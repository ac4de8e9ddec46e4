"""Publishing: models built, checks run, and readers get what the tables then hold. When to, is the road's business."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from hem_etl.errors import StructuralCheckError
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import CheckResult, Models, Warehouse, Writer

RESULT_SCHEMA: Final = pl.Schema(
    {
        "check_name": pl.String(),
        "severity": pl.String(),
        "failing_rows": pl.Int64(),
        "sample": pl.String(),
        "at_utc": pl.Datetime("us"),
    }
)
"""The columns of `core.check_result`."""
NEWEST_RESULTS: Final = """
from core.check_result qualify row_number() over (partition by check_name order by at_utc desc) = 1
"""


def publish(writer: Writer, models: Models, now: datetime) -> tuple[list[CheckResult], frozenset[str]]:
    """What the checks found, and the names of those that found another number of rows than the time before.

    Raises StructuralCheckError; then nothing is published and the last good file stays.
    """
    writer.create_tables(models)
    writer.build(models)
    before = {result.name: result.failing_rows for result in _newest_results(writer)}
    results = writer.run_checks(models)
    rows = [(r.name, r.severity.value, r.failing_rows, r.sample, now) for r in results]
    found = pl.DataFrame(rows, schema=RESULT_SCHEMA, orient="row")
    writer.replace("core.check_result", found, keys=found.select("check_name", "at_utc"))
    if failures := [(r.name, r.failing_rows, r.sample or "") for r in results if _is_failure(r)]:
        raise StructuralCheckError(failures)
    writer.remember_checks(models)
    writer.publish()
    return results, frozenset(r.name for r in results if before.get(r.name) != r.failing_rows)


def published_results(writer: Writer, warehouse: Warehouse, models: Models) -> list[CheckResult] | None:
    """What the checks found at the last publish, where publishing again would show readers nothing new; else None."""
    if not warehouse.is_current() or not writer.is_made_of(models) or not writer.changes().is_empty():
        return None
    results = {result.name: result for result in _newest_results(writer)}
    if not all(check.name in results for check in models.checks):
        return None
    of_now = [results[check.name] for check in models.checks]
    return None if any(map(_is_failure, of_now)) else of_now


def _newest_results(writer: Writer) -> Sequence[CheckResult]:
    rows = writer.read(NEWEST_RESULTS).select("check_name", "severity", "failing_rows", "sample").iter_rows()
    return [CheckResult(name, Severity(severity), failing, sample) for name, severity, failing, sample in rows]


def _is_failure(result: CheckResult) -> bool:
    return result.severity is Severity.ERROR and result.failing_rows > 0
