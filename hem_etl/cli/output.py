"""What a person or a program sees: tables, JSON, log lines. Data on standard output, the rest on standard error."""

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    import polars as pl

OUT: Final = Console(highlight=False, soft_wrap=True, width=10_000)
"""Wide enough for any table: a number is never cut to fit a terminal, the terminal wraps instead."""
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """A line for people, on standard error."""
    ERR.print(escape(text))


def print_line(text: str) -> None:
    """A line of data, on standard output."""
    OUT.print(escape(text))


def print_json(value: Any) -> None:
    """One JSON value on standard output; dates and instants (UTC) as ISO 8601."""
    OUT.file.write(as_json(value))


def as_json(value: Any) -> str:
    """One JSON value as text."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2) + "\n"


def objects(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows as JSON objects; a name that stands twice gets its place."""
    unique = [name if name not in names[:place] else f"{name}_{place + 1}" for place, name in enumerate(names)]
    return [dict(zip(unique, row, strict=True)) for row in rows]


def print_rows(frame: "pl.DataFrame", *, title: str | None = None, is_json: bool = False, digits: int = 3) -> None:
    """Rows as a table, or as a JSON list of objects."""
    print_table(frame.columns, frame.rows(), title=title, is_json=is_json, digits=digits)


def print_table(
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    title: str | None = None,
    is_json: bool = False,
    digits: int = 3,
    total: int | None = None,
) -> None:
    """The same for rows of any kind. NULL is shown as an empty cell, never as 0.

    total: how many rows there are, where these are the first ones only; the table then says so.
    """
    if is_json:
        print_json(objects(names, rows))
        return
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for place, name in enumerate(names):
        is_number = any(isinstance(row[place], int | float | Decimal) for row in rows)
        table.add_column(escape(name), justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(_cell(value, digits)) for value in row))
    if title:
        print_line(title)
    OUT.print(table)
    if total is not None and total > len(rows):
        say(f"… and {total - len(rows)} more rows ({len(rows)} of {total} shown)")


def print_findings(findings: Iterable[tuple[str, str, str]]) -> None:
    """(mark, what, text) lines."""
    for mark, what, text in findings:
        print_line(f"{mark:<5}{what}: {text}")


def set_up_logging(verbosity: int) -> None:
    """Log lines on standard error: warnings by default, the story of a run with -v, every request with -vv."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    handler = _ToStandardError()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("hem_etl").setLevel(level)


class _ToStandardError(logging.StreamHandler[TextIO]):
    """To what is standard error when a line comes: while bars are shown, lines go above them and not into them."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        pass


def printable(text: object) -> str:
    """The text with every character that is no print or blank spelt out: nothing moves the cursor or the colours."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        return f"{value:.{digits}f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return printable(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, set | frozenset | Sequence):
        return sorted(value)
    return str(value)
