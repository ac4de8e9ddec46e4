"""Normalise: landed bodies become frames with a fixed schema. No network, no disk, no clock, no SQL.

    Body ─▶ envelopes ─▶ axes ─▶ readings, series, findings ─▶ keep_vanished ─▶ with_overrides ─▶ quarter_hours
            what each     time     days.py                        vanished.py      overrides.py    ─▶ day_energy
            series says   stamps

What belongs here: reading statistics bodies, time arithmetic on frames, counting, the common 15-minute grid, the
sums of a day with its attributed flows. What does not: ratios and months (SQL models), versions and states of an
interval (warehouse), what to ask (pipeline). Rules that judge values come after `read_days`, on its frames, and add
rows to its findings.
"""

from hem_etl.normalise.day_energy import day_energy, day_totals, summed
from hem_etl.normalise.days import read_days
from hem_etl.normalise.frames import (
    DAY_ENERGY_SCHEMA,
    DAY_SCHEMA,
    DAY_TOTALS_SCHEMA,
    FINDING_SCHEMA,
    INTERVAL_15MIN_SCHEMA,
    MONTH_SCHEMA,
    QUARTER_SCHEMA,
    READING_SCHEMA,
    REPORTED_SCHEMA,
    SERIES_SCHEMA,
    Body,
    Days,
    FrameError,
    Months,
    only_days,
    only_rows,
)
from hem_etl.normalise.kept import Kept, kept
from hem_etl.normalise.months import read_months
from hem_etl.normalise.overrides import EDIT_SCHEMA, OVERRIDE_SCHEMA, edits_of, stored_days, with_overrides
from hem_etl.normalise.plausibility import Thresholds
from hem_etl.normalise.quarters import quarter_hours
from hem_etl.normalise.rules import (
    BALANCE,
    DAY_BEFORE,
    SERIES_COLUMNS,
    compare_bounds,
    compare_with_day_before,
    judge,
    judge_balance,
)
from hem_etl.normalise.vanished import coverage_fell, keep_vanished, keep_vanished_months

__all__ = [
    "BALANCE",
    "DAY_BEFORE",
    "DAY_ENERGY_SCHEMA",
    "DAY_SCHEMA",
    "DAY_TOTALS_SCHEMA",
    "EDIT_SCHEMA",
    "FINDING_SCHEMA",
    "INTERVAL_15MIN_SCHEMA",
    "MONTH_SCHEMA",
    "OVERRIDE_SCHEMA",
    "QUARTER_SCHEMA",
    "READING_SCHEMA",
    "REPORTED_SCHEMA",
    "SERIES_COLUMNS",
    "SERIES_SCHEMA",
    "Body",
    "Days",
    "FrameError",
    "Kept",
    "Months",
    "Thresholds",
    "compare_bounds",
    "compare_with_day_before",
    "coverage_fell",
    "day_energy",
    "day_totals",
    "edits_of",
    "judge",
    "judge_balance",
    "keep_vanished",
    "keep_vanished_months",
    "kept",
    "only_days",
    "only_rows",
    "quarter_hours",
    "read_days",
    "read_months",
    "stored_days",
    "summed",
    "with_overrides",
]
