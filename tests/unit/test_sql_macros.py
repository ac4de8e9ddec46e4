"""A formula that is said once: read with an honest header, made before what calls it, there for every reader."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from toy_models import folder, made

from hem_etl.errors import ModelError
from hem_etl.normalise.rules import BALANCE_FAILS_ABOVE
from hem_etl.vocabulary import LEAST_DENOMINATOR_KWH
from hem_etl.warehouse import models as sql_models
from hem_etl.warehouse.models.lineage import column_sources
from hem_etl.warehouse.models.statements import parse

MODELS = sql_models.load_models()

SHARE = """\
-- name: macros.share
-- meaning: What part is of a whole.
-- null: one of them is NULL, or the whole is too small.
-- parameters:
--   part | double | kWh | what is divided
--   whole | double | kWh | what it's divided by
-- returns: double | 0–1

case when whole > limit_kwh() then part / whole end
"""
LEAST = """\
-- name: macros.limit_kwh
-- meaning: What is too small.
-- null: never.
-- returns: double | kWh

0.5::double
"""
DAY_SHARE = """\
-- name: marts.share
-- meaning: What each meter's energy is of the day's.
-- grain: meter × day
-- key: meter, day
-- null: nothing read.
-- columns:
--   meter | varchar | - | name of the meter
--   day | date | local date | day of the reading
--   energy_ratio | double | 0–1 | share of the day

