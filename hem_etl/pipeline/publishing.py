"""Publishing: models built, checks run, and readers get what the tables then hold. When to, is the road's business."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from hem_etl.errors import ModelError, StructuralCheckError
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import CheckResult, Models, Warehouse, Writer

LOG = logging.getLogger(__name__)

RESULT_SCHEMA: Final = pl.Schema(
    {
        "check_name": pl.String(),
        "severity": pl.String(),
        "failing_rows": pl.Int64(),
        "sample": pl.String(),
        "at_utc": pl.Datetime("us"),
        "scope": pl.String(),
    }
)
"""The columns of `core.check_result`."""
CHANGED_DAYS: Final = """
select system_id, day from core.change where day is not null
union
select system_id, day from core.load semi join (from core.change where day is null) as whole using (system_id)
union
select system_id, day from core.reported_day semi join (from core.change where day is null) as whole using (system_id)
"""
PROVED_SINCE: Final = """
with newest as (
    select check_name, max(at_utc) as at_utc
    from core.check_result
    semi join checks using (check_name)
    where scope = 'all'
    group by check_name
)

select min(at_utc) from newest
"""
"""Of the checks there are now: one that is no more proves nothing, however long ago it ran."""
WHOLE_EVERY: Final = timedelta(hours=20)
"""How long it suffices to look at what changed; then every check is run on all of history again."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish found."""

    checks: list[CheckResult]
    changed_checks: frozenset[str]
    """Names of those that found another number of rows than the time before."""
    own_problem: str | None
    """Why a user's own models are left out, in one line."""


def publish(
    writer: Writer, models: Models, now: datetime, *, own: Path | None = None, is_whole: bool = True
) -> Published:
    """Build, check, publish.

    is_whole: whether all of history is built and checked, else where it suffices what changed since the last publish.
    own: a user's folder of models (HEM_ETL_MODELS). What is wrong with it is told in one line of the log and leaves the
    schema `own` away; ours is published all the same.

    Raises StructuralCheckError; then nothing is published and the last good file stays.
    """
    writer.create_tables(models)
    before = {result.name: result.failing_rows for result in writer.newest_results()}
    if is_whole or _must_be_whole(writer, models, now):
        writer.build(models)
        results = writer.run_checks(models)
    else:
        results = _build_and_check_what_changed(writer, models, before)
    rows = [(r.name, r.severity.value, r.failing_rows, r.sample, now, r.scope) for r in results]
    found = pl.DataFrame(rows, schema=RESULT_SCHEMA, orient="row")
    writer.replace("core.check_result", found, keys=found.select("check_name", "at_utc"))
    if failures := [(r.name, r.failing_rows, r.sample or "") for r in results if _is_failure(r)]:
        raise StructuralCheckError(failures)
    writer.remember_checks(models)
    own_problem = _make_own(writer, own, models)
    writer.publish()
    changed = frozenset(r.name for r in results if before.get(r.name) != r.failing_rows)
    return Published(results, changed, own_problem)


def _must_be_whole(writer: Writer, models: Models, now: datetime) -> bool:
    """Whether anything may have changed, or nobody has looked at all of it for long."""
    if not writer.is_made_of(models) or writer.changes()["system_id"].null_count():
        return True
    checks = pl.DataFrame({"check_name": [check.name for check in models.checks]})
    proved_since = writer.read(PROVED_SINCE, checks=checks).item()
    return proved_since is None or not timedelta(0) <= now - proved_since < WHOLE_EVERY  # a clock may have run ahead


def _build_and_check_what_changed(writer: Writer, models: Models, before: Mapping[str, int]) -> list[CheckResult]:
    """Local checks on what changed, the others on everything; so too what failed, until it holds everywhere again."""
    local = [check for check in models.checks if check.local_to and before.get(check.name) == 0]
    with writer.changed(models, writer.read(CHANGED_DAYS)) as changed:
        changed.build()
        on_changed = {r.name: r for r in changed.run_checks(local)}
    holds = {name for name, result in on_changed.items() if not result.failing_rows}
    whole = {r.name: r for r in writer.run_checks(models, [c for c in models.checks if c.name not in holds])}
    return [whole.get(check.name) or on_changed[check.name] for check in models.checks]


def published_results(
    writer: Writer, warehouse: Warehouse, models: Models, own: Path | None = None
) -> list[CheckResult] | None:
    """What the checks found at the last publish, where publishing again would show readers nothing new; else None."""
    is_made = writer.is_made_of(models) and writer.is_own_made(own)
    if not warehouse.is_current() or not is_made or not writer.changes().is_empty():
        return None
    results = {result.name: result for result in writer.newest_results()}
    if not all(check.name in results for check in models.checks):
        return None
    of_now = [results[check.name] for check in models.checks]
    return None if any(map(_is_failure, of_now)) else of_now


def _make_own(writer: Writer, folder: Path | None, models: Models) -> str | None:
    """The schema of a user's own models, anew; what is wrong with them, in one line, else None."""
    try:
        found = writer.make_own(folder, models)
    except (ModelError, OSError) as error:
        problem = " ".join(str(error).split())
        LOG.warning("own models are left out, schema own is empty until they are mended: %s", problem)
        return problem
    for result in found:
        if result.failing_rows:
            LOG.warning("own check %s does not hold: %d rows, e.g. %s", result.name, result.failing_rows, result.sample)
    return None


def _is_failure(result: CheckResult) -> bool:
    return result.severity is Severity.ERROR and result.failing_rows > 0
