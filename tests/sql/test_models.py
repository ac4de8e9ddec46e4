"""Given rows, expected rows: what every SQL model makes of small tables that an analyst can read.

`<schema>/<model>/<case>/given_<schema>.<table>.csv` fills a table (an empty cell or a column that is not named is
NULL), `expect.csv` holds the rows that the model must make of them: all rows, in any order, but only the columns that
it names; numbers are equal within 1e-9. A table macro is called with what `arguments.sql` says. Two tables have a
content of their own where a case does not give them: `core.setting` the defaults, `core.local_day` the calendar of
every zone and month that the case mentions.

`checks/clean.sql` fills a small warehouse in which everything is right. `checks/<check>/<fault>.sql` breaks one thing
in it, and that check must find it.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from engines import database

from hem_etl.local_day import day_bounds_utc, day_hours, days_between, next_month, zone_named
from hem_etl.warehouse import models as sql_models

HERE = Path(__file__).parent
MODELS = sql_models.load_models()
CASES = sorted(path.parent for schema in ("staging", "marts") for path in (HERE / schema).glob("*/*/expect.csv"))
FAULTS = sorted((HERE / "checks").glob("*/*.sql"))
WRITTEN_CHECKS = {check.name for check in MODELS.checks if check.file.startswith("dbt_like_sql/checks/")}


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    with database() as con:
        sql_models.create_tables(con, MODELS)
        sql_models.build(con, MODELS)
        yield con


@pytest.fixture(scope="module")
def clean() -> Iterator[duckdb.DuckDBPyConnection]:
    with database() as con:
        sql_models.create_tables(con, MODELS)
        make_clean(con)
        sql_models.build(con, MODELS)
        yield con


@pytest.mark.parametrize("case", CASES, ids=lambda case: "/".join(case.parts[-3:]))
def test_the_model_makes_the_expected_rows_of_the_given_ones(case: Path, empty: duckdb.DuckDBPyConnection) -> None:
    model = MODELS.model(".".join(case.parts[-3:-1]))
    columns, expected = read_csv(case / "expect.csv")
    types = {column.name: column.type for column in model.columns}
    cast = ", ".join(f"cast(? as {types[column]})" for column in columns)
    with taken_back(empty):
        for given in case.glob("given_*.csv"):
            fill(empty, given.stem.removeprefix("given_"), given)
        fill_defaults(empty)
        make_tables_anew(empty)
        source = called(model, case) if model.parameters else model.relation
        made = empty.execute(f"select {', '.join(columns)} from {source}").fetchall()
        wanted = [empty.execute(f"select {cast}", row).fetchall()[0] for row in expected]

    difference = unmatched(made, wanted)

    assert not any(difference), told(columns, *difference)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.parent.name}/{fault.stem}")
def test_the_check_finds_the_fault(fault: Path, clean: duckdb.DuckDBPyConnection) -> None:
    only_this = replace(MODELS, checks=(MODELS.check(fault.parent.name),))
    with taken_back(clean):
        clean.execute(fault.read_text(encoding="utf-8"))
        make_tables_anew(clean)
        (result,) = sql_models.run_checks(clean, only_this)

    assert result.failing_rows > 0
    assert result.sample


NUMBERS = (
    "stored.reading",
    "stored.reading_5min",
    "stored.interval_15min",
    "core.reported_day",
    "core.day_version",
    "core.day_energy",
)


@pytest.mark.parametrize("relation", NUMBERS)
def test_no_number_of_any_column_is_overlooked(relation: str, clean: duckdb.DuckDBPyConnection) -> None:
    check = replace(MODELS, checks=(MODELS.check("numbers_are_finite"),))
    day = "2026-03-03" if relation == "stored.reading_5min" else "2026-03-02"
    for column in [name for name, kind, *_ in clean.sql(f"describe {relation}").fetchall() if kind == "DOUBLE"]:
        with taken_back(clean):
            clean.execute(f"update {relation} set {column} = 'nan' where system_id = 'a' and day = '{day}'")
            (result,) = sql_models.run_checks(clean, check)
        # power, energy and balance follow from the numbers of a quarter hour, and all of it from three readings
        of_quarter_hour = 3 if not column.startswith("soc_pct") else 1
        most = {"stored.interval_15min": of_quarter_hour, "stored.reading_5min": 1 + of_quarter_hour}.get(relation, 1)
        assert 1 <= result.failing_rows <= most, column


def test_no_check_finds_anything_where_everything_is_right(clean: duckdb.DuckDBPyConnection) -> None:
    assert [result for result in sql_models.run_checks(clean, MODELS) if result.failing_rows] == []


def test_no_check_finds_anything_in_a_new_file(empty: duckdb.DuckDBPyConnection) -> None:
    with taken_back(empty):
        fill_defaults(empty)
        assert [result for result in sql_models.run_checks(empty, MODELS) if result.failing_rows] == []


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {fault.parent.name for fault in FAULTS} == WRITTEN_CHECKS


def test_every_mart_has_a_case() -> None:
    marts = {model.relation for model in MODELS.built if model.schema == "marts"}
    assert marts <= {".".join(case.parts[-3:-1]) for case in CASES}


def test_no_result_depends_on_the_zone_of_the_session(clean: duckdb.DuckDBPyConnection) -> None:
    seen = []
    for zone in ("Pacific/Auckland", "America/Los_Angeles", "UTC"):
        clean.execute(f"set timezone = '{zone}'")
        sql_models.build(clean, MODELS)
        seen.append(
            {model.name: sorted(clean.sql(f"from {model.relation}").fetchall(), key=repr) for model in MODELS.views}
        )
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("argument", "version"),
    [
        ("timestamp '2026-03-02 11:59:59.999999'", 1),
        ("timestamp '2026-03-02 12:00'", 2),
        ("timestamptz '2026-03-02 17:30:00+05:30'", 2),
        ("timestamptz '2026-03-02 17:29:59+05:30'", 1),
        ("date '2026-03-02'", 1),
        ("date '2026-03-03'", 2),
    ],
)
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "UTC"])
def test_an_instant_is_the_same_in_every_session(
    zone: str, argument: str, version: int, empty: duckdb.DuckDBPyConnection
) -> None:
    with taken_back(empty):
        empty.execute(
            "insert into core.day_version (system_id, day, version, fetched_at_utc) "
            "values ('h1', '2026-03-01', 1, '2026-03-01 22:00'), ('h1', '2026-03-01', 2, '2026-03-02 12:00')"
        )
        empty.execute(f"set timezone = '{zone}'")
        told = empty.sql(f"select version from marts.daily_energy_as_of({argument})").fetchall()
        empty.execute("reset timezone")

    assert told == [(version,)]


@pytest.mark.parametrize("argument", ["'2026-03-02 12:00'", "'2026-03-02 12:00+02'", "20260302", ""])
def test_an_instant_that_would_have_to_be_guessed_is_refused(argument: str, empty: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.BinderException, match="explicit type casts"):
        empty.execute(f"from marts.daily_energy_as_of({argument})")


def called(model: sql_models.Model, case: Path) -> str:
    return f"{model.relation}({(case / 'arguments.sql').read_text(encoding='utf-8').strip()})"


@contextmanager
def taken_back(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
    finally:
        con.rollback()


def make_tables_anew(con: duckdb.DuckDBPyConnection) -> None:
    """What a build does for the models that are tables; the views stand already."""
    for model in MODELS.views:
        if model.is_table:
            con.execute(f"create or replace table {model.relation} as {model.sql}")


def make_clean(con: duckdb.DuckDBPyConnection) -> None:
    fill_calendar(con, {"Asia/Kolkata"}, [date(2026, 3, 1)])
    con.execute((HERE / "checks" / "clean.sql").read_text(encoding="utf-8"))
    fill_defaults(con)


def fill(con: duckdb.DuckDBPyConnection, relation: str, path: Path) -> None:
    columns, rows = read_csv(path)
    types = {column.name: column.type for column in MODELS.model(relation).columns}
    table = f"stored.{relation.partition('.')[2]}" if MODELS.model(relation).shows_stored else relation
    kept = con.sql(f"describe {table}").fetchall()
    values = ", ".join(f"cast(? as {types[column]}) as {column}" for column in columns)
    for row in rows:
        con.execute(f"create or replace temp table given as select {values}", row)
        there = ", ".join(made for name, *_ in kept if (made := as_kept(name, columns)))
        con.execute(f"insert into {table} by name select {there} from given")


def as_kept(name: str, given: Sequence[str]) -> str | None:
    """A column of a table out of the columns that a case gives; None where it gives none of the kind."""
    if name.endswith("_kwmin"):
        kwh = name.replace("_kwmin", "_kwh")
        return f"{kwh} * 60 as {name}" if kwh in given else None
    if name == "utc_offset_minutes" and "start_local" in given:
        return f"datediff('minute', start_utc, start_local) as {name}"
    return name if name in given else None


def fill_defaults(con: duckdb.DuckDBPyConnection) -> None:
    if not con.sql("select 1 from core.setting").fetchall():
        con.execute(
            "insert into core.setting values ('complete_coverage', 0.9), ('over_limit_kw', 50), ('settle_days', 7), "
            "('event_days', 30), ('gap_generation_kw', 10), ('gap_consumption_kw', 10)"
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
