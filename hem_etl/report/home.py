"""The page of a home: its days, where its energy came from and went, what is missing of it and why."""

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from hem_etl.facts import HomeFacts, Period
from hem_etl.local_day import days_between, months_between
from hem_etl.report.bars import Bars, bars
from hem_etl.report.cells import calendar
from hem_etl.report.columns import agreement_columns, energy_columns
from hem_etl.report.day import day_figure
from hem_etl.report.flows import ABOVE, BELOW, CAME_FROM, WENT_TO, flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, joined, tag
from hem_etl.report.needs import need_of
from hem_etl.report.page import explain_command, note, page, tile, tiles
from hem_etl.report.picking import choice
from hem_etl.report.spans import agreement, load_profile, ratio_ranges
from hem_etl.report.tables import (
    Column,
    Row,
    behind,
    closed,
    figure,
    listed,
    number,
    share,
)
from hem_etl.report.totals import RATIOS, complete_tile, energy_tiles, paths_figure


def home_page(facts: HomeFacts, language: Language) -> str:
    """The file."""
    say = language.say
    sections: list[tuple[str, str, Child]] = [
        ("days", say("Days"), _days(facts, language)),
        ("energy", say("Energy by day"), _energy(facts, language)),
        ("periods", say("A week or a month"), _periods(facts, language)),
        ("paths", say("Where it came from, where it went"), _paths(facts, language)),
        ("ratios", say("Self-consumption and self-sufficiency"), _ratios(facts, language)),
        ("peaks", say("Peaks"), _peaks(facts, language)),
        ("profile", say("Load profile"), _profile(facts, language)),
        ("coverage", say("Coverage"), _coverage(facts, language)),
        ("agreement", say("Reported against integrated"), _agreement(facts, language)),
        ("findings", say("What the rules noticed"), _findings(facts, language)),
        ("versions", say("Versions"), _versions(facts, language)),
    ]
    return page(
        f"{say('Home')} {facts.home['system_id']}",
        _lead(facts, language),
        sections,
        facts.scope,
        language,
        off_paper=say(
            "Not on paper: other days, weeks and months, findings, versions, and the tables behind the figures."
        ),
    )


def _lead(facts: HomeFacts, language: Language) -> Child:
    say, home = language.say, facts.home
    about: list[Child] = [home["vendor"], home["timezone"], home["devices"]]
    if home["battery_capacity_kwh"] is not None:
        about.append(say("{capacity} kWh usable", capacity=language.number(home["battery_capacity_kwh"])))
    if home["user_id"] is not None:
        about.append(say("user {user}", user=home["user_id"]))
    need = need_of(home, language)
    return [
        tag("p", tag("a", say("The fleet"), href="index.html"), class_="screen"),
        tag("p", joined((part for part in about if part), " · ")),
        note(tag("strong", need.why), " ", need.step, is_warning=True) if need else None,
        _tiles(facts, language),
    ]


def _tiles(facts: HomeFacts, language: Language) -> Child:
    say, total = language.say, facts.total
    newest = say("newest: {day}", day=language.day(facts.home["newest_complete_day"]))
    shown = [*energy_tiles(total, language), complete_tile(total, language, newest)]
    if total["edited_buckets"]:
        shown.append(tile(say("Corrected by hand"), say("{count} buckets", count=total["edited_buckets"])))
    return tiles(shown)


def _days(facts: HomeFacts, language: Language) -> Child:
    if not facts.shown:
        return _nothing_loaded(facts, language)
    parts = [
        (
            f"d{shown.day}",
            f"{language.weekday(shown.day)} {language.day(shown.day)}",
            [
                day_figure(shown, f"power_{shown.day}", language),
                tag("div", tiles(energy_tiles(shown.energy, language)), class_="screen"),
                tag("p", explain_command(facts.home["system_id"], shown.day), class_="screen"),
            ],
        )
        for shown in facts.shown
    ]
    return choice(language.say("Day"), parts, language, is_open=True)


def _periods(facts: HomeFacts, language: Language) -> Child:
    if not facts.parts:
        return tag("p", language.say("The range is too short to have parts."))
    parts = [
        (f"p{_code(period)}", _called(period, language), _period(facts, period, total, language))
        for period, total in facts.parts
    ]
    return choice(language.say("Period"), parts, language, is_open=False)


def _period(facts: HomeFacts, period: Period, total: Row, language: Language) -> Child:
    title = language.say("Energy by day")
    days = [row for row in facts.days if period.first_day <= row["day"] <= period.last_day]
    places = list(days_between(period.first_day, period.last_day))
    when = language.days(period.first_day, period.last_day)
    return [
        tag("p", when, class_="soft"),
        tiles([*energy_tiles(total, language), complete_tile(total, language)]),
        paths_figure(total, when, f"paths_{_code(period)}", language) if total["used_total_kwh"] is not None else None,
        figure(
            title,
            f"{when}. {language.say('kWh; above zero what came in, below zero what went out.')}",
            bars(Bars(ABOVE, BELOW), days, places, title, facts.complete_coverage, language),
            behind(
                f"energy_by_day_{_code(period)}",
                energy_columns(language, has_systems=False),
                days,
                f"{title}, {when}",
                language,
            ),
        ),
    ]


