"""What the file keeps of readings and quarter hours gives back all of them, to the last bit."""

import math
from collections.abc import Iterator
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
    FrameError,
    kept_quarters,
    kept_readings,
)
from hem_etl.vocabulary import FLOWS
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


@pytest.mark.parametrize("seed", range(5))
def test_quarter_hours_come_back_to_the_last_bit(seed: int, writer: Writer) -> None:
    frame = quarters(seed)
    kept = kept_quarters(frame)
    writer.append("stored.interval_15min", kept)
    back = writer.rows("core.interval_15min", INTERVAL_15MIN_SCHEMA)
    assert_frame_equal(back, frame.select(INTERVAL_15MIN_SCHEMA.names()), check_exact=True)
    of_sums = kept.filter(pl.col("is_balanced") & pl.col("balance_sources_kwmin").is_null())
    assert 0 < of_sums.height < kept.height


def test_readings_come_back_to_the_last_bit(writer: Writer) -> None:
    draw = Random(1)
    values = [name for name in READING_SCHEMA if name.endswith(("_kw", "_pct"))]
    rows = [
        bucket(number, 5, 60) | {name: draw.choice((None, draw.random())) for name in values} for number in range(288)
    ]
    frame = pl.DataFrame(rows, schema=READING_SCHEMA)
    writer.append("stored.reading", kept_readings(frame))
    assert_frame_equal(writer.rows("core.reading", READING_SCHEMA), frame, check_exact=True)


@pytest.mark.parametrize(
    "odd",
    [
        pl.col("start_local") + pl.duration(seconds=1),
        pl.lit(None, pl.Datetime("us")).alias("start_local"),
    ],
)
def test_what_could_not_be_made_again_is_refused(odd: pl.Expr) -> None:
    with pytest.raises(FrameError, match="local time"):
        kept_quarters(quarters(1).with_columns(odd))


def test_a_file_that_keeps_them_otherwise_says_what_makes_it_anew() -> None:
    with duckdb.connect() as con:
        con.execute("create schema core")
        con.execute(MODELS.model("core.reading").sql)
        con.execute("create table older as from core.reading")
        con.execute("drop view core.reading")
        con.execute("create table core.reading as from older")
        with pytest.raises(ModelError, match=r"core.reading .*another version.*rebuild"):
            sql_models.create_tables(con, MODELS)
