"""The common 15-minute grid, made from the valid native buckets.

A quarter hour counts from the day's first instant. A native bucket gives each quarter hour the share of its energy
that lies in it: one rule for 5, 15, 20 and 60 minutes alike, so the sum over the day is that of the native buckets.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from hem_etl.normalise.axes import MINUTE_US, Calendar, calendars_of, with_bounds, with_local_time
from hem_etl.normalise.buckets import IS_AVAILABLE, bucket_end, is_on_grid, valid
from hem_etl.normalise.frames import DAY_KEY, METRIC_COLUMNS, QUARTER_SCHEMA, Days, day_numbers, gated
from hem_etl.vocabulary import BALANCE_SIDES, FLOWS, METRICS, QUARTER_HOUR_MINUTES, SOC

_QUARTER_US: Final = QUARTER_HOUR_MINUTES * MINUTE_US
_ENERGY: Final = {**{flow: flow for flow in FLOWS}, "sources": "balance_sources", "sinks": "balance_sinks"}
_SUMMED: Final = tuple(_ENERGY)
_HOUR: Final = 1 / 60
"""Minutes × this = hours; `core.interval_15min` multiplies by the same number, to the same last bit."""


def quarter_hours(days: Days, rows: pl.DataFrame | None = None) -> pl.DataFrame:
    """QUARTER_SCHEMA: every quarter hour of the local day that a row of `readings` reaches into.

    Energy, minutes and balance come from valid buckets only; kw and kwh are NULL where there is none, minutes are 0
    there, and NULL where the metric is not available that day. The state of charge is that of the last valid bucket
    that reaches in. rows: what `valid_rows` makes of the same days, where that is made already.
    """
    calendars = calendars_of(days.days)
    grid = _grid(days, calendars)
    if rows is None:
        rows = valid_rows(days)
    fine = rows.filter("is_fine").pipe(_from_fine_buckets)
    coarse = rows.filter(~pl.col("is_fine")).pipe(_from_any_buckets)
    quarters = (
        pl.concat([fine, coarse])
        .sort("day_ix", "quarter")
        .join(grid, on="day_ix", how="left", validate="m:1", maintain_order="left")
        .with_columns(start=pl.col("day_start") + pl.col("quarter").cast(pl.Int64) * _QUARTER_US, calendar_ix="day_ix")
        .pipe(with_local_time, calendars)
        .with_columns(
            # an available metric without a valid bucket covers 0 minutes: known, not assumed
            pl.when(pl.col(f"step_{flow}").is_not_null())
            .then(pl.col(f"{flow}_minutes").fill_null(0.0))
            .alias(f"{flow}_minutes")
            for flow in FLOWS
        )
        .with_columns((pl.col(f"{name}_kwmin") * _HOUR).alias(f"{name}_kwh") for name in _ENERGY.values())
        .with_columns(
            (pl.col(f"{flow}_kwh") / (pl.col(f"{flow}_minutes") * _HOUR)).alias(f"{flow}_kw") for flow in FLOWS
        )
        .select(QUARTER_SCHEMA.names())
    )
    return gated(quarters, QUARTER_SCHEMA, key=(*DAY_KEY, "start_utc"))


def _grid(days: Days, calendars: Sequence[Calendar]) -> pl.DataFrame:
    """Per row of `days`: day_ix, its bounds, step_<metric> (minutes, NULL where not available), is_fine, balance_step.

    Fine means that no bucket reaches beyond its quarter hour. Flows balance on a common grid only: balance_step is
    its length.
    """
    steps = (
        days.series.filter(IS_AVAILABLE)
        .group_by(DAY_KEY)
        .agg(
            pl.col("resolution_minutes").filter(pl.col("metric") == metric).first().alias(f"step_{metric}")
            for metric in METRICS
        )
    )
    step = [pl.col(f"step_{metric}") for metric in METRICS]
    flow_steps = [pl.col(f"step_{flow}") for flow in FLOWS]
    length = pl.col("day_end") - pl.col("day_start")
    return (
        days.days.select(DAY_KEY)
        .with_row_index("day_ix")
        .pipe(with_bounds, calendars)
        .join(steps, on=DAY_KEY, how="left", validate="1:1", maintain_order="left")
        .with_columns(
            is_fine=pl.all_horizontal((QUARTER_HOUR_MINUTES % minutes == 0).fill_null(True) for minutes in step)
            & (length % _QUARTER_US == 0),
            balance_step=pl.when(pl.all_horizontal(minutes == flow_steps[0] for minutes in flow_steps)).then(
                flow_steps[0]
            ),
        )
    )


def valid_rows(days: Days) -> pl.DataFrame:
    """The rows of `readings`, in their order: day_ix, start, bounds and steps of their days, and only valid values.

    Per metric (kW, %), and sources and sinks where all six flows are valid.
    """
    grid = _grid(days, calendars_of(days.days))
    day_ix = day_numbers(days.readings, days.days)
    balances = pl.col("balance_step").is_not_null() & pl.all_horizontal(pl.col(flow).is_not_null() for flow in FLOWS)
    return days.readings.select(
        *(pl.lit(column.gather(day_ix)) for column in grid.drop(DAY_KEY).iter_columns()),
        start=pl.col("start_utc").dt.timestamp("us"),
        **{flow: valid(flow, days.over_limit_kw) for flow in FLOWS},
        soc=METRIC_COLUMNS[SOC],
    ).with_columns(
        sources=pl.when(balances).then(pl.sum_horizontal(BALANCE_SIDES["balance_sources"])),
        sinks=pl.when(balances).then(pl.sum_horizontal(BALANCE_SIDES["balance_sinks"])),
    )


def _from_fine_buckets(rows: pl.DataFrame) -> pl.DataFrame:
    """Quarter hours of days whose buckets all lie within one: energy is a sum times a length."""
    return (
        rows.with_columns(quarter=(pl.col("start") - pl.col("day_start")) // _QUARTER_US)
        .group_by("day_ix", "quarter", maintain_order=True)
        .agg(
            *(pl.col(f"step_{flow}").first() for flow in FLOWS),
            pl.col("balance_step").first(),
            *(pl.col(name).sum() for name in _SUMMED),
            *(pl.col(name).count().alias(f"{name}_count") for name in _SUMMED),
            pl.col("soc").drop_nulls().last(),
        )
        .select(
            "day_ix",
            "quarter",
            *(
                _energy(pl.col(name) * _step_of(name), pl.col(f"{name}_count")).alias(f"{_ENERGY[name]}_kwmin")
                for name in _SUMMED
            ),
            *((pl.col(f"{flow}_count") * _step_of(flow)).cast(pl.Float64).alias(f"{flow}_minutes") for flow in FLOWS),
            soc_pct="soc",
        )
    )


def _energy(kwmin: pl.Expr, count: pl.Expr) -> pl.Expr:
    return pl.when(count > 0).then(kwmin)


def _step_of(name: str) -> pl.Expr:
    return pl.col("balance_step" if name in ("sources", "sinks") else f"step_{name}")


def _from_any_buckets(rows: pl.DataFrame) -> pl.DataFrame:
    """Quarter hours of the other days: each bucket is cut at the quarter hours' bounds (and at the day's end)."""
    names = (*_SUMMED, "soc")
    buckets = pl.concat(
        rows.select(
            "day_ix",
            "day_end",
            "start",
            "day_start",
            name=pl.lit(name),
            value=pl.col(name),
            step=_step_of(name),
        )
        for name in names
    ).filter(
        is_on_grid(pl.col("start"), pl.col("step"), pl.col("day_start"))
    )  # others are rows of another metric's grid
    end = bucket_end(pl.col("start"), pl.col("step"), pl.col("day_end"))
    pieces = (
        buckets.with_columns(first=pl.col("start") - pl.col("day_start"), last=end - pl.col("day_start"))
        .with_columns(quarter=pl.int_ranges(pl.col("first") // _QUARTER_US, (pl.col("last") - 1) // _QUARTER_US + 1))
        .explode("quarter", empty_as_null=False)
        .with_columns(
            minutes=(
                pl.min_horizontal("last", (pl.col("quarter") + 1) * _QUARTER_US)
                - pl.max_horizontal("first", pl.col("quarter") * _QUARTER_US)
            )
            / MINUTE_US
        )
        .sort("day_ix", "start", "quarter", maintain_order=True)
    )

    def own(name: str) -> pl.Expr:
        return (pl.col("name") == name) & pl.col("value").is_not_null()

    return pieces.group_by("day_ix", "quarter", maintain_order=True).agg(
        *(
            _energy((pl.col("value") * pl.col("minutes")).filter(own(name)).sum(), own(name).sum()).alias(
                f"{_ENERGY[name]}_kwmin"
            )
            for name in _SUMMED
        ),
        *(pl.col("minutes").filter(own(flow)).sum().alias(f"{flow}_minutes") for flow in FLOWS),
        soc_pct=pl.col("value").filter(own("soc")).last(),
    )
