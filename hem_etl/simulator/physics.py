"""What truly happens in a home: sun, load, battery. No vendor, no serving, no chance but the home's own seed.

All powers are whole watts, the mean of a bucket, so in every bucket, exactly and not to rounding,

    generation + grid import + battery discharge = consumption + grid export + battery charge

but for a home whose load meter is off (`Quirks.metered_load_share`): it lives like any other, and tells another load.

A day is computed alone: each local midnight has a state of charge of its own (a pure function of home and date), and
the battery's controller keeps to a funnel that narrows to the next midnight's state at half of the battery's power. So
the state of charge is continuous within a day and, to a fraction of a watt-hour, across midnights, without a chain of
days; the funnel is also what makes the battery sell to or buy from the grid on some evenings.
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from hem_etl.simulator.axis import Axis, day_axis
from hem_etl.simulator.chance import stable_random, stable_ratio
from hem_etl.simulator.homes import Home
from hem_etl.vocabulary import FLOWS

ONE_WAY_EFFICIENCY = 0.96
RESERVE_RATIO = 0.10
"""The battery is never emptied below this share of its capacity."""
FUNNEL_RATIO = 0.5
"""Share of the battery's power with which the funnel narrows to the state of the next midnight."""
SHAPE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class PowerDay:
    """One local day of a home at the flows' resolution."""

    axis: Axis
    watts: dict[str, "array[int]"]
    """Mean power of each bucket, by flow."""
    soc_permille: "array[int]"
    """State of charge at the start of each bucket, in tenths of a percent of the capacity."""

    def watt_minutes(self, flow: str, buckets: int | None = None) -> int:
        """Energy of the first `buckets` buckets (None: all of the day) in W·min; 60,000 are one kWh."""
        watts = self.watts[flow]
        if buckets is not None and buckets < len(watts):
            return sum(watts[:buckets]) * self.axis.resolution_minutes
        cut = self.axis.resolution_minutes - self.axis.last_minutes
        return sum(watts) * self.axis.resolution_minutes - watts[-1] * cut if watts else 0


@lru_cache(maxsize=2_048)
def power_day(home: Home, day: date) -> PowerDay:
    """What happens in `home` on its local `day`."""
    axis = day_axis(home.timezone, day, home.flow_minutes(day))
    generation = _generation(home, day, axis)
    consumption = _consumption(home, day, axis)
    watts = {flow: array("i", bytes(4 * len(axis))) for flow in FLOWS}
    watts["generation"], watts["consumption"] = generation, consumption
    soc = array("i", bytes(4 * len(axis)))
    grid_import, grid_export = watts["grid_import"], watts["grid_export"]
    charge, discharge = watts["battery_charge"], watts["battery_discharge"]
    surplus = [made - used for made, used in zip(generation, consumption, strict=True)]
    for i, (battery, permille) in enumerate(_battery(home, day, axis, surplus)):
        soc[i] = permille
        if battery > 0:
            charge[i] = battery
        else:
            discharge[i] = -battery
        to_grid = surplus[i] - battery
        if to_grid > 0:
            grid_export[i] = to_grid
        else:
            grid_import[i] = -to_grid
    share = home.quirks.metered_load_share
    if share != 1:
        watts["consumption"] = array("i", [int(used * share) for used in consumption])
    return PowerDay(axis, watts, soc)


def _generation(home: Home, day: date, axis: Axis) -> "array[int]":
    """Sun by date, latitude and longitude under clouds that drift by the hour; standby draw in the dark."""
    noise = stable_random(home.seed, "clouds", day.toordinal())
    cloudiness = noise.random() ** 2
    clearness = _drift([1 - 0.85 * cloudiness * noise.random() for _ in range(28)], axis)
    peak, dark = home.pv_watts * 0.9, -home.quirks.standby_watts
    flicker = 0.3 * cloudiness
    heights = _sun_heights(home, day, axis)
    made = [
        int(peak * height**1.15 * clear * (1 - flicker * noise.random())) if height > 0 else 0
        for height, clear in zip(heights, clearness, strict=True)
    ]
    return array("i", [watts or dark for watts in made])


