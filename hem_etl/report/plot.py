"""What every figure is made of: the picture's frame, scales, grid lines, patterns, legends."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from hem_etl.report.language import Language
from hem_etl.report.markup import Child, tag

CELL_MARKS: Final = {
    "partial": "partial",
    "scant": "partial",
    "nothing": "nothing",
    "failed": "failed",
    "blocked": "blocked",
    "none": "none",
}
"""Kinds of cells and the marks on their colour: the pattern `cell-<kind>` is both, so that a large map stays small."""
WIDTH: Final = 960
LEFT: Final = 80
"""Room for the numbers of the vertical axis: a million, also in the larger letters of a print."""


def picture(
    title: str, described: str, width: float, height: float, *children: Child, has_links: bool = False
) -> Markup:
    """An SVG that says what it shows to whoever cannot see it."""
    return tag(
        "div",
        tag(
            "svg",
            tag("title", title),
            tag("desc", described),
            *children,
            viewbox=f"0 0 {width:g} {height:g}",
            role="group" if has_links else "img",
            aria_label=f"{title}. {described}",
        ),
        class_="wide",
        tabindex=0,
        role="group",
        aria_label=title,
    )


def patterns() -> Markup:
    """The patterns that figures of a page share; reasons are told by pattern besides colour."""

    def pattern(name: str, size: float, *marks: Markup) -> Markup:
        return tag("pattern", *marks, id=name, width=size, height=size, patternUnits="userSpaceOnUse")

    def line(path: str, style: str) -> Markup:
        return tag("path", d=path, class_=style)

    marks = {
        "least": (6, line("M-1 1L1 -1M0 6L6 0M5 7L7 5", "hatch-paper")),
        "partial": (6, line("M-1 1L1 -1M0 6L6 0M5 7L7 5", "hatch-ink")),
        "failed": (6, line("M0 6L6 0M0 0L6 6", "hatch-paper")),
        "blocked": (4, line("M2 0V4", "hatch-paper")),
        "none": (6, line("M0 3H3", "hatch-ink")),
        "nothing": (5, tag("circle", cx=2.5, cy=2.5, r=1, class_="dot-ink")),
    }
    return tag(
        "svg",
        tag(
            "defs",
            pattern("gap", 8, line("M-1 1L1 -1M0 8L8 0M7 9L9 7", "change"), line("M0 0L8 8", "change")),
            [pattern(name, size, mark) for name, (size, mark) in marks.items()],
            [
                pattern(f"cell-{kind}", size, tag("rect", width=size, height=size, class_=kind), mark)
                for kind, (size, mark) in ((kind, marks[name]) for kind, name in CELL_MARKS.items())
            ],
        ),
        class_="defs",
        aria_hidden="true",
    )


def legend(entries: Iterable[tuple[str, str, str | None]]) -> Markup:
    """(class, text, pattern) in a row."""
    return tag(
        "ul",
        [
            tag(
                "li",
                tag(
                    "svg",
                    tag("rect", width=14, height=14, class_=style or None),
                    tag("rect", width=14, height=14, fill=f"url(#{pattern})") if pattern else None,
                    viewbox="0 0 14 14",
                    aria_hidden="true",
                ),
                text,
            )
            for style, text, pattern in entries
        ],
        class_="legend",
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values up a picture: `low` at `bottom`, `high` at `top`."""

    low: float
    high: float
    top: float
    bottom: float

    def at(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


def scale_over(values: Iterable[float], top: float, bottom: float) -> tuple[Scale, list[float]]:
    """A scale that holds these values and zero, and its round ticks."""
    every = [0.0, *values]
    low, high = min(every), max(every)
    if high == low:
        high = low + 1
    step = _round_step((high - low) / 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [place * step for place in range(first, last + 1)]
    return Scale(ticks[0], ticks[-1], top, bottom), ticks


def value_axis(
    scale: Scale, ticks: Sequence[float], left: float, right: float, unit: str, language: Language
) -> Markup:
    """Grid lines with their values; the zero line is stronger. Values below zero are energy of the other direction."""
    suffix = " %" if unit == "%" else ""
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return tag(
        "g",
        [
            [
                tag("path", d=f"M{left:g} {scale.at(tick):.1f}H{right:g}", class_="grid" if tick else "zero"),
                tag(
                    "text",
                    language.number(abs(tick), digits) + suffix,
                    x=left - 6,
                    y=scale.at(tick) + 4,
                    class_="soft end",
                ),
            ]
            for tick in ticks
        ],
        None if suffix else tag("text", unit, x=left - 6, y=scale.top - 8, class_="soft end"),
        aria_hidden="true",
    )


def _round_step(step: float) -> float:
    size = 10.0 ** math.floor(math.log10(step))
    return next(nice * size for nice in (1, 2, 5, 10) if nice * size >= step * (1 - 1e-9))
