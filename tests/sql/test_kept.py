"""What the file keeps of readings and quarter hours gives back all of them, to the last bit."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_warehouse import MODELS

from hem_etl.errors import ModelError
from hem_etl.normalise import (
    INTERVAL_15MIN_SCHEMA,
    QUARTER_SCHEMA,
    READING_SCHEMA,
    SERIES_SCHEMA,
    Days,
    FrameError,
    kept,
    quarter_hours,
    stored_days,
)
from hem_etl.normalise.frames import METRIC_COLUMNS
from hem_etl.vocabulary import FLOWS, METRICS
from hem_etl.warehouse import Writer
from hem_etl.warehouse import models as sql_models

DAY = date(2026, 3, 29)
SIDES = {
    "balance_sources": ("generation", "grid_import", "battery_discharge"),
    "balance_sinks": ("consumption", "grid_export", "battery_charge"),
}


@pytest.fixture
def writer() -> Iterator[Writer]:
    with duckdb.connect() as con:
        sql_models.create_tables(con, MODELS)
        yield Writer(con)


def bucket(number: int, minutes: int, offset: int) -> dict[str, object]:
    start = datetime(2026, 3, 28, 23) + number * timedelta(minutes=minutes)
    local = {"start_local": start + timedelta(minutes=offset), "utc_offset_minutes": offset}
    return {"system_id": "h", "day": DAY, "start_utc": start, **local}


def quarters(seed: int, rows: int = 400) -> pl.DataFrame:
    """Energies of all sizes and some NULLs; sides of the balance that are the sums of their flows, nearly, or not."""
    draw = Random(seed)
    made = []
    for number in range(rows):
        row = bucket(number, 15, draw.choice((60, 120, 345, -210)))
        kwmin = {}
        for flow in FLOWS:
            minutes = draw.choice((None, 0.0, 5.0, 7.0, 15.0, 15.0, 15.0))
            sent = sum(draw.choice((0.0, round(9 * draw.random(), 3), draw.random())) for _ in range(3))
            kwmin[flow] = sent * draw.choice((5, 15, 1)) if minutes else None
            row[f"{flow}_minutes"] = minutes
        is_balanced = draw.random() < 0.8
        for side, flows in SIDES.items():
            first, second, third = (kwmin[flow] for flow in flows)
            total = None if None in (first, second, third) else (first + second) + third
            near = 3.3 if total is None else draw.choice((total, total, math.nextafter(total, math.inf), 3.3))
            kwmin[side] = near if is_balanced else None
        row |= {f"{name}_kwmin": value for name, value in kwmin.items()}
        row |= {f"{name}_kwh": None if value is None else value * (1 / 60) for name, value in kwmin.items()}
        for flow in FLOWS:
            kwh = row[f"{flow}_kwh"]
            row[f"{flow}_kw"] = None if kwh is None else kwh / (row[f"{flow}_minutes"] * (1 / 60))
        row["soc_pct"] = draw.choice((None, 55.5))
        made.append(row)
    return pl.DataFrame(made, schema=QUARTER_SCHEMA)


def readings(minutes: int, seed: int) -> pl.DataFrame:
    """A day of buckets of that length, of any values: also those that are not there, or are too many to be valid."""
    draw = Random(seed)
    made = []
    for number in range(23 * 60 // minutes):
        row = bucket(number, minutes, 60 if number * minutes < 120 else 120)
        for column in METRIC_COLUMNS.values():
            some = draw.choice((0.0, -0.0, -0.3, round(9 * draw.random(), 3), draw.random()))
            row[column] = some if draw.random() < 0.98 else draw.choice((None, 1e6))
        made.append(row)
    return pl.DataFrame(made, schema=READING_SCHEMA)


def days_of(rows: pl.DataFrame, minutes: Mapping[str, int]) -> Days:
    """The day of these readings; minutes: the resolution of each metric that is available."""
    series = [
        {
            "metric": metric,
            "is_known": True,
            "is_available": metric in minutes,
            "resolution_minutes": minutes.get(metric),
        }
        for metric in METRICS
    ]
    day = pl.DataFrame({"system_id": ["h"], "day": [DAY], "timezone": ["Europe/Berlin"], "outcome": ["loaded"]})
    of_day = pl.DataFrame(series).with_columns(system_id=pl.lit("h"), day=DAY)
    absent = [name for name in SERIES_SCHEMA if name not in of_day.columns]
    of_day = of_day.with_columns(pl.lit(None).alias(name) for name in absent)
    columns = [pl.when(metric in minutes).then(column).alias(column) for metric, column in METRIC_COLUMNS.items()]
    return stored_days(
        day,
        rows.with_columns(columns),
        of_day.select(SERIES_SCHEMA.names()).cast(dict(SERIES_SCHEMA)),
        over_limit_kw=50,
    )


def come_back(writer: Writer, sent: pl.DataFrame, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is kept of readings and quarter hours, of which all comes back to the last bit."""
    rows, others = kept(sent, frame)
    writer.append("stored.reading", rows)
    writer.append("stored.interval_15min", others)
    order = "order by system_id, day, start_utc"
    for relation, was in (("reading", sent), ("interval_15min", frame.select(INTERVAL_15MIN_SCHEMA.names()))):
        back = writer.read(f"from core.{relation} {order}")
        assert_frame_equal(back, was, check_exact=True)
        assert repr(back.rows()) == repr(was.rows())  # zeros have a sign
    return rows, others


