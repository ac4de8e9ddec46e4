"""The native buckets of a day as they count: their values, what they add up to, and where there are none.

Works out anew, in plain Python, the parts that no table but core.reading holds: whoever explains a number must not
trust the code that made it.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from hem_etl.local_day import zone_named
from hem_etl.normalise.day_energy import with_attributed_flows
from hem_etl.normalise.frames import METRIC_COLUMNS
from hem_etl.vocabulary import ATTRIBUTED_FLOWS, ATTRIBUTION_INPUTS, FLOWS, METRICS, SOC

Row = dict[str, Any]
Values = dict[datetime, float]
"""Bucket start (UTC) → kW or %."""


def counted_values(
    readings: Sequence[Row], series: Mapping[str, Row], overrides: Sequence[Row], bounds: Row, over_limit_kw: float
) -> dict[str, Values]:
    """Per available metric the values that count: sent, or set by hand; neither null nor over the limit."""
    counted: dict[str, Values] = {}
    for metric in METRICS:
        row = series.get(metric)
        if row is None or not row["is_available"] or not bounds:
            continue
        column = METRIC_COLUMNS[metric]
        said = {reading["start_utc"]: reading[column] for reading in readings}
        for override in (override for override in overrides if override["metric"] == metric):
            first, last = override["start_utc"] or bounds["start_utc"], override["end_utc"] or bounds["end_utc"]
            said |= {start: override["value"] for start in _grid(row, bounds) if first <= start < last}
        limit = over_limit_kw if metric in FLOWS else math.inf
        counted[metric] = {
            start: value for start, value in sorted(said.items()) if value is not None and abs(value) <= limit
        }
    return counted


def sums_of(values: Mapping[str, Values], series: Mapping[str, Row], bounds: Row) -> Row:
    """What the native buckets add up to, worked out anew: the parts that no table but core.reading holds."""
    parts: Row = {}
    for metric in METRICS:
        counted = values.get(metric, {})
        row = series.get(metric, {})
        parts[f"{metric}_buckets"] = len(counted)
        parts[f"{metric}_bucket_minutes"] = row.get("resolution_minutes")
        if metric in FLOWS:
            weighed = [value * _minutes(start, row, bounds) for start, value in counted.items()]
            parts[f"{metric}_kw_minutes"] = math.fsum(weighed) if weighed else None
    soc = list(values.get(SOC, {}).values())
    parts |= {"soc_first": None, "soc_last": None, "soc_min": None, "soc_max": None}
    if soc:
        parts |= {"soc_first": soc[0], "soc_last": soc[-1], "soc_min": min(soc), "soc_max": max(soc)}
    return parts | _attributed(values, series, bounds)


def stretches_not_valid(row: Row, counted: Values, bounds: Row, timezone: str | None) -> list[list[str]]:
    """Stretches of the local day, as first and last-after wall-clock time, whose buckets do not count."""
    zone = zone_named(timezone)
    if not row["is_available"] or not bounds or zone is None:
        return []
    step = timedelta(minutes=row["resolution_minutes"])
    stretches: list[tuple[datetime, datetime]] = []
    for start in _grid(row, bounds):
        if start in counted:
            continue
        end = min(start + step, bounds["end_utc"])
        if stretches and stretches[-1][1] == start:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((start, end))

    def wall(instant: datetime) -> str:
        return f"{instant.replace(tzinfo=zone_named('UTC')).astimezone(zone):%H:%M}"

    return [[wall(start), wall(end)] for start, end in stretches]


def _attributed(values: Mapping[str, Values], series: Mapping[str, Row], bounds: Row) -> Row:
    """Attributed flows over the buckets in which all five flows are valid; NULL unless they share one resolution."""
    rows = [series[flow] for flow in ATTRIBUTION_INPUTS if flow in values]
    is_common = len(rows) == len(ATTRIBUTION_INPUTS) and len({row["resolution_minutes"] for row in rows}) == 1
    starts = sorted(set.intersection(*(set(values[flow]) for flow in ATTRIBUTION_INPUTS))) if is_common else []
    if not starts:
        nothing = dict.fromkeys(f"{name}_kw_minutes" for name in ATTRIBUTED_FLOWS)
        return {**nothing, "attributed_buckets": 0}
    flows = pl.DataFrame({flow: [values[flow][start] for start in starts] for flow in ATTRIBUTION_INPUTS})
    minutes = pl.Series([_minutes(start, rows[0], bounds) for start in starts])
    attributed = with_attributed_flows(flows)
    return {
        **{f"{name}_kw_minutes": math.fsum(attributed[name] * minutes) for name in ATTRIBUTED_FLOWS},
        "attributed_buckets": len(starts),
    }


def _minutes(start: datetime, row: Row, bounds: Row) -> float:
    """Length of a bucket of a series; the last one may be cut by the end of the day."""
    left: timedelta = bounds["end_utc"] - start
    return min(float(row["resolution_minutes"]), left / timedelta(minutes=1))


def _grid(row: Row, bounds: Row) -> list[datetime]:
    """Starts of the expected buckets of a series."""
    step = timedelta(minutes=row["resolution_minutes"])
    return [bounds["start_utc"] + place * step for place in range(row["expected_buckets"] or 0)]
