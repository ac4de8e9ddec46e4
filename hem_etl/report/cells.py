"""Coverage as cells: what became of each day. Colour and pattern tell the reason; a cell leads to its day."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from markupsafe import Markup

from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import legend, picture
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FAILED_OUTCOMES, FINAL_OUTCOMES, NO_LOOK

CELL: Final = 15
NAME_WIDTH: Final = 190
ROW_HEIGHT: Final = 15
WIDTH: Final = 960
MOST_SINGLE_CELLS: Final = 8_000
"""Above it, neighbours that look alike are one cell: a fleet of a thousand homes stays a page that scrolls."""

PATTERNS: Final = {
    "complete": None,
    "partial": "partial",
    "scant": "partial",
    "nothing": "nothing",
    "failed": "failed",
    "blocked": "blocked",
    "none": "none",
    "absent": None,
}
Row = dict[str, Any]


def kind_of(cell: Row | None) -> str:
    """What a cell is: of a loaded day what it covers, of another why there is nothing."""
    if cell is None or cell["outcome"] == NO_LOOK:
        return "absent"
    if cell["is_loaded"]:
        if cell["is_complete"]:
            return "complete"
        if not cell["coverage"]:
            return "nothing"
        return "partial" if cell["coverage"] >= 0.5 else "scant"
    outcome = cell["outcome"]
    if outcome in FAILED_OUTCOMES:
        return "failed"
    if outcome in BLOCKED_OUTCOMES:
        return "blocked"
    return "none" if outcome in FINAL_OUTCOMES else "nothing"


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
    return legend([(kind, language.say(text), PATTERNS[kind]) for kind, text in told.items()])


def told_of(cell: Row | None, language: Language, *, is_brief: bool = False) -> str:
    """Outcome, coverage and reason of a cell, for a person who points at it."""
    if cell is None:
        return language.say("never asked")
    parts = [cell["outcome"], cell["detail"]]
    if cell["coverage"] is not None:
        parts.append(language.say("coverage {coverage}", coverage=language.share(cell["coverage"])))
    parts.append(cell["reason"] if is_brief else cell["reasons"])
    if cell["edited_buckets"]:
        parts.append(language.say("{count} buckets corrected by hand", count=cell["edited_buckets"]))
    return "; ".join(part for part in parts if part)


def heat_map(
    homes: Sequence[tuple[str, str, str | None]],
    cells: dict[str, dict[date, Row]],
    days: Sequence[date],
    title: str,
    language: Language,
) -> Markup:
    """Homes (id, name, address of the page) down, days across."""
    step = (WIDTH - NAME_WIDTH) / len(days)
    is_merged = len(homes) * len(days) > MOST_SINGLE_CELLS
    lines = []
    for number, (system_id, name, address) in enumerate(homes):
        y = 26 + number * ROW_HEIGHT
        own = cells.get(system_id, {})
        label = tag("text", name, x=0, y=y + 11, font_size=11)
        lines.append(tag("a", label, href=address) if address else label)
        for first, last in _runs([_look(own.get(day)) for day in days], is_merged):
            cell = own.get(days[first])
            when = language.day(days[first]) + ("" if last - first == 1 else f" – {language.day(days[last - 1])}")
            drawn = _cell(cell, NAME_WIDTH + first * step, y, (last - first) * step, ROW_HEIGHT, is_merged)
            titled = tag("title", f"{when}: {told_of(cell, language, is_brief=is_merged)}")
            target = f"{address}#d{days[first]}" if address else None
            body = (titled, drawn)
            lines.append(tag("a", body, href=target, tabindex=-1) if target else tag("g", body))
    every = -(-len(days) // 10)
    labels = [
        tag("text", language.short_day(day), x=NAME_WIDTH + place * step, y=16, class_="soft")
        for place, day in enumerate(days)
        if place % every == 0 and len(days) - place >= every * 0.7
    ]
    described = language.say(
        "{homes} homes down, {days} days across; the table below lists what is not complete",
        homes=len(homes),
        days=len(days),
    )
    height = 30 + len(homes) * ROW_HEIGHT
    return picture(
        title, str(described), WIDTH, height, tag("g", labels, aria_hidden="true"), lines, has_links=True
    ) + cell_legend(language)


def calendar(
    cells: dict[date, Row],
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
    for day in _days(first, last):
        week, place = (day - monday).days // 7, day.weekday()
        x, y = left + week * (CELL + 2), 22 + place * (CELL + 2)
        if day.day == 1 or (day == first and day.day < 15):
            drawn.append(tag("text", language.month(day), x=x, y=14, class_="soft", font_size=10))
        body = (
            tag("title", f"{language.day(day)}: {told_of(cells.get(day), language)}"),
            _cell(cells.get(day), x, y, CELL, CELL, False),
        )
        target, anchor = address(day), f"d{day}"
        own = None if target == f"#{anchor}" else anchor  # where the map of the fleet leads, unless the day is drawn
        drawn.append(tag("a", body, href=target, tabindex=-1, id=own) if target else tag("g", body, id=own))
    described = language.say(
        "{days} days, weeks across; the table below lists what is not complete", days=(last - first).days + 1
    )
    width = max(left + weeks * (CELL + 2) + 60, WIDTH)
    return picture(title, str(described), width, 22 + 7 * (CELL + 2) + 4, drawn, has_links=True) + cell_legend(language)


def _cell(cell: Row | None, x: float, y: float, width: float, height: float, is_merged: bool) -> list[Markup]:
    kind = kind_of(cell)
    gap = 0.5 if is_merged else min(1.0, 0.1 * width)
    box = {"x": round(x, 1), "y": y, "width": round(width - gap, 1), "height": height - 1}
    drawn = [tag("rect", class_=kind, **box)]
    if PATTERNS[kind]:
        drawn.append(tag("rect", fill=f"url(#{PATTERNS[kind]})", **box))
    if cell is not None and cell["edited_buckets"]:
        drawn.append(tag("rect", class_="edited", x=x + 1, y=y + 1, width=max(width - 3, 1), height=height - 3))
    return drawn


def _look(cell: Row | None) -> tuple[Any, ...]:
    """Cells with the same one may be drawn as one."""
    if cell is None:
        return ("absent",)
    return kind_of(cell), cell["outcome"], cell["reason"], bool(cell["edited_buckets"])


def _runs(looks: Sequence[tuple[Any, ...]], is_merged: bool) -> Iterator[tuple[int, int]]:
    first = 0
    for place in range(1, len(looks) + 1):
        if place == len(looks) or not is_merged or looks[place] != looks[first]:
            yield first, place
            first = place


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))
