"""What the warehouse keeps of readings and quarter hours, so that its file holds nothing that follows from the rest.

`core.reading` and `core.interval_15min` are views that make the rest of it again, to the last bit
(`dbt_like_sql/tables/`). Refused is what they could not make again.
"""

import polars as pl

from hem_etl.normalise.frames import FrameError
from hem_etl.vocabulary import BALANCE_SIDES, FLOWS


def kept_readings(readings: pl.DataFrame) -> pl.DataFrame:
    """stored.reading of READING_SCHEMA."""
    _require_made_again(readings)
    return readings.drop("start_local")


def kept_quarters(quarters: pl.DataFrame) -> pl.DataFrame:
    """stored.interval_15min of QUARTER_SCHEMA: a side of the balance is NULL where it is the sum of its flows."""
    _require_made_again(quarters)
    return quarters.select(
        "system_id",
        "day",
        "start_utc",
        "utc_offset_minutes",
        *(f"{flow}_kwmin" for flow in FLOWS),
        *(f"{flow}_minutes" for flow in FLOWS),
        "soc_pct",
        is_balanced=pl.col("balance_sources_kwmin").is_not_null(),
        **{f"{side}_kwmin": _unless_it_follows(f"{side}_kwmin", flows) for side, flows in BALANCE_SIDES.items()},
    )


def _unless_it_follows(side: str, flows: tuple[str, str, str]) -> pl.Expr:
    """NULL where it is their sum in the order of the view: in another order it may end in another last bit."""
    first, second, third = (pl.col(f"{flow}_kwmin") for flow in flows)
    is_another = pl.col(side) != first + second + third
    return pl.when(is_another.fill_null(True)).then(side)  # a flow that is not known: nothing follows


def _require_made_again(rows: pl.DataFrame) -> None:
    """A wall clock that is the instant and its offset."""
    made = pl.col("start_utc") + pl.duration(minutes=pl.col("utc_offset_minutes"))
    if rows.select(pl.col("start_local").ne_missing(made).any()).item():
        raise FrameError("a bucket whose local time is not its instant and its offset")
