"""A month is the sum of its days, to the precision of the days themselves: every additive column, whatever they hold.

Rows of the core tables are made up: values of all sizes, NULLs, days that were never loaded or only reported, months
with clock changes.
"""

import math
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from random import Random

import duckdb
import polars as pl
import pytest
from small_warehouse import MODELS, fill_ledger, mart

from hem_etl.local_day import day_hours, days_between, next_month, zone_named
from hem_etl.normalise import DAY_ENERGY_SCHEMA
from hem_etl.vocabulary import ATTRIBUTED_FLOWS, FLOWS
from hem_etl.warehouse import Writer
from hem_etl.warehouse import models as sql_models

HOMES = (
    ("Europe/Berlin", date(2026, 3, 1)),
    ("Europe/Berlin", date(2026, 10, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 1)),
    ("Asia/Kathmandu", date(2028, 2, 1)),
    ("America/New_York", date(2026, 11, 1)),
)
OF_DAYS = (*FLOWS, *(f"{flow}_reported" for flow in FLOWS), *ATTRIBUTED_FLOWS)
PAIRED = ("paired_generation", "paired_consumption", "paired_grid_import", "paired_grid_export")


def some_kwh(draw: Random) -> float | None:
    size = draw.choice((None, 0.0, 1e-6, 1.0, 30.0, 1200.0))
    return None if size is None else size * (draw.random() - draw.choice((0, 0, 0, 0.5)))


def made(seed: int) -> duckdb.DuckDBPyConnection:
    draw = Random(seed)
    con = duckdb.connect()
    sql_models.create_tables(con, MODELS)
    energy, series, asked, reported = [], [], [], []
    for number, (zone, month) in enumerate(HOMES):
        holes = draw.choice((0.0, 0.1, 0.6))
        for day in days_between(month, next_month(month) - timedelta(days=1)):
            key = {"system_id": f"h{number}", "day": day}
            if draw.random() < 0.7:
                reported.append({**key, **{f"{flow}_kwh": some_kwh(draw) for flow in FLOWS}})
            if draw.random() < holes:
                if draw.random() < 0.5:
                    asked.append({**key, "outcome": "failed", "timezone": zone})
                continue
            asked.append({**key, "outcome": "loaded", "timezone": zone})
            hours = day_hours(day, zone_named(zone))
            values = {name: some_kwh(draw) for name in DAY_ENERGY_SCHEMA if name.endswith("_kwh")}
            minutes = draw.choice((None, 0, round(60 * hours), 15 * draw.randrange(92)))
            energy.append({**key, **values, "attributed_minutes": minutes})
            for flow in FLOWS:
                is_available = draw.random() < 0.9
                valid = draw.choice((round(60 * hours), draw.randrange(1100))) if is_available else None
                series.append(
                    {**key, "metric": flow, "is_known": True, "is_available": is_available, "valid_minutes": valid}
                )
    writer = Writer(con)
    for table, rows in (("day_energy", energy), ("series", series), ("reported_day", reported)):
        if rows:
            writer.append(f"core.{table}", pl.DataFrame(rows, infer_schema_length=None))
    fill_ledger(writer, pl.DataFrame(asked))
    sql_models.build(con, MODELS)
    return con


def exact_sum(values: Iterable[float | None]) -> float | None:
    present = [Fraction(value) for value in values if value is not None]
    return float(sum(present)) if present else None


def is_sum(found: float | None, values: list[float | None]) -> bool:
    """Each day is rounded once, at its own last bit; nothing is lost by adding them up."""
    expected = exact_sum(values)
    if found is None or expected is None:
        return found is expected
    size = exact_sum(abs(value) for value in values if value is not None)
    return math.isclose(found, expected, rel_tol=2.5e-16, abs_tol=2.5e-16 * size + 1e-17)


@pytest.mark.parametrize("seed", range(4))
def test_every_additive_column_of_a_month_is_the_sum_of_its_days(seed: int) -> None:
    with made(seed) as con:
        daily = mart(con, "marts.daily_energy").to_dicts()
        sums = {(row["system_id"], row["day"]): row for row in mart(con, "core.day_energy").to_dicts()}
        staged = {(row["system_id"], row["month"]): row for row in mart(con, "staging.month_energy").to_dicts()}
        months = mart(con, "marts.monthly_energy").to_dicts()
        findings = sql_models.run_checks(con, MODELS)
    assert len(months) == len(HOMES)
    assert [each for each in findings if each.name == "months_equal_their_days" and each.failing_rows] == []
    for row in months:
        zone, month = HOMES[int(row["system_id"][1:])]
        calendar = list(days_between(month, next_month(month) - timedelta(days=1)))
        days = [each for each in daily if (each["system_id"], each["day"].replace(day=1)) == (row["system_id"], month)]
        own = [sums[each["system_id"], each["day"]] for each in days if (each["system_id"], each["day"]) in sums]
        for name in OF_DAYS:
            assert is_sum(row[f"{name}_kwh"], [each[f"{name}_kwh"] for each in days]), (month, name)
        for name in PAIRED:
            found = staged[row["system_id"], month][f"{name}_kwh"]
            assert is_sum(found, [each[f"{name}_kwh"] for each in own]), (month, name)
        for name in FLOWS:
            reported = [each for each in days if each[f"{name}_reported_kwh"] is not None]
            assert row[f"{name}_reported_days"] == len(reported)
            minutes = exact_sum(
                [each[f"{name}_coverage"] and each[f"{name}_coverage"] * each["day_hours"] for each in days]
            )
            expected = None if minutes is None else minutes / row["month_hours"]
            assert row[f"{name}_coverage"] == (None if expected is None else pytest.approx(expected, rel=1e-12)), name
        attributed = exact_sum([each["attributed_minutes"] for each in own])
        expected = None if attributed is None else attributed / (60 * row["month_hours"])
        assert row["attributed_coverage"] == expected
        assert row["month_hours"] == sum(day_hours(day, zone_named(zone)) for day in calendar)
        assert row["calendar_days"] == len(calendar)
        assert row["loaded_days"] == len(own)
        assert row["complete_days"] == sum(each["is_complete"] is True for each in days)
