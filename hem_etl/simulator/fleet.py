"""Who lives in the simulated world: the default fleet and its 18 kinds of home.

`make_fleet` is prefix-stable: home 5 is the same home in a fleet of 6 and in a fleet of 1,000.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from hem_etl.simulator.chance import stable_hash, stable_hex, stable_ratio
from hem_etl.simulator.homes import BATTERY_METRICS, Home, Quirks
from hem_etl.vocabulary import Vendor

BATTERY_SCOPE = "battery:read:data"
METER_SCOPE = "meter:read:data"
REPORTED_BIAS = 0.008
"""By how much the counters of the default homes are off, at most."""


@dataclass(frozen=True)
class Fleet:
    """The homes, oldest first. Ids are unique."""

    homes: Sequence[Home]

    def __post_init__(self) -> None:
        if len(self.by_id) != len(self.homes):
            raise ValueError("two homes of a fleet have the same system_id")

    @cached_property
    def by_id(self) -> dict[str, Home]:
        return {home.system_id: home for home in self.homes}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One row of the pattern that fleets repeat."""

    vendor: Vendor
    timezone: str
    latitude: float
    longitude: float
    resolution_minutes: int = 5
    soc_resolution_minutes: int | None = None
    has_battery: bool = True
    has_meter: bool = True
    switches_days_ago: int | None = None
    installed_days_ago: int | None = None
    shares_user_with: int | None = None
    missing_scopes: tuple[tuple[str, str], ...] = ()
    quirks: Quirks = field(default_factory=Quirks)


_PATTERN = (
    _Kind(
        vendor=Vendor.TESLA,
        timezone="Europe/Berlin",
        latitude=52.5,
        longitude=13.4,
        soc_resolution_minutes=15,
        quirks=Quirks(soc_name="batteryLevel"),
    ),
    _Kind(
        vendor=Vendor.ENPHASE,
        timezone="America/New_York",
        latitude=40.7,
        longitude=-74.0,
        resolution_minutes=15,
        quirks=Quirks(late_days=0.6, sends_next_midnight=True, soc_name="SoC", soc_mode="instantaneous"),
    ),
    _Kind(
        vendor=Vendor.SOLAREDGE,
        timezone="Australia/Lord_Howe",
        latitude=-31.6,
        longitude=159.1,
        resolution_minutes=15,
        quirks=Quirks(omitted_days=0.5, soc_name="stateOfCharge"),
    ),
    _Kind(
        vendor=Vendor.HUAWEI,
        timezone="Europe/Berlin",
        latitude=52.5,
        longitude=13.4,
        has_battery=False,
        shares_user_with=0,
        quirks=Quirks(standby_watts=6, sends_bare_integers=False),
    ),
    _Kind(
        vendor=Vendor.SMA,
        timezone="Europe/Berlin",
        latitude=51.3,
        longitude=9.5,
        resolution_minutes=15,
        switches_days_ago=8,
        quirks=Quirks(soc_name="batterySoc"),
    ),
    _Kind(
        vendor=Vendor.FOXESS,
        timezone="Australia/Adelaide",
        latitude=-34.9,
        longitude=138.6,
        quirks=Quirks(null_days=0.4, empty_days=0.1, soc_name="SoC"),
    ),
    _Kind(
        vendor=Vendor.GIVENERGY,
        timezone="Europe/London",
        latitude=51.5,
        longitude=-0.1,
        quirks=Quirks(restated_days=0.7, accepted_hours=20, soc_unit="percent", soc_name="soc"),
    ),
    _Kind(
        vendor=Vendor.SOLAX,
        timezone="Asia/Kathmandu",
        latitude=27.7,
        longitude=85.3,
        has_battery=False,
        quirks=Quirks(is_shuffled=True),
    ),
    _Kind(
        vendor=Vendor.SOLIS,
        timezone="Africa/Cairo",
        latitude=30.0,
        longitude=31.2,
        quirks=Quirks(duplicate_days=0.5, soc_name="stateOfCharge"),
    ),
    _Kind(
        vendor=Vendor.SMA,
        timezone="America/Havana",
        latitude=23.1,
        longitude=-82.4,
        resolution_minutes=15,
        quirks=Quirks(has_system_timezone=False, soc_name="batterySoc"),
    ),
    _Kind(
        vendor=Vendor.TESLA,
        timezone="Pacific/Chatham",
        latitude=-44.0,
        longitude=-176.5,
        soc_resolution_minutes=15,
        quirks=Quirks(sends_unknown_series=True, sends_unknown_fields=True, soc_name="batteryLevel"),
    ),
    _Kind(
        vendor=Vendor.SMA,
        timezone="Pacific/Auckland",
        latitude=-36.8,
        longitude=174.8,
        missing_scopes=tuple((metric, BATTERY_SCOPE) for metric in BATTERY_METRICS),
        quirks=Quirks(soc_name="batterySoc"),
    ),
    _Kind(
        vendor=Vendor.ENPHASE,
        timezone="America/Los_Angeles",
        latitude=34.1,
        longitude=-118.2,
        resolution_minutes=15,
        has_battery=False,
        has_meter=False,
        quirks=Quirks(has_orphan_inverter=True, soc_name="SoC"),
    ),
    _Kind(
        vendor=Vendor.HUAWEI,
        timezone="UTC",
        latitude=0.3,
        longitude=6.6,
        installed_days_ago=9,
        quirks=Quirks(spells_z=True, soc_mode="instantaneous"),
    ),
    _Kind(
        vendor=Vendor.SOLAX,
        timezone="America/Santiago",
        latitude=-33.4,
        longitude=-70.7,
        quirks=Quirks(late_days=0.4, late_hours=60, null_days=0.2),
    ),
    _Kind(
        vendor=Vendor.SOLIS,
        timezone="Asia/Tokyo",
        latitude=35.7,
        longitude=139.7,
        quirks=Quirks(over_limit_days=0.3, off_grid_days=0.3, soc_name="stateOfCharge"),
    ),
    _Kind(
        vendor=Vendor.SOLAREDGE,
        timezone="Africa/Casablanca",
        latitude=33.6,
        longitude=-7.6,
        resolution_minutes=15,
        quirks=Quirks(restated_days=0.3, omitted_days=0.2, has_series_timezone=False, soc_name="stateOfCharge"),
    ),
    _Kind(
        vendor=Vendor.FOXESS,
        timezone="Australia/Sydney",
        latitude=-33.9,
        longitude=151.2,
        has_battery=False,
        missing_scopes=(("consumption", METER_SCOPE),),
        quirks=Quirks(soc_name="SoC"),
    ),
)


