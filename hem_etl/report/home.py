"""The page of a home: its days, where its energy came from and went, what is missing of it and why."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from markupsafe import Markup

from hem_etl.facts import HomeFacts
from hem_etl.local_day import months_between
from hem_etl.report.bars import WHOLE, Bars, at_least, bars
from hem_etl.report.cells import calendar
from hem_etl.report.columns import agreement_columns, energy_columns
from hem_etl.report.day import day_figure
from hem_etl.report.flows import ABOVE, BELOW, CAME_FROM, WENT_TO, flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, joined, tag
from hem_etl.report.needs import need_of
from hem_etl.report.page import explain_command, note, page, tile, tiles
from hem_etl.report.sankey import LINKS, sankey
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
from hem_etl.vocabulary import FLOWS

RATIOS: Final = {"self_consumption_ratio": "Self-consumption", "self_sufficiency_ratio": "Self-sufficiency"}


def home_page(facts: HomeFacts, language: Language) -> str:
    """The file."""
    say = language.say
    sections: list[tuple[str, str, Child]] = [
        ("days", say("Days"), _days(facts, language)),
        ("energy", say("Energy by day"), _energy(facts, language)),
        ("paths", say("Where it came from, where it went"), _paths(facts, language)),
        ("ratios", say("Self-consumption and self-sufficiency"), _ratios(facts, language)),
        ("peaks", say("Peaks"), _peaks(facts, language)),
        ("profile", say("Load profile"), _profile(facts, language)),
        ("coverage", say("Coverage"), _coverage(facts, language)),
        ("agreement", say("Reported against integrated"), _agreement(facts, language)),
        ("findings", say("What the rules noticed"), _findings(facts, language)),
        ("versions", say("Versions"), _versions(facts, language)),
    ]
    return page(f"{say('Home')} {facts.home['system_id']}", _lead(facts, language), sections, facts.scope, language)


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
    shown = [
        tile(
            flow_name(flow, language),
            at_least(total[f"{flow}_kwh"], total[f"{flow}_coverage"], "kWh", language),
            say("coverage {coverage}", coverage=language.share(total[f"{flow}_coverage"])),
        )
        for flow in FLOWS
    ]
    for ratio, name in RATIOS.items():
        simple = ratio.replace("_ratio", "_simple_ratio")
        if total[ratio] is None and total[simple] is not None:
            why = say("from the grid's side alone: not all five flows are there")
            shown.append(tile(say(name), language.share(total[simple]), why))
        else:
            shown.append(tile(say(name), language.share(total[ratio]), *_range_of(total, ratio, language)))
    peak = total["peak_import_kw"]
    at = say("{when}, mean of 15 minutes", when=language.instant(total["peak_import_at_local"]))
    shown.append(
        tile(
            say("Highest import"),
            "–" if peak is None else f"{language.number(peak, 2)} kW",
            None if peak is None else at,
        )
    )
    complete = say("{part} of {whole}", part=total["complete_days"], whole=total["days"])
    newest = say("newest: {day}", day=language.day(facts.home["newest_complete_day"]))
    shown.append(tile(say("Complete days"), complete, newest))
    if total["edited_buckets"]:
        shown.append(tile(say("Corrected by hand"), say("{count} buckets", count=total["edited_buckets"])))
    return tiles(shown)


def _range_of(total: Row, ratio: str, language: Language) -> list[str]:
    if total[ratio] is None:
        return [language.say("generation, grid and battery flows are not known together")]
    low, high = language.share(total[f"{ratio}_low"]), language.share(total[f"{ratio}_high"])
    covered = language.say("coverage {coverage}", coverage=language.share(total["attributed_coverage"]))
    return [language.say("between {low} and {high}", low=low, high=high), covered]


def _days(facts: HomeFacts, language: Language) -> Child:
    if not facts.shown:
        return _nothing_loaded(facts, language)
    return [
        tag(
            "details",
            tag("summary", f"{language.weekday(shown.day)} {language.day(shown.day)}"),
            day_figure(shown, f"power_{shown.day}", language),
            tag("p", explain_command(facts.home["system_id"], shown.day), class_="screen"),
            id=f"d{shown.day}",
            class_="day",
            open=place == 0,
        )
        for place, shown in enumerate(facts.shown)
    ]


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
    title = say("Between solar, battery, grid and home")
    is_whole = total["attributed_coverage"] is not None and total["attributed_coverage"] >= WHOLE
    flows = [{"flow": flow, "energy_kwh": total[f"{flow}_kwh"]} for flow in (*LINKS, "used_total")]
    columns = [
        Column("flow", say("Flow"), lambda flow: flow_name(flow, language)),
        number("energy_kwh", "kWh", language),
    ]
    drawn: list[Child] = [
        figure(
            title,
            [say("Whole range; coverage {coverage}.", coverage=language.share(total["attributed_coverage"]))],
            sankey(total, title, "" if is_whole else "≥ ", language)
            if any(total[f"{flow}_kwh"] for flow in LINKS)
            else tag("p", say("All flows are 0 kWh.")),
            behind("paths", columns, flows, title, language),
        )
    ]
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
    scope = facts.scope
    return [scope.start + timedelta(days=place) for place in range((scope.end - scope.start).days + 1)]


def _file(title: str) -> str:
    return "_".join(title.lower().replace(",", "").replace("(", "").replace(")", "").split())
