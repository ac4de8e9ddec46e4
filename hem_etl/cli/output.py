"""What a person or a program sees: tables, JSON, log lines. Data on standard output, the rest on standard error."""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    import polars as pl

OUT: Final = Console(highlight=False, emoji=False, soft_wrap=True, width=10_000)
"""Wide enough for any line: a number is never cut to fit a terminal, the terminal wraps instead."""
ERR: Final = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

_UTC: Final = re.compile(r"_utc(_\d+)?$", re.IGNORECASE)
_LOCAL: Final = re.compile(r"_local(_\d+)?$", re.IGNORECASE)
"""Ends of names; a name that stands twice has a number behind it."""


def say(text: str = "") -> None:
    """A line for people, on standard error."""
    ERR.print(escape(text))


def print_line(text: str) -> None:
    """A line of data, on standard output."""
    OUT.print(escape(text))


def print_json(value: Any) -> None:
    """One JSON value on standard output, as by `as_json`."""
    OUT.file.write(as_json(value))


def as_json(value: Any) -> str:
    """One JSON value as text.

    Dates, times and durations as ISO 8601: with Z what is, or stands within, a value whose name ends in `_utc`, with
    its offset what has one; any other is wall-clock time and says no zone. Null for NaN and the infinities, which JSON
    lacks; hex digits for bytes.
    """
    return json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


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
    if title:
        print_line(title)
    header, *lines = _of_one_width(names, rows, digits)
    blank = " " * cell_len(header)
    rule = f" {('-' if OUT.options.ascii_only else '─') * (len(blank) - 2)} "
    print_line(blank)
    OUT.print(f"[bold]{escape(header)}[/bold]")
    OUT.file.write("".join(f"{line}\n" for line in (rule, *lines, blank)))
    if total is not None and total > len(rows):
        say(f"… and {total - len(rows)} more rows ({len(rows)} of {total} shown)")


def _of_one_width(names: Sequence[str], rows: Sequence[tuple[Any, ...]], digits: int) -> list[str]:
    """The header and each row as a line; numbers stand to the right. By hand: rich takes 40 times as long."""
    columns = []
    for place, name in enumerate(names):
        is_number = any(isinstance(row[place], int | float | Decimal) for row in rows)
        cells = [printable(name), *(_cell(row[place], digits) for row in rows)]
        lengths = [cell_len(cell) for cell in cells]
        widest = max(lengths)
        pads = [" " * (widest - length) for length in lengths]
        columns.append([pad + cell if is_number else cell + pad for cell, pad in zip(cells, pads, strict=True)])
    return [f" {'   '.join(cells)} " for cells in zip(*columns, strict=True)]


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


def _plain(value: Any, *, is_utc: bool = False) -> Any:
    """The value as JSON has it. is_utc: its name says that naive time stamps are UTC."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if is_utc and value.tzinfo is None else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else _plain(float(value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {
            _key(name, is_utc=is_utc): _plain(each, is_utc=_names_utc(name, is_utc=is_utc))
            for name, each in value.items()
        }
    if isinstance(value, set | frozenset):
        return [_plain(each, is_utc=is_utc) for each in sorted(value)]
    if isinstance(value, Sequence):
        return [_plain(each, is_utc=is_utc) for each in value]
    return str(value)


def _names_utc(name: Any, *, is_utc: bool) -> bool:
    """Whether what has this name is UTC; is_utc: whether what it stands within is."""
    if not isinstance(name, str):
        return is_utc
    return bool(_UTC.search(name)) or (is_utc and not _LOCAL.search(name))


def _key(name: Any, *, is_utc: bool) -> str:
    """The key of a map, which JSON has as text only; as the value would be, and NaN by its name: it is no NULL."""
    plain = _plain(name, is_utc=is_utc)
    if plain is None:
        return str(name)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _iso_duration(length: timedelta) -> str:
    """Such as P30DT1H0.5S, with a minus before all of it."""
    days, rest = divmod(abs(length), timedelta(days=1))
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes, rest = divmod(rest, timedelta(minutes=1))
    seconds = f"{rest.seconds}" + (f".{rest.microseconds:06}".rstrip("0") if rest.microseconds else "")
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if seconds != "0" or not (days or clock):
        clock += f"{seconds}S"
    sign = "-" if length < timedelta() else ""
    return f"{sign}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"