def _code(period: Period) -> str:
    """In anchors and names of files."""
    return f"{period.first_day:%Y-%m}" if period.newest is None else f"newest-{period.newest}"


def _called(period: Period, language: Language) -> str:
    if period.newest is not None:
        return language.say("Newest {days} days", days=period.newest)
    month = language.month(period.first_day)
    if period.is_whole_month:
        return month
    return f"{month} ({language.short_day(period.first_day)} – {language.short_day(period.last_day)})"


def _nothing_loaded(facts: HomeFacts, language: Language) -> Markup:
    say, home = language.say, facts.home
    last = ": ".join(part for part in (home["last_outcome"], home["last_detail"]) if part)
    return tag("p", say("No day of the range is loaded. The last look: {last}.", last=last or say("never asked")))


def _energy(facts: HomeFacts, language: Language) -> Child:
    title = language.say("Energy by day")
    return figure(
        title,
        language.say("kWh; above zero what came in, below zero what went out."),
        bars(Bars(ABOVE, BELOW), facts.days, _places(facts), title, facts.complete_coverage, language),
        behind("energy_by_day", energy_columns(language, has_systems=False), facts.days, title, language),
    )


def _paths(facts: HomeFacts, language: Language) -> Child:
    say, total = language.say, facts.total
    if total["used_total_kwh"] is None:
        return tag(
            "p",
            say(
                "Not known: it takes generation, both grid and both battery flows at the same time. A home without a "
                "battery has none to split: its simple ratios are exact."
            ),
        )
    months = list(months_between(facts.scope.start, facts.scope.end))
    drawn: list[Child] = [paths_figure(total, say("Whole range"), "paths", language)]
    for flows_shown, name in ((CAME_FROM, "Where consumption came from"), (WENT_TO, "Where generation went")):
        for is_months, rows, places in ((False, facts.days, _places(facts)), (True, facts.months, months)):
            when = say("{what}, by month (whole months)" if is_months else "{what}, by day", what=say(name))
            kind = Bars(
                flows_shown, coverage="attributed_coverage", key="month" if is_months else "day", is_months=is_months
            )
            if is_months and len(months) == 1:
                continue
            drawn.append(
                figure(
                    when,
                    say("kWh over the time in which all five flows are known."),
                    bars(kind, rows, places, when, facts.complete_coverage, language),
                    behind(_file(when), _attributed_columns(kind, language), rows, when, language),
                )
            )
    return [drawn[0], tag("div", drawn[1:], class_="pair")]


def _attributed_columns(kind: Bars, language: Language) -> list[Column]:
    say = language.say
    when = language.month if kind.is_months else language.day
    return [
        Column(kind.key, say("Month" if kind.is_months else "Day"), when),
        *(number(f"{flow}_kwh", f"{flow_name(flow, language)} [kWh]", language) for flow in kind.flows),
        share("attributed_coverage", say("Coverage"), language),
    ]


