"""What the warehouse keeps of readings and quarter hours, so that its file holds nothing that follows from the rest.

`core.reading` and `core.interval_15min` are views that make the rest of it again, to the last bit
(`dbt_like_sql/tables/`). Refused is what they could not make again.
"""

from collections.abc import Iterator
from typing import Final

import polars as pl

from hem_etl.normalise.frames import DAY_KEY, METRIC_COLUMNS, FrameError, day_numbers
from hem_etl.vocabulary import BALANCE_SIDES, FLOWS, QUARTER_HOUR_MINUTES

_SECONDS: Final = pl.Series([2**32], dtype=pl.Int64)
"""More than an instant has since 1970: a day and an instant are one number, which is joined in a third of the time."""
_MINUTES: Final = float(QUARTER_HOUR_MINUTES)


def kept(readings: pl.DataFrame, quarters: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """stored.reading and stored.interval_15min of all READING_SCHEMA and QUARTER_SCHEMA of some days.

    A reading that is its quarter hour as it stands is marked, and that quarter hour is not kept. Of the others, a side
    of the balance is NULL where it is the sum of its flows.
    """
    for rows in (readings, quarters):
        _require_made_again(rows)
    pairs = _pairs(readings, quarters)
    made = readings.select("utc_offset_minutes", *METRIC_COLUMNS.values())[pairs["reading"]].select(_as_quarter_hour())
    loaded = quarters.select(made.columns)[pairs["quarter"]]
    is_same = pl.repeat(True, pairs.height, eager=True)
    for column in made.columns:
        is_same &= made[column].eq_missing(loaded[column])
    pairs = pairs.filter(is_same)
    is_quarter_hour = pl.repeat(False, readings.height, eager=True).scatter(pairs["reading"], True)
    is_kept = pl.repeat(True, quarters.height, eager=True).scatter(pairs["quarter"], False)
    return (
        readings.drop("start_local").with_columns(is_quarter_hour=is_quarter_hour),
        quarters.filter(is_kept).pipe(_kept_quarters),
    )


def _pairs(readings: pl.DataFrame, quarters: pl.DataFrame) -> pl.DataFrame:
    """reading, quarter: the row of each reading and of the quarter hour that begins with it."""
    days = readings.select(DAY_KEY).unique()

    def starts(rows: pl.DataFrame, name: str) -> pl.DataFrame:
        start = day_numbers(rows, days) * _SECONDS + rows["start_utc"].dt.epoch("s")
        return pl.DataFrame({"start": start}).with_row_index(name)

    return starts(readings, "reading").join(starts(quarters, "quarter"), on="start", validate="1:1")


def _as_quarter_hour() -> Iterator[pl.Expr]:
    """Of a reading: the columns of QUARTER_SCHEMA that `core.interval_15min` makes of it, if it is a quarter hour."""
    yield from (pl.col("utc_offset_minutes"), pl.col("soc_pct"))
    kw = {flow: pl.col(METRIC_COLUMNS[flow]) for flow in FLOWS}
    for flow in FLOWS:
        yield (kw[flow] * _MINUTES).alias(f"{flow}_kwmin")
        yield pl.when(kw[flow].is_not_null()).then(_MINUTES).alias(f"{flow}_minutes")
    is_balanced = pl.all_horizontal(each.is_not_null() for each in kw.values())
    for side, (first, second, third) in BALANCE_SIDES.items():
        total = kw[first] + (kw[second] + kw[third])  # in the order of the view, which is that of the load
        yield pl.when(is_balanced).then(total * _MINUTES).alias(f"{side}_kwmin")


def _kept_quarters(quarters: pl.DataFrame) -> pl.DataFrame:
    return quarters.select(
        *DAY_KEY,
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
