"""What goes in and what comes out: the body to read, the frames' schemas, and the gate every frame leaves through.

The schemas are the columns of the warehouse's tables, in their order. Instants are naive UTC microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import polars as pl

from hem_etl.local_day import Interval, naive_utc
from hem_etl.vocabulary import ATTRIBUTED_FLOWS, FLOWS, METRICS, SOC, Severity

INSTANT: Final = pl.Datetime("us")

METRIC_COLUMNS: Final = {**{flow: f"{flow}_kw" for flow in FLOWS}, SOC: "soc_pct"}
"""Metric → its column in readings, in vocabulary order."""

DAY_KEY: Final = ("system_id", "day")
SERIES_KEY: Final = (*DAY_KEY, "metric")
METRIC_RANK: Final = {metric: rank for rank, metric in enumerate(METRICS)}

READING_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "start_utc": INSTANT,
        "start_local": INSTANT,
        "utc_offset_minutes": pl.Int16(),
        **{column: pl.Float64() for column in METRIC_COLUMNS.values()},
    }
)
"""One row per system and start of a bucket that any metric sent: in the local day, on its grid, ended when fetched."""

COUNTS: Final = (
    "expected_buckets",
    "sent_buckets",
    "valid_buckets",
    "null_buckets",
    "missing_buckets",
    "duplicate_buckets",
    "outside_day_buckets",
    "off_grid_buckets",
    "offset_mismatch_buckets",
    "negative_buckets",
    "over_limit_buckets",
    "unreadable_buckets",
)

SERIES_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "metric": pl.String(),
        "is_known": pl.Boolean(),
        "is_available": pl.Boolean(),
        "reason": pl.String(),
        "absence": pl.String(),
        "missing_scope": pl.String(),
        "unit": pl.String(),
        "sampling_mode": pl.String(),
        "timezone": pl.String(),
        "resolution_minutes": pl.Int32(),
        **{count: pl.Int32() for count in COUNTS},
        "valid_minutes": pl.Int32(),
        "edited_buckets": pl.Int32(),
    }
)
"""One row per system, day and metric: all seven, and unknown names as sent. Counts are NULL where nothing is available.

expected = valid + over_limit + null + unreadable + missing, always; sent = expected − missing; negative is part of
valid. Duplicates, points outside the day, off the grid or with a wrong offset are counted over all that was sent,
ended or not. The counts are of what was sent; valid_minutes, and what coverage follows from it, are of the values that
count, and edited_buckets tells how many of these are corrections by hand.
"""

FINDING_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "metric": pl.String(),
        "rule": pl.String(),
        "severity": pl.String(),
        "evidence": pl.String(),
        "found_at_utc": INSTANT,
    }
)
"""One row per finding; `metric` is NULL where it is about the day, `found_at_utc` is when its body was fetched."""

ODD_STAMP_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "metric": pl.String(),
        "rule": pl.String(),
        "points": pl.Int32(),
        "example": pl.String(),
    }
)
"""One row per series and rule of structure that its stamps broke: how often, and the earliest stamp, shown safely."""

DAY_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "outcome": pl.String(),
        "detail": pl.String(),
        "timezone": pl.String(),
        "starts_at_utc": INSTANT,
        "ends_at_utc": INSTANT,
        "day_hours": pl.Float64(),
        "content_sha256": pl.String(),
        "fetched_at_utc": INSTANT,
        "applied": pl.Boolean(),
    }
)
"""One row per body; `day_hours` is the length of the local day.

Where no zone is known `timezone` is NULL, `day_hours` is 24 and `ends_at_utc` is when the day is over everywhere (12:00
UTC of the next one), so the three need not agree.
"""

INTERVAL_15MIN_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "start_utc": INSTANT,
        "start_local": INSTANT,
        "utc_offset_minutes": pl.Int16(),
        **{f"{flow}_kw": pl.Float64() for flow in FLOWS},
        **{f"{flow}_kwh": pl.Float64() for flow in FLOWS},
        **{f"{flow}_minutes": pl.Float64() for flow in FLOWS},
        "soc_pct": pl.Float64(),
        "balance_sources_kwh": pl.Float64(),
        "balance_sinks_kwh": pl.Float64(),
    }
)
QUARTER_SCHEMA: Final = pl.Schema(
    {
        **INTERVAL_15MIN_SCHEMA,
        **{f"{name}_kwmin": pl.Float64() for name in (*FLOWS, "balance_sources", "balance_sinks")},
    }
)
"""The same, and each energy once more in kW·min, as it is before the last step makes kWh of it."""

DAY_ENERGY_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        **{f"{flow}_kwh": pl.Float64() for flow in FLOWS},
        "balance_sources_kwh": pl.Float64(),
        "balance_sinks_kwh": pl.Float64(),
        **{f"{name}_kwh": pl.Float64() for name in ATTRIBUTED_FLOWS},
        "attributed_minutes": pl.Int32(),
        **{f"paired_{flow}_kwh": pl.Float64() for flow in FLOWS},
        **{f"{flow}_peak_kw": pl.Float64() for flow in FLOWS},
        "grid_import_peak_at_utc": INSTANT,
        "grid_import_peak_at_local": INSTANT,
        "soc_first_pct": pl.Float64(),
        "soc_last_pct": pl.Float64(),
        "soc_min_pct": pl.Float64(),
        "soc_max_pct": pl.Float64(),
        "consumption_first_bucket_kwh": pl.Float64(),
        "generation_bucket_peak_kw": pl.Float64(),
        "consumption_bucket_peak_kw": pl.Float64(),
    }
)
"""One row per system and day that has readings. Made from valid buckets only.

