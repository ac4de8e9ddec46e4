"""The command line as a person uses it: commands, output, exit codes; against a simulator on a real socket."""

import json
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from commands import TODAY, Run

from hem_etl.cli.reports import print_report
from hem_etl.pipeline.report import RunReport
from hem_etl.simulator import Faults, Simulator
from hem_etl.vocabulary import Severity
from hem_etl.warehouse import NOTHING_TO_MAINTAIN
from hem_etl.warehouse.models import CheckResult

START, END = str(TODAY - timedelta(days=4)), str(TODAY - timedelta(days=3))


def test_run_loads_a_range_and_every_reading_command_shows_it(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--start", START, "--end", END) == 0
    told = capsys.readouterr()
    assert "4 systems, " in told.err
    assert "Published hem_data/hem.duckdb" in told.err
    system = simulator.fleet.homes[0].system_id
    for command in (["status"], ["gaps"], ["systems"], ["sql", "from marts.daily_energy"], ["check"]):
        assert run(*command) == 0, command
        assert system in capsys.readouterr().out or command in (["check"], ["gaps"])
    assert run("plan", "--start", START, "--end", END, "--json") == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 0
    assert run("rebuild", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 0
    assert run("systems", "--show", system) == 0
    assert json.loads(capsys.readouterr().out)["id"] == system
    assert run("doctor") == 0
    assert "FAIL" not in capsys.readouterr().out


def test_status_and_gaps_tell_what_the_rules_found(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second home sends the next day's first bucket too, the third omits some, the fourth draws in the dark."""
    assert run("run", "--start", str(TODAY - timedelta(days=8)), "--end", END, "--no-months") == 0
    capsys.readouterr()
    assert run("status", "--json") == 0
    told = {row["system_id"]: row for row in json.loads(capsys.readouterr().out)}
    clean, late, holed, standby = (told[home.system_id] for home in simulator.fleet.homes[:4])
    assert (clean["findings_30d"], clean["most_frequent_rule"]) == (0, None)
    assert (late["findings_30d"], late["most_frequent_rule"]) == (6 * 7, "outside_day")
    assert holed["most_frequent_rule"] in ("gap", None)
    assert (standby["findings_30d"], standby["most_frequent_rule"]) == (6, "negative")
    assert run("gaps", "--system", holed["system_id"][:6], "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["findings"] for row in rows if "not sent" in row["explanation"]} <= {"gap"}


def test_json_goes_to_standard_output_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--start", START, "--end", END, "--json", "--no-months") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["asked"], report["outcomes"], report["exit_code"]) == (8, {"loaded": 8}, 0)
    assert run("sql", "select null as nothing, day from marts.daily_energy order by day limit 1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"nothing": None, "day": START}]


def test_sql_shows_any_type_that_duckdb_has(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--start", START, "--end", START, "--no-months") == 0
    capsys.readouterr()
    query = "select 1 as a, 2 as a, sum(3::bigint) as total, interval 90 minute as span, 1.5::decimal(3, 1) as exact"
    assert run("sql", query, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"a": 1, "a_2": 2, "total": 3, "span": "PT1H30M", "exact": 1.5}
    assert run("sql", query) == 0
    assert "1:30:00" in capsys.readouterr().out


@pytest.mark.slow
def test_only_the_named_systems_vendors_and_users_are_asked(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    home = simulator.fleet.homes[1]
    for option in (["--system", home.system_id], ["--vendor", home.vendor], ["--user", home.user_id]):
        simulator.ledger.clear()
        assert run("run", "--start", START, "--end", START, "--no-months", "--refresh", *option) == 0
        assert {system for system, _ in simulator.ledger.statistics} == {home.system_id}, option
    capsys.readouterr()


def test_failed_intervals_are_named_and_the_exit_code_is_three(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = simulator.fleet.homes[2].system_id
    simulator.faults = Faults.pinned({victim: "bad_query"})
    assert run("run", "--start", START, "--end", END) == 3
    told = capsys.readouterr()
    assert victim in told.out
    assert "refused" in told.out
    assert "3 intervals failed" in told.out
    assert Path("hem_data/hem.duckdb").exists()


def test_refused_credentials_end_with_two_and_no_secret_is_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENODE_CLIENT_SECRET", "wrong-s3cret")
    assert run("-vv", "run", "--start", START, "--end", END) == 2
    told = capsys.readouterr()
    assert "ENODE_CLIENT_SECRET" in told.err
    assert "wrong-s3cret" not in told.err + told.out
    assert run("doctor") == 2
    assert "FAIL credentials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--start", END], "--end is missing"),
        (["run", "--end", END], "--start is missing"),
        (["run"], "--last 14d"),
        (["run", "--yesterday", "--last", "14d"], "one of the three"),
        (["run", "--last", "soon"], "no number of days"),
        (["run", "--start", "01.02.2026", "--end", END], "does not match"),
        (["run", "--start", END, "--end", START], "swap them"),
        (["run", "--start", "0001-01-01", "--end", END], "must lie between"),
        (["run", "--start", START, "--end", END, "--vendor", "teslo"], "known are"),
        (["run", "--start", START, "--end", END, "--user", "nobody"], "knows no user 'nobody'"),
        (["nonsense"], "No such command"),
        (["sql", "select from"], "DuckDB refuses"),
        (["sql", " "], "give one query"),
        (["sql", "/* nothing */"], "give one query"),
        (["sql", "select 1; select 2"], "give one query"),
        (["simulator", "--faults", "gremlins"], "unknown fault 'gremlins'"),
    ],
)
def test_wrong_use_ends_with_two_and_says_what_is_wrong(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with duckdb.connect("any.duckdb"):
        pass
    Path("hem_data").mkdir()
    Path("any.duckdb").rename("hem_data/hem.duckdb")
    assert run(*arguments) == 2
    assert says in capsys.readouterr().err


def test_a_malformed_setting_is_one_line_that_names_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEM_ETL_MAX_IN_FLIGHT", "many")
    assert run("status") == 2
    assert capsys.readouterr().err.startswith("error: HEM_ETL_MAX_IN_FLIGHT: ")


def test_reading_before_anything_was_published_says_what_to_do(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    assert "hem-etl demo" in capsys.readouterr().err


@pytest.mark.slow
def test_maintenance_tells_what_it_did_or_that_there_was_nothing(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run("maintain") == 0
    assert NOTHING_TO_MAINTAIN in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("HEM_ETL_WAREHOUSE", "lake")
    monkeypatch.setenv("HEM_ETL_LAKE_CATALOG", str(tmp_path / "lake.sqlite"))
    monkeypatch.setenv("HEM_ETL_LAKE_DATA", str(tmp_path / "data"))
    assert run("maintain", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files_removed"] == 0


def test_a_value_is_corrected_listed_and_taken_back_without_credentials(
    run: Run, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--start", START, "--end", START, "--no-months") == 0
    monkeypatch.delenv("ENODE_CLIENT_ID")
    monkeypatch.delenv("ENODE_CLIENT_SECRET")
    capsys.readouterr()
    assert run("overrides", "template") == 0
    template = capsys.readouterr().out
    home = simulator.fleet.homes[0].system_id
    Path("mine.csv").write_text(f"{template}{home},{START},{START},generation,1.5,ann,read off the meter\n", "utf-8")
    assert run("overrides", "apply", "mine.csv", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["new_rows"], told["changed_days"]) == (1, 1, [[home, START]])
    assert run("overrides", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["author"], row["value"], row["edited_days"]) == ("ann", 1.5, 1)
    assert row["in_force_since_utc"].endswith("Z")
    assert run("overrides", "list") == 0
    assert "read off the meter" in capsys.readouterr().out
    Path("mine.csv").write_text(template, "utf-8")
    assert run("overrides", "apply", "mine.csv") == 0
    told = capsys.readouterr()
    assert "0 rows in force: 0 new, 1 taken back." in told.err
    assert home in told.out
    Path("mine.csv").write_text(f"{template}{home},{START},{START},heat,1.5,ann,\n", "utf-8")
    assert run("overrides", "apply", "mine.csv") == 2
    told = capsys.readouterr()
    assert "metric: 'heat' is none of" in told.err
    assert "reason: is empty" in told.err
    assert run("overrides", "apply", "other.csv") == 2
    assert "cannot read other.csv" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_needs_no_settings_and_keeps_to_its_own_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEM_ETL_HOME", "real_data")
    monkeypatch.setenv("ENODE_ENVIRONMENT", "nonsense")
    assert run("demo", "--systems", "3", "--days", "2") == 0
    told = capsys.readouterr()
    assert "marts.daily_energy" in told.out
    assert "TESLA" in told.out
    assert sorted(path.name for path in Path().iterdir()) == ["hem_demo"]
    assert run("demo", "--systems", "2", "--days", "1") == 0
    with duckdb.connect("hem_demo/hem.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from core.system").fetchone() == (3,)


def test_a_report_says_of_a_check_with_rows_that_it_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """`every_user_is_linked: 2 rows worth a look` read as an all-clear."""
    print_report(RunReport(warnings=[CheckResult("every_user_is_linked", Severity.WARNING, 2, "a · b")]), is_json=False)
    captured = capsys.readouterr()
    assert "every_user_is_linked does not hold: 2 rows" in captured.out + captured.err


def test_check_tells_the_last_publish_and_with_all_runs_every_check_again(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "--start", START, "--end", END) == 0
    capsys.readouterr()
    assert run("check", "--json") == 0
    of_the_publish = json.loads(capsys.readouterr().out)
    assert {check["scope"] for check in of_the_publish} == {"all"}
    Path("hem_data/hem.duckdb").chmod(0o644)
    with duckdb.connect("hem_data/hem.duckdb") as file:
        file.execute("insert into stored.reading from stored.reading limit 1")
        file.execute("update core.check_result set scope = 'changed' where check_name = 'reading_key'")
    assert run("check") == 0
    assert "1 ran on what had changed" in capsys.readouterr().err
    assert run("check", "--all", "--json") == 1
    again = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in again] == [check["name"] for check in of_the_publish]
    assert [check["failing_rows"] for check in again if check["name"] == "reading_key"] == [1]