def make_fleet(
    systems: int = 18, seed: int = 1, *, today: date, days_of_history: int = 1000, is_rich: bool = False
) -> Fleet:
    """The default fleet: 18 different homes, then the same pattern again with other seeds and devices.

    Their system objects are thin and their state of charge is `batteryLevel`, as they are likely to come; `is_rich`:
    objects that state vendor, zone and place, and every spelling of the state of charge.

    Most homes were installed `days_of_history` to a year more before `today`; one of 18 nine days before it, and one of
    18 switches from 15 to 5 minutes eight days before it, so that two weeks show both.
    """
    return Fleet(tuple(_make_home(index, seed, today, days_of_history, is_rich) for index in range(systems)))


def _make_home(index: int, seed: int, today: date, days_of_history: int, is_rich: bool) -> Home:
    lap, position = divmod(index, len(_PATTERN))
    kind = _PATTERN[position]
    home_seed = stable_hash(seed, "home", index)
    owner = index if kind.shares_user_with is None else lap * len(_PATTERN) + kind.shares_user_with
    age = kind.installed_days_ago or days_of_history + home_seed % 365

    def spread(name: str) -> float:
        return stable_ratio(home_seed, name)

    return Home(
        system_id=_make_id(seed, "system", index),
        user_id=_make_id(seed, "user", owner),
        vendor=kind.vendor,
        timezone=kind.timezone,
        latitude=round(kind.latitude + spread("latitude") - 0.5, 4),
        longitude=round(kind.longitude + spread("longitude") - 0.5, 4),
        installed_on=today - timedelta(days=age),
        seed=home_seed,
        pv_watts=4_000 + 250 * int(spread("pv") * 28),
        load_watts=320 + 20 * int(spread("load") * 20),
        battery_wh=(6_500 + 500 * int(spread("battery") * 20)) if kind.has_battery else 0,
        battery_watts=3_000 + 500 * int(spread("battery power") * 5),
        has_meter=kind.has_meter,
        resolution_minutes=kind.resolution_minutes,
        soc_resolution_minutes=kind.soc_resolution_minutes,
        switches_on=today - timedelta(days=kind.switches_days_ago) if kind.switches_days_ago else None,
        missing_scopes=kind.missing_scopes,
        quirks=replace(kind.quirks, reported_bias=REPORTED_BIAS, **({"sends_rich_object": True} if is_rich else _THIN)),
    )


_THIN: Final[Mapping[str, Any]] = {"soc_name": "batteryLevel", "has_series_timezone": True}
"""Where the object states no zone, the series do."""


def _make_id(seed: int, kind: str, index: int) -> str:
    return str(UUID(hex=stable_hex(seed, kind, index), version=4))
