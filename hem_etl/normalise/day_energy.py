"""The sums of a day: energy, attributed flows, both sides of the balance, peaks, state of charge.

Each day is added up in the order of time and by itself, so its numbers are the same to the last bit in every batch.
"""

from typing import Final

import polars as pl

from hem_etl.normalise.buckets import IS_AVAILABLE, bucket_minutes, is_on_grid
from hem_etl.normalise.frames import DAY_ENERGY_SCHEMA, DAY_TOTALS_SCHEMA, Days, gated
from hem_etl.normalise.quarters import quarter_hours, valid_rows
from hem_etl.vocabulary import ATTRIBUTED_FLOWS, ATTRIBUTION_INPUTS, FLOWS, QUARTER_HOUR_MINUTES, SOC, Outcome

PARTNERS: Final = {
    "generation": "grid_export",
    "grid_export": "generation",
    "consumption": "grid_import",
    "grid_import": "consumption",
    "battery_charge": "battery_discharge",
    "battery_discharge": "battery_charge",
}
"""The flow that each is compared with in a simple ratio: only quarter hours that both cover whole may enter it."""

SAME_POWER_KW: Final = 1e-9
"""Powers that differ by no more are one power."""

_DAY: Final = ("system_id", "day")


def summed(days: Days) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `quarter_hours` makes of the days, and what `day_energy` makes of both."""
    rows = valid_rows(days)
    quarters = quarter_hours(days, rows)
    return quarters, day_energy(days, quarters, rows)


def day_energy(days: Days, quarters: pl.DataFrame, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """core.day_energy: one row for each day that has readings. A sum of nothing is NULL, never 0.

    quarters: what `quarter_hours` makes of the same days. rows: what `valid_rows` makes of them, where that is made.
    """
    native = _from_native_rows(days, valid_rows(days) if rows is None else rows)
    return gated(
        _from_quarters(quarters)
        .join(native, on=_DAY, how="left", validate="1:1", maintain_order="left")
        .select(DAY_ENERGY_SCHEMA.names()),
        DAY_ENERGY_SCHEMA,
        key=_DAY,
    )


def day_totals(days: Days, energy: pl.DataFrame) -> pl.DataFrame:
    """Energy and coverage of each day read. NULL coverage: the flow is not available; NULL energy: nothing is valid.

    energy: what `day_energy` makes of the same days.
    """
    available = days.series.filter(IS_AVAILABLE)
    covered = available.group_by(_DAY).agg(
        pl.col("valid_minutes").filter(pl.col("metric") == flow).first().alias(f"{flow}_coverage") for flow in FLOWS
    )
    totals = (
        days.days.filter(pl.col("outcome") != Outcome.UNREADABLE)
        .select(*_DAY, "day_hours")
        .join(energy, on=_DAY, how="left", validate="1:1", maintain_order="left")
        .join(covered, on=_DAY, how="left", validate="1:1", maintain_order="left")
        .with_columns(pl.col(f"{flow}_coverage") / 60 / pl.col("day_hours") for flow in FLOWS)
        .select(DAY_TOTALS_SCHEMA.names())
    )
    return gated(totals, DAY_TOTALS_SCHEMA, key=_DAY)


def with_attributed_flows(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds ATTRIBUTED_FLOWS (in the unit of the inputs) to rows that have ATTRIBUTION_INPUTS as columns.

    Which source fed which use, in the order that Home Assistant takes them: comparable with what people see there, but
    for what is missing, which is NULL here and 0 there. Made per native bucket and only then summed: on totals of a
    day the answer would be another. NULL where one of the five is. A negative input counts as 0 here; the rule
    `negative` flags it. The steps are those of formulas: flow attribution, 1 to 8.
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


def _from_quarters(quarters: pl.DataFrame) -> pl.DataFrame:
    """Energy, balance, pairs and peaks: sums and maxima of quarter hours."""
    is_whole = {flow: pl.col(f"{flow}_minutes") >= QUARTER_HOUR_MINUTES for flow in FLOWS}
    summed = [f"{flow}_kwh" for flow in FLOWS] + ["balance_sources_kwh", "balance_sinks_kwh"]
    paired = [f"paired_{flow}_kwh" for flow in FLOWS]
    # equal means of different numbers of buckets differ in their last bit: the first of equal peaks is meant
    import_peak = pl.col("grid_import_kw").max() - pl.col("grid_import_kw") <= SAME_POWER_KW
    return (
        quarters.with_columns(
            pl.when(is_whole[flow] & is_whole[PARTNERS[flow]]).then(f"{flow}_kwh").alias(f"paired_{flow}_kwh")
            for flow in FLOWS
        )
        .group_by(_DAY, maintain_order=True)
        .agg(
            *_lists((*summed, *paired)),
            *(pl.col(f"{flow}_kw").max().alias(f"{flow}_peak_kw") for flow in FLOWS),
            grid_import_peak_at_utc=pl.col("start_utc").filter(import_peak).first(),
            grid_import_peak_at_local=pl.col("start_local").filter(import_peak).first(),
        )
        .with_columns(_sums((*summed, *paired)))
    )


def _from_native_rows(days: Days, rows: pl.DataFrame) -> pl.DataFrame:
    """Attributed flows, state of charge and the load's first bucket: what only native buckets can tell."""
    steps = [pl.col(f"step_{flow}") for flow in ATTRIBUTION_INPUTS]
    is_common = pl.all_horizontal(step == steps[0] for step in steps).fill_null(False)  # NULL: a flow is not available
    on_grid = is_common & is_on_grid(pl.col("start"), steps[0], pl.col("day_start"))

    def minutes(step: pl.Expr) -> pl.Expr:
        return bucket_minutes(pl.col("start"), step, pl.col("day_end"))

    energies = [f"{name}_kwh" for name in ATTRIBUTED_FLOWS]
    first_load = pl.col("consumption") * minutes(pl.col("step_consumption")) / 60
    soc = pl.col(SOC).drop_nulls()
    return (
        rows.with_columns(made="generation", used="consumption")
        .with_columns(pl.when(on_grid).then(pl.col(name)).alias(name) for name in ATTRIBUTION_INPUTS)
        .with_columns(attributed_minutes=minutes(steps[0]))
        .pipe(with_attributed_flows)
        .with_columns(
            (pl.col(name) * pl.col("attributed_minutes") / 60).alias(f"{name}_kwh") for name in ATTRIBUTED_FLOWS
        )
        .group_by("day_ix", maintain_order=True)
        .agg(
            *_lists(energies),
            pl.when(is_common.first()).then(
                pl.col("attributed_minutes").filter(pl.col("used_total").is_not_null()).sum().cast(pl.Int32)
            ),
            soc_first_pct=soc.first(),
            soc_last_pct=soc.last(),
            soc_min_pct=soc.min(),
            soc_max_pct=soc.max(),
            consumption_first_bucket_kwh=first_load.filter(pl.col("start") == pl.col("day_start")).first(),
            generation_bucket_peak_kw=pl.col("made").max(),
            consumption_bucket_peak_kw=pl.col("used").max(),
        )
        .with_columns(_sums(energies))
        .join(
            days.days.select(*_DAY).with_row_index("day_ix"),
            on="day_ix",
            how="left",
            validate="1:1",
            maintain_order="left",
        )
    )


def _lists(names: tuple[str, ...] | list[str]) -> list[pl.Expr]:
    return [pl.col(name).drop_nulls() for name in names]


def _sums(names: tuple[str, ...] | list[str]) -> list[pl.Expr]:
    return [pl.when(pl.col(name).list.len() > 0).then(pl.col(name).list.sum()).alias(name) for name in names]
