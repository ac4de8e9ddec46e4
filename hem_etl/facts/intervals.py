"""Intervals of systems: what each came to, which are red, which are missing. An interval is named by its label here."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl

from hem_etl.facts.queries import text
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FAILED_OUTCOMES
from hem_etl.warehouse import Warehouse

SystemInterval = tuple[str, str]
"""System and label."""
IntervalFigures = dict[str, Any]
"""Counts, energies [kWh], coverage and, of a day, whose it is; what is not known is left out."""


def read_interval_figures(
    warehouse: Warehouse, intervals: Iterable[SystemInterval]
) -> dict[SystemInterval, IntervalFigures]:
    """What is published of these days and months."""
    wanted = pl.DataFrame(list(intervals), schema={"system_id": pl.String(), "label": pl.String()}, orient="row")
    is_day = pl.col("label").str.len_chars() == len("2026-03-29")
    found: dict[SystemInterval, IntervalFigures] = {}
    with warehouse.reading() as published:
        for name, part in (("day_figures", wanted.filter(is_day)), ("month_figures", wanted.filter(~is_day))):
            if part.is_empty():
                continue
            for row in published.read(text(name), wanted=part).iter_rows(named=True):
                interval = row.pop("system_id"), row.pop("label")
                found[interval] = {name: value for name, value in row.items() if value is not None}
    return found


def summed(figures: Iterable[IntervalFigures]) -> IntervalFigures:
    """Counts and energies added up, and the coverage of the sums; whose they are adds up to nothing."""
    total: IntervalFigures = {}
    expected = 0.0
    for row in figures:
        for name, value in row.items():
            if isinstance(value, str):
                continue
            if name != "coverage":
                total[name] = total.get(name, 0) + value
            elif value:
                expected += row["values_valid"] / value
    if expected:
        total["coverage"] = total["values_valid"] / expected
    return total


def red_intervals(warehouse: Warehouse) -> pl.DataFrame:
    """Intervals whose last look ended in no known outcome, with why: newest look first, of systems that are there."""
    with warehouse.reading() as published:
        return published.read(text("red"), failed=_outcomes(FAILED_OUTCOMES))


def failed_intervals(warehouse: Warehouse) -> list[SystemInterval]:
    """The same of every system that was ever listed, without the why."""
    with warehouse.reading() as published:
        keys = _outcomes(FAILED_OUTCOMES)
        return published.rows("core.load", ["system_id", "interval"], keys=keys).rows()


def stale_systems(warehouse: Warehouse, day: date) -> pl.DataFrame:
    """Systems that lack that day, those that only their user can mend (`needs_its_user`) last.

    By the ledger: a day before it that is loaded again changes nothing here.
    """
    with warehouse.reading() as published:
        return published.read(
            text("stale"),
            {"label": day.isoformat()},
            blocked=_outcomes(BLOCKED_OUTCOMES),
            failed=_outcomes(FAILED_OUTCOMES),
        )


def never_asked(warehouse: Warehouse, labels: Sequence[str]) -> list[SystemInterval]:
    """Those of the intervals, of every present system, that nobody has asked for, and that are worth asking."""
    wanted = pl.DataFrame({"label": labels}, schema={"label": pl.String()})
    with warehouse.reading() as published:
        return published.read(text("never_asked"), wanted_label=wanted).rows()


def newest_day_asked(warehouse: Warehouse, yesterday: date) -> date | None:
    """The newest day, up to yesterday, that the fleet was asked for."""
    with warehouse.reading() as published:
        newest: date | None = published.read(text("newest_asked"), {"yesterday": yesterday}).item()
        return newest


def _outcomes(outcomes: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame({"outcome": sorted(outcomes)})
