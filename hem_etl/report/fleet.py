"""The page of the fleet, top down as an operator asks: how fresh, how complete, who is worst, who needs a person."""

from collections.abc import Mapping
from datetime import date, timedelta

from markupsafe import Markup

from hem_etl.facts import FleetFacts
from hem_etl.local_day import months_between
from hem_etl.report.bars import Bars, bars
from hem_etl.report.cells import heat_map, kind_of
from hem_etl.report.columns import energy_columns, home_column
from hem_etl.report.comparing import (
    agreement_section,
    peers_section,
    restatements_section,
    settling_section,
    vendors_section,
)
from hem_etl.report.flows import ABOVE, BELOW
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag
from hem_etl.report.needs import need_of
from hem_etl.report.page import note, page, tile, tiles
from hem_etl.report.tables import (
    MOST_ROWS,
    Column,
    Row,
    behind,
    download,
    figure,
    more_rows,
    number,
    scrolled,
    share,
    table,
)


def fleet_page(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> str:
    """The file. `pages`: the address of each home's page that is made."""
    say = language.say
    cells: dict[str, dict[date, Row]] = {}
    for cell in fleet.cells.iter_rows(named=True):
        cells.setdefault(cell["system_id"], {})[cell["day"]] = cell
    sections: list[tuple[str, str, Child]] = [
        ("worst", say("Worst first"), _homes(fleet, pages, language)),
        ("people", say("Who needs a person"), _people(fleet, pages, language)),
        ("map", say("Coverage of homes and days"), _coverage(fleet, cells, pages, language)),
        ("totals", say("Energy"), _energy(fleet, language)),
        ("vendors", say("Vendors side by side"), vendors_section(fleet, language)),
        ("reported", say("Reported against integrated"), agreement_section(fleet, language)),
        ("restatements", say("Restatements"), restatements_section(fleet, pages, language)),
        ("settling", say("How late data settle"), settling_section(fleet, language)),
        ("peers", say("Homes that fall behind their peers"), peers_section(fleet, pages, language)),
    ]
    return page(
        say("One home") if len(fleet.homes) == 1 else say("Fleet of {count} homes", count=len(fleet.homes)),
        _tiles(fleet, language),
        sections,
        fleet.scope,
        language,
    )


def _tiles(fleet: FleetFacts, language: Language) -> Markup:
    say = language.say
    now, *earlier = fleet.tiles
    before = earlier[0] if earlier else None

    def of(row: Row | None, part: str, whole: str) -> str:
        if row is None or row[part] is None or not row[whole]:
            return language.number(None)
        return say("{part} of {whole}", part=row[part], whole=row[whole])

    def change(told: str, part: str) -> Child:
        value, old = now[part], None if before is None else before[part]
        if old is None or value is None:
            return say("7 days before: not known")
        sign = "=" if value == old else "▲" if value > old else "▼"
        return say("{sign} 7 days before: {told}", sign=sign, told=told)

    def counted(name: str, part: str, whole: str, *more: Child) -> Markup:
        return tile(name, of(now, part, whole), change(of(before, part, whole), part), *more)

    def covered(name: str, part: str) -> Markup:
        return tile(name, language.share(now[part]), change(language.share(before[part] if before else None), part))

    day = language.day(now["day"])
    why = say("incomplete: {reasons}", reasons=now["reasons"]) if now["reasons"] else None
    return tiles(
        [
            counted(say("Complete homes on {day}", day=day), "complete_homes", "expected_homes", why),
            covered(say("Coverage of generation on {day}", day=day), "generation_coverage"),
            covered(say("Coverage of consumption on {day}", day=day), "consumption_coverage"),
            counted(say("Homes whose complete days end more than 3 days ago"), "behind_homes", "homes"),
            counted(say("Days of homes that could not be read, 7 days"), "failed_days", "week_days"),
            counted(say("Homes that only their user can unblock"), "blocked_homes", "expected_homes"),
            tile(
                say("Days that a vendor restated, 7 days"),
                language.number(now["restatements"], 0),
                change(language.number(before["restatements"] if before else None, 0), "restatements"),
            ),
        ]
    )


def _homes(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    columns = [
        home_column(pages, language),
        Column("vendor", say("Vendor")),
        Column("newest_complete_day", say("Newest complete"), language.day),
        number("lag_days", say("Days behind"), language, 0),
        number("complete_days", say("Complete"), language, 0),
        number("expected_days", say("Expected"), language, 0),
        share("complete_days_ratio", say("Share"), language),
        Column("last_outcome", say("Last look")),
    ]
    caption = say("Homes, those whose complete days end longest ago first; {days}", days=_range_text(fleet, language))
    shown = fleet.homes[:MOST_ROWS]
    unmade = len(fleet.homes) - len(pages)
    return [
        download("homes", columns, fleet.homes, language),
        more_rows(len(shown), len(fleet.homes), language),
        note(
            say(
                "{made} of {all} homes have a page here; `hem-etl report --all` makes all, `--system ID` one.",
                made=len(pages),
                all=len(fleet.homes),
            )
        )
        if unmade
        else None,
        scrolled(caption, table(columns, shown, caption, sorts=True)),
    ]


def _people(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    needs = [(home, need) for home in fleet.homes if (need := need_of(home, language)) is not None]
    if not needs:
        return tag("p", say("Nobody: no home has to be linked again, fails, or has fallen behind."))
    home = home_column(pages, language)
    rows = [
        tag("tr", tag("td", home.cell(row)), tag("td", row["vendor"]), tag("td", need.why), tag("td", need.step))
        for row, need in needs[:MOST_ROWS]
    ]
    heads = [tag("th", say(text), scope="col") for text in ("Home", "Vendor", "Why", "Next step")]
    caption = say("{count} homes, worst first", count=len(needs))
    body = tag("table", tag("caption", caption), tag("thead", tag("tr", heads)), tag("tbody", rows))
    return [more_rows(len(rows), len(needs), language), scrolled(caption, body)]


def _coverage(
    fleet: FleetFacts, cells: Mapping[str, dict[date, Row]], pages: Mapping[str, str], language: Language
) -> Child:
    say = language.say
    days = _days(fleet)
    homes = [
        (row["system_id"], f"{_short(row['system_id'])} {row['vendor'] or ''}", pages.get(row["system_id"]))
        for row in fleet.homes
    ]
    title = say("What became of each day of each home")
    columns = [
        home_column(pages, language),
        Column("day", say("Day"), language.day),
        Column("outcome", say("Outcome")),
        share("coverage", say("Coverage of all flows"), language),
        Column("reasons", say("Reasons")),
    ]
    rows = [
        cell
        for row in fleet.homes
        for cell in cells.get(row["system_id"], {}).values()
        if kind_of(cell) not in ("complete", "none")
    ]
    return figure(
        title,
        say("Worst home at the top. Coverage: hours with valid buckets of six flows ÷ hours that ought to have any."),
        heat_map(homes, dict(cells), days, title, language),
        behind("days", columns, rows, say("Days that are not complete"), language, MOST_ROWS),
    )


def _energy(fleet: FleetFacts, language: Language) -> Child:
    say = language.say
    days, months = _days(fleet), list(months_between(fleet.scope.start, fleet.scope.end))
    drawn: list[Child] = []
    for kind, rows, places, title, file in (
        (Bars(ABOVE, BELOW), fleet.days, days, say("Energy of all homes by day"), "energy_by_day"),
        (
            Bars(ABOVE, BELOW, is_months=True),
            fleet.months,
            months,
            say("Energy of all homes by month, days of the range"),
            "energy_by_month",
        ),
    ):
        columns = energy_columns(language, is_months=kind.is_months)
        drawn.append(
            figure(
                title,
                say("kWh; above zero what came in, below zero what went out. The table has coverage and homes."),
                bars(kind, rows, places, title, fleet.complete_coverage, language),
                behind(file, columns, rows, title, language),
            )
        )
    return drawn


def _days(fleet: FleetFacts) -> list[date]:
    return [
        fleet.scope.start + timedelta(days=place) for place in range((fleet.scope.end - fleet.scope.start).days + 1)
    ]


def _range_text(fleet: FleetFacts, language: Language) -> str:
    return f"{language.day(fleet.scope.start)} – {language.day(fleet.scope.end)}"


def _short(system_id: str) -> str:
    return system_id if len(system_id) <= 14 else system_id[:13] + "…"
