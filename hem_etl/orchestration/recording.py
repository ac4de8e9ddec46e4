"""Recording: what a run did, as Dagster's events: a materialisation for each partition, one summary for the run.

Good partitions are recorded here, in batches, and the asset yields no result of its own: `add_asset_metadata` checks
each key against all keys of the run (measured: 38–90 s for 1,000), and a result would turn failed partitions green.
Where some failed, the run fails, which leaves exactly those.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from hem_etl.answer import Key
from hem_etl.facts import IntervalFigures, failing_rows, read_interval_figures, summed
from hem_etl.local_day import Interval
from hem_etl.orchestration.red import RED_CHECK, explain_command, red_partitions
from hem_etl.orchestration.sql_checks import checked_key, evaluate
from hem_etl.orchestration.tables import markdown
from hem_etl.pipeline import RunReport
from hem_etl.pipeline.ledger import Entry
from hem_etl.vocabulary import FAILED_OUTCOMES
from hem_etl.warehouse import CheckResult, Warehouse, packaged_models

ROWS_SHOWN: Final = 20
FAILURES_OBSERVED: Final = 200

Members = Mapping[Key, dg.MultiPartitionKey]
Metadata = dict[str, Any]


def record_partitions(
    context: dg.AssetExecutionContext, report: RunReport, members: Members, warehouse: Warehouse
) -> None:
    """Success for each partition whose intervals all have a known outcome; dg.Failure when others have not.

    A partition that failed gets an observation with outcome and reason, which its page shows and which leaves it red.
    """
    entries = report.gone | report.entries
    by_key: dict[dg.MultiPartitionKey, list[Key]] = {}
    for member, key in members.items():
        by_key.setdefault(key, []).append(member)
    failed = {members[member] for member, entry in report.entries.items() if entry.outcome in FAILED_OUTCOMES}
    waiting = {key for key, group in by_key.items() if not any(member in entries for member in group)}
    good = [key for key in by_key if key not in failed | waiting]
    figures = read_published_figures(warehouse, report, entries)
    context.log_event(
        dg.AssetObservation(asset_key=context.asset_key, metadata=run_metadata(report, figures), description="this run")
    )
    if waiting:
        context.log.info(
            f"{len(waiting)} partitions have not begun locally, or their systems are not known: left as they are"
        )
    record_materializations(
        context,
        (
            dg.AssetMaterialization(
                context.asset_key, partition=key, metadata=partition_metadata(by_key[key], entries, figures)
            )
            for key in good
        ),
    )
    if report.published:
        record_checks(context.instance, report.checks, report.changed_checks, warehouse)
    if failed:
        _observe_failures(context, report, members)
        raise dg.Failure(
            f"{len(failed)} of {len(by_key)} partitions failed: {first_failures(report)}. The others are loaded"
            f"{' and published' if report.published else ''}. Failed ones are asked again by late_data, by a "
            "re-execution of this run, or by a backfill of failed and missing partitions.",
            metadata={"failed": failed_table(report)},
            allow_retries=False,
        )


def read_published_figures(
    warehouse: Warehouse, report: RunReport, intervals: Iterable[Key]
) -> Mapping[Key, IntervalFigures]:
    """Their figures; none where readers, and we, still see those of before the run."""
    return read_interval_figures(warehouse, intervals) if report.published else {}


def _observe_failures(context: dg.AssetExecutionContext, report: RunReport, members: Members) -> None:
    """What went wrong, at each partition: of very many the first ones, the run's table has the others."""
    for row in [row for row in report.failed if (row["system_id"], Interval.parse(row["interval"])) in members][
        :FAILURES_OBSERVED
    ]:
        context.log_event(
            dg.AssetObservation(
                asset_key=context.asset_key,
                partition=members[row["system_id"], Interval.parse(row["interval"])],
                description=f"failed: {row['outcome']}: {row['detail'] or 'no reason given'}",
                metadata={
                    "outcome": row["outcome"],
                    "detail": row["detail"] or "",
                    "system_id": row["system_id"],
                    "explain": explain_command(row["system_id"], row["interval"]),
                },
            )
        )


