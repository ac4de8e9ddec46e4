"""Columns that several pages and sections share."""

from collections.abc import Callable, Mapping

from hem_etl.report.bars import at_least
from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag
from hem_etl.report.tables import Column, Row, number, share
from hem_etl.vocabulary import FLOWS


def home_column(pages: Mapping[str, str], language: Language) -> Column:
    """The id of a home, which leads to its page where there is one."""

    def told(system_id: str) -> Child:
        return tag("a", system_id, href=pages[system_id]) if system_id in pages else system_id

    return Column("system_id", language.say("Home"), told)


def energy_columns(
    language: Language, *, is_months: bool = False, has_systems: bool = True, key: str = "day"
) -> list[Column]:
    """Each flow's energy beside its coverage and, of a fleet, the homes behind it."""
    say = language.say
    columns = [Column(key, say("Month" if is_months else "Day"), language.month if is_months else language.day)]
    for flow in FLOWS:
        name = flow_name(flow, language)
        columns.append(Column(f"{flow}_kwh", f"{name} [kWh]", is_number=True, drawn=_energy_told(flow, language)))
        columns.append(share(f"{flow}_coverage", say("Coverage"), language))
        if has_systems:
            columns.append(number(f"{flow}_systems", say("Homes"), language, 0))
    return columns


def _energy_told(flow: str, language: Language) -> Callable[[Row], str]:
    def told(row: Row) -> str:
        return at_least(row[f"{flow}_kwh"], row[f"{flow}_coverage"], "", language).rstrip()

    return told


def agreement_columns(language: Language, *, has_vendor: bool = True) -> list[Column]:
    """Counts of days and the two sums over the days that have both."""
    say = language.say
    vendor = [Column("vendor", say("Vendor")), number("systems", say("Homes"), language, 0)] if has_vendor else []
    return [
        *vendor,
        Column("flow", say("Flow"), lambda flow: flow_name(flow, language)),
        number("days", say("Days"), language, 0),
        number("match_days", say("agree"), language, 0),
        number("explained_days", say("explained by missing time"), language, 0),
        number("mismatch_days", say("differ"), language, 0),
        number("reported_missing_days", say("vendor reports nothing"), language, 0),
        number("integrated_missing_days", say("only the vendor's value"), language, 0),
        number("integrated_kwh", say("Integrated [kWh], days with both"), language),
        number("reported_kwh", say("Reported [kWh], days with both"), language),
    ]
