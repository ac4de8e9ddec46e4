"""Tables as a person sees them."""

from datetime import datetime
from decimal import Decimal

import pytest

from hem_etl.cli.output import print_line, print_table, say


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
