"""One day of a home: power of the six flows above and below zero, the state of charge under it, on the home's clock.

The axis is the time that passed since local midnight, its labels the wall clock: a day of 23 or 25 hours is as long as
it was. Quarter hours without a value are gaps, drawn as such.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from hem_etl.facts import DayFacts
from hem_etl.report.flows import ABOVE, BELOW, flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import Scale, legend, picture, scale_over, value_axis
from hem_etl.report.tables import Column, Row, behind, figure
from hem_etl.vocabulary import FLOWS, METRICS, QUARTER_HOUR_MINUTES, SOC

LEFT: Final = 100
"""Room for the names of flows beside their gaps."""
STEP: Final = 9
"""Width of a quarter hour."""
POWER: Final = (24, 264)
CHARGE: Final = (300, 370)
ROW_HEIGHT: Final = 12


def day_figure(shown: DayFacts, file: str, language: Language) -> Markup:
    """Picture, legend and table of a day."""
    quarters = shown.quarters
    title = language.say("Power on {day}", day=f"{language.weekday(shown.day)} {language.day(shown.day)}")
    edited = {metric: _edited(shown, metric) for metric in METRICS}
    lacking = {flow: _lacking(quarters, flow) for flow in FLOWS}
    note = language.say(
        "Means of quarter hours in kW, clock of {zone}; {hours} hours.",
        zone=shown.timezone or "?",
        hours=language.number(len(quarters) / 4, 0 if len(quarters) % 4 == 0 else 2),
    )
    return figure(
        title,
        note,
        _picture(shown, title, lacking, edited, language),
        legend(
            [
                *((flow, flow_name(flow, language), None) for flow in (*ABOVE, *BELOW)),
                (SOC, flow_name(SOC, language), None),
                ("hole", language.say("no value, or not for the whole quarter hour"), None),
                *([("soc", language.say("corrected by hand"), None)] if any(map(any, edited.values())) else []),
            ]
        ),
        behind(file, _columns(edited, quarters, language), quarters, title, language, sorts=False),
    )


def _picture(
    shown: DayFacts, title: str, lacking: dict[str, list[bool]], edited: dict[str, list[bool]], language: Language
) -> Markup:
    quarters = shown.quarters
    right = LEFT + STEP * len(quarters)
    up, down = list(_layers(quarters, ABOVE, 1)), list(_layers(quarters, BELOW, -1))
    scale, ticks = scale_over(
        [edge for _, *edges in (*up, *down) for pair in edges[0] if pair for edge in pair], *POWER
    )
    rows = [metric for metric in METRICS if any(edited[metric]) or any(lacking.get(metric, ()))]
    base = CHARGE[1] + 22
    strips = [
        _strip(metric, base + place * ROW_HEIGHT, lacking.get(metric, []), edited[metric], language)
        for place, metric in enumerate(rows)
    ]
    height = base + len(rows) * ROW_HEIGHT + 6
    charge = Scale(0, 100, *CHARGE)
    nothing = [all(row.get(f"{flow}_kw") is None for flow in FLOWS) for row in quarters]
    holes = [_box(first, last, POWER[0], POWER[1] - POWER[0], "hole") for first, last in _runs(nothing)]
    described = language.say(
        "Stacked areas of six flows over {count} quarter hours, {gaps} of them without any value",
        count=len(quarters),
        gaps=sum(nothing),
    )
    return picture(
        title,
        str(described),
        max(right + 4, 960),
        height,
        holes,
        value_axis(scale, ticks, LEFT, right, "kW", language),
        [tag("path", d=_area(edges, scale), class_=flow) for flow, edges in (*up, *down) if any(edges)],
        tag("path", d=f"M{LEFT} {scale.at(0):.1f}H{right}", class_="zero"),
        value_axis(charge, [0, 50, 100], LEFT, right, "%", language),
        _charge(quarters, charge),
        _clock(quarters, language),
        strips,
    )


def _layers(
    quarters: Sequence[Row], flows: Sequence[str], sign: int
) -> Iterator[tuple[str, list[tuple[float, float] | None]]]:
    """Each flow's lower and upper edge in each quarter hour; None: no value."""
    stacked = [0.0] * len(quarters)
    for flow in flows:
        edges: list[tuple[float, float] | None] = []
        for place, row in enumerate(quarters):
            value = row.get(f"{flow}_kw")
            edges.append(None if value is None else (stacked[place], stacked[place] + sign * value))
            stacked[place] += sign * (value or 0)  # of the picture alone: a gap lifts nothing
        yield flow, edges


def _area(edges: Sequence[tuple[float, float] | None], scale: Scale) -> str:
    """Closed stretches: along the upper edge, back along the lower one; a gap ends a stretch."""
    path = []
    for first, last in _runs([pair is not None for pair in edges]):
        pairs = [pair for pair in edges[first:last] if pair is not None]
        path.append(f"M{LEFT + first * STEP} {scale.at(pairs[0][1]):.0f}")
        path += [f"V{scale.at(high):.0f}h{STEP}" for _, high in pairs]
        path += [f"V{scale.at(low):.0f}h-{STEP}" for low, _ in reversed(pairs)]
        path.append("Z")
    return "".join(path)