def _ratios(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    rows = [
        (f"{say(name)} · {when}", row, ratio)
        for ratio, name in RATIOS.items()
        for when, row in [(say("range"), facts.total), *((language.month(row["month"]), row) for row in facts.months)]
    ]
    if all(row[ratio] is None for _, row, ratio in rows):
        return tag("p", _simple_only(facts, language))
    title = say("Ratios and the range in which each can lie")
    columns = [
        Column("period", say("Period")),
        share("value", say("Value"), language),
        share("low", say("At least"), language),
        share("high", say("At most"), language),
    ]
    behind_rows = [
        {"period": name, "value": row[ratio], "low": row[f"{ratio}_low"], "high": row[f"{ratio}_high"]}
        for name, row, ratio in rows
    ]
    return figure(
        title,
        say(
            "Mark: over the time that is known. Bar: the least and the most it can be, whatever the missing time held."
        ),
        ratio_ranges(rows, title, language),
        behind("ratios", columns, behind_rows, title, language),
    )


def _simple_only(facts: HomeFacts, language: Language) -> str:
    total = facts.total
    return language.say(
        "This home has no attributed flows. From the grid's side alone: self-consumption {consumption}, "
        "self-sufficiency {sufficiency}.",
        consumption=language.share(total["self_consumption_simple_ratio"]),
        sufficiency=language.share(total["self_sufficiency_simple_ratio"]),
    )


def _peaks(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    title = say("Highest import of each day, mean of 15 minutes")
    if all(row["peak_import_kw"] is None for row in facts.days):
        return tag("p", say("No import is known in the range."))
    columns = [
        Column("day", say("Day"), language.day),
        number("peak_import_kw", say("Highest import [kW]"), language, 2),
        Column("peak_import_at_local", say("From (local time)"), lambda at: f"{at:%H:%M}"),
        share("grid_import_coverage", say("Coverage"), language),
    ]
    kind = Bars(("peak_import",), unit="kW", coverage="grid_import_coverage")
    return figure(
        title,
        say("kW."),
        bars(kind, facts.days, _places(facts), title, facts.complete_coverage, language),
        behind("peaks", columns, facts.days, title, language),
    )


def _profile(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    if not facts.profile:
        return tag("p", say("No consumption is known in the range."))
    title = say("Consumption by hour of the wall clock")
    columns = [
        Column("is_weekend", say("Days"), lambda flag: say("Sat, Sun") if flag else say("Mon – Fri")),
        number("hour", say("Hour"), language, 0),
        number("p10_kw", "10 % [kW]", language, 2),
        number("median_kw", f"{say('median')} [kW]", language, 2),
        number("p90_kw", "90 % [kW]", language, 2),
        number("quarters", say("Quarter hours (n)"), language, 0),
    ]
    return figure(
        title,
        say("kW, over the quarter hours of the range that consumption covers whole."),
        load_profile(facts.profile, title, language),
        behind("profile", columns, facts.profile, title, language),
    )


def _coverage(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    shown = {day.day for day in facts.shown}
    first_line = {row["day"]: row for row in reversed(facts.gaps)}

    def address(day: date) -> str | None:
        if day in shown:
            return f"#d{day}"
        return f"#g{day}" if day in first_line else None

    title = say("What became of each day")
    columns = [
        Column("day", say("Day"), language.day),
        Column("reason", say("Reason")),
        Column("metrics", say("Metrics")),
        Column("explanation", say("Explanation")),
    ]
    left = [cell for cell in facts.cells if cell["kind"] != "complete"]
    caption = say(
        "{count} of {days} days are not complete; every line says why", count=len(left), days=len(_places(facts))
    )
    lines = listed(
        "gaps",
        columns,
        facts.gaps,
        caption,
        language,
        identify=lambda row: f"g{row['day']}" if first_line[row["day"]] is row else None,
    )
    return [
        figure(title, None, calendar(facts.cells, facts.scope.start, facts.scope.end, address, title, language)),
        closed(say("Everything that is missing, and why"), lines)
        if facts.gaps
        else tag("p", say("Nothing is missing of what was asked for.")),
    ]


def _agreement(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    if not facts.reconciliation:
        return tag("p", say("Nothing to compare: neither integrated nor reported energy is known."))
    title = say("Days by how our energy compares with the vendor's own")
    columns = agreement_columns(language, has_vendor=False)
    rows: Sequence[Row] = [{**row, "has_vendor_name": False} for row in facts.reconciliation]
    return figure(
        title,
        say("Integrated: power × time of the valid buckets. Reported: the vendor's value for the day."),
        agreement(rows, title, language),
        behind("reconciliation", columns, facts.reconciliation, title, language),
    )


def _findings(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    if not facts.findings:
        return tag("p", say("Nothing."))
    columns = [
        Column("day", say("Day"), language.day),
        Column("rule", say("Rule")),
        Column("severity", say("Severity")),
        Column("metric", say("Metrics")),
        number("findings", say("Findings"), language, 0),
        Column("evidence", say("For example")),
    ]
    caption = say("Findings by day and rule, newest first; no rule edits a value")
    return closed(caption, listed("findings", columns, facts.findings, caption, language))


def _versions(facts: HomeFacts, language: Language) -> Child:
    say = language.say
    if not facts.versions:
        return tag("p", say("No day of the range has changed since it was first read."))
    columns = [
        Column("day", say("Day"), language.day),
        number("version", say("Version"), language, 0),
        Column("cause", say("Cause")),
        Column("fetched_at_utc", say("Seen"), lambda at: language.instant(at, "UTC")),
        *(
            number(f"{flow}_kwh", f"{flow_name(flow, language)} [kWh]", language, 2)
            for flow in ("generation", "consumption", "grid_import", "grid_export")
        ),
    ]
    example = explain_command(facts.home["system_id"], facts.versions[0]["day"])
    caption = say("Days that changed, what was known of them and since when")
    return [tag("p", example), closed(caption, listed("versions", columns, facts.versions, caption, language))]


def _places(facts: HomeFacts) -> list[date]:
    return list(days_between(facts.scope.start, facts.scope.end))


def _file(title: str) -> str:
    return "_".join(title.lower().replace(",", "").replace("(", "").replace(")", "").split())
