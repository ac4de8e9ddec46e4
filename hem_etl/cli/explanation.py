"""How an explanation looks to a person: wrapped to at most 100 columns, plain where nobody sits at a terminal.

Ids, reasons and findings come from outside: they are shown as text, never read as markup, and what cannot be printed is
escaped. The facts are made by `explain`.
"""

import textwrap
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hem_etl.cli.output import printable
from hem_etl.facts.figures import FIGURES, number
from hem_etl.vocabulary import FLOWS, METRICS

WIDTH: Final = 100
INDENT: Final = 2
ALWAYS_SHOWN: Final = ("expected", "sent", "valid", "null", "missing", "over_limit")
SHOWN_WHERE_ANY: Final = (
    "unreadable",
    "negative",
    "duplicate",
    "off_grid",
    "offset_mismatch",
    "outside_day",
    "edited",
)
"""Kinds of buckets, as the columns of core.series are called."""

Facts = Mapping[str, Any]


class Page:
    """Standard output, line by line."""

    def __init__(self) -> None:
        real = Console(highlight=False)
        self._console = Console(highlight=False, width=min(real.width, WIDTH) if real.is_terminal else WIDTH)

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(printable(text), style="bold"))

    def line(self, text: str, level: int = 1, style: str = "") -> None:
        """Wrapped lines below each other, `level` steps in; what goes on stands one step further in."""
        first, later = " " * INDENT * level, " " * INDENT * (level + 1)
        lines = textwrap.wrap(printable(text), self._console.width, initial_indent=first, subsequent_indent=later)
        for part in lines:
            self._console.print(Text(part, style=style))

    def table(self, head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for place, name in enumerate(head):
            table.add_column(Text(name), justify="right" if place else "left", no_wrap=not place, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._console.print(Padding.indent(table, INDENT))


def print_explanation(facts: Facts) -> None:
    """The whole page."""
    page = Page()
    _head(page, facts)
    _figures(page, facts)
    _series(page, facts["series"])
    _findings(page, facts["findings"])
    _overrides(page, facts["overrides"])
    _versions(page, facts)


def _head(page: Page, facts: Facts) -> None:
    look = facts["last_look"]
    page.title(f"{facts['vendor'] or 'unknown vendor'} {facts['system_id']} on {facts['day']}")
    if facts["starts_at_utc"]:
        start, end = (_instant(facts[name]) for name in ("starts_at_utc", "ends_at_utc"))
        page.line(f"{facts['timezone']}: {facts['day_hours']:g} h, from {start} to {end}")
    else:
        page.line("the system's zone is known nowhere")
    complete = "complete" if facts["is_complete"] else "not complete"
    version = f"version {facts['version']}" if facts["version"] else "never loaded"
    page.line(f"{complete}, {facts['state'] or 'never asked'}, {version}")
    if look is None:
        page.line("last look: none, only the vendor's daily total is known")
        return
    how = [f"HTTP {look['http_status']}"] if look["http_status"] else []
    how += [f"{look['attempts']} attempts" if look["attempts"] != 1 else "1 attempt"]
    how += [str(look["detail"])] if look["detail"] else []
    page.line(f"last look: {look['outcome']} at {_instant(look['fetched_at_utc'])} ({', '.join(how)})")


def _figures(page: Page, facts: Facts) -> None:
    figures = {figure["name"]: figure for figure in facts["figures"]}
    series = {row["metric"]: row for row in facts["series"]}
    page.title("Numbers")
    for name, figure in figures.items():
        own = FIGURES[name]
        flow = next((flow for flow in FLOWS if name in (f"{flow}_coverage", f"{flow}_reported_kwh")), None)
        if (flow and f"{flow}_kwh" in figures) or (own.is_bound and name.rsplit("_", 1)[0] in figures):
            continue
        page.line(_equation(figure))
        if name.removesuffix("_kwh") in FLOWS:
            _beside_a_flow(page, figures, name.removesuffix("_kwh"), series)
        low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
        if low and high and low["value"] is not None:
            gap = facts["gap_hours"]
            why = f"because {number(gap)} h are missing" if gap and gap > 1e-9 else "nothing is missing"
            page.line(f"between {_published(low['value'])} and {_published(high['value'])}: {why}", 2)
    for figure in figures.values():
        if figure["agrees"] is False:
            text = f"{figure['name']}: the parts give {figure['recomputed']}, published is {figure['value']}"
            page.line(f"{text}. This is a bug of hem_etl: please report it with this page.", style="bold red")


def _equation(figure: Facts) -> str:
    if figure["value"] is None:
        return f"{figure['name']} = NULL: {figure['why_null']}"
    unit = f" {figure['unit']}" if figure["unit"] in ("kWh", "kW", "%", "cycles") else ""
    return f"{figure['name']} = {figure['text']} = {_published(figure['value'])}{unit}"


def _beside_a_flow(page: Page, figures: Mapping[str, Facts], flow: str, series: Mapping[str, Facts]) -> None:
    """Coverage, gaps and the vendor's own number."""
    coverage, row = figures.get(f"{flow}_coverage"), series.get(flow)
    if coverage and coverage["value"] is not None:
        page.line(f"coverage {_published(coverage['value'])} = {coverage['text']}", 2)
    if row is None:
        return
    if row["explanation"] and figures[f"{flow}_kwh"]["value"] is not None:
        page.line(row["explanation"], 2)
    compared = row["reconciliation"]
    if compared and compared["reported_kwh"] is not None:
        ratio = compared["difference_ratio"]
        share = f", {100 * ratio:+.1f} %" if ratio is not None else ""
        difference = compared["difference_kwh"]
        deviation = f" ({difference:+.3f} kWh{share})" if difference is not None else ""
        page.line(f"the vendor reports {_published(compared['reported_kwh'])} kWh{deviation}: {compared['status']}", 2)
    elif compared:
        page.line("the vendor reports no value", 2)


def _series(page: Page, series: list[Facts]) -> None:
    available = [row for row in series if row["is_available"]]
    if available:
        page.title("Buckets")
        kinds = [
            *ALWAYS_SHOWN,
            *(kind for kind in SHOWN_WHERE_ANY if any(row.get(f"{kind}_buckets") for row in available)),
        ]
        head = ["metric", "min", *(kind.replace("_", " ") for kind in kinds), "coverage"]
        page.table(
            head,
            (
                [
                    row["metric"],
                    str(row["resolution_minutes"]),
                    *(_count(row.get(f"{kind}_buckets")) for kind in kinds),
                    _published(row["coverage"]),
                ]
                for row in available
            ),
        )
    alike: dict[str, list[str]] = {}
    for row in available:
        alike.setdefault(", ".join(f"{start}–{end}" for start, end in row["not_valid_local"]), []).append(row["metric"])
    for stretches, metrics in alike.items():
        if stretches:
            page.line(f"nothing valid from {stretches} local time: {', '.join(metrics)}")
    absent = [row for row in series if not row["is_available"]]
    if absent:
        page.title("Not there")
        for row in absent:
            reason = row["explanation"] or "no explanation"
            page.line(f"{row['metric']}: {reason}" + (f" [{row['absence']}]" if row["absence"] else ""))


def _findings(page: Page, findings: list[Facts]) -> None:
    page.title(f"Findings: {len(findings) or 'none'}")
    for row in findings:
        of_month = " of the month" if len(row["interval"]) == len("2026-03") else ""
        page.line(f"{row['severity']} {row['rule']}{of_month}, {row['metric'] or 'the whole day'}: {row['evidence']}")


def _overrides(page: Page, overrides: list[Facts]) -> None:
    if not overrides:
        return
    page.title("Corrections by hand in force")
    for row in overrides:
        what = "buckets left out" if row["value"] is None else f"set to {number(row['value'])}"
        page.line(f"{row['metric']} from {row['start']} to {row['end']}: {what}")
        page.line(f"by {row['author']} since {_instant(row['valid_from_utc'])}: {row['reason']}", 2)


def _versions(page: Page, facts: Facts) -> None:
    versions = facts["versions"]
    page.title(f"Versions: {len(versions) or 'none'}")
    for row in versions:
        hours = row["hours_after_day_end"]
        when = f", {abs(hours):.1f} h {'after' if hours >= 0 else 'before'} the day ended" if hours is not None else ""
        cause = ", a correction by hand" if row["cause"] == "override" else ""
        page.line(f"{row['version']}: {_instant(row['fetched_at_utc'])}{when}{cause}")
        if row["payload_sha256"]:
            page.line(f"sha256 {row['payload_sha256']}", 2)
            page.line(_body(row["raw_body"]), 2)
        if row["changed"] is not None:
            _changes(page, row["changed"], facts["metric"])
        if not row["applied"]:
            page.line("a series had vanished from this answer: its last good values were kept", 2)
        if row["was_settled"]:
            page.line("the day counted as settled before", 2)
    month = facts["month_look"]
    if month and month["payload_sha256"]:
        page.title(f"The vendor's own numbers: answer of {month['interval']}, {_instant(month['answered_at_utc'])}")
        page.line(f"sha256 {month['payload_sha256']}", 2)
        page.line(_body(month["raw_body"]), 2)


def _changes(page: Page, changed: Mapping[str, Any], metric: str | None) -> None:
    if not changed:
        of = "these flows" if metric in (*METRICS, *FIGURES) else "any flow"
        page.line(f"neither energy nor coverage of {of} changed", 2)
    for name, (before, after) in changed.items():
        difference = f" ({after - before:+.3f})" if before is not None and after is not None else ""
        page.line(f"{name}: {_published(before)} → {_published(after)}{difference}", 2)


def _body(found: Facts | None) -> str:
    if found is None or found["is_there"] is None:
        return f"raw body: landing cannot be read ({found['detail'] if found else 'not looked for'})"
    if not found["is_there"]:
        return "raw body: no longer in landing"
    return f"raw body: in landing, {found['segment']}" + (
        "" if found["is_whole"] else ", DAMAGED: other bytes than loaded"
    )


def _published(value: Any) -> str:
    """A published number with all its decimals shown alike; NULL as what it is."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _instant(value: datetime | None) -> str:
    return "at no known time" if value is None else f"{value:%Y-%m-%d %H:%M:%SZ}"
