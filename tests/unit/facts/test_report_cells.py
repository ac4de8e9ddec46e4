"""What became of each day of a home, alone and by week and month: of several days the worst are told."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from hem_etl.facts.queries import text
from hem_etl.facts.reports import OUTCOMES
from hem_etl.vocabulary import Outcome
from hem_etl.warehouse import Reader
from hem_etl.warehouse.models import build, create_tables, load_models

FIRST = date(2026, 3, 2)
"""A Monday."""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        create_tables(con, load_models())
        con.execute("insert into core.setting values ('complete_coverage', 0.9)")
        con.execute("insert into core.system (system_id, timezone) values ('home', 'UTC'), ('other', 'UTC')")
        con.execute(
            "insert into core.local_day select 'UTC', day, day, day + interval 1 day, 24 "
            "from (select unnest(generate_series(date '2026-03-01', date '2026-04-30', interval 1 day))::date as day)"
        )
        yield con


def looked(con: duckdb.DuckDBPyConnection, day: date, outcome: str, valid: int | None = None) -> None:
    """A look at a day; `valid`: it is loaded, with so many of the 96 quarter hours of generation."""
    loaded_at = None if valid is None else "2026-05-01"
    con.execute(
        "insert into core.load (system_id, interval, interval_kind, day, outcome, detail, timezone, fetched_at_utc, "
        "loaded_at_utc) values ('home', ?, 'day', ?, ?, 'detail of ' || ?, 'UTC', '2026-05-01', ?)",
        [str(day), day, outcome, str(day), loaded_at],
    )
    if valid is not None:
        con.execute(
            "insert into core.series by name select 'home' as system_id, ? as day, 'generation' as metric, "
            "true as is_known, true as is_available, 15 as resolution_minutes, 96 as expected_buckets, "
            "? as valid_buckets, 15 * ? as valid_minutes, 0 as edited_buckets, 'UTC' as timezone",
            [day, valid, valid],
        )


def cells(con: duckdb.DuckDBPyConnection, unit: str, days: int) -> list[dict[str, Any]]:
    build(con, load_models())
    reader = Reader(con)
    values = {"start": FIRST, "end": FIRST + timedelta(days=days - 1), "unit": unit, **OUTCOMES}
    wanted = pl.DataFrame({"system_id": ["home"]})
    missing = reader.read(text("report_gaps"), values, wanted=wanted)
    return reader.read(text("report_cells"), values, wanted=wanted, missing_place=missing).rows(named=True)


KINDS = {
    "loaded": "nothing",
    "unavailable": "nothing",
    "unreadable": "failed",
    "refused": "failed",
    "unreachable": "failed",
    "relink_needed": "blocked",
    "forbidden": "blocked",
    "before_installation": "none",
    "unsupported": "none",
    "gone": "none",
}


def test_every_outcome_without_a_loaded_day_has_its_kind(con: duckdb.DuckDBPyConnection) -> None:
    assert set(KINDS) == set(Outcome)
    for place, outcome in enumerate(KINDS):
        looked(con, FIRST + timedelta(days=place), outcome)
    found = cells(con, "day", len(KINDS) + 1)
    assert [cell["kind"] for cell in found] == [*KINDS.values(), "absent"]
    assert [cell["outcome"] for cell in found] == [*KINDS, None]


@pytest.mark.parametrize(
    ("valid", "outcome", "kind", "coverage"),
    [
        (96, "loaded", "complete", 1.0),
        (87, "loaded", "complete", 87 / 96),
        (48, "loaded", "partial", 0.5),
        (47, "loaded", "scant", 47 / 96),
        (0, "loaded", "nothing", 0.0),
        (96, "unreachable", "complete", 1.0),
        (96, "relink_needed", "complete", 1.0),
    ],
)
def test_a_loaded_day_is_what_it_covers(
    con: duckdb.DuckDBPyConnection, valid: int, outcome: str, kind: str, coverage: float
) -> None:
    looked(con, FIRST, outcome, valid)
    (cell,) = cells(con, "day", 1)
    assert (cell["kind"], cell["coverage"]) == (kind, pytest.approx(coverage))


def test_of_a_week_the_worst_days_are_told_and_coverage_is_of_all(con: duckdb.DuckDBPyConnection) -> None:
    for place, (outcome, valid) in enumerate(
        [("loaded", 96), ("loaded", 24), ("unreachable", None), ("unreachable", None), ("loaded", 96), ("loaded", 96)]
    ):
        looked(con, FIRST + timedelta(days=place), outcome, valid)
    week, next_week = cells(con, "week", 8)

    assert (week["first_day"], week["last_day"], week["days"]) == (FIRST, FIRST + timedelta(days=6), 7)
    assert (week["complete_days"], week["kind"], week["kind_days"]) == (3, "failed", 2)
    assert (week["outcome"], week["detail"]) == ("unreachable", "detail of 2026-03-05"), "the newest of the worst"
    assert next_week["days"] == 1
    assert (next_week["kind"], next_week["coverage"]) == ("absent", None)
    (month,) = cells(con, "month", 8)
    assert (month["days"], month["complete_days"], month["kind"], month["kind_days"]) == (8, 3, "failed", 2)
    assert month["coverage"] == week["coverage"]
    alone = cells(con, "day", 7)
    due = sum(1 for cell in alone if cell["coverage"] is not None)
    assert week["coverage"] == pytest.approx(sum(cell["coverage"] or 0 for cell in alone) / due)


def test_what_nobody_can_do_anything_about_hides_no_complete_day(con: duckdb.DuckDBPyConnection) -> None:
    looked(con, FIRST, "before_installation")
    looked(con, FIRST + timedelta(days=1), "loaded", 96)
    (week,) = cells(con, "week", 2)
    assert (week["kind"], week["complete_days"], week["days"]) == ("complete", 1, 2)
