"""The first hour of somebody who did not write this: ranges, names, what is missing, exports, odd terminals."""

import errno
import io
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from commands import TODAY, Run, commands
from tiers import swept

import hem_etl
from hem_etl.cli.app import run_app
from hem_etl.errors import HemEtlError, disk_trouble
from hem_etl.matching import match_systems
from hem_etl.simulator import Faults, Simulator, make_fleet
from hem_etl.warehouse import FileWarehouse

ROOT = Path(hem_etl.__file__).parents[1]
ENCODINGS = ("ascii", "latin-1", "cp1252", "cp932", "utf-8")


@pytest.fixture(scope="module")
def fleet() -> Simulator:
    return Simulator(make_fleet(4, today=TODAY))


@pytest.fixture(scope="module")
def filled(fleet: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Three days of four homes, of which one refuses every question."""
    fleet.faults = Faults.pinned({fleet.fleet.homes[2].system_id: "bad_query"})
    with commands(fleet, tmp_path_factory.mktemp("filled")) as run:
        assert run("run", "--last", "3d") == 3
        yield run


def test_a_fresh_home_is_told_how_to_plan(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "--yesterday") == 2
    assert "`hem-etl systems` lists it" in capsys.readouterr().err
    assert run("systems") == 0
    assert run("plan", "--yesterday") == 0
    told = capsys.readouterr()
    assert "2 s a request, an assumption: nothing was asked yet" in told.err
    assert run("plan", "--yesterday", "--json") == 0
    assert json.loads(capsys.readouterr().out)["days"] == 4


def test_a_plan_rests_on_how_long_earlier_looks_took(filled: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert filled("plan", "--last", "20d") == 0
    assert "s a request, the median of the looks before" in capsys.readouterr().err
    assert filled("plan", "--last", "20d", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["seconds_per_request"] < 2
    assert told["estimated_seconds"] < told["requests"] * 2


@pytest.mark.parametrize(
    ("options", "days"), [(["--yesterday"], 1), (["--last", "3d"], 3), (["--last", "2w"], 14), (["--last", "5"], 5)]
)
def test_a_range_may_be_named_from_its_end(
    options: list[str], days: int, filled: Run, fleet: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    home = fleet.fleet.homes[0].system_id
    assert filled("plan", *options, "--refresh", "--no-months", "--system", home, "--json") == 0
    assert json.loads(capsys.readouterr().out)["days"] == days


def test_a_unique_beginning_of_an_id_and_a_vendor_in_any_case_are_enough(
    filled: Run, fleet: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    home = fleet.fleet.homes[0]
    for option in (["--system", home.system_id[:5]], ["--vendor", home.vendor.lower()]):
        assert filled("plan", "--yesterday", "--refresh", *option, "--no-months", "--json") == 0, option
        assert json.loads(capsys.readouterr().out)["requests"] == 1
    assert filled("explain", home.system_id[:5], str(TODAY - timedelta(days=2)), "--json") == 0
    assert json.loads(capsys.readouterr().out)["system_id"] == home.system_id
    assert filled("plan", "--yesterday", "--system", "zzz") == 2
    assert "no system 'zzz' is known" in capsys.readouterr().err


def test_a_beginning_of_two_ids_names_them() -> None:
    with pytest.raises(hem_etl.errors.UsageError, match=r"begins 2 ids \('ab', 'ac'\)"):
        match_systems(["a"], ["ab", "ac", "b"])
    assert match_systems(["ab"], ["ab", "abc"]) == {"ab"}


def test_gaps_are_summed_up_before_they_are_listed(
    filled: Run, fleet: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = fleet.fleet.homes[2].system_id
    assert filled("gaps", "--system", refused) == 0
    told = capsys.readouterr()
    reason, systems, days, metrics = told.out.split("\n")[-3].split()[:4]
    assert (reason, systems, days, metrics) == ("refused", "1", "3", "21")
    assert "21 days and metrics in all" in told.err
    narrowed = ["--metric", "soc", "--start", str(TODAY - timedelta(days=2)), "--end", str(TODAY)]
    assert filled("gaps", "--vendor", fleet.fleet.homes[2].vendor.lower(), *narrowed, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["system_id"], row["metric"]) for row in rows if row["reason"] == "refused"] == [(refused, "soc")] * 2
    month_only = filled("gaps", "--json"), json.loads(capsys.readouterr().out)
    assert "not_asked" not in {row["outcome"] for row in month_only[1]}


def test_of_many_homes_status_shows_those_that_need_somebody(
    filled: Run, fleet: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = fleet.fleet.homes
    every = {home.system_id for home in homes}

    def status(*options: str) -> tuple[set[str], str]:
        """The homes that are shown, and what is said of the others."""
        assert filled("status", *options) == 0
        told = capsys.readouterr()
        return {system_id for system_id in every if system_id in told.out}, told.err

    monkeypatch.setattr("hem_etl.cli.looking.FEW_ROWS", 4)
    assert status() == (every, "")
    monkeypatch.setattr("hem_etl.cli.looking.FEW_ROWS", 3)
    shown, said = status()
    assert shown == {homes[2].system_id}
    assert "1 of 4 homes need somebody" in said
    assert f"The others: 3 complete until {TODAY - timedelta(days=1)} or shortly before. `hem-etl status --all`" in said
    assert status("--all") == status("--json") == (every, "")
    assert status("--system", homes[0].system_id[:8]) == ({homes[0].system_id}, "")
    of_vendor = {home.system_id for home in homes if home.vendor == homes[1].vendor}
    assert status("--vendor", homes[1].vendor.lower()) == (of_vendor, "")
    assert filled("status", "--system", "zzz") == 2
    assert "no system 'zzz' is known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["dictionary", "daily_enrgy"], "no relation 'daily_enrgy' (did you mean marts.daily_energy?)"),
        (["dictionary", "marts.daily_enrgy"], "(did you mean marts.daily_energy?)"),
        (["dictionary", "zzz"], "no relation 'zzz': `hem-etl dictionary` lists them"),
        (["sql", "from own.cost_daily"], "It holds the models of HEM_ETL_MODELS: `hem-etl doctor`"),
        (["sql", "from marts.daily_enrgy"], 'Did you mean "daily_energy"?\n'),
    ],
)
def test_a_relation_that_is_not_there_is_told_with_what_is_meant(
    asked: list[str], told: str, filled: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled(*asked) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("setting", "place"), [("HEM_ETL_HOME", "nowhere"), ("HEM_ETL_DATABASE", "nowhere.duckdb")])
def test_a_place_that_holds_nothing_is_told_with_the_setting_that_names_it(
    setting: str, place: str, filled: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(setting, place)
    assert filled("status") == 1
    told = capsys.readouterr().err
    assert f"error: {place}" in told
    assert f"If it is elsewhere, {setting} names the place." in told


def test_the_report_tells_where_it_is(filled: Run, fleet: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    assert filled("report") == 0
    told = capsys.readouterr()
    index = Path(told.out.strip())
    assert index == Path("hem_data/report/index.html")
    assert "4 of 4 homes have a page" in told.err
    assert index.read_text(encoding="utf-8").count("<h1>Fleet of 4 homes</h1>") == 1
    one = fleet.fleet.homes[0].system_id
    assert filled("report", "--system", one[:8], "--output", "pages", "--language", "de", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["homes"], made["pages"], made["index"]) == (1, 1, "pages/index.html")
    assert "Haus " + one in next(Path("pages").glob("home-*.html")).read_text(encoding="utf-8")


def test_the_report_is_shown_where_somebody_asks(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    assert filled("report", "--output", "shown", "--open") == 0
    assert shown == [Path("shown/index.html").resolve().as_uri()]


@pytest.mark.parametrize("command", ["gaps", "report"])
def test_days_the_wrong_way_round_and_days_that_nobody_knows_are_an_error(
    command: str, filled: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled(command, "--start", str(TODAY), "--end", str(TODAY - timedelta(days=2))) == 2
    assert "swap them" in capsys.readouterr().err
    assert filled(command, "--start", "2020-01-01", "--end", "2020-01-31") == 2
    told = capsys.readouterr()
    assert "no day between 2020-01-01 and 2020-01-31 is known" in told.err
    assert "`hem-etl run` with --start and --end asks for others" in told.err
    assert told.out == ""


def test_gaps_say_of_which_days_they_speak(filled: Run, fleet: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    yesterday = TODAY - timedelta(days=1)
    assert filled("gaps", "--start", str(yesterday), "--end", str(TODAY + timedelta(days=9))) == 0
    assert f"from {yesterday} to {yesterday}: `gaps --rows`" in capsys.readouterr().err
    assert filled("gaps") == 0  # of the days before, a month's answer told the total and nobody asked
    assert f"from {TODAY - timedelta(days=3)} to {yesterday}: `gaps --rows`" in capsys.readouterr().err


def test_a_fleet_that_was_never_asked_for_a_day_is_not_one_that_lacks_nothing(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("systems") == 0
    assert run("gaps") == 2
    assert "no day was asked yet: `hem-etl run --last 14d`" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--system", "nobody"], ["--vendor", "nobody"], ["--metric", "heat"]])
def test_gaps_of_what_is_not_known_are_an_error_and_not_none(
    option: list[str], filled: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled("gaps", *option) == 2
    assert capsys.readouterr().out == ""


def test_a_query_cannot_read_or_write_anything_but_the_published_file(
    filled: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("secret.csv").write_text("a\n1\n")
    for query in (
        "from 'secret.csv'",
        "copy (select 1) to 'written.csv'",
        "attach 'other.duckdb'",
        "set enable_external_access = true",
        "create table core.mine as select 1",
        "delete from core.load",
        "install httpfs",
    ):
        assert filled("sql", query) == 2, query
    assert not Path("written.csv").exists()
    assert not Path("other.duckdb").exists()
    assert "DuckDB refuses" in capsys.readouterr().err
    assert filled("sql", "describe marts.daily_energy") == 0


def test_rows_go_to_a_file_in_the_format_that_its_ending_names(filled: Run, capsys: pytest.CaptureFixture[str]) -> None:
    query = "select system_id, day, generation_kwh from marts.daily_energy order by all"
    assert filled("sql", query, "--output", "a.csv") == 0
    assert filled("sql", query, "--output", "a.parquet") == 0
    assert filled("sql", query, "--output", "a.json") == 0
    assert filled("sql", query, "--csv") == 0
    assert capsys.readouterr().out == Path("a.csv").read_text()
    frame = pl.read_parquet("a.parquet")
    assert frame.schema["day"] == pl.Date()
    assert (
        pl.read_csv("a.csv", try_parse_dates=True).height == frame.height == len(json.loads(Path("a.json").read_text()))
    )
    for wrong in (["--parquet"], ["--csv", "--json"], ["--output", "a.xlsx"], ["--output", "nowhere/a.csv"]):
        assert filled("sql", query, *wrong) == 2, wrong


def test_a_terminal_is_shown_the_first_rows_and_how_many_more_there_are(
    filled: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled("sql", "select range as n from range(250)") == 0
    assert "249" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert filled("sql", "select range as n from range(250)") == 0
    told = capsys.readouterr()
    assert "249" not in told.out
    assert "150 more rows (100 of 250 shown)" in told.err


def test_failures_that_are_cut_say_how_many_more_there_are(
    run: Run, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.faults = Faults.pinned({home.system_id: "bad_query" for home in simulator.fleet.homes})
    assert run("run", "--last", "6d", "--no-months") == 3
    told = capsys.readouterr()
    assert "24 intervals failed" in told.out
    assert "4 more rows (20 of 24 shown)" in told.err


def test_the_version_is_told_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"hem_etl {hem_etl.__version__}\n"
    asked = [sys.executable, "-m", "hem_etl", "--version"]
    program = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert program.stdout == f"hem_etl {hem_etl.__version__}\n"


def test_more_may_be_told_by_a_v_behind_the_command(filled: Run) -> None:
    import logging

    assert filled("status", "-vv") == 0
    assert logging.getLogger("hem_etl").level == logging.DEBUG
    assert filled("sql", "select '-v' as v", "--json") == 0


COMMANDS = (
    "--help",
    "run --yesterday",
    "plan --last 3d",
    "systems",
    "status",
    "gaps",
    "gaps --rows",
    "explain {home} {day}",
    "check",
    "sql 'select 1 as größe, ''→ ☀ 日本'' as text'",
    "sql 'select ''→ ☀ 日本'' as text' --csv",
    "sql 'select ''→'' as text' --json",
    "doctor",
    "overrides template",
    "overrides list",
    "rebuild",
    "nonsense ☀",
)


@pytest.mark.parametrize("encoding", swept(zip(ENCODINGS), 1))
@pytest.mark.slow
def test_every_command_writes_to_a_stream_of_any_encoding(
    encoding: str, filled: Run, fleet: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in COMMANDS:
        arguments = shlex.split(command.format(home=fleet.fleet.homes[0].system_id, day=TODAY - timedelta(days=2)))
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = filled(*arguments)
        err.flush()
        assert code in (0, 2, 3), (command, err.buffer.getvalue())
        assert b"bug of hem_etl" not in err.buffer.getvalue(), command


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_app(["simulator", "--port", str(port)]) == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err


def test_stopping_the_simulator_says_nothing_of_fetched_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("threading.Event.wait", interrupted)
    monkeypatch.setattr("hem_etl.cli.demo._simulated", _Nothing)
    run_app(["simulator"])
    told = capsys.readouterr().err
    assert "Stopped." in told
    assert "fetched" not in told


class _Nothing:
    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> tuple[None, str]:
        return None, "http://127.0.0.1:1"

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("number", "step"),
    [(28, "make room"), (30, "mount it writable"), (13, "give this user access"), (122, "make room"), (5, "failing")],
)
def test_a_disk_that_refuses_is_told_by_what_it_is(number: int, step: str) -> None:
    told = disk_trouble(OSError(number, os.strerror(number)), "HEM_ETL_HOME")
    assert step in told
    assert ("make room" in told) == (number in (28, 122))
    assert told.endswith("or let HEM_ETL_HOME name another place")


@pytest.mark.parametrize("place", ["home", "database", "landing"])
def test_the_doctor_tries_to_write_where_a_run_must(
    place: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("no folder")
    settings = {
        "home": ("HEM_ETL_HOME", "file"),
        "database": ("HEM_ETL_DATABASE", "file/hem.duckdb"),
        "landing": ("HEM_ETL_LANDING", "file/landing"),
    }
    setting = settings[place]
    monkeypatch.setenv(*setting)
    assert run("doctor") == 2
    told = capsys.readouterr().out
    assert "FAIL writing: cannot write in" in told
    assert setting[0] in told.split("FAIL writing")[1].splitlines()[0]
    monkeypatch.delenv(setting[0])
    assert run("doctor") == 0
    assert "ok   writing: a file can be made in" in capsys.readouterr().out


def test_the_doctor_looks_at_the_room_of_every_disk_that_is_written_to(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "small"
    other.mkdir()
    whole_disk, stat = shutil.disk_usage(tmp_path), Path.stat
    small = whole_disk._replace(free=999_000_000)
    of_other = os.stat_result((*os.stat(other)[:2], -1, *os.stat(other)[3:]))
    monkeypatch.setattr(Path, "stat", lambda path, **how: of_other if path == other else stat(path, **how))
    monkeypatch.setattr("shutil.disk_usage", lambda path: small if path == other else whole_disk)
    monkeypatch.setenv("HEM_ETL_DATABASE", str(other / "hem.duckdb"))
    assert run("doctor") == 2
    told = capsys.readouterr().out
    assert f"ok   disk: {whole_disk.free / 1e9:.1f} GB free at {tmp_path}" in told
    assert f"FAIL disk: 1.0 GB free at {other}: make room for 1.0 GB" in told


def test_room_for_a_copy_is_needed_only_where_one_is_published(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    described = FileWarehouse.describe
    monkeypatch.setattr(FileWarehouse, "describe", lambda files: replace(described(files), room_to_publish=10**18))
    other = tmp_path / "landed"
    other.mkdir()
    stat = Path.stat
    of_other = os.stat_result((*os.stat(other)[:2], -1, *os.stat(other)[3:]))
    monkeypatch.setattr(Path, "stat", lambda path, **how: of_other if path == other else stat(path, **how))
    monkeypatch.setenv("HEM_ETL_LANDING", str(other))
    assert run("doctor") == 2
    told = [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if "disk: " in line]
    assert told == ["FAIL disk", "ok   disk"]


def test_the_doctor_tries_the_inbox_where_webhooks_are_received(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("hem_data").mkdir()
    Path("hem_data/inbox").touch()
    assert run("doctor") == 0
    monkeypatch.setenv("ENODE_WEBHOOK_SECRET", "s" * 40)
    assert run("doctor") == 2
    assert "FAIL writing: cannot write in" in capsys.readouterr().out


def test_the_doctor_says_whether_a_run_can_read_models_of_ones_own(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEM_ETL_MODELS", "nowhere")
    assert run("doctor") == 2
    assert "FAIL own models: HEM_ETL_MODELS=nowhere is no folder" in capsys.readouterr().out
    monkeypatch.setenv("HEM_ETL_MODELS", str(ROOT / "examples" / "tariff"))
    assert run("doctor") == 0
    assert "ok   own models: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"HEM_ETL_LAKE_DATA": "data"}, "HEM_ETL_LAKE_DATA without effect: HEM_ETL_WAREHOUSE is file"),
        (
            {
                "HEM_ETL_WAREHOUSE": "lake",
                "HEM_ETL_LAKE_CATALOG": "lake/catalogue.sqlite",
                "HEM_ETL_LAKE_DATA": "lake/data",
                "HEM_ETL_DATABASE": "hem.duckdb",
            },
            "HEM_ETL_DATABASE without effect: HEM_ETL_WAREHOUSE is lake",
        ),
    ],
)
def test_the_doctor_warns_of_places_that_are_named_for_the_other_engine(
    settings: dict[str, str], told: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run("doctor") == 0
    assert f"warn settings: {told}" in capsys.readouterr().out


@pytest.mark.parametrize(("buckets", "mark"), [(8000, "ok  "), (8001, "warn")])
def test_the_doctor_warns_before_there_are_too_many_partitions(
    buckets: int, mark: str, filled: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEM_ETL_SYSTEM_BUCKETS", str(buckets))
    monkeypatch.setenv("HEM_ETL_START_DATE", str(datetime.now(UTC).date() - timedelta(days=9)))
    filled("doctor")
    assert f"{mark} partitions: {10 * buckets:,} of at most 100,000 (10 days" in capsys.readouterr().out


def test_the_doctor_finds_a_first_day_that_has_not_come(
    filled: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEM_ETL_START_DATE", "2999-01-01")
    assert filled("doctor") == 2
    assert "FAIL partitions: none: HEM_ETL_START_DATE=2999-01-01 has not come yet" in capsys.readouterr().out


def refuse(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """Opening or listing it is refused, as to another user."""

    def refusing(was: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Any, *rest: Any, **named: Any) -> Any:
            if str(path).endswith(file):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return was(path, *rest, **named)

        return opened

    monkeypatch.setattr(Path, "open", refusing(Path.open))
    monkeypatch.setattr(os, "listdir", refusing(os.listdir))


@pytest.mark.parametrize(
    ("file", "subject"), [("work/warehouse.lock", "writer"), ("hem_data/landing", "landing")], ids=["lock", "landing"]
)
def test_the_doctor_tells_what_belongs_to_another_user_and_goes_on(
    file: str, subject: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("systems") == 0
    refuse(monkeypatch, file)
    assert run("doctor") == 2
    told = capsys.readouterr().out
    assert f"FAIL {subject}: " in told
    assert "give this user access" in told.split(f"FAIL {subject}: ")[1].splitlines()[0]
    assert "ok   partitions" in told


def test_the_doctor_tells_what_it_can_where_the_tables_are_out_of_reach(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def out_of_reach(_: object) -> None:
        raise HemEtlError("Postgres does not answer: see that it runs.")

    monkeypatch.setattr("hem_etl.warehouse.FileWarehouse.describe", out_of_reach)
    assert run("doctor") == 2
    told = capsys.readouterr().out
    assert "FAIL warehouse: Postgres does not answer: see that it runs." in told
    assert "ok   credentials" in told
    assert "ok   writing" in told


@pytest.mark.parametrize("file", ["work/turns.lock", "work/warehouse.lock", "hem_data/landing"])
def test_a_run_that_may_not_open_a_file_ends_with_what_to_do(
    file: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(monkeypatch, file)
    assert run("run", "--last", "1d") == 1
    told = capsys.readouterr().err
    assert f"{file} cannot be listed" in told or f"cannot open hem_data/{file}" in told
    assert "give this user access" in told
    assert "bug of hem_etl" not in told


def test_a_disk_that_refuses_anywhere_else_is_no_bug_of_ours(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hem_etl.facts.read_status", full)
    assert run("status") == 1
    assert capsys.readouterr().err == "error: the disk: No space left on device: make room, then run again.\n"


@pytest.mark.parametrize("command", ["status", "gaps", "explain"])
def test_a_file_of_another_version_says_how_to_make_it_anew(
    command: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("hem_data").mkdir()
    with duckdb.connect("hem_data/hem.duckdb") as connection:
        connection.execute("create schema core; create table core.load (system_id varchar)")
    words = ["explain", "home", "2026-11-20"] if command == "explain" else [command]
    assert run(*words) == 1
    told = capsys.readouterr().err
    assert "another version published it" in told
    assert "hem-etl rebuild" in told
    assert "bug of hem_etl" not in told