def _charge(quarters: Sequence[Row], scale: Scale) -> list[Markup]:
    """The state of charge as a line that ends where nobody knows it."""
    known = [row.get("soc_pct") for row in quarters]
    drawn = []
    for first, last in _runs([value is not None for value in known]):
        points = [
            (LEFT + (place + 0.5) * STEP, scale.at(value))
            for place, value in enumerate(known[first:last], first)
            if value is not None
        ]
        if len(points) == 1:
            drawn.append(tag("circle", cx=points[0][0], cy=points[0][1], r=2, class_="dot-soc"))
        else:
            drawn.append(tag("path", d="M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points), class_="line-soc"))
    if not drawn:
        return [_box(0, len(quarters), CHARGE[0], CHARGE[1] - CHARGE[0], "hole")]
    return drawn


def _clock(quarters: Sequence[Row], language: Language) -> Markup:
    """Hours of the wall clock, and where it was changed."""
    drawn = []
    before: Row | None = None
    for place, row in enumerate(quarters):
        x, local = LEFT + place * STEP, row["start_local"]
        shift = 0 if before is None else row["utc_offset_minutes"] - before["utc_offset_minutes"]
        if shift:
            drawn.append(tag("path", d=f"M{x} {POWER[0]}V{CHARGE[1]}", class_="change"))
            told = language.say("clock {minutes} min", minutes=f"{shift:+d}".replace("-", "−"))
            drawn.append(tag("text", told, x=x + 4, y=POWER[0] - 8, class_="soft"))
        if local.minute == 0 and local.hour % 3 == 0:
            drawn.append(tag("path", d=f"M{x} {POWER[1]}v5M{x} {CHARGE[0]}V{CHARGE[1]}", class_="grid"))
            drawn.append(tag("text", f"{local:%H:%M}", x=x, y=POWER[1] + 18, class_="soft mid"))
        before = row
    return tag("g", drawn)


def _strip(metric: str, y: float, lacking: list[bool], edited: list[bool], language: Language) -> list[Markup]:
    """Under the picture, for one metric: where values lack, and where they are corrected."""
    name = tag(
        "text", language.say("gaps: {flow}", flow=flow_name(metric, language)), x=0, y=y + 9, class_="soft", font_size=9
    )
    return [
        name,
        *(_box(first, last, y, ROW_HEIGHT - 3, "hole") for first, last in _runs(lacking)),
        *(_box(first, last, y + 1, ROW_HEIGHT - 5, "edited") for first, last in _runs(edited)),
    ]


def _box(first: int, last: int, y: float, height: float, style: str) -> Markup:
    return tag("rect", x=LEFT + first * STEP, y=y, width=(last - first) * STEP, height=height, class_=style)


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First place and the place after the last of each stretch of True."""
    first = None
    for place, flag in enumerate([*flags, False]):
        if flag and first is None:
            first = place
        elif not flag and first is not None:
            yield first, place
            first = None


def _lacking(quarters: Sequence[Row], flow: str) -> list[bool]:
    """Where the flow, if the day has it at all, has no value for the whole quarter hour."""
    minutes = [row.get(f"{flow}_minutes") for row in quarters]
    has_flow = any(held is not None for held in minutes)
    return [has_flow and (held is None or held < QUARTER_HOUR_MINUTES) for held in minutes]


def _edited(shown: DayFacts, metric: str) -> list[bool]:
    edits = [edit for edit in shown.edits if edit["metric"] == metric]
    return [any(_holds(edit, row["start_utc"]) for edit in edits) for row in shown.quarters]


def _holds(edit: Row, start: datetime) -> bool:
    return edit["start_utc"] is None or bool(edit["start_utc"] <= start < edit["end_utc"])


def _columns(edited: dict[str, list[bool]], quarters: Sequence[Row], language: Language) -> list[Column]:
    place = {row["start_utc"]: number for number, row in enumerate(quarters)}

    def corrections(row: Row) -> str | None:
        return ", ".join(metric for metric in METRICS if edited[metric][place[row["start_utc"]]]) or None

    def held(name: str) -> Callable[[Row], Any]:
        return lambda row: row.get(name)

    def told(value: Any) -> str:
        return language.number(value, 3)

    columns = [
        Column("start_local", language.say("Local time"), lambda at: f"{at:%H:%M}"),
        Column("start_utc", "UTC", lambda at: f"{at:%H:%M}"),
        *(Column(f"{flow}_kw", f"{flow_name(flow, language)} [kW]", told, held(f"{flow}_kw"), True) for flow in FLOWS),
        Column("soc_pct", f"{flow_name(SOC, language)} [%]", language.number, held("soc_pct"), True),
    ]
    if any(map(any, edited.values())):
        columns.append(Column("corrected", language.say("Corrected"), None, corrections))
    return columns
