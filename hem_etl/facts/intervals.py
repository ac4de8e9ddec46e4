"""Intervals of systems: what each came to, which are red, which are missing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any

import polars as pl

from hem_etl.answer import Key
from hem_etl.facts.queries import text
from hem_etl.local_day import Interval
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FAILED_OUTCOMES, IntervalKind
from hem_etl.warehouse import Warehouse

IntervalFigures = dict[str, Any]
"""Counts, energies [kWh], coverage and, of a day, whose it is; what is not known is left out."""


def read_interval_figures(warehouse: Warehouse, intervals: Iterable[Key]) -> dict[Key, IntervalFigures]:
    """What is published of these days and months."""
    found: dict[Key, IntervalFigures] = {}
    keys = list(intervals)
    with warehouse.reading() as published:
        for kind, name in ((IntervalKind.DAY, "day_figures"), (IntervalKind.MONTH, "month_figures")):
            days = [(system_id, interval.day) for system_id, interval in keys if interval.kind is kind]
            wanted = pl.DataFrame(days, schema={"system_id": pl.String(), "day": pl.Date()}, orient="row")
            for row in published.read(text(name), wanted=wanted).iter_rows(named=True):
                key = row.pop("system_id"), Interval(kind, row.pop("day"))
                found[key] = {name: value for name, value in row.items() if value is not None}
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


def stale_systems(warehouse: Warehouse, day: date) -> pl.DataFrame:
    """Systems that lack that day, those that only their user can mend (`needs_its_user`) last.

    By the ledger: a day before it that is loaded again changes nothing here.
    """
    with warehouse.reading() as published:
        return published.read(
            text("stale"),
            {"day": day},
            blocked=_outcomes(BLOCKED_OUTCOMES),
            failed=_outcomes(FAILED_OUTCOMES),
        )


def never_asked(warehouse: Warehouse, intervals: Sequence[Interval]) -> list[Key]:
    """Those of the intervals, of every present system, that nobody has asked for, and that are worth asking."""
    rows = [(interval.kind.value, interval.day) for interval in intervals]
    schema = {"interval_kind": pl.String(), "day": pl.Date()}
    wanted = pl.DataFrame(rows, schema=schema, orient="row")
    with warehouse.reading() as published:
        missing = published.read(text("never_asked"), wanted_interval=wanted)
        return [(system_id, Interval(IntervalKind(kind), day)) for system_id, kind, day in missing.iter_rows()]


def newest_days_asked(warehouse: Warehouse, yesterday: date, part_of: Callable[[str], str]) -> dict[str, date]:
    """Of each part of the fleet the newest day, up to yesterday, that both were asked for; none where there is none.

    part_of: the part that holds a system.
    """
    with warehouse.reading() as published:
        members = published.rows("core.system", ["system_id"])["system_id"].to_list()
        schema = {"system_id": pl.String(), "part": pl.String()}
        member = pl.DataFrame([(each, part_of(each)) for each in members], schema=schema, orient="row")
        return dict(published.read(text("newest_asked"), {"yesterday": yesterday}, member=member).iter_rows())


def _outcomes(outcomes: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame({"outcome": sorted(outcomes)})
