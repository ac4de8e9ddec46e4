"""How each number of a day follows from its parts: one line of arithmetic per column of marts.daily_energy.

The arithmetic is SQL over named parts, so that `explain` can show it with the day's numbers, work it out again and say
whether both agree. What the parts are and where they are read is `explain`'s business.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hem_etl.vocabulary import ATTRIBUTED_FLOWS, ATTRIBUTION_INPUTS, FLOWS, SOC

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_FUNCTIONS: Final = ("abs", "coalesce", "greatest")
_SIGNS: Final = {"/": "÷", "*": "×", "-": "−"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A published number and its formula."""

    name: str
    """Column of marts.daily_energy."""
    unit: str
    expression: str
    """SQL arithmetic over parts; exact."""
    metrics: tuple[str, ...]
    """The series that it is made of."""
    words: str | None = None
    """What people read in place of the expression; `{part}` stands for a part's number."""
    denominator: str | None = None
    """Must be above LEAST_DENOMINATOR_KWH."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in the order of the expression, each once."""
        return tuple(dict.fromkeys(name for name in _NAME.findall(self.expression) if name not in _FUNCTIONS))

    @property
    def is_bound(self) -> bool:
        """Whether it only says how far another figure could be off."""
        return self.name.endswith(("_ratio_low", "_ratio_high"))

    def spelled(self, parts: Mapping[str, Any]) -> str:
        """The formula with this day's numbers in it."""
        if self.words is not None:
            return self.words.format_map({name: number(value) for name, value in parts.items()})
        text = _NAME.sub(lambda found: self._part(found[0], parts), self.expression)
        return " ".join(_SIGNS.get(word, word) for word in text.split(" "))

    def _part(self, name: str, parts: Mapping[str, Any]) -> str:
        return f"{name.removesuffix('_kwh')} {number(parts.get(name))}" if name in self.parts else name


def number(value: object) -> str:
    """At most three decimals, and NULL as what it is."""
    if value is None:
        return "NULL"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def figures_of(metric: str | None) -> list[Figure]:
    """The figures that a metric's name asks for: a flow's or soc's own, one figure with its bounds, or (None) all."""
    if metric is None:
        return list(FIGURES.values())
    if metric in FLOWS:
        return [FIGURES[f"{metric}_{name}"] for name in ("kwh", "coverage", "reported_kwh")]
    if metric == SOC:
        return [figure for figure in FIGURES.values() if figure.metrics == (SOC,)]
    return [FIGURES[name] for name in (metric, f"{metric}_low", f"{metric}_high") if name in FIGURES]


def _all() -> Iterator[Figure]:
    for flow in FLOWS:
        yield Figure(
            f"{flow}_kwh",
            "kWh",
            f"{flow}_kw_minutes / 60",
            (flow,),
            f"Σ P·h over {{{flow}_buckets}} valid buckets of {{{flow}_bucket_minutes}} min",
        )
    for flow in FLOWS:
        yield Figure(
            f"{flow}_coverage",
            "0–1",
            f"{flow}_valid_minutes / (60 * day_hours)",
            (flow,),
            f"{{{flow}_valid_minutes}} valid minutes ÷ (60 × {{day_hours}} h)",
        )
    for flow in FLOWS:
        yield Figure(
            f"{flow}_reported_kwh", "kWh", f"{flow}_month_kwh", (flow,), "the vendor's value in the month's answer"
        )
    for which in ("first", "last", "min", "max"):
        words = {"first": "first", "last": "last", "min": "lowest", "max": "highest"}[which]
        yield Figure(f"soc_{which}_pct", "%", f"soc_{which}", (SOC,), f"{words} of {{soc_buckets}} valid values")
    yield Figure(
        "is_complete",
        "-",
        "coalesce(least_coverage, 0) >= complete_coverage",  # no flow available: not complete
        FLOWS,
        "least coverage of the available flows {least_coverage} ≥ {complete_coverage}",
    )
    yield Figure("balance_residual_kwh", "kWh", "balance_sources_kwh - balance_sinks_kwh", FLOWS)
    larger = "greatest(balance_sources_kwh, balance_sinks_kwh)"
    yield Figure(
        "balance_residual_ratio",
        "0–1",
        f"abs(balance_sources_kwh - balance_sinks_kwh) / {larger}",
        FLOWS,
        "|balance_sources {balance_sources_kwh} − balance_sinks {balance_sinks_kwh}| ÷ the larger",
        denominator=larger,
    )
    for name in ATTRIBUTED_FLOWS:
        yield Figure(
            f"{name}_kwh",
            "kWh",
            f"{name}_kw_minutes / 60",
            ATTRIBUTION_INPUTS,
            f"Σ {name}·h over {{attributed_buckets}} buckets with all five flows valid",
        )
    yield Figure("attributed_coverage", "0–1", "attributed_minutes / (60 * day_hours)", ATTRIBUTION_INPUTS)
    yield from _with_bounds(
        "self_consumption_ratio",
        "used_solar_kwh + solar_to_battery_kwh",
        "used_solar_kwh + solar_to_battery_kwh + solar_to_grid_kwh",
        "generation_gap_kwh",
    )
    yield Figure(
        "self_consumption_simple_ratio",
        "ratio",
        "(paired_generation_kwh - paired_grid_export_kwh) / paired_generation_kwh",
        ("generation", "grid_export"),
        denominator="paired_generation_kwh",
    )
    yield from _with_bounds(
        "self_sufficiency_ratio", "used_solar_kwh + used_battery_kwh", "used_total_kwh", "consumption_gap_kwh"
    )
    yield Figure(
        "self_sufficiency_simple_ratio",
        "ratio",
        "1 - paired_grid_import_kwh / paired_consumption_kwh",
        ("grid_import", "consumption"),
        denominator="paired_consumption_kwh",
    )
    yield Figure(
        "peak_import_kw",
        "kW",
        "peak_quarter_kwh / (peak_quarter_minutes / 60)",
        ("grid_import",),
        "highest quarter-hour mean: {peak_quarter_kwh} kWh in {peak_quarter_minutes} min from {peak_quarter_local}",
    )
    yield Figure(
        "load_factor_ratio",
        "0–1",
        "consumption_kwh / (consumption_valid_minutes / 60) / consumption_peak_kw",
        ("consumption",),
        denominator="consumption_kwh",
    )
    yield Figure(
        "battery_full_cycles", "cycles", "battery_discharge_kwh / battery_capacity_kwh", ("battery_discharge",)
    )


def _with_bounds(name: str, numerator: str, whole: str, gap: str) -> Iterator[Figure]:
    """A ratio of attributed flows, and what it could be at least and at most, whatever the missing time held."""
    bottom = f"({whole})" if "+" in whole else whole
    yield Figure(name, "0–1", f"({numerator}) / {bottom}", ATTRIBUTION_INPUTS, denominator=whole)
    yield Figure(f"{name}_low", "0–1", f"({numerator}) / ({whole} + {gap})", ATTRIBUTION_INPUTS, denominator=whole)
    yield Figure(
        f"{name}_high", "0–1", f"({numerator} + {gap}) / ({whole} + {gap})", ATTRIBUTION_INPUTS, denominator=whole
    )


FIGURES: Final = {figure.name: figure for figure in _all()}
"""By name, in the order of marts.daily_energy."""