def first_failures(report: RunReport, most: int = 3) -> str:
    """The first failures with their reasons, in one line."""
    reasons = [
        f"{row['interval']} of {row['system_id']} {row['outcome']} ({row['detail']})" for row in report.failed[:most]
    ]
    more = len(report.failed) - most
    return "; ".join(reasons) + (f"; and {more} more" if more > 0 else "")


def record_checks(
    instance: dg.DagsterInstance, results: Iterable[CheckResult], changed: Collection[str], warehouse: Warehouse
) -> None:
    """Put on the pages of checks what a publish found: those that do not hold, those that changed, and what is red."""
    models = packaged_models()
    noteworthy = [result for result in results if result.failing_rows or result.name in changed]
    rows = failing_rows(warehouse, noteworthy)
    evaluations = [
        (asset, result.name, evaluate(result, asset, rows.get(result.name)))
        for result in noteworthy
        for asset in [checked_key(models.check(result.name), models)]
    ]
    for asset_key, name, found in [*evaluations, (RED_CHECK.asset_key, RED_CHECK.name, red_partitions(warehouse))]:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=asset_key,
                check_name=name,
                passed=bool(found.passed),
                severity=found.severity,
                metadata=found.metadata,
            )
        )


def record_materializations(
    context: dg.AssetExecutionContext, materializations: Iterable[dg.AssetMaterialization]
) -> None:
    """Store them as one batch. `context.log_event` would store one after the other, ten times slower."""
    step = context.op_execution_context.get_step_execution_context()
    batch, pending = uuid4().hex, list(materializations)
    for number, materialization in enumerate(pending, start=1):
        DagsterEvent.asset_materialization(
            step, materialization, DagsterEventBatchMetadata(batch, is_end=number == len(pending))
        )


def partition_metadata(
    group: Sequence[Key], entries_by_interval: Mapping[Key, Entry], figures: Mapping[Key, Metadata]
) -> Metadata:
    """One system: its outcome and numbers. A bucket of systems: counts by outcome, and sums."""
    entries = [entries_by_interval[member] for member in group if member in entries_by_interval]
    if len(group) == 1:
        entry = entries[0]
        facts = {
            "outcome": str(entry.outcome),
            "state": str(entry.state),
            "version": entry.version,
            "requests": entry.attempts,
            "detail": entry.detail,
        }
        return {name: value for name, value in facts.items() if value is not None} | figures.get(group[0], {})
    outcomes: dict[str, int] = {}
    for entry in entries:
        outcomes[str(entry.outcome)] = outcomes.get(str(entry.outcome), 0) + 1
    return {"systems": len(entries), "outcomes": outcomes} | summed(
        figures[member] for member in group if member in figures
    )


def run_metadata(report: RunReport, figures: Mapping[Key, Metadata]) -> Metadata:
    """The numbers of a whole run."""
    facts: Metadata = {
        "systems": report.fleet_size,
        "asked": report.asked,
        "not_due": report.not_due,
        "not_begun": report.not_begun,
        "requests": report.requests,
        "megabytes": report.body_bytes / 1e6,
        "seconds": report.seconds,
        "rows": report.rows,
        "new_days": report.new_days,
        "changed_days": report.changed_days,
        "unchanged": report.unchanged,
        "changed_partitions": len(report.changed),
        "failed": len(report.failed),
        "outcomes": dg.MetadataValue.json(report.outcomes),
    } | summed(figures.values())
    if report.list_failure:
        facts["list_failure"] = report.list_failure
    if report.failed:
        facts["failed_intervals"] = failed_table(report)
    if report.warnings:
        facts["plausibility"] = markdown(
            ["check that does not hold", "rows", "for example"],
            [(w.name, w.failing_rows, w.sample) for w in report.warnings],
        )
    return facts


def failed_table(report: RunReport) -> dg.MarkdownMetadataValue:
    """The intervals that failed, with why."""
    rows = [tuple(row[name] for name in ("system_id", "interval", "outcome", "detail")) for row in report.failed]
    return markdown(["system", "interval", "outcome", "detail"], rows)
