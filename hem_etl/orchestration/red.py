"""What is red, over all runs: the intervals whose last look ended in no known outcome, with why and what to type."""

import shlex
from typing import Final

import dagster as dg
import polars as pl

from hem_etl.facts import red_intervals
from hem_etl.orchestration.sql_checks import model_key
from hem_etl.orchestration.tables import markdown
from hem_etl.warehouse import Warehouse

RED_CHECK: Final = dg.AssetCheckKey(model_key("marts.gaps"), "no_partition_is_red")
"""Not of day_statistics: its runs would plan the check and skip it, and Dagster would forget what it had found."""


def red_partitions(warehouse: Warehouse) -> dg.AssetCheckResult:
    """The evaluation of RED_CHECK by the published file."""
    rows = red_intervals(warehouse)
    commands = [explain_command(row["system_id"], row["interval"]) for row in rows.iter_rows(named=True)]
    rows = rows.with_columns(explain=pl.Series(commands, dtype=pl.String))
    return dg.AssetCheckResult(
        passed=rows.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "intervals": rows.height,
            "systems": rows["system_id"].n_unique(),
            "red": markdown(rows.columns, rows.rows()),
        },
    )


def explain_command(system_id: str, label: str) -> str:
    """What to type to see more. Months have no page of their own: their first day's tells of both."""
    return shlex.join(["hem-etl", "explain", system_id, label if len(label) > len("2026-03") else f"{label}-01"])
