"""A plain reader of served bodies, independent of both the simulator's model and the product's normaliser."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hem_etl.local_day import day_bounds_utc
from hem_etl.simulator import Home
from hem_etl.vocabulary import WIRE_SPELLINGS


@dataclass
class ReadSeries:
    is_available: bool
    reason: str | None = None
    resolution_minutes: int = 0
    values: dict[datetime, Any] = field(default_factory=dict)
    duplicates: int = 0
    outside: int = 0
    off_grid: int = 0
    exact_kwh: Fraction | None = None
    valid_hours: Fraction = Fraction(0)


def read_day(body: bytes, home: Home, day: date, as_of: datetime, over_limit_kw: float = 50.0) -> dict[str, ReadSeries]:
    start, end = day_bounds_utc(day, ZoneInfo(home.timezone))
    told = json.loads(body, parse_float=Decimal, parse_int=Decimal)["timeseries"]
    by_spelling = {spelling: metric for metric, spellings in WIRE_SPELLINGS.items() for spelling in spellings}
    known = {by_spelling[name]: series for name, series in told.items() if name in by_spelling}
    return {metric: _read(series, metric, start, end, as_of, over_limit_kw) for metric, series in known.items()}


def _read(
    series: dict[str, Any], metric: str, start: datetime, end: datetime, as_of: datetime, over_limit_kw: float
) -> ReadSeries:
    if not series["isAvailable"]:
        return ReadSeries(False, series["reason"])
    minutes = int(series["sampling"]["resolution"].removeprefix("PT").removesuffix("M"))
    step = timedelta(minutes=minutes)
    read = ReadSeries(True, None, minutes)
    for point in series["data"]:
        local = datetime.fromisoformat(point["t"])
        assert local.tzinfo is not None
        instant = local.astimezone(UTC)
        if not start <= instant < end:
            read.outside += 1
        elif (instant - start) % step:
            read.off_grid += 1
        elif min(instant + step, end) > as_of:
            assert point["v"] is None, "a bucket that lies in the future has no value"
        else:
            read.duplicates += instant in read.values
            read.values[instant] = point["v"]
    valid = {t: v for t, v in read.values.items() if v is not None and (metric == "soc" or abs(v) <= over_limit_kw)}
    lengths = {instant: (min(instant + step, end) - instant) // timedelta(minutes=1) for instant in valid}
    read.valid_hours = Fraction(sum(lengths.values()), 60)
    if valid and metric != "soc":
        kw_minutes = sum(value * lengths[instant] for instant, value in valid.items())
        read.exact_kwh = Fraction(kw_minutes) / 60
    return read
