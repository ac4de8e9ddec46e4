"""The page of the fleet, top down as an operator asks: how fresh, how complete, who is worst, who needs a person."""

from collections.abc import Mapping

from markupsafe import Markup

from hem_etl.facts import FleetFacts
from hem_etl.local_day import days_between, months_between
from hem_etl.report.bars import Bars, bars
from hem_etl.report.cells import ON_PAPER, heat_map
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
from hem_etl.report.markup import Child, joined, tag, text_of
from hem_etl.report.needs import need_of
from hem_etl.report.page import note, page, tile, tiles
from hem_etl.report.tables import (
    MOST_ROWS,
    Column,
    Row,
    behind,
    figure,
    listed,
    number,
    paper_note,
    share,
)


def fleet_page(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> str:
    """The file. `pages`: the address of each home's page that is made."""
    say = language.say
    sections: list[tuple[str, str, Child]] = [
        ("worst", say("Worst first"), _homes(fleet, pages, language)),
        ("people", say("Who needs a person"), _people(fleet, pages, language)),
        ("map", say("Coverage of homes and days"), _coverage(fleet, pages, language)),
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
        off_paper=say("Not on paper: the tables behind the figures, and of what is long all but its beginning."),
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
    caption = say(
        "Homes, those whose complete days end longest ago first; {days}",
        days=language.days(fleet.scope.start, fleet.scope.end),
    )
    unmade = len(fleet.homes) - len(pages)
    return [
        note(
            say(
                "{made} of {all} homes have a page here; `hem-etl report --all` makes all, `--system ID` one.",
                made=len(pages),
                all=len(fleet.homes),
            )
        )
        if unmade
        else None,
        listed("homes", columns, fleet.homes, caption, language),
    ]


def _people(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    rows = [
        {**home, "why": need.why, "step": need.step}
        for home in fleet.homes
        if (need := need_of(home, language)) is not None
    ]
    if not rows:
        return tag("p", say("Nobody: no home has to be linked again, fails, or has fallen behind."))
    columns = [
        home_column(pages, language),
        Column("vendor", say("Vendor")),
        Column("why", say("Why")),
        Column("step", say("Next step"), None, lambda row: text_of(row["step"]), drawn=lambda row: row["step"]),
    ]
    caption = say("{count} homes, worst first", count=len(rows))
    return listed("people", columns, rows, caption, language, on_paper=5)


def _coverage(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    homes = [
        (f"{_short(home['system_id'])} {home['vendor'] or ''}", pages.get(home["system_id"]), cells)
        for home in fleet.homes
        if (cells := fleet.cells.get(home["system_id"]))
    ]
    rows = [cell for _, _, cells in homes for cell in cells if cell["kind"] not in ("complete", "none")]
    is_merged = any(cell["days"] > 1 for _, _, cells in homes for cell in cells)
    title = say("What became of each day of each home")
    columns = [
        home_column(pages, language),
        Column("first_day" if is_merged else "day", say("Day"), language.day, lambda cell: cell["first_day"]),
        *(_of_several_days(language) if is_merged else []),
        Column("outcome", say("Outcome")),
        Column("detail", say("Detail")),
        share("coverage", say("Coverage of all flows"), language),
        Column("reasons", say("Reasons")),
    ]
    about = [
        say("Worst home at the top. Coverage: hours with valid buckets of six flows ÷ hours that ought to have any."),
        say(
            "A cell is several days and looks like the worst of them, those that somebody can do most about; how many "
            "they are and how many are complete is said where you point, and in the table. A home's page has each day."
        )
        if is_merged
        else None,
        say("Only the worst {count} of {total} homes fit.", count=len(homes), total=len(fleet.homes))
        if len(homes) < len(fleet.homes)
        else None,
    ]
    return figure(
        title,
        joined((part for part in about if part), " "),
        paper_note(ON_PAPER, len(homes), language),
        heat_map(homes, fleet.scope.start, fleet.scope.end, title, language),
        behind("days", columns, rows, say("Days that are not complete"), language, most=MOST_ROWS),
    )


def _of_several_days(language: Language) -> list[Column]:
    say = language.say
    return [
        Column("last_day", say("To"), language.day),
        number("days", say("Days"), language, 0),
        number("complete_days", say("Complete"), language, 0),
        number("kind_days", say("The worst"), language, 0),
    ]


def _energy(fleet: FleetFacts, language: Language) -> Child:
    say = language.say
    days = list(days_between(fleet.scope.start, fleet.scope.end))
    months = list(months_between(fleet.scope.start, fleet.scope.end))
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
    return tag("div", drawn, class_="pair")


def _short(system_id: str) -> str:
    return system_id if len(system_id) <= 14 else system_id[:13] + "…"
