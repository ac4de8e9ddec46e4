"""What a home made and used over some days: tiles with coverage and bounds, and where the energy came from and went."""

from typing import Final

from markupsafe import Markup

from hem_etl.report.bars import WHOLE, at_least
from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag
from hem_etl.report.page import tile
from hem_etl.report.sankey import LINKS, sankey
from hem_etl.report.tables import Column, Row, behind, figure, number
from hem_etl.vocabulary import FLOWS

RATIOS: Final = {"self_consumption_ratio": "Self-consumption", "self_sufficiency_ratio": "Self-sufficiency"}


def energy_tiles(total: Row, language: Language) -> list[Markup]:
    """Flows, ratios and the highest import of a row of sums, or of marts.daily_energy."""
    say = language.say
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
    return shown


def complete_tile(total: Row, language: Language, *more: Child) -> Markup:
    """How many of the days are complete."""
    say = language.say
    return tile(say("Complete days"), say("{part} of {whole}", part=total["complete_days"], whole=total["days"]), *more)


def _range_of(total: Row, ratio: str, language: Language) -> list[str]:
    if total[ratio] is None:
        return [language.say("generation, grid and battery flows are not known together")]
    low, high = language.share(total[f"{ratio}_low"]), language.share(total[f"{ratio}_high"])
    covered = language.say("coverage {coverage}", coverage=language.share(total["attributed_coverage"]))
    return [language.say("between {low} and {high}", low=low, high=high), covered]


def paths_figure(total: Row, when: str, file: str, language: Language) -> Markup:
    """The attributed flows between solar, battery, grid and home; only where they are known."""
    say = language.say
    title = say("Between solar, battery, grid and home")
    is_whole = total["attributed_coverage"] is not None and total["attributed_coverage"] >= WHOLE
    flows = [{"flow": flow, "energy_kwh": total[f"{flow}_kwh"]} for flow in (*LINKS, "used_total")]
    columns = [
        Column("flow", say("Flow"), lambda flow: flow_name(flow, language)),
        number("energy_kwh", "kWh", language),
    ]
    return figure(
        title,
        say("{when}; coverage {coverage}.", when=when, coverage=language.share(total["attributed_coverage"])),
        sankey(total, title, "" if is_whole else "≥ ", language)
        if any(total[f"{flow}_kwh"] for flow in LINKS)
        else tag("p", say("All flows are 0 kWh.")),
        behind(file, columns, flows, f"{title}; {when}", language),
    )
