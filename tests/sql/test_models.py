"""Given rows, expected rows: what every SQL model makes of small tables that an analyst can read.

`<schema>/<model>/<case>/given_<schema>.<table>.csv` fills a table (an empty cell or a column that is not named is NULL),
`expect.csv` holds the rows that the model must make of them: all rows, in any order, but only the columns that it names;
numbers are equal within 1e-9. Two tables have a content of their own where a case does not give them: `core.setting` the
defaults, `core.local_day` the calendar of every zone and month that the case mentions.

`checks/clean.sql` fills a small warehouse in which everything is right. `checks/<check>/<fault>.sql` breaks one thing in
it, and that check must find it.
"""

import csv
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hem_etl import sql_models
from hem_etl.local_day import day_bounds_utc, day_hours, days_between, next_month, zone_named

HERE = Path(__file__).parent
MODELS = sql_models.load_models()
CASES = sorted(path.parent for schema in ("staging", "marts") for path in (HERE / schema).glob("*/*/expect.csv"))
FAULTS = sorted((HERE / "checks").glob("*/*.sql"))
WRITTEN_CHECKS = {check.name for check in MODELS.checks if check.file.startswith("dbt_like_sql/checks/")}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        sql_models.create_tables(connection, MODELS)
        yield connection


@pytest.mark.parametrize("case", CASES, ids=lambda case: "/".join(case.parts[-3:]))
def test_the_model_makes_the_expected_rows_of_the_given_ones(case: Path, con: duckdb.DuckDBPyConnection) -> None:
    model = MODELS.model(".".join(case.parts[-3:-1]))
    for given in case.glob("given_*.csv"):
        fill(con, given.stem.removeprefix("given_"), given)
    fill_defaults(con)
    sql_models.build(con, MODELS)

    columns, expected = read_csv(case / "expect.csv")
    types = {column.name: column.type for column in model.columns}
    wanted = con.sql(f"select {', '.join(columns)} from {model.relation}").fetchall()
    cast = ", ".join(f"cast(? as {types[column]})" for column in columns)
    rows = [con.execute(f"select {cast}", row).fetchall()[0] for row in expected]
    difference = unmatched(wanted, rows)
    assert not any(difference), told(columns, *difference)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.parent.name}/{fault.stem}")
def test_the_check_finds_the_fault(fault: Path, con: duckdb.DuckDBPyConnection) -> None:
    make_clean(con)
    con.execute(fault.read_text(encoding="utf-8"))
    sql_models.build(con, MODELS)

    results = {result.name: result for result in sql_models.run_checks(con, MODELS)}

    assert results[fault.parent.name].failing_rows > 0
    assert results[fault.parent.name].sample


def test_no_check_finds_anything_where_everything_is_right(con: duckdb.DuckDBPyConnection) -> None:
    make_clean(con)
    sql_models.build(con, MODELS)

    assert [result for result in sql_models.run_checks(con, MODELS) if result.failing_rows] == []


def test_no_check_finds_anything_in_a_new_file(con: duckdb.DuckDBPyConnection) -> None:
    fill_defaults(con)
    sql_models.build(con, MODELS)

    assert [result for result in sql_models.run_checks(con, MODELS) if result.failing_rows] == []


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {fault.parent.name for fault in FAULTS} == WRITTEN_CHECKS


def test_every_mart_has_a_case() -> None:
    marts = {model.relation for model in MODELS.views if model.schema == "marts"}
    assert marts <= {".".join(case.parts[-3:-1]) for case in CASES}


def test_no_result_depends_on_the_zone_of_the_session(con: duckdb.DuckDBPyConnection) -> None:
    make_clean(con)
    seen = []
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        con.execute("set timezone = ?", [zone])
        sql_models.build(con, MODELS)
        seen.append(
            {model.name: sorted(con.sql(f"from {model.relation}").fetchall(), key=repr) for model in MODELS.views}
        )
    assert seen[0] == seen[1] == seen[2]


def make_clean(con: duckdb.DuckDBPyConnection) -> None:
    fill_calendar(con, {"Asia/Kolkata"}, [date(2026, 3, 1)])
    con.execute((HERE / "checks" / "clean.sql").read_text(encoding="utf-8"))
    fill_defaults(con)


def fill(con: duckdb.DuckDBPyConnection, relation: str, path: Path) -> None:
    columns, rows = read_csv(path)
    types = {column.name: column.type for column in MODELS.model(relation).columns}
    values = ", ".join(f"cast(? as {types[column]})" for column in columns)
    for row in rows:
        con.execute(f"insert into {relation} ({', '.join(columns)}) values ({values})", row)


def fill_defaults(con: duckdb.DuckDBPyConnection) -> None:
    if not con.sql("select 1 from core.setting").fetchall():
        con.execute(
            "insert into core.setting values ('complete_coverage', 0.9), ('over_limit_kw', 50), ('settle_days', 7)"
        )
    if not con.sql("select 1 from core.local_day").fetchall():
        zones = con.sql("select timezone from core.system union select timezone from core.load").fetchall()
        days = con.sql("select day from core.load union select day from core.reported_day").fetchall()
        fill_calendar(con, {zone for (zone,) in zones if zone}, [day for (day,) in days])


def fill_calendar(con: duckdb.DuckDBPyConnection, zones: set[str], days: list[date]) -> None:
    for zone in sorted(zones):
        rules = zone_named(zone)
        assert rules is not None, zone
        for month in sorted({day.replace(day=1) for day in days}):
            for day in days_between(month, next_month(month) - timedelta(days=1)):
                start, end = (instant.replace(tzinfo=None) for instant in day_bounds_utc(day, rules))
                con.execute(
                    "insert into core.local_day values (?, ?, ?, ?, ?)", [zone, day, start, end, day_hours(day, rules)]
                )


def read_csv(path: Path) -> tuple[list[str], list[list[str | None]]]:
    with path.open(newline="", encoding="utf-8") as file:
        columns, *rows = csv.reader(file)
    assert all(len(row) == len(columns) for row in rows), path
    return columns, [[cell or None for cell in row] for row in rows]


Row = tuple[Any, ...]


def unmatched(made: list[Row], expected: list[Row]) -> tuple[list[Row], list[Row]]:
    """Made and not expected, expected and not made."""
    left = list(expected)
    surplus = []
    for row in made:
        twin = next((other for other in left if same(row, other)), None)
        if twin is None:
            surplus.append(row)
        else:
            left.remove(twin)
    return surplus, left


def same(row: Row, other: Row) -> bool:
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(row, other, strict=True)
    )


def told(columns: list[str], surplus: list[Row], missing: list[Row]) -> str:
    lines = [", ".join(columns)]
    lines += ["made, not expected: " + ", ".join(map(str, row)) for row in surplus]
    lines += ["expected, not made: " + ", ".join(map(str, row)) for row in missing]
    return "\n".join(lines)
