"""What the frames must hold, worked out slowly: plain Python, integers, Fractions and zoneinfo, one point at a time.

Shares no code with hem_etl: bounds of days are found by walking minute by minute, stamps are read by `datetime`.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

FLOWS = ("generation", "consumption", "grid_import", "grid_export", "battery_charge", "battery_discharge")
METRICS = (*FLOWS, "soc")
WIRE = dict(zip(("generation", "consumption", "import", "export", "charge", "discharge", "soc"), METRICS, strict=True))
SOURCES = ("generation", "grid_import", "battery_discharge")
SINKS = ("consumption", "grid_export", "battery_charge")
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
UNITS = 10**10
"""Sums are taken in whole units of 10⁻¹⁰ kW and minutes: every value that the tests send is a multiple of 10⁻⁷ kW."""


@cache
def first_instant(day: date, zone: str) -> datetime:
    """By walking over every minute around it."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += MINUTE
    return at


def bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    return first_instant(day, zone), first_instant(day + timedelta(days=1), zone)


@dataclass
class Series:
    minutes: int
    counts: dict = field(default_factory=dict)
    valid_minutes: int = 0
    buckets: dict = field(default_factory=dict)
    """start → value or None, for every bucket that was sent, placed and had ended."""
    valid: dict = field(default_factory=dict)
    """start → (units, end) of the valid ones."""


@dataclass
class Day:
    start: datetime
    end: datetime
    series: dict = field(default_factory=dict)


def read_series(points, minutes, scale, day, zone, fetched_at, limit) -> Series:
    start, end = bounds(day, zone)
    step = timedelta(minutes=minutes)
    grid = set()
    at = start
    while at < end:
        grid.add(at)
        at += step
    ended = {at for at in grid if min(at + step, end) <= fetched_at}
    counts = dict.fromkeys(
        ("duplicate", "outside_day", "off_grid", "offset_mismatch", "negative", "over_limit", "null", "valid"), 0
    )
    bad_times = bad_values = 0
    last = {}
    for point in points:
        try:
            moment = datetime.fromisoformat(point["t"])
        except (ValueError, TypeError, KeyError):
            bad_times += 1
            continue
        if moment.tzinfo is None:
            bad_times += 1
            continue
        at = moment.astimezone(UTC)
        if not start <= at < end:
            counts["outside_day"] += 1
        elif at not in grid:
            counts["off_grid"] += 1
        else:
            counts["duplicate"] += at in last
            last[at] = (point.get("v"), moment.utcoffset(), point["t"])
    result = Series(minutes, counts)
    for at, (value, offset, text) in last.items():
        counts["offset_mismatch"] += text[-1] not in "zZ" and offset != at.astimezone(ZoneInfo(zone)).utcoffset()
        if at not in ended:
            continue
        bucket_end = min(at + step, end)
        if value is None:
            counts["null"] += 1
        elif isinstance(value, bool | str | list | dict) or value != value or abs(value) == float("inf"):
            bad_values += 1
            value = None
        else:
            value = value * scale
            if limit is not None and abs(value) > limit:
                counts["over_limit"] += 1
            else:
                counts["valid"] += 1
                counts["negative"] += limit is not None and value < -0.001
                result.valid[at] = (round(value * UNITS), bucket_end)
                result.valid_minutes += (bucket_end - at) // MINUTE
        result.buckets[at] = value
    counts["expected"] = len(ended)
    placed = sum(at in ended for at in last)
    counts["unreadable"] = bad_values + min(bad_times, len(ended) - placed)
    counts["missing"] = len(ended) - counts["valid"] - counts["over_limit"] - counts["null"] - counts["unreadable"]
    counts["sent"] = len(ended) - counts["missing"]
    return result


def read_day(timeseries: dict, day: date, zone: str, fetched_at: datetime, limit: float) -> Day:
    """timeseries: as on the wire, available series only, minutes per series in `minutes`."""
    result = Day(*bounds(day, zone))
    for name, sent in timeseries.items():
        metric = WIRE[name]
        scale = {"W": 0.001, "MW": 1000.0}.get(sent["unit"], 1)
        result.series[metric] = read_series(
            sent["data"], sent["minutes"], scale, day, zone, fetched_at, None if metric == "soc" else limit
        )
    return result


def readings(day: Day) -> dict:
    """start → {metric: value}."""
    rows: dict = {}
    for metric, series in day.series.items():
        for at, value in series.buckets.items():
            rows.setdefault(at, {})[metric] = value
    return rows


def shares(day: Day, at: datetime, end: datetime) -> dict:
    """Start of a quarter hour → minutes of [at, end) in it, by walking minute by minute."""
    minutes: dict = {}
    first = (at - day.start) // MINUTE
    for minute in range(first, first + (end - at) // MINUTE):
        quarter = day.start + (minute // 15) * QUARTER
        minutes[quarter] = minutes.get(quarter, 0) + 1
    return minutes


def quarters(day: Day) -> dict:
    """start → {flow_kwh, flow_minutes, soc, sources, sinks}, for the quarter hours that a row reaches into."""
    rows: dict = {}
    for at in readings(day):
        longest = max(s.minutes for s in day.series.values() if ((at - day.start) // MINUTE) % s.minutes == 0)
        for quarter in shares(day, at, min(at + longest * MINUTE, day.end)):
            rows[quarter] = dict.fromkeys(("soc", "sources", "sinks"))
    for quarter, flow in ((quarter, flow) for quarter in rows for flow in FLOWS):
        rows[quarter][f"{flow}_minutes"] = 0 if flow in day.series else None
        rows[quarter][f"{flow}_kwh"] = None
    for flow in FLOWS:
        for at, (value, end) in day.series[flow].valid.items() if flow in day.series else ():
            for quarter, minutes in shares(day, at, end).items():
                rows[quarter][f"{flow}_minutes"] += minutes
                add(rows[quarter], f"{flow}_kwh", value * minutes)
    for at, (value, end) in sorted(day.series["soc"].valid.items()) if "soc" in day.series else ():
        for quarter in shares(day, at, end):
            rows[quarter]["soc"] = Fraction(value, UNITS)
    resolutions = {day.series[flow].minutes if flow in day.series else None for flow in FLOWS}
    if len(resolutions) == 1 and None not in resolutions:
        for at in set.intersection(*(set(day.series[flow].valid) for flow in FLOWS)):
            for quarter, minutes in shares(day, at, day.series["generation"].valid[at][1]).items():
                for name, flows in (("sources", SOURCES), ("sinks", SINKS)):
                    add(rows[quarter], name, sum(day.series[flow].valid[at][0] for flow in flows) * minutes)
    for row in rows.values():
        for name in (*(f"{flow}_kwh" for flow in FLOWS), "sources", "sinks"):
            row[name] = None if row[name] is None else Fraction(row[name], 60 * UNITS)
    return rows


def add(row: dict, name: str, amount: int) -> None:
    row[name] = amount + (row[name] or 0)


def totals(day: Day) -> dict:
    length = (day.end - day.start) // MINUTE
    result = {}
    for flow in FLOWS:
        series = day.series.get(flow)
        result[f"{flow}_coverage"] = None if series is None else Fraction(series.valid_minutes, length)
        energies = (
            [] if series is None else [value * ((end - at) // MINUTE) for at, (value, end) in series.valid.items()]
        )
        result[f"{flow}_kwh"] = Fraction(sum(energies), 60 * UNITS) if energies else None
    return result
