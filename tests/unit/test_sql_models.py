"""Headers that lie are refused, the order comes from the SQL, comments reach the catalogue, checks find what fails."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from toy_models import CHECK, DAY_VIEW, METER_TABLE, MONTH_VIEW, folder, made

from hem_etl.errors import ModelError
from hem_etl.vocabulary import FLOWS, METRICS, NO_LOOK, Outcome, Severity, State
from hem_etl.warehouse import models as sql_models

MACRO = """\
-- name: marts.meter_until
-- meaning: What each meter had counted by a day's end.
-- grain: one row per meter
-- key: meter
-- null: nothing read.
-- parameters:
--   instant | timestamp | UTC | days that begin at or before it count, whatever the session's zone
-- columns:
--   meter | varchar | - | name of the meter
--   energy_kwh | double | kWh | sum of the days

with
counted as (select meter, energy_kwh from core.meter where day <= make_timestamp(epoch_us(instant)))

select meter, sum(energy_kwh) as energy_kwh
from counted
group by meter
"""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def test_views_stand_after_what_they_read_and_upstream_goes_all_the_way(tmp_path: Path) -> None:
    models = sql_models.load_models(folder(tmp_path))

    assert [model.relation for model in models.views] == ["staging.day", "marts.month"]
    assert models.model("marts.month").references == ("staging.day",)
    assert models.upstream("marts.month") == ["core.meter", "staging.day"]
    assert models.upstream("core.meter") == []


def test_the_models_give_rows_and_a_sum_of_nothing_is_null(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made(con, folder(tmp_path))
    con.execute(
        "insert into core.meter values ('a', '2026-03-01', 1.5), ('b', '2026-03-02', 2), ('a', '2026-04-01', null)"
    )

    assert con.sql("select month::varchar, energy_kwh from marts.month order by 1").fetchall() == [
        ("2026-03-01", 3.5),
        ("2026-04-01", None),
    ]


def test_building_again_changes_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = made(con, folder(tmp_path))
    con.execute("insert into core.meter values ('a', '2026-03-01', 1.5)")
    before = con.sql("from marts.month").fetchall()

    sql_models.create_tables(con, models)
    sql_models.build(con, models)

    assert con.sql("from marts.month").fetchall() == before


LIES = {
    "another name": (("name: staging.day", "name: staging.days"), "name 'staging.days', the path says 'staging.day'"),
    "another type": (("energy_kwh | double", "energy_kwh | float"), "energy_kwh is double, not float"),
    "a column too many": (
        ("--   energy_kwh", "--   cost | double | EUR | what it cost\n--   energy_kwh"),
        "cost does not exist",
    ),
    "a column too few": (
        ("--   energy_kwh | double | kWh | sum over the meters\n", ""),
        "energy_kwh double is not in the header",
    ),
    "another order": (
        ("select day, sum(energy_kwh) as energy_kwh", "select sum(energy_kwh) as energy_kwh, day"),
        "order",
    ),
    "a key that is no column": (("key: day", "key: month"), "key names columns that the header does not list: month"),
    "a check that does not exist": (("key: day", "key: day\n-- key checked by: nobody"), "checked by 'nobody'"),
    "no meaning": (("-- meaning: All meters of a day.\n", ""), "does not say: meaning"),
    "an empty grain": (("grain: one row per day", "grain:"), "does not say: grain"),
    "an unknown label": (("-- grain", "-- graine"), "cannot read the header's line '-- graine"),
    "a column without unit": (
        ("day | date | local date | day", "day | date | day"),
        "name | type | unit or - | meaning",
    ),
    "rows that are replaced in a view": (
        ("-- null", "-- rebuilt by: system_id, day\n-- null"),
        "can only be part of the key of a model that is a table",
    ),
    "a key that nothing changes by": (
        ("-- null", "-- materialized: table\n-- rebuilt by: meter\n-- null"),
        "`rebuilt by` can only be `system_id, day` or `system_id, month`",
    ),
    "another materialisation": (("-- null", "-- materialized: view\n-- null"), "`materialized` can only be `table`"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_with_the_file_and_the_difference(
    lie: str, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (old, new), told = LIES[lie]
    assert old in DAY_VIEW

    with pytest.raises(ModelError) as refused:
        made(con, folder(tmp_path, staging__day=DAY_VIEW.replace(old, new)))

    assert "dbt_like_sql/staging/day.sql" in str(refused.value)
    assert told in str(refused.value)


def test_a_table_whose_header_lies_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = folder(tmp_path, tables__meter=METER_TABLE.replace("energy_kwh | double", "energy_kwh | integer"))

    with pytest.raises(ModelError, match=r"tables/meter.sql: .*energy_kwh is double, not integer"):
        made(con, models)


def test_a_table_of_an_older_file_asks_for_a_rebuild_and_stays_as_it_is(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    con.execute("create schema core")
    con.execute("create table core.meter (meter varchar not null, day date not null)")

    with pytest.raises(ModelError, match=r"core.meter .*energy_kwh does not exist.*hem-etl rebuild"):
        made(con, folder(tmp_path))

    assert len(con.sql("describe core.meter").fetchall()) == 2


def test_a_key_that_is_not_unique_fails_its_check(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = made(con, folder(tmp_path))
    con.execute("insert into core.meter values ('a', '2026-03-01', 1), ('a', '2026-03-01', 2), ('b', '2026-03-01', 3)")

    results = {result.name: result for result in sql_models.run_checks(con, models)}

    assert results["core_meter_key"] == sql_models.CheckResult(
        "core_meter_key", Severity.ERROR, 1, "meter=a, day=2026-03-01, copies=2"
    )
    assert not {"staging_day_key", "marts_month_key"} & results.keys(), "a select that groups by the key proves it"


def test_a_check_says_how_many_rows_fail_and_shows_five(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = made(con, folder(tmp_path))
    con.execute("insert into core.meter select 'm' || i, '2026-03-01', -i from range(1, 8) as t (i)")

    result = next(r for r in sql_models.run_checks(con, models) if r.name == "no_negative_energy")
    columns, failing = sql_models.rows(con, models.check("no_negative_energy"), limit=6)

    assert (result.severity, result.failing_rows) == (Severity.WARNING, 7)
    assert result.sample is not None
    assert result.sample.count("energy_kwh=-") == 5
    assert columns == ["meter", "day", "energy_kwh"]
    assert len(failing) == 6


def test_meanings_and_units_reach_the_catalogue_with_their_quotes(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    made(con, folder(tmp_path))

    (table,) = con.sql("select comment from duckdb_tables() where table_name = 'meter'").fetchall()
    (view,) = con.sql("select comment from duckdb_views() where view_name = 'month'").fetchall()
    columns = con.sql(
        "select column_name, comment from duckdb_columns() where table_name in ('meter', 'month')"
    ).fetchall()

    assert table == ("What the owner's meter said. Grain: meter × day. NULL: not read.",)
    assert view[0].startswith("All days of a month, a sentence so long that it goes on in a second line. Grain:")
    assert ("energy_kwh", "sum of the days [kWh]") in columns
    assert ("meter", "name of the meter") in columns
    assert all(comment for _, comment in columns)


def test_a_view_can_become_a_table_and_a_view_again(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    table = DAY_VIEW.replace("-- null", "-- materialized: table\n-- null")
    kinds = []
    for number, text in enumerate((DAY_VIEW, table, table, DAY_VIEW)):
        made(con, folder(tmp_path / str(number), staging__day=text))
        kinds += con.sql("select table_type from information_schema.tables where table_schema = 'staging'").fetchall()

    assert kinds == [("VIEW",), ("BASE TABLE",), ("BASE TABLE",), ("VIEW",)]


def test_what_is_no_model_any_more_is_dropped(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made(con, folder(tmp_path / "old", marts__year=MONTH_VIEW.replace("marts.month", "marts.year")))
    made(con, folder(tmp_path / "new"))

    assert con.sql("select view_name from duckdb_views() where schema_name = 'marts'").fetchall() == [("month",)]


def test_a_build_that_fails_leaves_the_views_of_the_last_one(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made(con, folder(tmp_path / "good"))
    broken = DAY_VIEW.replace("sum(energy_kwh)", "sum(no_such_column)")

    with pytest.raises(ModelError, match=r"staging/day.sql: DuckDB refuses it: .*no_such_column"):
        made(con, folder(tmp_path / "broken", staging__day=broken))

    assert con.sql("select count(*) from marts.month").fetchall() == [(0,)]


def test_a_macro_is_called_like_a_table_and_tells_its_parameter(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = made(con, folder(tmp_path, marts__meter_until=MACRO.replace("group by meter", "group by all")))
    con.execute("insert into core.meter values ('a', '2026-03-01', 1), ('a', '2026-03-02', 2)")

    assert [model.relation for model in models.table_macros] == ["marts.meter_until"]
    assert "marts.meter_until" not in {model.relation for model in models.views}
    assert con.sql("from marts.meter_until(timestamp '2026-03-01 23:59')").fetchall() == [("a", 1.0)]
    assert con.sql("from marts.meter_until(instant := date '2026-03-02')").fetchall() == [("a", 3.0)]
    assert con.sql("select comment from duckdb_functions() where function_name = 'meter_until'").fetchall() == [
        (
            "What each meter had counted by a day's end. Grain: one row per meter. NULL: nothing read. instant: days "
            "that begin at or before it count, whatever the session's zone [UTC].",
        )
    ]
    assert [r.failing_rows for r in sql_models.run_checks(con, models) if r.name == "marts_meter_until_key"] == [0]


def test_macros_stand_after_what_they_read(tmp_path: Path) -> None:
    reader = MACRO.replace("marts.meter_until", "marts.a_reader").replace("core.meter", "marts.meter_until(instant)")
    models = sql_models.load_models(
        folder(tmp_path, marts__meter_until=MACRO, marts__a_reader=reader.replace("where day <=", "where instant <="))
    )

    assert [model.relation for model in models.table_macros] == ["marts.meter_until", "marts.a_reader"]
    assert models.upstream("marts.a_reader") == ["core.meter", "marts.meter_until"]


LIES_OF_MACROS = {
    "a column too many": (
        "--   energy_kwh |",
        "--   cost | double | EUR | cost\n--   energy_kwh |",
        "cost does not exist",
    ),
    "another type": ("energy_kwh | double", "energy_kwh | float", "energy_kwh is double, not float"),
    "a parameter that nothing uses": ("(instant)", "(day)", "does not use its parameter instant"),
    "a parameter of an unknown type": ("instant | timestamp", "instant | timestamptz", "instant cannot be timestamptz"),
    "a parameter like a column": ("instant", "meter", "parameter meter has the name of a column"),
    "a table with a parameter": ("-- null", "-- materialized: table\n-- null", "a table has no parameters"),
    "SQL that cannot be called": ("sum(energy_kwh)", "sum(no_such_column)", "DuckDB refuses it: .*no_such_column"),
}


@pytest.mark.parametrize("lie", LIES_OF_MACROS)
def test_a_macro_whose_header_lies_is_refused(lie: str, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    old, new, told = LIES_OF_MACROS[lie]
    assert old in MACRO

    with pytest.raises(ModelError, match=rf"(?s)marts/meter_until.sql: .*{told}"):
        made(con, folder(tmp_path, marts__meter_until=MACRO.replace(old, new)))


@pytest.mark.parametrize("reader", ["staging__day", "checks__no_negative_energy"])
def test_what_is_published_reads_no_macro(reader: str, tmp_path: Path) -> None:
    text = {"staging__day": DAY_VIEW, "checks__no_negative_energy": CHECK}[reader]
    reading = text.replace("from core.meter", "from marts.meter_until(timestamp '2026-03-01')")

    with pytest.raises(ModelError, match=r"reads marts.meter_until: only a macro may read a macro"):
        sql_models.load_models(folder(tmp_path, marts__meter_until=MACRO, **{reader: reading}))


def test_a_macro_can_become_a_view_and_a_macro_again_and_goes_with_its_file(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    view = MONTH_VIEW.replace("marts.month", "marts.meter_until")
    kinds = []
    for number, text in enumerate((MACRO, view, MACRO, MACRO)):
        made(con, folder(tmp_path / str(number), marts__meter_until=text))
        kinds += con.sql(
            "select 'view' from duckdb_views() where view_name = 'meter_until' union all "
            "select function_type from duckdb_functions() where function_name = 'meter_until'"
        ).fetchall()
    made(con, folder(tmp_path / "gone"))

    assert kinds == [("table_macro",), ("view",), ("table_macro",), ("table_macro",)]
    assert con.sql("from duckdb_functions() where schema_name = 'marts'").fetchall() == []


def test_a_macro_stays_in_the_file_and_a_read_only_session_calls_it(tmp_path: Path) -> None:
    file = tmp_path / "meters.duckdb"
    with duckdb.connect(str(file)) as con:
        made(con, folder(tmp_path, marts__meter_until=MACRO))
        con.execute("insert into core.meter values ('a', '2026-03-01', 1), ('a', '2026-03-02', 2)")

    with duckdb.connect(str(file), read_only=True) as con:
        con.execute("set timezone = 'Pacific/Auckland'")
        assert con.sql("from marts.meter_until(timestamp '2026-03-01 12:00')").fetchall() == [("a", 1.0)]


@pytest.mark.parametrize("unknown", ["core.metre", "meter", "marts.month_of_may"])
def test_a_reference_to_an_unknown_relation_is_named(unknown: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"staging/day.sql: reads relations that are no SQL model: {unknown}"):
        sql_models.load_models(folder(tmp_path, staging__day=DAY_VIEW.replace("core.meter", unknown)))


def test_a_check_of_an_unknown_relation_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"checks/no_negative_energy.sql: reads .*: core.metre"):
        sql_models.load_models(folder(tmp_path, checks__no_negative_energy=CHECK.replace("core.meter", "core.metre")))


def test_a_circle_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"in a circle: .*(staging.day → marts.month|marts.month → staging.day)"):
        sql_models.load_models(folder(tmp_path, staging__day=DAY_VIEW.replace("core.meter", "marts.month")))


@pytest.mark.parametrize("statement", ["select 1 as day; select 2", "drop table core.meter", "selec day", ""])
def test_a_model_is_exactly_one_select(statement: str, tmp_path: Path) -> None:
    text = DAY_VIEW[: DAY_VIEW.index("select")] + statement

    with pytest.raises(ModelError, match=r"staging/day.sql: "):
        sql_models.load_models(folder(tmp_path, staging__day=text))


def test_a_severity_is_structural_or_plausibility(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"severity 'fatal' is neither structural nor plausibility"):
        sql_models.load_models(folder(tmp_path, checks__no_negative_energy=CHECK.replace("plausibility", "fatal")))


def test_a_check_may_not_take_the_name_of_a_key_check(tmp_path: Path) -> None:
    taken = CHECK.replace("checks.no_negative_energy", "checks.core_meter_key")

    with pytest.raises(ModelError, match=r"core_meter_key"):
        sql_models.load_models(folder(tmp_path, checks__core_meter_key=taken))


def test_unknown_models_and_checks_are_named_with_the_known_ones(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    models = made(con, folder(tmp_path))

    with pytest.raises(ModelError, match=r"no SQL model 'marts.week'.*marts.month"):
        models.upstream("marts.week")
    with pytest.raises(ModelError, match=r"no SQL check 'nothing'.*no_negative_energy"):
        models.check("nothing")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there are no SQL models in"):
        sql_models.load_models(tmp_path / "nowhere")


# --- the real folder -------------------------------------------------------------------------------------------------

MODELS = sql_models.load_models()
ALL = (*MODELS.tables, *MODELS.built)


def test_the_contract_is_there() -> None:
    assert [model.relation for model in MODELS.table_macros] == ["marts.daily_energy_as_of"]
    assert {model.relation for model in MODELS.views if model.schema == "marts"} == {
        "marts.interval_15min",
        "marts.daily_energy",
        "marts.monthly_energy",
        "marts.fleet_daily",
        "marts.vendor_monthly",
        "marts.webhook_health",
        "marts.relink",
        "marts.relink_history",
        "marts.today",
        "marts.vendor_behaviour",
        "marts.coverage_daily",
        "marts.reconciliation",
        "marts.restatement",
        "marts.system_health",
        "marts.gaps",
        "marts.status",
        "marts.peer_comparison",
    }


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.relation)
def test_no_model_holds_an_instant_with_a_zone_or_hides_its_columns(model: sql_models.Model) -> None:
    types = {column.type for column in model.columns}

    assert types <= {"varchar", "date", "timestamp", "double", "bigint", "integer", "smallint", "boolean", "json"}
    assert "*" not in model.sql.replace("count(*)", "").replace(" * ", " ")
    assert "timestamptz" not in model.sql.lower()
    assert "now()" not in model.sql.lower()


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.relation)
def test_the_unit_ends_the_name(model: sql_models.Model) -> None:
    units = {
        "_kwh": "kWh",
        "_kw": "kW",
        "_pct": "%",
        "_hours": "h",
        "_minutes": "min",
        "_coverage": "0–1",
        "_utc": "UTC",
    }
    for column in model.columns:
        for ending, unit in units.items():
            if column.name.endswith(ending):
                assert column.unit == unit, column


def test_the_sql_speaks_the_words_of_the_house() -> None:
    daily = [column.name for column in MODELS.model("marts.daily_energy").columns]
    health = [column.name for column in MODELS.model("marts.system_health").columns]
    ledger_words = MODELS.check("ledger_words").sql

    assert [name.removesuffix("_kwh") for name in daily if name.endswith("_kwh")][:6] == list(FLOWS)
    assert all(f"'{metric}'" in MODELS.model("marts.coverage_daily").sql for metric in METRICS)
    counted = [name.removesuffix("_days") for name in health if name.endswith("_days")]
    assert counted == ["lag", *(outcome.value for outcome in Outcome), NO_LOOK, "settled"]
    assert all(f"'{word}'" in ledger_words for word in (*Outcome, *State))


def test_no_model_reads_a_check_and_every_table_is_quoted_by_its_schema() -> None:
    assert {reference.split(".")[0] for model in ALL for reference in model.references} <= {"core", "staging", "marts"}


def oids(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Relation → its number in the catalogue: another one after it was made again."""
    rows = con.execute(
        "select schema_name || '.' || view_name, view_oid from duckdb_views() where not internal union all "
        "select schema_name || '.' || table_name, table_oid from duckdb_tables()"
    )
    return dict(rows.fetchall())