@pytest.mark.parametrize("seed", range(5))
def test_quarter_hours_come_back_to_the_last_bit(seed: int, writer: Writer) -> None:
    _, others = come_back(writer, pl.DataFrame(schema=READING_SCHEMA), quarters(seed))
    of_sums = others.filter(pl.col("is_balanced") & pl.col("balance_sources_kwmin").is_null())
    assert 0 < of_sums.height < others.height


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("absent", [(), ("generation",), ("battery_charge", "battery_discharge", "soc"), METRICS[:-1]])
def test_a_quarter_hour_that_is_a_reading_is_not_kept_twice(absent: Sequence[str], seed: int, writer: Writer) -> None:
    minutes = {metric: 15 for metric in METRICS if metric not in absent}
    days = days_of(readings(15, seed), minutes)
    frame = quarter_hours(days)
    rows, others = come_back(writer, days.readings, frame)
    # all but those that lack a value that is available, or have one that does not count
    lacking = frame.filter(pl.any_horizontal(pl.col(f"{flow}_minutes") == 0 for flow in FLOWS))
    assert others["start_utc"].to_list() == lacking["start_utc"].to_list()
    assert rows["is_quarter_hour"].sum() == frame.height - others.height
    assert others.is_empty() == (absent == METRICS[:-1])


def test_quarter_hours_of_shorter_buckets_are_kept(writer: Writer) -> None:
    days = days_of(readings(5, 1), dict.fromkeys(METRICS, 5))
    rows, others = come_back(writer, days.readings, frame := quarter_hours(days))
    assert not rows["is_quarter_hour"].any()
    assert others.height == frame.height


def test_the_first_quarter_hour_of_a_longer_bucket_is_the_reading(writer: Writer) -> None:
    days = days_of(readings(30, 1), dict.fromkeys(METRICS, 30))
    rows, others = come_back(writer, days.readings, frame := quarter_hours(days))
    assert others["start_utc"].is_in(rows.filter(is_quarter_hour=True)["start_utc"]).sum() == 0
    assert 0 < rows["is_quarter_hour"].sum() == frame.height - others.height


def test_a_quarter_hour_with_a_correction_is_kept(writer: Writer) -> None:
    days = days_of(readings(15, 1), dict.fromkeys(METRICS, 15))
    corrected = pl.when(pl.int_range(pl.len()) == 7).then(1.5).otherwise("consumption_kw").alias("consumption_kw")
    frame = quarter_hours(replace(days, readings=days.readings.with_columns(corrected)))
    rows, others = come_back(writer, days.readings, frame)
    assert not rows["is_quarter_hour"][7]
    assert others.filter(start_utc=days.readings["start_utc"][7])["consumption_kwmin"].to_list() == [22.5]


@pytest.mark.parametrize(
    "odd",
    [
        pl.col("start_local") + pl.duration(seconds=1),
        pl.lit(None, pl.Datetime("us")).alias("start_local"),
    ],
)
def test_what_could_not_be_made_again_is_refused(odd: pl.Expr) -> None:
    with pytest.raises(FrameError, match="local time"):
        kept(pl.DataFrame(schema=READING_SCHEMA), quarters(1).with_columns(odd))
    with pytest.raises(FrameError, match="local time"):
        kept(readings(15, 1).with_columns(odd), pl.DataFrame(schema=QUARTER_SCHEMA))


def test_a_file_that_keeps_them_otherwise_says_what_makes_it_anew() -> None:
    with duckdb.connect() as con:
        con.execute("create schema core")
        con.execute(MODELS.model("core.reading").sql)
        con.execute("create table older as from core.reading")
        con.execute("drop view core.reading")
        con.execute("create table core.reading as from older")
        with pytest.raises(ModelError, match=r"core.reading .*another version.*rebuild"):
            sql_models.create_tables(con, MODELS)


def test_a_file_that_keeps_a_column_less_says_what_makes_it_anew() -> None:
    with duckdb.connect() as con:
        sql_models.create_tables(con, MODELS)
        con.execute("drop view core.interval_15min")
        con.execute("alter table stored.reading drop column is_quarter_hour")
        con.execute("create view core.interval_15min as from stored.interval_15min")
        con.execute("delete from core.model where relation = 'core.reading'")
        with pytest.raises(ModelError, match=r"core.interval_15min .*another version.*rebuild"):
            sql_models.create_tables(con, MODELS)
