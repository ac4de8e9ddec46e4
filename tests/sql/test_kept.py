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
    Kept,
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


def come_back(writer: Writer, sent: pl.DataFrame, frame: pl.DataFrame) -> Kept:
    """What is kept of readings and quarter hours, of which all comes back to the last bit."""
    stored = kept(sent, frame)
    for table, rows in stored._asdict().items():
        writer.append(f"stored.{table}", rows)
    order = "order by system_id, day, start_utc"
    for relation, was in (("reading", sent), ("interval_15min", frame.select(INTERVAL_15MIN_SCHEMA.names()))):
        back = writer.read(f"from core.{relation} {order}")
        assert_frame_equal(back, was, check_exact=True)
        assert repr(back.rows()) == repr(was.rows())  # zeros have a sign
    return stored


@pytest.mark.parametrize("seed", range(5))
def test_quarter_hours_come_back_to_the_last_bit(seed: int, writer: Writer) -> None:
    others = come_back(writer, pl.DataFrame(schema=READING_SCHEMA), quarters(seed)).interval_15min
    of_sums = others.filter(pl.col("is_balanced") & pl.col("balance_sources_kwmin").is_null())
    assert 0 < of_sums.height < others.height


ABSENT = [(), ("generation",), ("battery_charge", "battery_discharge", "soc"), METRICS[:-1]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("absent", ABSENT)
def test_a_quarter_hour_that_is_a_reading_is_not_kept_twice(absent: Sequence[str], seed: int, writer: Writer) -> None:
    minutes = {metric: 15 for metric in METRICS if metric not in absent}
    days = days_of(readings(15, seed), minutes)
    frame = quarter_hours(days)
    stored = come_back(writer, days.readings, frame)
    # all but those that lack a value that is available, or have one that does not count
    lacking = frame.filter(pl.any_horizontal(pl.col(f"{flow}_minutes") == 0 for flow in FLOWS))
    assert stored.interval_15min["start_utc"].to_list() == lacking["start_utc"].to_list()
    assert stored.reading["is_quarter_hour"].sum() == frame.height - stored.interval_15min.height
    assert stored.interval_15min.is_empty() == (absent == METRICS[:-1])
    assert stored.reading_5min.is_empty()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("soc_minutes", [5, 15])
@pytest.mark.parametrize("absent", ABSENT)
def test_three_readings_share_a_row_and_make_their_quarter_hour(
    absent: Sequence[str], soc_minutes: int, seed: int, writer: Writer
) -> None:
    minutes = {metric: 5 for metric in METRICS if metric not in absent}
    if "soc" in minutes:
        minutes["soc"] = soc_minutes
    days = days_of(readings(5, seed), minutes)
    frame = quarter_hours(days)
    stored = come_back(writer, days.readings, frame)
    # all but those that lack a value that is available, or have one that does not count
    lacking = frame.filter(pl.any_horizontal(pl.col(f"{flow}_minutes") < 15 for flow in FLOWS))
    assert stored.interval_15min["start_utc"].to_list() == lacking["start_utc"].to_list()
    assert stored.reading_5min.height == frame.height - lacking.height > 0
    assert stored.reading.height == days.readings.height - 3 * stored.reading_5min.height
    assert not stored.reading["is_quarter_hour"].any()


def without(*numbers: int) -> pl.Expr:
    return ~pl.int_range(pl.len()).is_in(numbers)


@pytest.mark.parametrize("gone", [(7,), (6, 8), (0,), (275,), (9, 10, 11)])
def test_a_quarter_hour_that_lacks_a_reading_is_kept(gone: Sequence[int], writer: Writer) -> None:
    rows = readings(5, 1).with_columns(pl.lit(1.5).alias(column) for column in METRIC_COLUMNS.values())
    days = days_of(rows.filter(without(*gone)), dict.fromkeys(METRICS, 5))
    stored = come_back(writer, days.readings, quarter_hours(days))
    assert stored.reading_5min.height == 23 * 4 - 1
    assert stored.interval_15min.height == (len(gone) < 3)
    assert stored.reading.height == (3 - len(gone)) % 3


def test_a_reading_between_the_three_stands_beside_their_row(writer: Writer) -> None:
    """Of another metric's finer grid: they share no row where it is between them."""
    at = pl.int_range(pl.len())
    flows = [pl.when(at % 5 == 0).then(at * 0.1).alias(METRIC_COLUMNS[flow]) for flow in FLOWS]
    rows = readings(1, 1).with_columns(*flows, pl.when(at != 44).then(50.0).alias("soc_pct"))
    days = days_of(
        rows.filter(at.is_in([0, 5, 10, 15, 17, 20, 25, 30, 35, 40, 44])), dict.fromkeys(METRICS, 5) | {"soc": 1}
    )
    stored = come_back(writer, days.readings, quarter_hours(days))
    assert stored.reading_5min["start_utc"].dt.minute().to_list() == [0, 30]
    assert stored.reading["start_utc"].dt.minute().to_list() == [15, 17, 20, 25, 44]
    assert stored.interval_15min["start_utc"].dt.minute().to_list() == [15]


def test_readings_of_two_offsets_share_no_row() -> None:
    rows = readings(5, 1).with_columns((pl.int_range(pl.len()) * 0.1).alias(name) for name in METRIC_COLUMNS.values())
    frame = quarter_hours(days_of(rows, dict.fromkeys(METRICS, 5)))
    offset = pl.when(pl.int_range(pl.len()) == 4).then(120).otherwise("utc_offset_minutes").cast(pl.Int16)
    turned = rows.with_columns(utc_offset_minutes=offset).with_columns(
        start_local=pl.col("start_utc") + pl.duration(minutes="utc_offset_minutes")
    )
    stored = kept(turned, frame)
    assert stored.reading["start_utc"].to_list() == rows["start_utc"][3:6].to_list()
    assert stored.interval_15min["start_utc"].to_list() == [rows["start_utc"][3]]


def test_the_first_quarter_hour_of_a_longer_bucket_is_the_reading(writer: Writer) -> None:
    days = days_of(readings(30, 1), dict.fromkeys(METRICS, 30))
    stored = come_back(writer, days.readings, frame := quarter_hours(days))
    marked = stored.reading.filter(is_quarter_hour=True)["start_utc"]
    assert stored.interval_15min["start_utc"].is_in(marked).sum() == 0
    assert 0 < marked.len() == frame.height - stored.interval_15min.height


def corrected(days: Days, row: int) -> pl.DataFrame:
    """The quarter hours with 1.5 kW of consumption in place of what that row sent."""
    kw = pl.when(pl.int_range(pl.len()) == row).then(1.5).otherwise("consumption_kw").alias("consumption_kw")
    return quarter_hours(replace(days, readings=days.readings.with_columns(kw)))


def test_a_quarter_hour_with_a_correction_is_kept(writer: Writer) -> None:
    days = days_of(readings(15, 1), dict.fromkeys(METRICS, 15))
    stored = come_back(writer, days.readings, corrected(days, 7))
    assert not stored.reading["is_quarter_hour"][7]
    of_row = stored.interval_15min.filter(start_utc=days.readings["start_utc"][7])
    assert of_row["consumption_kwmin"].to_list() == [22.5]


def test_three_readings_one_of_which_has_a_correction_share_no_row(writer: Writer) -> None:
    days = days_of(readings(5, 1), dict.fromkeys(METRICS, 5))
    stored = come_back(writer, days.readings, corrected(days, 7))
    begins, *_ = starts = days.readings["start_utc"][6:9].to_list()
    assert stored.reading.filter(pl.col("start_utc").is_in(starts))["is_quarter_hour"].to_list() == [False] * 3
    assert stored.interval_15min.filter(start_utc=begins).height == 1


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


def test_a_file_that_lacks_a_table_of_these_gets_it_and_keeps_its_rows(writer: Writer) -> None:
    with duckdb.connect() as con:
        sql_models.create_tables(con, MODELS)
        for relation in ("reading", "interval_15min"):
            con.execute(f"create or replace view core.{relation} as from stored.{relation}")
        con.execute("drop table stored.reading_5min")
        con.execute("delete from core.model")
        con.execute("insert into stored.reading (system_id, day, start_utc) values ('h', '2026-03-29', '2026-03-29')")
        sql_models.create_tables(con, MODELS)
        assert con.execute("select count(*) from core.reading").fetchall() == [(1,)]
        assert con.execute("select count(*) from core.interval_15min").fetchall() == [(0,)]


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