REMEMBERED = (sql_models.default_folder() / "tables" / "model.sql").read_text(encoding="utf-8")


def test_what_has_the_text_that_it_had_is_not_made_again_but_filled(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    kept = DAY_VIEW.replace("-- null", "-- materialized: table\n-- null")
    models = made(con, folder(tmp_path, tables__model=REMEMBERED, staging__day=kept))
    before = oids(con)
    con.execute("insert into core.meter values ('a', '2026-03-01', 1)")
    sql_models.create_tables(con, models)
    sql_models.build(con, models)
    assert oids(con) == before
    assert con.sql("select energy_kwh from staging.day").fetchall() == [(1.0,)]


def test_another_text_makes_the_model_again_and_what_reads_it(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    reader = DAY_VIEW.replace("staging.day", "marts.day").replace("core.meter", "staging.day")
    files = {"tables__model": REMEMBERED, "marts__day": reader}
    made(con, folder(tmp_path / "old", **files))
    before = oids(con)
    made(con, folder(tmp_path / "new", **files, staging__day=DAY_VIEW.replace("All meters", "Every meter")))
    remade = {name for name, number in oids(con).items() if before[name] != number}
    assert remade == {"staging.day", "marts.day", "marts.month"}


def test_what_somebody_dropped_is_made_again(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    models = made(con, folder(tmp_path, tables__model=REMEMBERED))
    con.execute("drop view staging.day")
    sql_models.build(con, models)
    assert con.sql("from staging.day").fetchall() == []
