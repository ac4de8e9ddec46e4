"""Bodies to read: small builders, and random ones with every oddity at once."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hem_etl.local_day import Interval
from hem_etl.normalise import Body

from . import reference

NAMES = ("generation", "consumption", "import", "export", "charge", "discharge", "soc")
LATER = datetime(2030, 1, 1, tzinfo=UTC)
ODD_VALUES = (True, "4.2", [1], {"v": 1}, float("nan"), float("inf"))
ODD_STAMPS = ("2026-03-29T12:00:00", "yesterday", None, 12, ["t"], "2026-02-30T00:00:00Z", "")


def series(points, resolution="PT15M", zone="Europe/Berlin", unit="kW", **more):
    data = [{"t": t, "v": v} for t, v in points]
    return {
        "isAvailable": True,
        "unit": unit,
        "unitType": "Power",
        "sampling": {"mode": "bucketed", "resolution": resolution},
        "timezone": zone,
        "data": data,
        **more,
    }


def unavailable(reason="No data available for this timeseries for this interval"):
    return {"isAvailable": False, "reason": reason}


def encoded(timeseries, **more) -> bytes:
    return json.dumps({"timeseries": timeseries, **more}).encode()


def day_body(timeseries, day="2026-03-29", *, system_id="s1", fetched_at=LATER, zone=None) -> Body:
    raw = timeseries if isinstance(timeseries, bytes) else encoded(timeseries)
    return Body(system_id, Interval.parse(day), raw, fetched_at, zone)


def stamps(day="2026-03-29", zone="Europe/Berlin", minutes=15):
    start, end = reference.bounds(date.fromisoformat(day), zone)
    at, found = start, []
    while at < end:
        found.append(at.astimezone(ZoneInfo(zone)).isoformat())
        at += timedelta(minutes=minutes)
    return found


def full(value=1.0, day="2026-03-29", zone="Europe/Berlin", minutes=15, **more):
    """A whole day of one value."""
    points = [(t, value) for t in stamps(day, zone, minutes)]
    return series(points, resolution=f"PT{minutes}M", zone=zone, **more)


@cache
def changes() -> list[tuple[str, date]]:
    """(zone, local day of a clock change) for every zone that has one in 2024–2026, one zone for each set of rules."""
    found: dict[tuple, str] = {}
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        moments = [first + timedelta(days=10 * n) for n in range(111)]
        offsets = [moment.astimezone(zone).utcoffset() for moment in moments]
        if len(set(offsets)) > 1 and all(offset.total_seconds() % 60 == 0 for offset in offsets):
            found.setdefault(tuple(offsets), name)
    days = []
    for offsets, name in sorted(found.items(), key=lambda each: each[1]):
        for n, (before, after) in enumerate(pairwise(offsets)):
            if before != after:
                days.append((name, _day_of_change(name, first + timedelta(days=10 * n), after)))
    return days


def _day_of_change(name, moment, offset) -> date:
    zone = ZoneInfo(name)
    while moment.astimezone(zone).utcoffset() != offset:
        moment += timedelta(minutes=30)
    return (moment - timedelta(minutes=1)).astimezone(zone).date()


def random_timeseries(seed: int, day: date, zone: str, resolutions: dict[str, int]) -> dict:
    """Available series with nulls, omissions, duplicates, strays and odd points, shuffled; `minutes` is the grid."""
    draw = random.Random(seed)
    start, end = reference.bounds(day, zone)
    oddity = draw.choice((0.0, 0.02, 0.3))
    timeseries = {}
    for name, minutes in resolutions.items():
        unit = draw.choice(("%", "percent")) if name == "soc" else draw.choice(("kW", "kW", "W", "MW"))
        scale = {"W": 1000, "MW": 0.001}.get(unit, 1)
        points = []
        at = start - (timedelta(minutes=minutes) if draw.random() < 0.2 else timedelta(0))
        while at < end + (timedelta(minutes=minutes) if draw.random() < 0.2 else timedelta(0)):
            value = round(draw.choice((0, 1, 3, 100, -0.0005, -3)) * scale * draw.random(), 4)
            points.append([at, value if draw.random() > 0.3 else int(value)])
            at += timedelta(minutes=minutes)
        for point in list(points):
            if draw.random() >= oddity:
                continue
            what = draw.randrange(5)
            if what == 0:
                points.remove(point)
            elif what == 1:
                point[1] = None
            elif what == 2:
                points.append([point[0], draw.choice((None, 7.5, -2))])
            elif what == 3:
                point[1] = draw.choice(ODD_VALUES)
            else:
                point[0] = draw.choice((*ODD_STAMPS, point[0] + timedelta(seconds=draw.choice((30, 60)))))
        if draw.random() < 0.4:
            draw.shuffle(points)
        timeseries[name] = {
            **series([], resolution=f"PT{minutes}M", zone=zone, unit=unit),
            "minutes": minutes,
            "data": [{"t": _spelled(draw, at, zone), "v": value} for at, value in points],
        }
    return timeseries


def _spelled(draw, at, zone):
    if not isinstance(at, datetime):
        return at
    kind = draw.random()
    if kind < 0.02:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if kind < 0.04:
        return at.astimezone(ZoneInfo("Asia/Kathmandu")).isoformat()
    return at.astimezone(ZoneInfo(zone)).isoformat()
