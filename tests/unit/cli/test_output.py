"""Tables as a person sees them, and JSON as a program does."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from hem_etl.cli.output import as_json, objects, print_line, print_table, say

NOON = datetime(2026, 3, 1, 12)


def read(value: Any) -> Any:
    """What a parser that knows the standard and nothing more reads."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(as_json(value), parse_constant=refuse)


def test_a_table_stands_in_columns_whatever_its_cells_hold(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        ("a:id:b", 1.5, True, datetime(2026, 3, 1, 12)),
        ("[red]中", None, None, None),
        ("two\nlines", Decimal("1000"), False, None),
    ]
    print_table(("[b]name", "kWh", "is\nit", "at"), rows, total=5)
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        " " * 51,
        " [b]name           kWh   is\\nit   at               ",
        " " + "─" * 49 + " ",
        " a:id:b          1.500      yes   2026-03-01 12:00 ",
        " [red]中" + " " * 43,
        " two\\nlines   1000.000       no                    ",
        " " * 51,
    ]
    assert told.err == "… and 2 more rows (3 of 5 shown)\n"


def test_a_table_without_rows_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "bb"), [])
    assert capsys.readouterr().out == "        \n a   bb \n ────── \n        \n"


def test_nothing_that_is_written_between_colons_becomes_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("battery:id:1")
    say("meter:id:2")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("battery:id:1\n", "meter:id:2\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("peak_import_at_utc", "2026-03-01T12:00:00Z"),
        ("peak_import_at_local", "2026-03-01T12:00:00"),
        ("start", "2026-03-01T12:00:00"),
        ("max(fetched_at_utc)", "2026-03-01T12:00:00"),
        ("utc", "2026-03-01T12:00:00"),
    ],
)
def test_only_a_name_that_says_utc_makes_an_instant_of_a_time_without_zone(name: str, told: str) -> None:
    """A home's wall clock was once told as UTC, hours off and plausible."""
    assert read([{name: NOON}]) == [{name: told}]
    assert read({name: [NOON, {"first": NOON}]}) == {name: [told, {"first": told}]}
    assert read({name: {NOON: {date(2026, 3, 1): NOON}}}) == {name: {told: {"2026-03-01": told}}}
    assert read({"within": {name: NOON}}) == {"within": {name: told}}


def test_a_name_within_another_says_for_itself_what_its_time_is() -> None:
    told = {"start_utc": "2026-03-01T12:00:00Z", "start_local": "2026-03-01T12:00:00"}
    assert read({"both": dict.fromkeys(told, NOON)}) == {"both": told}
    assert read({"both_utc": dict.fromkeys(told, NOON)}) == {"both_utc": told}


def test_a_time_with_its_own_offset_keeps_it_whatever_its_name() -> None:
    for name in ("at_utc", "at_local", "at"):
        assert read({name: NOON.replace(tzinfo=UTC)}) == {name: "2026-03-01T12:00:00+00:00"}
        assert read({name: NOON.replace(tzinfo=ZoneInfo("Europe/Berlin"))}) == {name: "2026-03-01T12:00:00+01:00"}
        half = timezone(-timedelta(hours=3, minutes=30))
        assert read({name: NOON.replace(tzinfo=half)}) == {name: "2026-03-01T12:00:00-03:30"}


def test_columns_of_one_name_are_told_alike() -> None:
    rows = objects(["at_utc", "at_utc", "at_local", "at_local"], [(NOON,) * 4])
    instant, wall = "2026-03-01T12:00:00Z", "2026-03-01T12:00:00"
    assert read(rows) == [{"at_utc": instant, "at_utc_2": instant, "at_local": wall, "at_local_4": wall}]


def test_what_is_no_number_is_null_in_json() -> None:
    odd = [float("nan"), float("inf"), float("-inf"), Decimal("1.5"), Decimal("2"), 0.1]
    assert read({"deep": [{"in": odd}]}) == {"deep": [{"in": [None, None, None, 1.5, 2, 0.1]}]}


@pytest.mark.parametrize(
    ("length", "told"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=30), "P30D"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(days=2, seconds=10, microseconds=500_000), "P2DT10.5S"),
        (timedelta(microseconds=1), "PT0.000001S"),
        (timedelta(days=-1, hours=1), "-PT23H"),
        (timedelta(seconds=-86_400 - 60), "-P1DT1M"),
    ],
)
def test_a_length_of_time_is_told_as_by_iso_8601(length: timedelta, told: str) -> None:
    assert read([length]) == [told]


def test_every_kind_of_value_that_duckdb_gives_is_json() -> None:
    answer = duckdb.sql("""
        select
            map {date '2026-03-01': 1.5::double} as by_day,
            map {timestamp '2026-03-01 12:00:00': true} as is_late_by_start_utc,
            map {1: null, 2: 'b'} as by_number,
            map {1.50::decimal(5, 2): 1} as by_decimal,
            map {'nan'::double: 1, 'infinity'::double: 2} as by_odd_number,
            map {true: 1} as by_truth,
            '\\xDE\\xAD'::blob as bytes,
            interval 1 month as span,
            ['nan'::double, 1] as numbers,
            time '12:30:00' as clock,
            '101'::bit as bits,
            union_value(k := timestamp '2026-03-01 12:00:00') as either
    """)
    assert read(objects(answer.columns, answer.fetchall())) == [
        {
            "by_day": {"2026-03-01": 1.5},
            "is_late_by_start_utc": {"2026-03-01T12:00:00Z": True},
            "by_number": {"1": None, "2": "b"},
            "by_decimal": {"1.5": 1},
            "by_odd_number": {"nan": 1, "inf": 2},
            "by_truth": {"true": 1},
            "bytes": "dead",
            "span": "P30D",
            "numbers": [None, 1],
            "clock": "12:30:00",
            "bits": "101",
            "either": "2026-03-01T12:00:00",
        }
    ]


def test_a_set_is_told_in_order() -> None:
    assert read({"users": {"b", "a"}, "hours": frozenset({3, 1})}) == {"users": ["a", "b"], "hours": [1, 3]}
