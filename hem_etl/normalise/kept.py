"""What the warehouse keeps of readings and quarter hours, so that its file holds nothing that follows from the rest.

`core.reading` and `core.interval_15min` are views that make the rest of it again, to the last bit
(`dbt_like_sql/tables/`). Refused is what they could not make again.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from hem_etl.normalise.frames import DAY_KEY, METRIC_COLUMNS, FrameError, day_numbers
from hem_etl.vocabulary import BALANCE_SIDES, FLOWS, QUARTER_HOUR_MINUTES, SOC

_SECONDS: Final = pl.Series([2**32], dtype=pl.Int64)
"""More than an instant has since 1970: a day and an instant are one number, which is joined in a third of the time."""
_MINUTES: Final = float(QUARTER_HOUR_MINUTES)
_THIRDS: Final = (0, 5, 10)
"""Minutes of a quarter hour at which readings begin that share a row of stored.reading_5min."""
_THIRD: Final = _MINUTES / len(_THIRDS)


class Kept(NamedTuple):
    """Rows of tables of the schema `stored`."""

    reading: pl.DataFrame
    reading_5min: pl.DataFrame
    interval_15min: pl.DataFrame


def kept(readings: pl.DataFrame, quarters: pl.DataFrame) -> Kept:
    """What is kept of all READING_SCHEMA and QUARTER_SCHEMA of some days, sorted as these are.

    A quarter hour that is a reading as it stands, or the sum of three, is not kept: the reading is marked, the three
    share a row. Of the others, a side of the balance is NULL where it is the sum of its flows.
    """
    for rows in (readings, quarters):
        _require_made_again(rows)
    pairs = _pairs(readings, quarters)
    begins_three = pairs.filter("begins_three")
    three = _three(readings, begins_three["reading"])
    is_sum = _is_made_again(three.select(_of_three()), quarters, begins_three["quarter"])
    begins_three = begins_three.filter(is_sum)
    others = pairs.filter(~_mask(readings, begins_three["reading"])[pairs["reading"]])
    one = readings.select("utc_offset_minutes", *METRIC_COLUMNS.values())[others["reading"]]
    others = others.filter(_is_made_again(one.select(_of_one()), quarters, others["quarter"]))
    stands = pl.concat([begins_three["reading"] + number for number in range(len(_THIRDS))])
    follows = pl.concat([begins_three["quarter"], others["quarter"]])
    is_quarter_hour = _mask(readings, others["reading"])
    return Kept(
        readings.drop("start_local").with_columns(is_quarter_hour=is_quarter_hour).filter(~_mask(readings, stands)),
        three.filter(is_sum),
        quarters.filter(~_mask(quarters, follows)).pipe(_kept_quarters),
    )


def _mask(rows: pl.DataFrame, numbers: pl.Series) -> pl.Series:
    """Whether each row is one of these numbers."""
    return pl.repeat(False, rows.height, eager=True).scatter(numbers, True)


def _pairs(readings: pl.DataFrame, quarters: pl.DataFrame) -> pl.DataFrame:
    """reading, quarter: the row of each reading and of the quarter hour that begins with it.

    begins_three: two more of the same offset come five minutes and ten after it, and no other between.
    """
    days = readings.select(DAY_KEY).unique()

    def starts(rows: pl.DataFrame, name: str) -> pl.DataFrame:
        start = day_numbers(rows, days) * _SECONDS + rows["start_utc"].dt.epoch("s")
        return pl.DataFrame({"start": start}).with_row_index(name)

    start, offset = pl.col("start"), readings["utc_offset_minutes"]
    begins_three = pl.lit(True)
    for number, at in enumerate(_THIRDS):
        begins_three &= (start.shift(-number) - start == at * 60) & offset.shift(-number).eq_missing(offset)
    return (
        starts(readings, "reading")
        .with_columns(begins_three=begins_three.fill_null(False))
        .join(starts(quarters, "quarter"), on="start", validate="1:1", maintain_order="left")
    )


def _three(readings: pl.DataFrame, first: pl.Series) -> pl.DataFrame:
    """stored.reading_5min of the readings in these rows, each with the two after it."""
    values = {
        _third(column, at): readings[column][first + number]
        for column in METRIC_COLUMNS.values()
        for number, at in enumerate(_THIRDS)
    }
    return readings.select(*DAY_KEY, "start_utc", "utc_offset_minutes")[first].with_columns(**values)


def _third(column: str, at: int) -> str:
    return f"{column}_{at}"


def _is_made_again(made: pl.DataFrame, quarters: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """Whether all that was made of each is what the load made of it: the quarter hour in that row."""
    loaded = quarters.select(made.columns)[rows]
    return made.select(pl.all_horizontal(pl.col(name).eq_missing(loaded[name]) for name in made.columns)).to_series()


def _of_one() -> Iterator[pl.Expr]:
    """Of a reading: the columns of QUARTER_SCHEMA that `core.interval_15min` makes of it, if it is a quarter hour."""
    yield from (pl.col("utc_offset_minutes"), pl.col(METRIC_COLUMNS[SOC]))
    kw = {flow: pl.col(METRIC_COLUMNS[flow]) for flow in FLOWS}
    for flow in FLOWS:
        yield (kw[flow] * _MINUTES).alias(f"{flow}_kwmin")
        yield pl.when(kw[flow].is_not_null()).then(_MINUTES).alias(f"{flow}_minutes")
    is_balanced = pl.all_horizontal(each.is_not_null() for each in kw.values())
    for side, (first, second, third) in BALANCE_SIDES.items():
        total = kw[first] + (kw[second] + kw[third])  # in the order of the view, which is that of the load
        yield pl.when(is_balanced).then(total * _MINUTES).alias(f"{side}_kwmin")


def _of_three() -> Iterator[pl.Expr]:
    """The same of a row of stored.reading_5min, if the three are a quarter hour."""
    last_first = [_third(METRIC_COLUMNS[SOC], at) for at in reversed(_THIRDS)]
    yield from (pl.col("utc_offset_minutes"), pl.coalesce(last_first).alias(METRIC_COLUMNS[SOC]))
    kw = {flow: [pl.col(_third(METRIC_COLUMNS[flow], at)) for at in _THIRDS] for flow in FLOWS}
    for flow in FLOWS:
        yield (_sum(*kw[flow]) * _THIRD).alias(f"{flow}_kwmin")
        yield (
            pl.when(pl.all_horizontal(each.is_not_null() for each in kw[flow])).then(_MINUTES).alias(f"{flow}_minutes")
        )
    is_balanced = pl.all_horizontal(each.is_not_null() for thirds in kw.values() for each in thirds)
    for side, (first, second, third) in BALANCE_SIDES.items():
        totals = (a + (b + c) for a, b, c in zip(kw[first], kw[second], kw[third], strict=True))
        yield pl.when(is_balanced).then(_sum(*totals) * _THIRD).alias(f"{side}_kwmin")


def _sum(first: pl.Expr, second: pl.Expr, third: pl.Expr) -> pl.Expr:
    """As polars sums a group, by Kahan: what a sum lost of its last bits is given to the next."""
    two = 0.0 + first + second  # from 0.0 on: the sum of negative zeros is none
    return two + (third - (two - first - second))


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