def _sun_heights(home: Home, day: date, axis: Axis) -> list[float]:
    """Sine of the sun's elevation in the middle of each bucket."""
    turn = 2 * math.pi * (day.timetuple().tm_yday - 81) / 365.25
    declination = math.radians(23.44) * math.sin(turn)
    equation_minutes = 9.87 * math.sin(2 * turn) - 7.53 * math.cos(turn) - 1.5 * math.sin(turn)
    latitude = math.radians(home.latitude)
    across = math.sin(latitude) * math.sin(declination)
    along = math.cos(latitude) * math.cos(declination)
    epoch_minutes = (axis.start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
    first = epoch_minutes % 1440 + axis.resolution_minutes / 2 + equation_minutes + home.longitude * 4 - 720
    turn_per_minute, cos = 2 * math.pi / 1440, math.cos
    return [
        across + along * cos((first + i * axis.resolution_minutes) * turn_per_minute) for i in range(len(axis.stamps))
    ]


def _consumption(home: Home, day: date, axis: Axis) -> "array[int]":
    """A base load, a morning and an evening hump on the wall's clock, heating by season, kettles now and then."""
    noise = stable_random(home.seed, "load", day.toordinal())
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 15) / 365.25)
    heating = 1 + 0.3 * season * (home.latitude / 50)
    mood = _drift([0.6 + 0.8 * noise.random() for _ in range(28)], axis)
    level, kettle = home.load_watts * heating, 0.03 * axis.resolution_minutes / 5
    shape = _load_shape()
    return array(
        "i",
        [
            60
            + int(level * (shape[minute // SHAPE_MINUTES] * drift + 0.2 * noise.random()))
            + (int(1_800 * noise.random()) if noise.random() < kettle else 0)
            for minute, drift in zip(axis.wall_minutes, mood, strict=True)
        ],
    )


@lru_cache(maxsize=1)
def _load_shape() -> tuple[float, ...]:
    def hump(hour: float, centre: float, width: float) -> float:
        return math.exp(-(((hour - centre) / width) ** 2))

    hours = [slot * SHAPE_MINUTES / 60 for slot in range(1440 // SHAPE_MINUTES)]
    return tuple(0.45 + 0.9 * hump(h, 7.5, 1.2) + 0.5 * hump(h, 12.5, 1.5) + 1.6 * hump(h, 19.5, 2.2) for h in hours)


def _drift(hourly: list[float], axis: Axis) -> list[float]:
    """`hourly` values, one for each hour since the day began, joined by straight lines."""
    step = axis.resolution_minutes / 60
    values = []
    for i in range(len(axis.stamps)):
        hour = int(i * step)
        here = hourly[hour]
        values.append(here + (hourly[hour + 1] - here) * (i * step - hour))
    return values


def _battery(home: Home, day: date, axis: Axis, surplus: list[int]) -> Iterator[tuple[int, int]]:
    """For each bucket: W into the battery (negative: out of it) and the state of charge at its start in ‰."""
    if not home.has_battery:
        yield from ((0, 0) for _ in surplus)
        return
    capacity, power = home.battery_wh * 60, home.battery_watts
    reserve, slope = capacity * RESERVE_RATIO, home.battery_watts * FUNNEL_RATIO
    stored = _midnight_ratio(home, day) * capacity
    goal = _midnight_ratio(home, day + timedelta(days=1)) * capacity
    minutes, left = axis.resolution_minutes, axis.length_minutes
    floor, ceil = math.floor, math.ceil
    for net in surplus:
        minutes = min(minutes, left)
        left -= minutes
        reach = slope * left
        above = (goal + reach if goal + reach < capacity else capacity) - stored
        below = (goal - reach if goal - reach > reserve else reserve) - stored
        most = floor(above / (ONE_WAY_EFFICIENCY * minutes) if above > 0 else above * ONE_WAY_EFFICIENCY / minutes)
        least = ceil(below / (ONE_WAY_EFFICIENCY * minutes) if below > 0 else below * ONE_WAY_EFFICIENCY / minutes)
        battery = max(least, min(most, power, max(net, -power)))
        yield battery, round(1000 * stored / capacity)
        stored += battery * minutes * ONE_WAY_EFFICIENCY if battery > 0 else battery * minutes / ONE_WAY_EFFICIENCY


def _midnight_ratio(home: Home, day: date) -> float:
    """State of charge with which `day` begins."""
    return RESERVE_RATIO + 0.05 + 0.25 * stable_ratio(home.seed, "midnight", day.toordinal())
