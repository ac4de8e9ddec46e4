"""Coverage as cells: what became of each day. Colour and pattern tell the reason; a cell leads to its day."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from markupsafe import Markup

from hem_etl.local_day import days_between
from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import legend, picture

CELL: Final = 15
ON_PAPER: Final = 20
"""Homes of the map that are printed; the style cuts the picture there."""
NAME_WIDTH: Final = 190
ROW_HEIGHT: Final = 15
WIDTH: Final = 960

Row = dict[str, Any]


def cell_legend(language: Language) -> Markup:
    """The kinds, in the order of how little there is to do."""
    told = {
        "complete": "complete",
        "partial": "half or more of it there",
        "scant": "less than half",
        "nothing": "loaded, and nothing in it",
        "failed": "could not be read",
        "blocked": "blocked: the user must act",
        "none": "nothing to have: before installation, unsupported, gone",
        "absent": "never asked",
    }
    return legend([(f"cell-{kind}", language.say(text), None) for kind, text in told.items()])


def told_of(cell: Row, language: Language) -> str:
    """Days, outcome, coverage and reasons of a cell, for a person who points at it."""
    say = language.say
    outcome = say("never asked") if cell["kind"] == "absent" else cell["outcome"]
    parts = [outcome, cell["detail"], cell["reasons"]]
    if cell["days"] > 1:
        parts = [  # of the worst, the newest one's
            say("{part} of {whole} days complete", part=cell["complete_days"], whole=cell["days"]),
            *([] if cell["kind"] == "complete" else [_worst(cell, outcome, language), *parts[1:]]),
        ]
    if cell["coverage"] is not None:
        parts.append(say("coverage {coverage}", coverage=language.share(cell["coverage"])))
    if cell["edited_buckets"]:
        parts.append(say("{count} buckets corrected by hand", count=cell["edited_buckets"]))
    return f"{language.days(cell['first_day'], cell['last_day'])}: {'; '.join(part for part in parts if part)}"


def _worst(cell: Row, outcome: str, language: Language) -> str:
    return language.say("the worst ({count}): {outcome}", count=cell["kind_days"], outcome=outcome)


def heat_map(
    homes: Sequence[tuple[str, str | None, Sequence[Row]]], first: date, last: date, title: str, language: Language
) -> Markup:
    """Homes (name, address of the page, cells) down, days across; a cell is as wide as its days."""
    days = (last - first).days + 1
    step = (WIDTH - NAME_WIDTH) / days
    lines = []
    for number, (name, address, cells) in enumerate(homes):
        y = 26 + number * ROW_HEIGHT
        label = tag("text", name, x=0, y=y + 11, font_size=11)
        row: list[Markup] = [tag("a", label, href=address) if address else label]
        for cell in cells:
            x, width = NAME_WIDTH + (cell["first_day"] - first).days * step, cell["days"] * step
            body = (tag("title", told_of(cell, language)), _cell(cell, x, y, width, ROW_HEIGHT))
            target = f"{address}#d{cell['first_day']}" if address else None
            row.append(tag("a", body, href=target, tabindex=-1) if target else tag("g", body))
        lines.append(tag("g", row, class_="screen" if number >= ON_PAPER else None))
    every = -(-days // 10)
    labels = [
        tag("text", language.short_day(day), x=NAME_WIDTH + place * step, y=16, class_="soft")
        for place, day in enumerate(days_between(first, last))
        if place % every == 0 and days - place >= every * 0.7
    ]
    described = language.say(
        "{homes} homes down, {days} days across; the table below lists what is not complete",
        homes=len(homes),
        days=days,
    )
    height = 30 + len(homes) * ROW_HEIGHT
    return picture(
        title, str(described), WIDTH, height, tag("g", labels, aria_hidden="true"), lines, has_links=True
    ) + cell_legend(language)


def calendar(
    cells: Sequence[Row],
    first: date,
    last: date,
    address: Callable[[date], str | None],
    title: str,
    language: Language,
) -> Markup:
    """Weeks across, weekdays down."""
    monday = first - timedelta(days=first.weekday())
    weeks = (last - monday).days // 7 + 1
    left = 30
    drawn = [
        tag("text", name, x=0, y=34 + number * (CELL + 2), class_="soft", font_size=10)
        for number, name in enumerate(language.weekdays())
        if number % 2 == 0
    ]
    for cell in cells:
        day = cell["first_day"]
        week, place = (day - monday).days // 7, day.weekday()
        x, y = left + week * (CELL + 2), 22 + place * (CELL + 2)
        if day.day == 1 or (day == first and day.day < 15):
            drawn.append(tag("text", language.month(day), x=x, y=14, class_="soft", font_size=10))
        body = (tag("title", told_of(cell, language)), _cell(cell, x, y, CELL, CELL))
        target, anchor = address(day), f"d{day}"
        own = None if target == f"#{anchor}" else anchor  # where the map of the fleet leads, unless the day is drawn
        drawn.append(tag("a", body, href=target, tabindex=-1, id=own) if target else tag("g", body, id=own))
    described = language.say(
        "{days} days, weeks across; the table below lists what is not complete", days=(last - first).days + 1
    )
    width = max(left + weeks * (CELL + 2) + 60, WIDTH)
    return picture(title, str(described), width, 22 + 7 * (CELL + 2) + 4, drawn, has_links=True) + cell_legend(language)


def _cell(cell: Row, x: float, y: float, width: float, height: float) -> list[Markup]:
    gap = min(1.0, 0.1 * width)
    drawn = [tag("rect", class_=f"cell-{cell['kind']}", x=x, y=y, width=width - gap, height=height - 1)]
    if cell["edited_buckets"]:
        drawn.append(tag("rect", class_="edited", x=x + 1, y=y + 1, width=max(width - 3, 1), height=height - 3))
    return drawn
