"""Sections of the fleet's page that compare: vendors, years, what vendors report, what changed later, peers."""

from collections.abc import Mapping

from hem_etl.facts import FleetFacts
from hem_etl.report.columns import agreement_columns, home_column
from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag
from hem_etl.report.page import explain_command
from hem_etl.report.spans import ON_PAPER, agreement, ratio_told, settling, vendor_panels
from hem_etl.report.tables import MOST_ROWS, Column, behind, figure, listed, number, paper_note, share
from hem_etl.vocabulary import FLOWS


def vendors_section(fleet: FleetFacts, language: Language) -> Child:
    say = language.say
    title = say("Energy of a home and day, by vendor")
    columns = [
        Column("vendor", say("Vendor")),
        number("systems", say("Homes"), language, 0),
        *(
            column
            for flow in FLOWS
            for column in (
                number(f"{flow}_mean_kwh", f"{flow_name(flow, language)} [kWh]", language),
                number(f"{flow}_systems", "n", language, 0),
                share(f"{flow}_coverage", say("Coverage"), language),
            )
        ),
        Column(
            "self_consumption_ratio",
            say("Self-consumption"),
            None,
            lambda row: ratio_told(row, "self_consumption_ratio", language),
        ),
        Column(
            "self_sufficiency_ratio",
            say("Self-sufficiency"),
            None,
            lambda row: ratio_told(row, "self_sufficiency_ratio", language),
        ),
    ]
    drawn = [
        figure(
            title,
            say("Mean over the days that have any value; n: homes behind it."),
            vendor_panels(fleet.vendors, title, language),
            behind("vendors", columns, fleet.vendors, title, language),
        )
    ]
    heading = tag("h3", say("The same homes year over year"))
    if not fleet.years:
        return [
            *drawn,
            heading,
            tag("p", say("No home is complete in a month of the range and in the same month a year before.")),
        ]
    flows = ("generation", "consumption", "grid_import", "grid_export")
    year = [
        Column("month", say("Month"), language.month),
        number("systems", say("Homes"), language, 0),
        *(
            number(f"{flow}_kwh{when}", f"{flow_name(flow, language)} [kWh]{told}", language)
            for flow in flows
            for when, told in (("", ""), ("_before", f" {say('a year before')}"))
        ),
    ]
    caption = say("Homes that are complete in both months")
    return [
        *drawn,
        heading,
        listed("years", year, fleet.years, caption, language),
    ]


def agreement_section(fleet: FleetFacts, language: Language) -> Child:
    say = language.say
    if not fleet.reconciliation:
        return tag("p", say("Nothing to compare: neither integrated nor reported energy is known."))
    title = say("Days of homes by how our energy compares with the vendor's own")
    return figure(
        title,
        say("Integrated: power × time of the valid buckets. Reported: the vendor's value for the day."),
        paper_note(ON_PAPER, len(fleet.reconciliation), language),
        agreement(fleet.reconciliation, title, language),
        behind("reconciliation", agreement_columns(language), fleet.reconciliation, title, language),
    )


def restatements_section(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    if not fleet.restatements:
        return tag("p", say("No day that was over has changed since {day}.", day=language.day(fleet.scope.start)))
    columns = [
        home_column(pages, language),
        Column("vendor", say("Vendor")),
        Column("day", say("Day"), language.day),
        number("version", say("Version"), language, 0),
        Column("cause", say("Cause")),
        Column("fetched_at_utc", say("Seen"), lambda at: language.instant(at, "UTC")),
        number("hours_after_day_end", say("Hours after the day"), language, 0),
        Column("changed_flows", say("Changed")),
        *(
            number(f"{flow}_kwh_change", f"{flow_name(flow, language)} ± [kWh]", language, 2)
            for flow in ("generation", "consumption", "grid_import", "grid_export")
        ),
    ]
    caption = say("Changes of days that were over, seen since {day}; newest first", day=language.day(fleet.scope.start))
    newest = fleet.restatements[0]
    return [
        tag(
            "p",
            say("Where a number came from, before and after:"),
            " ",
            explain_command(newest["system_id"], newest["day"]),
        ),
        listed("restatements", columns, fleet.restatements, caption, language),
    ]


def settling_section(fleet: FleetFacts, language: Language) -> Child:
    say = language.say
    rows = [home for home in fleet.homes if home["settle_hours_p95"] is not None]
    if not rows:
        return tag(
            "p", say("No day that was watched from its first hours on is settled yet: how late data come is not known.")
        )
    title = say("Hours from the end of a day until it no longer changed")
    columns = [
        Column("system_id", say("Home")),
        Column("vendor", say("Vendor")),
        number("settled_days", say("Settled days"), language, 0),
        number("settle_hours_median", say("Median [h]"), language),
        number("settle_hours_p95", say("95 of 100 days [h]"), language),
    ]
    return figure(
        title,
        say("A dot is a home: after so many hours 95 of 100 of its days had not changed any more."),
        settling(rows, title, language),
        behind("settling", columns, rows, title, language, most=MOST_ROWS),
    )


def peers_section(fleet: FleetFacts, pages: Mapping[str, str], language: Language) -> Child:
    say = language.say
    about = tag(
        "p",
        say(
            "A hint, no proof: each home's generation ÷ the median of its vendor's homes in the same time zone on "
            "the same days; weather moves all alike. Newest 28 days against the 84 before; below 0.8: fallen behind."
        ),
    )
    rows = [row for row in fleet.peers if row["is_behind"]]
    if not fleet.peers:
        return [about, tag("p", say("No home has three peers of its vendor and time zone: nothing can be compared."))]
    if not rows:
        return [about, tag("p", say("None of {count} compared homes has.", count=len(fleet.peers)))]
    columns = [
        home_column(pages, language),
        Column("vendor", say("Vendor")),
        Column("timezone", say("Time zone")),
        number("peers", say("Peers (n)"), language, 0),
        number("recent_ratio", say("Now ÷ peers"), language, 2),
        number("recent_days", say("Days"), language, 0),
        number("past_ratio", say("Before ÷ peers"), language, 2),
        number("past_days", say("Days"), language, 0),
        number("change_ratio", say("Change"), language, 2),
    ]
    caption = say("{count} homes, worst first", count=len(rows))
    return [about, listed("peers", columns, rows, caption, language)]
