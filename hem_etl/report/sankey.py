"""Where the energy of a home came from and went: the attributed flows between three sources and three sinks."""

from typing import Any, Final

from markupsafe import Markup

from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import picture

LINKS: Final = {
    "used_solar": ("Solar", "Home"),
    "solar_to_battery": ("Solar", "Battery"),
    "solar_to_grid": ("Solar", "Grid"),
    "used_battery": ("Battery", "Home"),
    "battery_to_grid": ("Battery", "Grid"),
    "used_grid": ("Grid", "Home"),
    "grid_to_battery": ("Grid", "Battery"),
}
"""Flow → where from, where to. The eighth attributed flow, used_total, is what comes into the home."""
NODES: Final = ("Solar", "Battery", "Grid")
SINKS: Final = ("Home", "Battery", "Grid")
WIDTH: Final = 960
HEIGHT: Final = 330
SPACE: Final = 26
NODE: Final = 14
LEFT: Final = 90
RIGHT: Final = WIDTH - 90
LEAST_TOLD: Final = 0.035
"""A link thinner than this share of all has no number in the picture; the table has it."""


def sankey(total: dict[str, Any], title: str, prefix: str, language: Language) -> Markup:
    """Widths are energies; every flow is known. `prefix` stands before each number: `≥ ` where time is missing."""
    flows = {flow: total[f"{flow}_kwh"] for flow in LINKS}
    whole = sum(flows.values())
    room = HEIGHT - 24 - 2 * SPACE
    sources = _places(NODES, 0, flows, whole, room)
    sinks = _places(SINKS, 1, flows, whole, room)
    drawn, labels = [], []
    used: dict[tuple[int, str], float] = {}
    for flow, (source, sink) in LINKS.items():
        size = flows[flow] / whole * room
        if size <= 0:
            continue
        y0 = sources[source][0] + used.get((0, source), 0)
        y1 = sinks[sink][0] + used.get((1, sink), 0)
        used[0, source] = used.get((0, source), 0) + size
        used[1, sink] = used.get((1, sink), 0) + size
        said = f"{flow_name(flow, language)}: {prefix}{language.number(flows[flow])} kWh"
        drawn.append(tag("path", tag("title", said), d=_ribbon(y0, y1, size), class_=f"{flow} link-flow"))
        if flows[flow] / whole >= LEAST_TOLD:
            near = LEFT + 120 if sink != "Home" else RIGHT - 190
            share = (near - LEFT) / (RIGHT - LEFT)
            y = y0 + (y1 - y0) * (3 * share**2 - 2 * share**3) + size / 2 + 4
            labels.append(tag("text", said, x=near, y=y, font_size=11))
    nodes = [
        *(_node(name, LEFT - NODE, place, LEFT - NODE - 6, "end", language) for name, place in sources.items()),
        *(_node(name, RIGHT, place, RIGHT + NODE + 6, None, language) for name, place in sinks.items()),
    ]
    described = language.say("Seven flows between solar, battery, grid and home; their numbers are in the table below")
    return picture(title, described, WIDTH, HEIGHT, drawn, nodes, labels)


def _places(
    names: tuple[str, ...], end: int, flows: dict[str, float], whole: float, room: float
) -> dict[str, tuple[float, float]]:
    """Top and height of each node that anything comes from (end 0) or goes to (end 1)."""
    places, y = {}, 12.0
    for name in names:
        size = sum(max(flows[flow], 0) for flow, ends in LINKS.items() if ends[end] == name) / whole * room
        if size > 0:
            places[name] = (y, size)
        y += size + SPACE
    return places


def _node(
    name: str, x: float, place: tuple[float, float], text_x: float, style: str | None, language: Language
) -> Markup:
    top, size = place
    return tag(
        "g",
        tag("rect", x=x, y=top, width=NODE, height=max(size, 1), class_="node"),
        tag("text", language.say(name), x=text_x, y=top + size / 2 + 4, class_=style),
    )


def _ribbon(y0: float, y1: float, size: float) -> str:
    middle = (LEFT + RIGHT) / 2
    return (
        f"M{LEFT} {y0:.1f}C{middle:g} {y0:.1f} {middle:g} {y1:.1f} {RIGHT} {y1:.1f}V{y1 + size:.1f}"
        f"C{middle:g} {y1 + size:.1f} {middle:g} {y0 + size:.1f} {LEFT} {y0 + size:.1f}Z"
    )
