"""Tables: one behind every figure, with the same rows as a file to download, and those that stand for themselves."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag

MOST_ROWS: Final = 200
"""Of a table that grows with the fleet; the file beside it has more."""
MOST_IN_FILE: Final = 5_000
"""Of a file inside a page: some 100 bytes a row, and a page is to stay small enough to be mailed."""
Row = dict[str, Any]
_FORMULA: Final = re.compile(r"^[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: what stands over it, its value in a row, and how a person reads that."""

    name: str
    """In the file: the name that the mart has."""
    title: str
    told: Callable[[Any], Child] | None = None
    value: Callable[[Row], Any] | None = None
    """Default: the row's value of that name."""
    is_number: bool = False
    drawn: Callable[[Row], Child] | None = None
    """How a person reads it, where the value alone does not say."""

    def of(self, row: Row) -> Any:
        return row[self.name] if self.value is None else self.value(row)

    def cell(self, row: Row) -> Child:
        if self.drawn is not None:
            return self.drawn(row)
        value = self.of(row)
        if value is None:
            return None
        return self.told(value) if self.told else str(value)


def number(name: str, title: str, language: Language, digits: int = 1) -> Column:
    return Column(name, title, lambda value: language.number(value, digits), is_number=True)


def share(name: str, title: str, language: Language) -> Column:
    return Column(name, title, language.share, is_number=True)


def table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    caption: str,
    *,
    identify: Callable[[Row], str | None],
    sorts: bool,
    on_paper: int,
) -> Markup:
    """Rows for people. An empty cell: not known. `sorts`: a script may let people sort it; so many rows are printed."""
    return tag(
        "table",
        tag("caption", caption),
        tag(
            "thead", tag("tr", [tag("th", c.title, scope="col", class_="n" if c.is_number else None) for c in columns])
        ),
        tag("tbody", [tag("tr", [_cell(c, row, sorts) for c in columns], id=identify(row)) for row in rows]),
        class_=" ".join(name for name in ("sorts" if sorts else "", f"paper-{on_paper}") if name),
    )


def _cell(column: Column, row: Row, sorts: bool) -> Markup:
    value = column.of(row)
    is_sortable = sorts and (column.is_number or isinstance(value, date | bool))
    return tag(
        "td",
        column.cell(row),
        class_="n" if column.is_number else None,
        data_v=("" if value is None else plain(value)) if is_sortable else None,
    )


def download(file: str, columns: Sequence[Column], rows: Iterable[Row], language: Language) -> Markup:
    """A link that holds the rows as CSV: nothing is fetched. Numbers as they are in the mart, not as they are shown."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows([_file_cell(column.of(row)) for column in columns] for row in rows)
    data = quote(written.getvalue(), safe=",:;/?@&=+$-_.!~*'() ").replace(" ", "%20")
    return tag(
        "a", language.say("CSV"), href=f"data:text/csv;charset=utf-8,{data}", download=f"{file}.csv", class_="screen"
    )


def plain(value: Any) -> str:
    """As data: ISO dates, a point before decimals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def _file_cell(value: Any) -> str:
    """Text that a spreadsheet would run as a formula gets a quote before it."""
    if value is None:
        return ""
    text = plain(value)
    return "'" + text if isinstance(value, str) and _FORMULA.match(text) else text


def listed(
    file: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    caption: str,
    language: Language,
    *,
    most: int | None = MOST_ROWS,
    sorts: bool = True,
    identify: Callable[[Row], str | None] = lambda row: None,
    on_paper: int = 8,
) -> list[Child]:
    """A table of at most so many rows, and the file beside it, which has more of them; what is cut off is said."""
    shown = rows[:most]
    cut: Child = None
    if len(rows) > MOST_IN_FILE:
        cut = language.say(
            "The first {shown} of {total} rows; the file has {held}, the tables of `hem-etl sql` all.",
            shown=len(shown),
            total=len(rows),
            held=MOST_IN_FILE,
        )
    elif len(shown) < len(rows):
        cut = language.say("The first {shown} of {total} rows; the file has all.", shown=len(shown), total=len(rows))
    return [
        download(file, columns, rows[:MOST_IN_FILE], language),
        tag("p", cut, class_="screen") if cut else None,
        paper_note(on_paper, len(rows), language),
        scrolled(caption, table(columns, shown, caption, identify=identify, sorts=sorts, on_paper=on_paper)),
    ]


def behind(
    file: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    caption: str,
    language: Language,
    *,
    most: int | None = None,
    sorts: bool = True,
) -> Markup:
    """The table behind a figure, closed until somebody opens it."""
    content = listed(file, columns, rows, caption, language, most=most, sorts=sorts)
    return closed(language.say("Table, and the same as a file"), content)


def closed(name: str, content: Child) -> Markup:
    """What somebody may open."""
    return tag("details", tag("summary", name), content, class_="data")


def paper_note(shown: int, total: int, language: Language) -> Markup | None:
    """Printed alone: that a print has the first rows of more."""
    if shown >= total:
        return None
    return tag("p", language.say("On paper the first {shown} of {total}.", shown=shown, total=total), class_="paper")


def scrolled(caption: str, content: Child) -> Markup:
    """What may be wider or longer than the page; the keyboard reaches it."""
    return tag("div", content, class_="scroll wide", tabindex=0, role="group", aria_label=caption)


def figure(title: str, note: Child, *content: Child) -> Markup:
    """A picture with what it shows, its legend and its table."""
    return tag("figure", tag("figcaption", tag("strong", title), note), *content)
