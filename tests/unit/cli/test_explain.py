"""`hem-etl explain`: what it tells is what is published, and follows from the parts that it shows."""

import json
import math
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from world import NOW, World

from hem_etl.cli.app import run_app
from hem_etl.errors import UsageError
from hem_etl.facts.figures import FIGURES
from hem_etl.facts.provenance import explain
from hem_etl.landing import Landing
from hem_etl.vocabulary import FLOWS, METRICS
from hem_etl.warehouse import open_warehouse

NO_FIGURES = {"day_hours", "findings", "edited_buckets"}
"""Numbers of marts.daily_energy that are counts of their own and follow from no formula."""
Show = Callable[..., str]


@pytest.fixture(scope="module")
def fortnight(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two weeks of the default fleet and a running day; three days later the last of them once more."""
    world = World(tmp_path_factory.mktemp("fortnight") / "home")
    world.run(NOW.date() - timedelta(days=14), NOW.date())
    world.pass_time(days=3)
    world.run(NOW.date() - timedelta(days=2), NOW.date(), refresh=True)
    return world


@pytest.fixture
def home(fortnight: World, tmp_path: Path) -> Path:
    """A copy of that home to do harm to."""
    return Path(shutil.copytree(fortnight.home, tmp_path / "home"))


@pytest.fixture
def show(fortnight: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Show:
    """Runs `hem-etl explain` and returns what it prints; no credentials are set, nothing answers on the network."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, home: Path = fortnight.home, ends_with: int = 0) -> str:
        monkeypatch.setenv("HEM_ETL_HOME", str(home))
        assert run_app(["explain", *map(str, arguments)]) == ends_with
        told = capsys.readouterr()
        assert (told.err == "") == (ends_with == 0)
        return told.err if ends_with else told.out

    return run


def system_of(world: World, vendor: str) -> str:
    return next(home.system_id for home in world.simulator.fleet.homes if home.vendor == vendor)


@pytest.mark.slow
def test_every_number_is_the_published_one_and_follows_from_its_parts(fortnight: World) -> None:
    published = fortnight.sql("from marts.daily_energy where day in ('2026-11-12', '2026-11-20')")
    numbers = {name for name, kind in published.schema.items() if kind.is_numeric() or name == "is_complete"}
    assert set(FIGURES) == numbers - NO_FIGURES
    seen = dict.fromkeys(FIGURES, 0)
    landing = Landing(fortnight.settings.landing)
    warehouse = open_warehouse(fortnight.settings)
    for row in published.iter_rows(named=True):
        for figure in explain(warehouse, landing, row["system_id"], row["day"])["figures"]:
            name, where = figure["name"], (row["system_id"], row["day"], figure)
            assert figure["value"] == row[name], where
            if row[name] is None:
                assert figure["why_null"], where
                continue
            assert figure["agrees"] is True, where
            assert math.isclose(by_hand(figure), row[name], rel_tol=1e-9, abs_tol=1e-9), where
            seen[name] += 1
    assert min(seen.values()) > 10, seen


def by_hand(figure: dict[str, Any]) -> float:
    """The formula as it stands, worked out from nothing but the parts beside it."""
    functions = {"abs": abs, "greatest": max, "coalesce": lambda one, other: other if one is None else one}
    return float(eval(figure["formula"], functions, figure["parts"]))


def test_json_holds_what_the_marts_hold(fortnight: World, show: Show) -> None:
    system = system_of(fortnight, "FOXESS")
    (row,) = fortnight.sql(
        f"from marts.daily_energy where system_id = '{system}' and consumption_coverage between 0.3 and 0.95 "
        "order by day limit 1"
    ).iter_rows(named=True)
    told = json.loads(show(system, row["day"], "--json"))
    assert {figure["name"]: figure["value"] for figure in told["figures"]} == {name: row[name] for name in FIGURES}
    covered = fortnight.sql(f"from marts.coverage_daily where system_id = '{system}' and day = '{row['day']}'")
    for held in covered.drop("system_id", "day", "vendor", "outcome").iter_rows(named=True):
        (series,) = (each for each in told["series"] if each["metric"] == held["metric"])
        assert {name: series[name] for name in held} == held
        lost = held["expected_buckets"] - held["valid_buckets"]
        assert bool(series["not_valid_local"]) == (lost > 0)
    (version,) = told["versions"]
    assert len(version["payload_sha256"]) == 64
    assert (Path(fortnight.settings.landing) / version["raw_body"]["segment"]).exists()
    assert version["raw_body"]["is_whole"] is True


@pytest.mark.parametrize("metric", [*METRICS, *FIGURES])
def test_one_metric_shows_its_own_numbers_and_the_series_that_they_are_made_of(fortnight: World, metric: str) -> None:
    system, day = system_of(fortnight, "TESLA"), date(2026, 11, 20)
    told = explain(open_warehouse(fortnight.settings), Landing(fortnight.settings.landing), system, day, metric)
    names = [figure["name"] for figure in told["figures"]]
    assert metric in names or metric in METRICS
    assert {each["metric"] for each in told["series"]} == {m for name in names for m in FIGURES[name].metrics}


def test_a_ratio_tells_its_formula_and_how_far_it_could_be_off(fortnight: World, show: Show) -> None:
    system = system_of(fortnight, "FOXESS")
    day = fortnight.sql(
        f"select min(day) from marts.daily_energy where system_id = '{system}' "
        "and self_sufficiency_ratio_low < self_sufficiency_ratio_high"
    ).item()
    told = " ".join(show(system, day, "self_sufficiency_ratio").split())
    assert "self_sufficiency_ratio = (used_solar " in told
    assert "÷ used_total" in told
    assert "h are missing" in told
    assert "nothing valid from " in told


def test_a_restated_day_shows_every_version_and_what_changed(fortnight: World, show: Show) -> None:
    (row,) = fortnight.sql(
        "from marts.restatement where vendor = 'GIVENERGY' and changed_flows like '%grid_import%' limit 1"
    ).iter_rows(named=True)
    told = show(row["system_id"], row["day"], "grid_import")
    assert "Versions: " in told
    before, after = row["grid_import_kwh_before"], row["grid_import_kwh"]
    assert f"grid_import_kwh: {before:.3f} → {after:.3f} ({after - before:+.3f})" in told
    assert "consumption_kwh" not in told
    assert told.count("raw body: in landing, ") == told.count("sha256 ")


def test_a_day_that_has_nothing_says_why(fortnight: World, show: Show) -> None:
    (row,) = fortnight.sql(
        "from marts.daily_energy where outcome = 'before_installation' order by day limit 1"
    ).iter_rows(named=True)
    told = show(row["system_id"], row["day"])
    assert "never loaded" in told
    assert "last look: before_installation" in told
    assert "generation_kwh = NULL: " in told
    assert "[before_installation]" in told


def test_every_page_fits_a_hundred_columns_and_is_plain_where_nobody_looks(fortnight: World, show: Show) -> None:
    for home in fortnight.simulator.fleet.homes:
        told = show(home.system_id, "2026-11-20")
        assert max(map(len, told.splitlines())) <= 100
        assert "\x1b" not in told
        assert not [
            line for line in told.splitlines() if line != line.rstrip() and "─" not in line and "   " not in line
        ]


def test_raw_bodies_that_are_lost_or_damaged_are_told(fortnight: World, show: Show, home: Path) -> None:
    system = system_of(fortnight, "TESLA")
    for segment in (home / "landing").glob("*.parquet"):
        segment.rename(segment.with_suffix(".away"))
    assert "raw body: no longer in landing" in show(system, "2026-11-20", home=home)
    (home / "landing" / "20261122T000000000000Z-00000000.parquet").write_bytes(b"no parquet at all")
    told = show(system, "2026-11-20", "generation", home=home)
    assert "raw body: landing cannot be read" in told
    assert "generation_kwh = Σ P·h over " in told


def test_a_number_that_its_buckets_do_not_give_is_told(fortnight: World, show: Show, home: Path) -> None:
    system = system_of(fortnight, "TESLA")
    with changed(home) as connection:
        connection.execute("update marts.daily_energy set generation_kwh = generation_kwh + 0.001")
    told = " ".join(show(system, "2026-11-20", "generation", home=home).split())
    assert "generation_kwh: the parts give " in told
    assert "please report it" in told


def test_what_others_wrote_is_shown_as_text_and_moves_nothing(fortnight: World, show: Show, home: Path) -> None:
    system = system_of(fortnight, "TESLA")
    with changed(home) as connection:
        connection.execute(
            "insert into core.finding (system_id, day, interval, metric, rule, severity, evidence) "
            "values (?, '2026-11-20', '2026-11-20', 'generation', 'spike', 'warning', ?)",
            [system, "[bold red]x[/] \x1b[31mred\x1b[2J\nnext"],
        )
    told = show(system, "2026-11-20", "generation", home=home)
    assert "[bold red]x[/] \\x1b[31mred\\x1b[2J\\nnext" in told
    assert "spike" not in show(system, "2026-11-20", "consumption", home=home)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody", "2026-11-20"),
        ("' or 1=1 --", "2026-11-20"),
        ("[bold]../../x[/]\x1b[2J", "2026-11-20"),
        ("", "2026-11-20"),
    ],
)
def test_an_unknown_system_is_an_error_that_names_some_that_exist(
    fortnight: World, show: Show, arguments: tuple[str, ...]
) -> None:
    told = show(*arguments, ends_with=2)
    assert "none of the 18 systems" in told
    assert any(home.system_id in told for home in fortnight.simulator.fleet.homes)
    assert "\x1b" not in told
    assert "[bold]" in told or "[bold]" not in arguments[0]


