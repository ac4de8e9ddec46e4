"""A warehouse in memory, made of day bodies: normalised, in the core tables, all models built. No road, no files."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb
import polars as pl

from hem_etl.local_day import day_bounds_utc, day_hours, days_between, naive_utc, next_month, zone_named
from hem_etl.normalise import Body, day_energy, kept, quarter_hours, read_days
from hem_etl.warehouse import Reader, Writer
from hem_etl.warehouse import models as sql_models

MODELS = sql_models.load_models()
SETTINGS = {
    "complete_coverage": 0.9,
    "over_limit_kw": 50.0,
    "settle_days": 7.0,
    "gap_generation_kw": 10.0,
    "gap_consumption_kw": 10.0,
}


def made_of(bodies: Sequence[Body]) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    sql_models.create_tables(con, MODELS)
    writer = Writer(con)
    days = read_days(bodies, over_limit_kw=SETTINGS["over_limit_kw"])
    quarters = quarter_hours(days)
    for table, rows in kept(days.readings, quarters)._asdict().items():
        writer.append(f"stored.{table}", rows)
    writer.append("core.day_energy", day_energy(days, quarters))
    writer.append("core.series", days.series)
    fill_ledger(writer, days.days)
    sql_models.build(con, MODELS)
    return con


def fill_ledger(writer: Writer, days: pl.DataFrame) -> None:
    """core.load, core.system, core.local_day and core.setting for these days: system_id, day, outcome, timezone."""
    asked = days.select(
        "system_id",
        "day",
        "outcome",
        "timezone",
        pl.col("day").dt.to_string("%Y-%m-%d").alias("interval"),
        interval_kind=pl.lit("day"),
        state=pl.lit("settled"),
        loaded_at_utc=pl.when(pl.col("outcome") == "loaded").then(pl.lit("2030-01-01").str.to_datetime(time_unit="us")),
    )
    writer.append("core.load", asked)
    writer.append("core.system", asked.select("system_id", "timezone").unique("system_id"))
    writer.append("core.setting", pl.DataFrame({"name": list(SETTINGS), "value": list(SETTINGS.values())}))
    months = asked.select("timezone", month=pl.col("day").dt.truncate("1mo")).unique().drop_nulls().rows()
    calendar = []
    for name, month in sorted(months):
        zone = zone_named(name)
        assert zone is not None, name
        for day in days_between(month, next_month(month) - timedelta(days=1)):
            start, end = day_bounds_utc(day, zone)
            calendar.append((name, day, naive_utc(start), naive_utc(end), day_hours(day, zone)))
    schema = {"timezone": pl.String, "day": pl.Date, "start_utc": pl.Datetime("us"), "end_utc": pl.Datetime("us")}
    writer.append("core.local_day", pl.DataFrame(calendar, schema={**schema, "hours": pl.Float64}, orient="row"))


def mart(con: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """All rows of a table or view, in an order that is always the same."""
    return Reader(con).read(f"from {name} order by all")