select meter.meter, meter.day, share(meter.energy_kwh, day.energy_kwh) as energy_ratio
from core.meter as meter
inner join staging.day as day on day.day = meter.day
"""
FILES = {"macros__share": SHARE, "macros__limit_kwh": LEAST, "marts__share": DAY_SHARE}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def test_macros_stand_after_what_they_call_and_give_their_numbers(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    models = made(con, folder(tmp_path, **FILES))
    con.execute("insert into core.meter values ('a', '2026-03-01', 1), ('b', '2026-03-01', 3), ('c', '2026-03-02', .5)")

    assert [macro.name for macro in models.macros] == ["limit_kwh", "share"]
    assert con.sql("select meter, energy_ratio from marts.share order by meter").fetchall() == [
        ("a", 0.25),
        ("b", 0.75),
        ("c", None),
    ]


def test_a_macros_meaning_units_and_parameters_reach_the_catalogue(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    made(con, folder(tmp_path, **FILES))

    assert con.sql("select comment from duckdb_functions() where function_name = 'share'").fetchall() == [
        (
            "What part is of a whole. [0–1] NULL: one of them is NULL, or the whole is too small. "
            "part: what is divided [kWh]. whole: what it's divided by [kWh].",
        )
    ]


def test_lineage_goes_through_a_macro_to_the_columns_that_it_is_given(tmp_path: Path) -> None:
    models = sql_models.load_models(folder(tmp_path, **FILES))

    assert column_sources(models, "marts.share")["energy_ratio"] == (
        ("core.meter", "energy_kwh"),
        ("staging.day", "energy_kwh"),
    )


@pytest.mark.parametrize("attached", [False, True])
def test_a_copy_under_another_name_answers_a_read_only_session(attached: bool, tmp_path: Path) -> None:
    file, copy = tmp_path / "warehouse.duckdb", tmp_path / "published.duckdb"
    with duckdb.connect(str(file)) as con:
        made(con, folder(tmp_path, **FILES))
        con.execute("insert into core.meter values ('a', '2026-03-01', 1)")
    shutil.copy(file, copy)

    with duckdb.connect() if attached else duckdb.connect(str(copy), read_only=True) as con:
        if attached:
            con.execute(f"attach '{copy}' as elsewhere (read_only)")
        source = "elsewhere.marts.share" if attached else "marts.share"
        assert con.sql(f"select energy_ratio from {source}").fetchall() == [(1.0,)]
        if not attached:
            assert con.sql(DAY_SHARE).fetchall() == con.sql("from marts.share").fetchall()


def test_a_macro_that_is_no_file_any_more_is_dropped_and_another_text_takes_its_place(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    made(con, folder(tmp_path / "old", **FILES))
    made(con, folder(tmp_path / "new", macros__limit_kwh=LEAST.replace("0.5::", "0.25::")))

    assert con.sql("select function_name from duckdb_functions() where not internal").fetchall() == [("limit_kwh",)]
    assert con.sql("select limit_kwh()").fetchall() == [(0.25,)]


LIES = {
    "another name": ("name: macros.share", "name: macros.ratio", "name 'macros.ratio', the path says 'macros.share'"),
    "no meaning": ("-- meaning: What part is of a whole.\n", "", "does not say: meaning"),
    "no type": ("returns: double | 0–1", "returns: double", "`returns` is `type | unit or -`"),
    "another type": ("returns: double", "returns: integer", "it returns double"),
    "a parameter without unit": ("part | double | kWh |", "part | double |", "name | type | unit or - | meaning"),
    "a parameter that nothing uses": ("then part", "then 1", "does not use its parameter part"),
    "a column": ("then part", "then part * day_hours", "names what is no parameter: day_hours"),
    "a relation": ("then part", "then part * (select 1)", "exactly one expression, which reads no relation"),
    "no expression": ("case when", "drop table core.meter; case when", "cannot be parsed|exactly one expression"),
    "half an expression": (" end\n", "\n", "cannot be parsed"),
    "what DuckDB does not know": ("then part", "then no_such(part)", "DuckDB refuses it: .*no_such"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_macro_whose_header_lies_is_refused_with_its_file(
    lie: str, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    old, new, message = LIES[lie]
    assert old in SHARE

    with pytest.raises(ModelError, match=rf"(?s)macros/share.sql: .*({message})"):
        made(con, folder(tmp_path, **FILES | {"macros__share": SHARE.replace(old, new)}))


def test_macros_that_call_each_other_are_named(tmp_path: Path) -> None:
    circle = LEAST.replace("0.5::double", "share(1, 2)")

    with pytest.raises(ModelError, match=r"in a circle: (share → limit_kwh → share|limit_kwh → share → limit_kwh)"):
        sql_models.load_models(folder(tmp_path, **FILES | {"macros__limit_kwh": circle}))


# --- the real folder -------------------------------------------------------------------------------------------------


def test_every_macro_is_called() -> None:
    texts = (
        [f"select {it.sql}" for it in MODELS.macros]
        + [it.sql for it in MODELS.built]
        + [it.sql for it in MODELS.checks]
    )
    statements = [statement for statement in map(parse, texts) if statement is not None]

    assert len(statements) == len(texts)
    assert {macro.name for macro in MODELS.macros} <= {name for each in statements for name in each.functions}


def test_no_name_of_a_macro_is_taken_by_duckdb(con: duckdb.DuckDBPyConnection) -> None:
    builtin = {name for (name,) in con.sql("select distinct function_name from duckdb_functions()").fetchall()}

    assert {macro.name for macro in MODELS.macros}.isdisjoint(builtin)


def test_the_rules_and_the_macros_know_the_same_limits(con: duckdb.DuckDBPyConnection) -> None:
    sql_models.create_tables(con, MODELS)
    sql_models.build(con, MODELS)

    assert con.sql("select least_kwh(), balance_fails_above()").fetchall() == [
        (LEAST_DENOMINATOR_KWH, BALANCE_FAILS_ABOVE)
    ]


@pytest.mark.parametrize("literal", ["0.05", "0.10", "0.9", "1e18", "hugeint"])
def test_a_literal_of_a_formula_has_one_home(literal: str) -> None:
    words = {it.file: it.sql for it in MODELS.built} | {it.file: it.sql for it in MODELS.checks}
    quantiles = "[0.05, 0.5, 0.95]"
    alone = rf"(?<![\w.]){re.escape(literal)}(?![\w.])"
    elsewhere = [file for file, sql in words.items() if re.search(alone, sql.replace(quantiles, ""))]

    assert elsewhere == []
