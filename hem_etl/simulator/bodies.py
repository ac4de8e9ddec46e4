"""Statistics bodies, spelt as a vendor's data reach us: the only place that turns watts into JSON text.

Text is put together from ready pieces (stamps per zone and day, numbers from a bounded memo), because a load test
serves thousands of days. What a day must mean is told by `truth`, which shares no code with this module.
"""

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from hem_etl.local_day import days_between, first_instant, next_month
from hem_etl.simulator.axis import Axis, day_axis, local_stamp, spelt
from hem_etl.simulator.blemishes import OVER_LIMIT_WATTS, Blemishes, day_blemishes, preliminary_watts
from hem_etl.simulator.chance import stable_random
from hem_etl.simulator.counters import reported_centi_kwh
from hem_etl.simulator.homes import NO_DATA, Home
from hem_etl.simulator.physics import PowerDay, power_day
from hem_etl.vocabulary import FLOWS, SOC, WIRE_FLOWS

WIRE_NAME = {metric: name for name, metric in WIRE_FLOWS.items()}


def day_body(home: Home, day: date, now: datetime) -> str:
    """The `timeseries` object of a DAY as it is served at `now`."""
    axis = day_axis(home.timezone, day, home.flow_minutes(day))
    nothing_changes_after = axis.end + timedelta(hours=24 + max(home.quirks.late_hours, home.quirks.restated_hours))
    minutes = (min(now, nothing_changes_after) - axis.start) // timedelta(minutes=1)
    return _day_body(home, day, axis.start + timedelta(minutes=minutes))


@lru_cache(maxsize=256)
def _day_body(home: Home, day: date, now: datetime) -> str:
    power, blemishes = power_day(home, day), day_blemishes(home, day)
    is_preliminary = blemishes.restated_at is not None and now < blemishes.restated_at
    watts = preliminary_watts(power.watts) if is_preliminary else power.watts
    whole = home.quirks.sends_bare_integers
    series = {}
    for flow in FLOWS:
        reason = home.unavailable_reason(flow)
        texts = [_number(value, 1000, whole) for value in watts[flow]]
        stale = [_number(value + 111, 1000, whole) for value in watts[flow]] if blemishes.duplicates else texts
        series[WIRE_NAME[flow]] = (
            _unavailable(reason)
            if reason
            else _available(home, day, now, "kW", "Power", flow, power.axis, texts, stale, blemishes)
        )
    series[home.quirks.soc_name] = _soc(home, day, now, power, blemishes)
    if home.quirks.sends_unknown_series:
        series |= _unknown_series(home, day)
    return _object(series)


