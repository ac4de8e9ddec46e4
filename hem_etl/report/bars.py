"""Bars over days or months: flows stacked above and below zero. An incomplete total is hatched, a missing one a gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from markupsafe import Markup

from hem_etl.report.flows import flow_name
from hem_etl.report.language import Language
from hem_etl.report.markup import tag
from hem_etl.report.plot import LEFT, WIDTH, legend, picture, scale_over, value_axis

HEIGHT: Final = 300
MOST_LABELS: Final = 12
LABEL_WIDTH: Final = 50
WHOLE: Final = 1 - 1e-9
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bars:
    """What is stacked, and where a row says how much of it is there."""

    above: tuple[str, ...]
    below: tuple[str, ...] = ()
    unit: str = "kWh"
    coverage: str | None = None
    """Column of the coverage of all; default: <flow>_coverage."""
    key: str = "day"
    is_months: bool = False

    @property
    def flows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.above, *self.below)))

    def value(self, row: Row, flow: str) -> float | None:
        value: float | None = row[f"{flow}_{self.unit.lower()}"]
        return value

    def covered(self, row: Row, flow: str) -> float | None:
        value: float | None = row[self.coverage or f"{flow}_coverage"]
        return value


def bars(
    kind: Bars, rows: Sequence[Row], places: Sequence[date], title: str, complete_coverage: float, language: Language
) -> Markup:
    """One bar for each of `places`; those that no row is about are gaps."""
    by_place = {row[kind.key]: row for row in rows}
    stacks = [_stack_heights(kind, row) for row in rows]
    scale, ticks = scale_over([edge for stack in stacks for edge in stack], 24, HEIGHT - 26)
    step = (WIDTH - LEFT - 4) / max(len(places), 1)
    drawn = []
    for number, place in enumerate(places):
        x = LEFT + number * step
        row = by_place.get(place)
        name = language.month(place) if kind.is_months else language.day(place)
        if row is None or all(kind.value(row, flow) is None for flow in kind.flows):
            said = language.say("{when}: nothing known", when=name)
            hole = tag("rect", x=x, y=24, width=step, height=HEIGHT - 50, class_="hole")
            drawn.append(tag("g", tag("title", said), hole))
            continue
        drawn.append(
            tag(
                "g",
                tag("title", _said(kind, row, name, language)),
                _stack(kind, row, x, step, scale, complete_coverage),
            )
        )
    every = -(-len(places) // MOST_LABELS) or 1
    labels = [
        tag(
            "text",
            language.month(place) if kind.is_months else language.short_day(place),
            x=LEFT + (number + 0.5) * step,
            y=HEIGHT - 8,
            class_="soft mid",
        )
        for number, place in enumerate(places)
        if number % every == 0 and (len(places) - number) * step > LABEL_WIDTH / 2
    ]
    described = language.say("{count} bars; their numbers are in the table below", count=len(places))
    axis = value_axis(scale, ticks, LEFT, WIDTH, kind.unit, language)
    entries = [(flow, flow_name(flow, language), None) for flow in kind.flows]
    return picture(title, described, WIDTH, HEIGHT, axis, drawn, tag("g", labels, aria_hidden="true")) + legend(
        [
            *entries,
            ("complete", language.say("hatched: incomplete, at least this much"), "least"),
            ("hole", language.say("nothing known"), None),
        ]
    )


def at_least(value: float | None, coverage: float | None, unit: str, language: Language, digits: int = 1) -> str:
    """A total with its unit; one that does not cover everything says so."""
    told = language.number(value, digits)
    if value is None:
        return told
    return f"{told} {unit}" if coverage is not None and coverage >= WHOLE else f"≥ {told} {unit}"


def _said(kind: Bars, row: Row, name: str, language: Language) -> str:
    parts = [
        language.say(
            "{flow} {energy} (coverage {coverage})",
            flow=flow_name(flow, language),
            energy=at_least(kind.value(row, flow), kind.covered(row, flow), kind.unit, language),
            coverage=language.share(kind.covered(row, flow)),
        )
        for flow in kind.flows
    ]
    return f"{name}: " + "; ".join(parts)


def _stack_heights(kind: Bars, row: Row) -> tuple[float, float]:
    return (
        sum(kind.value(row, flow) or 0 for flow in kind.above),  # heights of a picture: nothing is drawn for None
        -sum(kind.value(row, flow) or 0 for flow in kind.below),
    )


def _stack(kind: Bars, row: Row, x: float, step: float, scale: Any, complete_coverage: float) -> list[Markup]:
    drawn = []
    for flows, sign in ((kind.above, 1), (kind.below, -1)):
        edge = 0.0
        for flow in flows:
            value = kind.value(row, flow)
            if not value:
                continue
            ends = sorted((scale.at(edge), scale.at(edge + sign * value)))
            box = {"x": x + 0.08 * step, "y": ends[0], "width": 0.84 * step, "height": ends[1] - ends[0]}
            drawn.append(tag("rect", class_=flow, **box))
            covered = kind.covered(row, flow)
            if covered is None or covered < complete_coverage:
                drawn.append(tag("rect", class_="least", **box))
            edge += sign * value
    return drawn
