"""Which source fed which use: the flows of a bucket, attributed in the order that Home Assistant uses.

Comparable with what people see there, but for what is missing: a missing input gives NULL here, where Home Assistant
takes it for 0. Made per native bucket and only then summed; on totals of a day the answer would be another.
"""

from typing import Final

import polars as pl

ATTRIBUTION_INPUTS: Final = ("generation", "grid_import", "grid_export", "battery_charge", "battery_discharge")
"""The load is not among them: it is what these five leave, so that the parts always sum to their whole."""

ATTRIBUTED_FLOWS: Final = (
    "used_solar",
    "used_battery",
    "used_grid",
    "used_total",
    "solar_to_battery",
    "solar_to_grid",
    "grid_to_battery",
    "battery_to_grid",
)
"""used_solar + used_battery + used_grid = used_total; used_solar + solar_to_battery + solar_to_grid = generation."""


def with_attributed_flows(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds ATTRIBUTED_FLOWS (in the unit of the inputs) to rows that have ATTRIBUTION_INPUTS as columns.

    NULL where one of the five is. A negative input counts as 0 here; the rule `negative` flags it. The steps are those
    of formulas: flow attribution, 1 to 8.
    """
    solar, imported, exported, charged, discharged = (f"_{name}" for name in ATTRIBUTION_INPUTS)
    is_whole = pl.all_horizontal(pl.col(name).is_not_null() for name in ATTRIBUTION_INPUTS)

    def least(one: pl.Expr, other: pl.Expr) -> pl.Expr:
        # min_horizontal leaves NULLs out; both are NULL or neither is
        return pl.min_horizontal(one, other)

    return (
        rows.with_columns(
            pl.when(is_whole).then(pl.col(name).clip(lower_bound=0)).alias(f"_{name}") for name in ATTRIBUTION_INPUTS
        )
        .with_columns(
            used_total=(
                pl.col(imported) + pl.col(solar) + pl.col(discharged) - pl.col(exported) - pl.col(charged)
            ).clip(lower_bound=0)
        )
        .with_columns(
            _first=least(pl.col(charged), pl.col(imported) - pl.col("used_total")).clip(lower_bound=0),
        )
        .with_columns(solar_to_battery=least(pl.col(solar), pl.col(charged) - pl.col("_first")))
        .with_columns(solar_to_grid=least(pl.col(solar) - pl.col("solar_to_battery"), pl.col(exported)))
        .with_columns(
            battery_to_grid=least(pl.col(discharged), pl.col(exported) - pl.col("solar_to_grid")),
            grid_to_battery=pl.col("_first")
            + least(
                pl.col(imported) - pl.col("_first"), pl.col(charged) - pl.col("_first") - pl.col("solar_to_battery")
            ),
            used_solar=least(
                pl.col("used_total"), pl.col(solar) - pl.col("solar_to_battery") - pl.col("solar_to_grid")
            ),
        )
        .with_columns(
            used_battery=least(
                pl.col(discharged) - pl.col("battery_to_grid"), pl.col("used_total") - pl.col("used_solar")
            )
        )
        .with_columns(
            used_grid=least(
                pl.col("used_total") - pl.col("used_solar") - pl.col("used_battery"),
                pl.col(imported) - pl.col("grid_to_battery"),
            )
        )
        .drop(f"_{name}" for name in (*ATTRIBUTION_INPUTS, "first"))
    )
