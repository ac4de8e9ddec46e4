"""Models of a user's own at the command line: checks apart from ours and never our exit code; what columns mean."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from commands import TODAY, Run

EXAMPLE = Path(__file__).parents[3] / "examples" / "tariff"
START, END = str(TODAY - timedelta(days=4)), str(TODAY - timedelta(days=3))
CHECK = """\
-- name: checks.reading_key
-- meaning: Nothing costs anything.
-- severity: plausibility
-- failing row: a day that costs

select system_id, day from own.cost_daily
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, with a check that finds rows and has the name of one of ours."""
    shutil.copytree(EXAMPLE, tmp_path / "mine")
    (tmp_path / "mine" / "checks" / "reading_key.sql").write_text(CHECK)
    monkeypatch.setenv("HEM_ETL_MODELS", str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_own_checks_are_told_apart_from_ours_and_change_no_exit_code(
    run: Run, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--start", START, "--end", END) == 0
    capsys.readouterr()
    assert run("check") == 0
    told = capsys.readouterr()
    assert "own warning: reading_key does not hold. Each row: a day that costs" in told.out
    assert "checks of your own models, 1 with rows." in told.err
    assert run("check", "--json") == 0
    results = {check["name"]: check["failing_rows"] for check in json.loads(capsys.readouterr().out)}
    with duckdb.connect("hem_data/hem.duckdb", read_only=True) as file:
        days = file.execute("select count(*) from own.cost_daily").fetchone()
    assert days is not None
    assert results["own.reading_key"] == days[0] > 0
    assert results["reading_key"] == 0
    assert results["own.own_cost_daily_key"] == 0


def test_own_models_that_are_broken_or_not_yet_made_are_told_in_a_line(
    run: Run, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--start", START, "--end", END) == 0
    (mine / "own" / "cost_daily.sql").write_text("select 1")
    capsys.readouterr()
    assert run("check") == 0
    assert "Your own models cannot be checked: mine/own/cost_daily.sql" in capsys.readouterr().err
    shutil.copy(EXAMPLE / "own" / "cost_daily.sql", mine / "own" / "cost_daily.sql")
    assert run("check") == 0
    assert "checks of your own models, 1 with rows" in capsys.readouterr().err
    (mine / "seeds" / "tariff.csv").write_text("")
    assert run("check") == 0
    assert "the next `hem-etl run` makes them or says why not" in capsys.readouterr().err


def test_the_dictionary_tells_what_ours_and_own_columns_mean_and_what_reads_what(
    run: Run, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("dictionary", "--json") == 0
    listed = {each["relation"]: each["meaning"] for each in json.loads(capsys.readouterr().out)}
    assert {"marts.daily_energy", "core.load", "staging.day", "own.cost_daily"} <= set(listed)
    assert run("dictionary", "cost_daily", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert "own.home_price" in told["reads"]
    assert told["read by"] == "own.cost_monthly"
    assert {"name", "type", "unit", "meaning"} <= set(told["columns"][0])
    assert run("dictionary", "marts.daily_energy") == 0
    out = capsys.readouterr().out
    assert "own.cost_daily" in next(line for line in out.splitlines() if line.startswith("read by: "))
    assert run("dictionary", "nowhere") == 2
    assert "`hem-etl dictionary` lists them" in capsys.readouterr().err
    (mine / "own" / "cost_daily.sql").write_text("select 1")
    assert run("dictionary", "marts.daily_energy") == 0
    assert "Your own models cannot be read, these are ours: mine/own/cost_daily.sql" in capsys.readouterr().err