attributed_minutes: covered by buckets in which generation, grid and battery flows are all valid; NULL where one of
them is not available or they do not share one resolution. paired_<flow>_kwh: over the quarter hours that the flow and
its partner (PARTNERS) cover whole.
"""

DAY_TOTALS_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        **{f"{flow}_kwh": pl.Float64() for flow in FLOWS},
        **{f"{flow}_coverage": pl.Float64() for flow in FLOWS},
    }
)

REPORTED_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        **{f"{flow}_kwh": pl.Float64() for flow in FLOWS},
        "fetched_at_utc": INSTANT,
    }
)
"""One row per system and local day that has at least one reported value."""

MONTH_SCHEMA: Final = pl.Schema(
    {
        "system_id": pl.String(),
        "day": pl.Date(),
        "outcome": pl.String(),
        "detail": pl.String(),
        "timezone": pl.String(),
        "starts_at_utc": INSTANT,
        "ends_at_utc": INSTANT,
        "content_sha256": pl.String(),
        "fetched_at_utc": INSTANT,
    }
)
"""One row per body; `day` is the month's first."""


@dataclass(frozen=True, slots=True)
class Body:
    """A statistics answer as it was landed, and what is needed to read it."""

    system_id: str
    interval: Interval
    body: bytes
    fetched_at: datetime
    """Aware. Buckets that had not ended by then are left out."""
    zone: str | None
    """The system's zone, used where no series states one we know."""


@dataclass(frozen=True, slots=True)
class Days:
    """Day bodies, read. All frames are sorted by day, then system."""

    readings: pl.DataFrame
    series: pl.DataFrame
    findings: pl.DataFrame
    days: pl.DataFrame
    odd_stamps: pl.DataFrame
    over_limit_kw: float
    """A flow beyond it (by absolute value) is kept in `readings` and left out of energy and coverage."""


@dataclass(frozen=True, slots=True)
class Months:
    """Month bodies, read. All frames are sorted by day, then system."""

    reported: pl.DataFrame
    months: pl.DataFrame
    findings: pl.DataFrame


Finding = tuple[object, ...]
"""A row of FINDING_SCHEMA."""


class FrameError(AssertionError):
    """A frame is not as its schema says: a bug of ours, never a fault of the data."""


def naive(instant: datetime | None) -> datetime | None:
    """An aware instant as the naive UTC one that frames hold."""
    return None if instant is None else naive_utc(instant)


def finding(body: Body, metric: str | None, rule: str, severity: Severity, evidence: str) -> Finding:
    """What reading a body found out about it. A finding carries its evidence and never changes a value."""
    return (body.system_id, body.interval.day, metric, rule, severity, evidence, naive(body.fetched_at))


def gated(frame: pl.DataFrame, schema: pl.Schema, *, key: Sequence[str] = ()) -> pl.DataFrame:
    """The frame itself, if its names, dtypes and key are right; FrameError otherwise. Refuses and never casts."""
    if frame.schema != schema:
        raise FrameError(f"columns are {frame.schema}, declared are {schema}")
    if key and not _is_ascending(frame, key):
        repeated = frame.select(pl.struct(*key).is_duplicated().sum()).item()
        if repeated:
            raise FrameError(f"{repeated} rows share a key of {', '.join(key)}")
    return frame


def only_rows(rows: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Of the rows those of the (system_id, day) rows in `keys`."""
    return rows.join(keys, on=["system_id", "day"], how="semi", maintain_order="left")


def only_days(days: Days, keys: pl.DataFrame) -> Days:
    """What was read of the (system_id, day) rows in `keys`."""
    return replace(
        days,
        readings=only_rows(days.readings, keys),
        series=only_rows(days.series, keys),
        findings=only_rows(days.findings, keys),
        days=only_rows(days.days, keys),
        odd_stamps=only_rows(days.odd_stamps, keys),
    )


def day_numbers(readings: pl.DataFrame, days: pl.DataFrame) -> pl.Series:
    """Which row of `days` is the day of each reading. Readings are sorted: it begins where it or the system changes."""
    is_first = readings.select(
        (pl.col("day") != pl.col("day").shift()) | (pl.col("system_id") != pl.col("system_id").shift())
    )
    begins = is_first.to_series().fill_null(True)  # the first row has none before it, and begins a day
    found = (
        readings.select(DAY_KEY)
        .filter(begins)
        .join(
            days.select(DAY_KEY).with_row_index("day_ix"),
            on=DAY_KEY,
            how="left",
            validate="1:1",
            maintain_order="left",
        )
    )
    return found["day_ix"].gather(begins.cast(pl.UInt32).cum_sum() - 1)


def _is_ascending(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether each row comes after the one before, by day and then by the rest of the key: then none is repeated."""
    is_after = pl.lit(False)
    by_weight = sorted(key, key=lambda name: name != "day")
    for name in reversed(by_weight):
        each = pl.col(name)
        is_after = (each > each.shift()) | ((each == each.shift()) & is_after)
    return bool(frame.select(is_after.slice(1).fill_null(False).all()).item())