def _soc(home: Home, day: date, now: datetime, power: PowerDay, blemishes: Blemishes) -> str:
    if reason := home.unavailable_reason(SOC):
        return _unavailable(reason)
    axis = day_axis(home.timezone, day, home.soc_minutes(day))
    permille = power.soc_permille[:: axis.resolution_minutes // power.axis.resolution_minutes]
    texts = [_number(value, 10, home.quirks.sends_bare_integers) for value in permille]
    stale = [_number(value // 2, 10, home.quirks.sends_bare_integers) for value in permille]
    return _available(home, day, now, home.quirks.soc_unit, "Percentage", SOC, axis, texts, stale, blemishes)


def _available(
    home: Home,
    day: date,
    now: datetime,
    unit: str,
    unit_type: str,
    metric: str,
    axis: Axis,
    texts: list[str],
    stale: list[str],
    blemishes: Blemishes,
) -> str:
    step, quirks = axis.resolution_minutes, home.quirks
    ended = axis.ended(now)
    for flow, minute in blemishes.over_limit:
        if flow == metric and minute % step == 0:
            texts[minute // step] = _number(OVER_LIMIT_WATTS, 1000, quirks.sends_bare_integers)
    is_filled = blemishes.filled_at is None or now >= blemishes.filled_at
    for run in (blemishes.nulls, None if is_filled else blemishes.late):
        if run is not None and metric in run.metrics:
            here = slice(-(-run.first // step), -(-run.last // step))
            texts[here] = ["null"] * len(texts[here])
    if blemishes.is_empty:
        ended = 0
    texts[ended:] = ["null"] * (len(texts) - ended)

    tail = ',"isEstimated":false}' if quirks.sends_unknown_fields else "}"
    heads = _point_heads(home.timezone, day, step, quirks.spells_z)
    points = [head + text + tail for head, text in zip(heads, texts, strict=True)]
    for minute, is_null_last in blemishes.duplicates:
        i = minute // step
        if minute % step == 0 and i < ended:
            last = heads[i] + "null" + tail if is_null_last else points[i]
            points[i] = f"{heads[i]}{stale[i]}{tail},{last}"
    for minute in blemishes.off_grid:
        i = minute // step
        if i < ended:
            stamp = local_stamp(axis.start + timedelta(minutes=minute), home.timezone, quirks.spells_z)
            points[i] += f',{{"t":"{stamp}","v":0.5{tail}'
    if blemishes.omitted is not None and metric in blemishes.omitted.metrics:
        del points[-(-blemishes.omitted.first // step) : -(-blemishes.omitted.last // step)]
    if quirks.sends_next_midnight and now >= axis.end + timedelta(minutes=step):
        points.append(f'{{"t":"{local_stamp(axis.end, home.timezone, quirks.spells_z)}","v":{texts[-1]}{tail}')
    if quirks.is_shuffled:
        stable_random(home.seed, "order", day.toordinal(), metric).shuffle(points)
    return _series_text(home, unit, unit_type, f"PT{step}M", quirks.soc_mode if metric == SOC else "bucketed", points)


def month_body(home: Home, month: date, now: datetime) -> str:
    """The `timeseries` object of a MONTH as it is served at `now`: daily kWh; no days before the installation."""
    days = [day for day in days_between(month, next_month(month) - timedelta(days=1)) if day >= home.installed_on]
    stamps = [local_stamp(first_instant(day, home.zone), home.timezone, home.quirks.spells_z) for day in days]
    series = {}
    for flow in FLOWS:
        if reason := home.unavailable_reason(flow):
            series[WIRE_NAME[flow]] = _unavailable(reason)
            continue
        points = []
        for day, stamp in zip(days, stamps, strict=True):
            value = reported_centi_kwh(home, day, flow, now)
            text = "null" if value is None else _number(value, 100, home.quirks.sends_bare_integers)
            points.append(f'{{"t":"{stamp}","v":{text}}}')
        series[WIRE_NAME[flow]] = _series_text(home, "kWh", "Energy", "P1D", "bucketed", points)
    series[home.quirks.soc_name] = _unavailable(home.unavailable_reason(SOC) or NO_DATA)
    return _object(series)


@lru_cache(maxsize=512)
def _point_heads(timezone: str, day: date, resolution_minutes: int, spells_z: bool) -> tuple[str, ...]:
    stamps = day_axis(timezone, day, resolution_minutes).stamps
    return tuple(f'{{"t":"{spelt(stamp, spells_z)}","v":' for stamp in stamps)


@lru_cache(maxsize=65_536)
def _number(value: int, parts: int, is_whole_bare: bool) -> str:
    return str(value // parts) if is_whole_bare and value % parts == 0 else repr(value / parts)


def _series_text(home: Home, unit: str, unit_type: str, resolution: str, mode: str, points: Iterable[str]) -> str:
    head: dict[str, object] = {
        "isAvailable": True,
        "unit": unit,
        "unitType": unit_type,
        "sampling": {"mode": mode, "resolution": resolution},
    }
    if home.quirks.has_series_timezone:
        head["timezone"] = home.timezone
    if home.quirks.sends_unknown_fields:
        head["quality"] = {"source": "vendor", "level": 2}
    return f'{json.dumps(head, separators=(",", ":"))[:-1]},"data":[{",".join(points)}]}}'


def _unknown_series(home: Home, day: date) -> dict[str, str]:
    """Series nobody has told us about: one we could read, one in a unit of its own, one without data."""
    stamp = day_axis(home.timezone, day, 60).stamps[0]
    point = f'{{"t":"{stamp}","v":12.5}}'
    return {
        "evCharging": _series_text(home, "kW", "Power", "PT60M", "bucketed", [point]),
        "roomTemperature": _series_text(home, "°C", "Temperature", "PT60M", "bucketed", [point]),
        "heatPump": _unavailable(NO_DATA),
    }


def _unavailable(reason: str) -> str:
    return json.dumps({"isAvailable": False, "reason": reason}, separators=(",", ":"))


def _object(series: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in series.items()) + "}"
