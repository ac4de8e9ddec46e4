"""What is local to a system and day says the same where it sees that day alone: each local view and check."""

import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sql.test_models import CASES, FAULTS, MODELS, fill, fill_defaults, make_clean, make_tables_anew
from tiers import swept

from hem_etl.errors import ModelError
from hem_etl.warehouse.models import build, create_tables, load_models, run_checks
from hem_etl.warehouse.models.changing import changed
from hem_etl.warehouse.models.model import DAYS
from hem_etl.warehouse.models.narrowing import narrowed

LOCAL_FAULTS = [fault for fault in FAULTS if MODELS.check(fault.parent.name).local_to]
LOCAL_CASES = [case for case in CASES if MODELS.model(".".join(case.parts[-3:-1])).local_to]
KEYS = [
    check.name
    for check in MODELS.checks
    if check.local_to and check.name not in {fault.parent.name for fault in FAULTS}
]

Day = tuple[str, date]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty warehouse and a clean one, each in a file to be copied."""
    folder = tmp_path_factory.mktemp("warehouses")
    for name in ("empty", "clean"):
        with duckdb.connect(str(folder / name)) as con:
            create_tables(con, MODELS)
            if name == "clean":
                make_clean(con)
            build(con, MODELS)
    return folder


def opened(file: Path, tmp_path: Path) -> duckdb.DuckDBPyConnection:
    shutil.copy(file, tmp_path / "warehouse.duckdb")
    return duckdb.connect(str(tmp_path / "warehouse.duckdb"))


def days_of(con: duckdb.DuckDBPyConnection) -> list[Day]:
    tables = [table.relation for table in (*MODELS.tables, *MODELS.views) if table.is_table and table.has(DAYS)]
    each = " union ".join(f"select system_id, day from {table}" for table in tables)
    return [day for day in con.execute(f"from ({each}) order by all").fetchall() if None not in day]


def want(con: duckdb.DuckDBPyConnection, days: list[Day]) -> str:
    con.execute("create or replace temp table wanted (system_id varchar, day date)")
    for day in days:
        con.execute("insert into wanted values (?, ?)", list(day))
    return "wanted"


def found_on(con: duckdb.DuckDBPyConnection, check: str, days: list[Day]) -> int:
    with changed(con, MODELS, want(con, days)) as what_changed:
        (result,) = what_changed.run_checks([MODELS.check(check)])
    return result.failing_rows


def found_at_all(con: duckdb.DuckDBPyConnection, check: str) -> int:
    (result,) = run_checks(con, MODELS, [MODELS.check(check)])
    return result.failing_rows


@pytest.mark.parametrize("fault", swept(zip(LOCAL_FAULTS)), ids=lambda fault: f"{fault.parent.name}/{fault.stem}")
def test_a_local_check_finds_the_fault_where_its_day_changed_and_nowhere_else(
    fault: Path, files: Path, tmp_path: Path
) -> None:
    check = fault.parent.name
    with opened(files / "clean", tmp_path) as con:
        con.execute(fault.read_text(encoding="utf-8"))
        make_tables_anew(con)
        days = days_of(con)
        faulty = [day for day in days if found_on(con, check, [day])]

        assert faulty
        assert found_on(con, check, days) == found_at_all(con, check)
        assert found_on(con, check, [day for day in days if day not in faulty]) == 0
        assert found_on(con, check, []) == 0


@pytest.mark.parametrize("check", swept(zip(KEYS)))
def test_the_check_of_a_key_finds_a_row_that_is_there_twice_where_its_day_changed(
    check: str, files: Path, tmp_path: Path
) -> None:
    relation, key = MODELS.check(check).references[0], MODELS.check(check).local_to
    stands_on = {"marts.reconciliation": "marts.daily_energy"}
    table = relation if MODELS.model(relation).is_table else stands_on.get(relation, "staging.day")
    with opened(files / "clean", tmp_path) as con:
        con.execute("update staging.day set outcome = 'unreachable'")  # so that there are gaps
        con.execute(
            "insert into core.day_version select * replace (version + 1 as version) from core.day_version limit 1"
        )
        con.execute(  # a restatement of a flow; the version alone changed none
            "insert into staging.restated_flow by name "
            "select system_id, day, version, 'generation' as flow from core.day_version limit 1"
        )
        ((system_id, start),) = con.execute(f"select {', '.join(key)} from {relation} limit 1").fetchall()
        con.execute(
            f"insert into {table} from {table} where system_id = ? and {key[1]} = ? limit 1", [system_id, start]
        )
        days = days_of(con)
        twice = [
            (of, day) for of, day in days if of == system_id and start == (day if key == DAYS else day.replace(day=1))
        ]
        others = [day for day in days if day not in twice]

        assert found_on(con, check, twice) == found_at_all(con, check) > 0
        assert found_on(con, check, others) == 0


@pytest.mark.parametrize("case", swept(zip(LOCAL_CASES), 8), ids=lambda case: "/".join(case.parts[-3:]))
def test_a_local_view_makes_the_same_rows_of_a_day_that_it_sees_alone(case: Path, files: Path, tmp_path: Path) -> None:
    relation = ".".join(case.parts[-3:-1])
    with opened(files / "empty", tmp_path) as con:
        for given in case.glob("given_*.csv"):
            fill(con, given.stem.removeprefix("given_"), given)
        fill_defaults(con)
        make_tables_anew(con)
        whole = Counter(map(repr, con.execute(f"from {relation}").fetchall()))
        alone: Counter[str] = Counter()
        for day in days_of(con):
            with narrowed(con, MODELS) as catalogue, catalogue.names():
                catalogue.see(DAYS, f"from temp.main.{want(con, [day])}")
                alone.update(map(repr, con.execute(f"from {relation}").fetchall()))

    assert alone == whole


def test_every_local_check_and_view_is_tried() -> None:
    tried = {fault.parent.name for fault in LOCAL_FAULTS} | set(KEYS)
    assert {check.name for check in MODELS.checks if check.local_to} == tried
    views = {".".join(case.parts[-3:-1]) for case in LOCAL_CASES}
    assert {model.relation for model in MODELS.views if model.local_to} == views


def test_after_it_names_mean_everything_again_also_when_a_check_fails(files: Path, tmp_path: Path) -> None:
    with opened(files / "clean", tmp_path) as con:
        before = con.execute("select count(*) from core.series").fetchall()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), narrowed(con, MODELS) as catalogue, catalogue.names():
                assert con.execute("select count(*) from core.series").fetchall() == [(0,)]
                assert con.execute("select count(*) from marts.coverage_daily").fetchall() == [(0,)]
                raise ZeroDivisionError
        assert con.execute("select count(*) from core.series").fetchall() == before


@pytest.mark.parametrize(
    ("header", "sql", "told"),
    [
        ("local to: day", "select * from core.load", "can only be `system_id, day` or `system_id, month`"),
        (
            "local to: system_id, day",
            "select * from marts.system_health",
            "marts.system_health, which it reads, is not",
        ),
    ],
)
def test_what_cannot_be_local_is_refused(header: str, sql: str, told: str, tmp_path: Path) -> None:
    root = tmp_path / "dbt_like_sql"
    shutil.copytree(Path(__file__).parents[2] / "dbt_like_sql", root)
    (root / "checks" / "odd.sql").write_text(
        f"-- name: checks.odd\n-- meaning: x\n-- severity: structural\n-- {header}\n-- failing row: x\n\n{sql}\n"
    )
    with pytest.raises(ModelError, match=told):
        load_models(root)


@pytest.mark.parametrize(
    ("model", "old", "new", "told"),
    [
        ("staging/day_gap", "from core.setting", "from core.setting semi join staging.month on true", "by month"),
        ("staging/day", "looks at: select", "looks at: select day from wanted union select", "reads wanted: neither"),
        ("staging/month", "reaches: select", "reaches: selec", "cannot be parsed"),
    ],
)
def test_keys_that_cannot_be_followed_are_refused(model: str, old: str, new: str, told: str, tmp_path: Path) -> None:
    root = tmp_path / "dbt_like_sql"
    shutil.copytree(Path(__file__).parents[2] / "dbt_like_sql", root)
    file = root / f"{model}.sql"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelError, match=told):
        load_models(root)
