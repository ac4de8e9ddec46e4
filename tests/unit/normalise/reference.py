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


INPUTS = ("generation", "grid_import", "grid_export", "battery_charge", "battery_discharge")
PARTS = (
    "used_solar",
    "used_battery",
    "used_grid",
    "used_total",
    "solar_to_battery",
    "solar_to_grid",
    "grid_to_battery",
    "battery_to_grid",
)
PAIRS = (("generation", "grid_export"), ("consumption", "grid_import"), ("battery_charge", "battery_discharge"))
SAME_POWER = Fraction(1, 10**9)


def attributed(solar, grid, export, charge, battery) -> dict:
    """One bucket by the eight steps of formulas: what is taken leaves the sender and the receiver."""
    solar, grid, export, charge, battery = (max(value, 0) for value in (solar, grid, export, charge, battery))
    load = max(grid + solar + battery - export - charge, 0)
    parts = {"used_total": load}
    parts["grid_to_battery"] = max(0, min(charge, grid - load))  # 1
    grid, charge = grid - parts["grid_to_battery"], charge - parts["grid_to_battery"]
    parts["solar_to_battery"] = min(solar, charge)  # 2
    solar, charge = solar - parts["solar_to_battery"], charge - parts["solar_to_battery"]
    parts["solar_to_grid"] = min(solar, export)  # 3
    solar, export = solar - parts["solar_to_grid"], export - parts["solar_to_grid"]
    parts["battery_to_grid"] = min(battery, export)  # 4
    battery -= parts["battery_to_grid"]
    more = min(grid, charge)  # 5
    parts["grid_to_battery"] += more
    grid -= more
    parts["used_solar"] = min(load, solar)  # 6
    load -= parts["used_solar"]
    parts["used_battery"] = min(battery, load)  # 7
    load -= parts["used_battery"]
    parts["used_grid"] = min(load, grid)  # 8
    return parts


def sum_of(values) -> Fraction | None:
    present = [value for value in values if value is not None]
    return sum(present, Fraction(0)) if present else None


def attributed_buckets(day: Day) -> dict | None:
    """start → (minutes, the five inputs in kW) of the buckets with all five valid; None without a common grid."""
    grids = {day.series[flow].minutes if flow in day.series else None for flow in INPUTS}
    if len(grids) > 1 or None in grids:
        return None
    whole = set.intersection(*(set(day.series[flow].valid) for flow in INPUTS))
    buckets = {}
    for at in sorted(whole):
        minutes = (day.series["generation"].valid[at][1] - at) // MINUTE
        buckets[at] = minutes, [Fraction(day.series[flow].valid[at][0], UNITS) for flow in INPUTS]
    return buckets


def day_energy(day: Day) -> dict:
    rows = quarters(day)
    result = {f"{flow}_kwh": sum_of(row[f"{flow}_kwh"] for row in rows.values()) for flow in FLOWS}
    for name in ("sources", "sinks"):
        result[f"balance_{name}_kwh"] = sum_of(row[name] for row in rows.values())
    for one, other in PAIRS:
        both = [row for row in rows.values() if row[f"{one}_minutes"] == row[f"{other}_minutes"] == 15]
        result[f"paired_{one}_kwh"] = sum_of(row[f"{one}_kwh"] for row in both)
        result[f"paired_{other}_kwh"] = sum_of(row[f"{other}_kwh"] for row in both)
    for flow in FLOWS:
        means = {
            at: row[f"{flow}_kwh"] * 60 / row[f"{flow}_minutes"]
            for at, row in rows.items()
            if row[f"{flow}_kwh"] is not None
        }
        peak = result[f"{flow}_peak_kw"] = max(means.values(), default=None)
        if flow == "grid_import":
            highest = [at for at, mean in means.items() if peak - mean <= SAME_POWER]
            result["grid_import_peak_at_utc"] = min(highest, default=None)
    buckets = attributed_buckets(day)
    result["attributed_minutes"] = None if buckets is None else sum(minutes for minutes, _ in buckets.values())
    split = [(minutes, attributed(*inputs)) for minutes, inputs in (buckets or {}).values()]
    for part in PARTS:
        result[f"{part}_kwh"] = sum_of(flows[part] * minutes / 60 for minutes, flows in split)
    states = [Fraction(value, UNITS) for _, (value, _) in sorted(valid_of(day, "soc").items())]
    result["soc_first_pct"], result["soc_last_pct"] = (states[0], states[-1]) if states else (None, None)
    result["soc_min_pct"], result["soc_max_pct"] = min(states, default=None), max(states, default=None)
    for flow in ("generation", "consumption"):
        highest = max((value for value, _ in valid_of(day, flow).values()), default=None)
        result[f"{flow}_bucket_peak_kw"] = None if highest is None else Fraction(highest, UNITS)
    value, end = valid_of(day, "consumption").get(day.start, (None, None))
    result["consumption_first_bucket_kwh"] = (
        None if value is None else Fraction(value * ((end - day.start) // MINUTE), 60 * UNITS)
    )
    return result


def valid_of(day: Day, metric: str) -> dict:
    return day.series[metric].valid if metric in day.series else {}
