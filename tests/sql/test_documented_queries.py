"""Every SQL query that the documents show runs as it stands, on a warehouse with something in it."""

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from engines import published
from world import World

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUERIES = [
    (page.name, query)
    for page in PAGES
    for query in re.findall(r"^```sql\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("documented") / "home")
    world.run("2026-11-20", "2026-11-21")
    return world


@pytest.mark.parametrize(("page", "query"), QUERIES, ids=[f"{page}-{n}" for n, (page, _) in enumerate(QUERIES)])
def test_a_documented_query_runs(page: str, query: str, world: World) -> None:
    with published(world.settings) as connection:
        for statement in connection.extract_statements(query):
            connection.execute(statement).fetchall()


@pytest.mark.only_file("it opens it by its path")
def test_documented_python_runs(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert programs
    (tmp_path / "hem_data").mkdir()
    (tmp_path / "hem_data" / "hem.duckdb").symlink_to(world.settings.database)
    monkeypatch.chdir(tmp_path)
    for program in programs:
        names: dict[str, object] = {}
        exec(program, names)
        days = names["days"]
        assert isinstance(days, pl.DataFrame)
        assert not days.is_empty()


def test_a_price_meets_each_quarter_hour_once_also_where_the_clock_changes(tmp_path: Path) -> None:
    """What is priced is what the day has: a repeated hour twice, a skipped one never."""
    (query,) = [query for _, query in QUERIES if "priced_import_kwh" in query]
    world = World(tmp_path / "home", now=datetime(2026, 10, 27, 13, tzinfo=UTC))
    world.run("2026-10-24", "2026-10-26", months=False)
    priced = world.sql(query.rstrip().removesuffix(";"))
    days = world.sql(
        "select system_id, day, grid_import_kwh, day_hours from marts.daily_energy where grid_import_kwh is not null"
    )
    both = days.join(priced, on=["system_id", "day"], how="left")
    assert {25.0, 24.0} <= set(days["day_hours"])
    assert both["priced_import_kwh"].to_list() == pytest.approx(both["grid_import_kwh"].to_list())
    assert (both["import_eur"] <= both["grid_import_kwh"] * 0.34 + 1e-9).all()


def test_the_comparison_of_two_periods_is_over_the_same_homes() -> None:
    """One home came between the two years, one has gaps now: neither moves the comparison of the two that have both."""
    (query,) = [query for _, query in QUERIES if "change_ratio" in query]
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.monthly_energy as from (values "
            "('a', date '2025-10-01', 100.0, 1.0), ('a', '2026-10-01', 90.0, 1.0), "
            "('b', '2025-10-01', 300.0, 0.95), ('b', '2026-10-01', 330.0, 0.95), "
            "('new', '2026-10-01', 1000.0, 1.0), "
            "('holed', '2025-10-01', 500.0, 1.0), ('holed', '2026-10-01', 20.0, 0.1)"
            ") as t (system_id, month, consumption_kwh, consumption_coverage)"
        )
        assert connection.execute(query).fetchall() == [(2, 400.0, 420.0, pytest.approx(0.05))]
