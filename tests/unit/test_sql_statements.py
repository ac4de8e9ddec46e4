"""What a statement reads is told by DuckDB's own parser: whatever form the SQL has."""

import pytest

from hem_etl.warehouse.models.statements import parse


@pytest.mark.parametrize(
    ("sql", "relations"),
    [
        ("select 1", set()),
        ("from core.load", {"core.load"}),
        ("select day from core.load as load semi join staging.day using (day)", {"core.load", "staging.day"}),
        ("with step as (from core.load) select * from step", {"core.load"}),
        ("with a as (with b as (from core.zone) from b) select * from a, b", {"core.zone"}),
        ("with load as (select 1) select * from load cross join core.load", {"core.load"}),
        ("select * from (values (1)) as t (a), range(3), unnest([1]) as u (b)", set()),
        ("select * from marts.daily_energy_as_of(instant)", {"marts.daily_energy_as_of"}),
        ("select (select max(day) from core.load) where exists (from core.zone)", {"core.load", "core.zone"}),
        ("from core.load union all by name (from core.series except from core.asset)",
         {"core.load", "core.series", "core.asset"}),
        ("select main.ratio(1, 2) from elsewhere", {"elsewhere"}),
        ("select sum(x) over (partition by y) from core.load qualify row_number() over () = 1", {"core.load"}),
    ],
)  # fmt: skip
def test_relations_are_those_that_are_no_step_and_no_plain_function(sql: str, relations: set[str]) -> None:
    statement = parse(sql)
    assert statement is not None
    assert statement.relations == relations


@pytest.mark.parametrize("sql", ["select 1; select 2", "drop table x", "create table x (a int)", "delete from x", ""])
def test_what_is_not_one_select_is_none(sql: str) -> None:
    assert parse(sql) is None


def test_what_cannot_be_parsed_says_why() -> None:
    with pytest.raises(ValueError, match="syntax error"):
        parse("selec 1")


def test_names_of_columns_and_functions_are_those_of_the_text_and_not_of_a_lambda() -> None:
    statement = parse("select ratio(load.day, b) + sum(c) from core.load where list_any_value([d].apply(lambda x: x))")
    assert statement is not None
    assert statement.columns == {"load.day", "b", "c", "d"}
    assert {"ratio", "sum", "+"} <= statement.functions


@pytest.mark.parametrize(
    ("sql", "is_expression"),
    [
        ("select a / b", True),
        ("select case when a then 1 end", True),
        ("select a, b", False),
        ("select a from t", False),
        ("select (select 1)", False),
        ("select *", False),
        ("select a union select b", False),
    ],
)
def test_an_expression_reads_nothing(sql: str, is_expression: bool) -> None:
    statement = parse(sql)
    assert statement is not None
    assert statement.is_expression is is_expression


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select a, b as c, sum(d) from t group by a, b", {"a", "c"}),
        ("select t.a, count(*) from t group by t.a", {"a"}),
        ("select coalesce(a, 'x') as a, max(b) from t group by coalesce(a, 'x')", {"a"}),
        ("with s as (select a from t group by a) select a, b from s", set()),
        ("select max(a) from t group by b", set()),
        ("select a, b from t group by all", set()),
        ("select a, max(b) from t group by rollup (a)", set()),
        ("select a, max(b) from t group by a union all select a, b from t", set()),
        ("select a from t", set()),
    ],
)
def test_it_groups_by_columns_that_it_shows_or_says_nothing(sql: str, names: set[str]) -> None:
    statement = parse(sql)
    assert statement is not None
    assert statement.grouped_by == names
