"""What the vendor's own daily counters say: kWh, rounded, a little off the integrated sum of the buckets."""

from datetime import date, datetime
from functools import lru_cache

from hem_etl.simulator.axis import day_axis
from hem_etl.simulator.chance import stable_ratio
from hem_etl.simulator.homes import Home
from hem_etl.simulator.physics import power_day
from hem_etl.vocabulary import FLOWS

WATT_MINUTES_PER_CENTI_KWH = 600


def reported_centi_kwh(home: Home, day: date, flow: str, now: datetime) -> int | None:
    """Energy of `day` in hundredths of a kWh, partial while the day runs; None for a day that has not begun."""
    axis = day_axis(home.timezone, day, home.flow_minutes(day))
    if now < axis.start:
        return None
    if now >= axis.end:
        watt_minutes = _day_watt_minutes(home, day)[FLOWS.index(flow)]
    else:
        watt_minutes = power_day(home, day).watt_minutes(flow, axis.ended(now))
    bias = home.quirks.reported_bias * (2 * stable_ratio(home.seed, "counter", day.toordinal(), flow) - 1)
    return round(watt_minutes * (1 + bias) / WATT_MINUTES_PER_CENTI_KWH)


@lru_cache(maxsize=65_536)
def _day_watt_minutes(home: Home, day: date) -> tuple[int, ...]:
    power = power_day(home, day)
    return tuple(power.watt_minutes(flow) for flow in FLOWS)