def test_an_unknown_day_or_metric_is_an_error_that_says_what_exists(fortnight: World, show: Show) -> None:
    system = system_of(fortnight, "TESLA")
    assert "known, the nearest is 2026-11-01" in " ".join(show(system, "2020-01-01", ends_with=2).split())
    told = show(system, "2026-11-20", "wind", ends_with=2)
    assert "'wind' is no metric" in told
    assert all(name in told for name in (*FLOWS, "peak_import_kw"))
    assert "does not match" in show(system, "20.11.2026", ends_with=2)
    assert "does not exist yet" in show(system, "2026-11-20", home=Path("nowhere"), ends_with=1)
    with pytest.raises(UsageError, match="e.g. "):
        explain(open_warehouse(fortnight.settings), Landing(Path("nowhere")), f"{system[:-1]}z", date(2026, 11, 20))


@pytest.mark.parametrize("metric", [*METRICS, *FIGURES])
def test_every_metric_has_a_page_of_its_own(fortnight: World, show: Show, metric: str) -> None:
    assert metric in show(system_of(fortnight, "TESLA"), "2026-11-20", metric)


def test_an_id_that_is_no_text_is_an_unknown_one(show: Show) -> None:
    assert "is none of the systems" in show("\udcff\udcfe", "2026-11-20", ends_with=2)


class changed:
    """The published file of a home, opened for writing against all rules."""

    def __init__(self, home: Path) -> None:
        self._file = home / "hem.duckdb"

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._file.chmod(0o644)
        self._connection = duckdb.connect(str(self._file))
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
