"""A home and its vendor's bad habits, as plain values.

Nothing here computes power or serves anything. Tests may build any `Home` by hand; the default `Quirks()` is a vendor
without any bad habit.
"""

from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from hem_etl.vocabulary import FLOWS, SOC, IntervalKind

NO_DATA = "No data available for this timeseries for this interval"
BATTERY_METRICS = ("battery_charge", "battery_discharge", SOC)
METER_METRICS = ("consumption", "grid_import", "grid_export")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What a vendor does to true data. `*_days` are shares (0–1) of days that are hit, chosen by the home's seed."""

    null_days: float = 0.0
    """A run of up to five hours is null for good, in some metrics or in all."""
    empty_days: float = 0.0
    """Every bucket is null: the vendor's cloud was down."""
    omitted_days: float = 0.0
    """A run of buckets is not sent at all."""
    late_days: float = 0.0
    """A run is null until `late_hours` after the end of the day, then it is filled in."""
    late_hours: int = 30
    restated_days: float = 0.0
    """Import and consumption are too low until `restated_hours` after the end of the day, then corrected."""
    restated_hours: int = 50
    duplicate_days: float = 0.0
    """Some instants are sent twice, the stale value first; sometimes the last word is null."""
    off_grid_days: float = 0.0
    """Additional points two minutes off the grid."""
    over_limit_days: float = 0.0
    """Single values of 999 kW."""
    sends_next_midnight: bool = False
    """The first bucket of the next day is sent too (a vendor that stamps interval ends), once it has ended."""
    standby_watts: int = 0
    """What the inverter draws in the dark: negative generation. The flows still balance."""
    metered_load_share: float = 1.0
    """Share of the load that its meter tells: below 1 it misses a circuit, above 1 it counts what the wires lose. The
    flows of a bucket no longer balance."""
    is_shuffled: bool = False
    sends_unknown_series: bool = False
    sends_unknown_fields: bool = False
    sends_bare_integers: bool = True
    """Whole numbers are spelt `2`, as JavaScript does; else `2.0`."""
    spells_z: bool = False
    """An offset of zero is spelt `Z`; else `+00:00`."""
    has_system_timezone: bool = True
    """The system object names its zone."""
    has_series_timezone: bool = True
    """Available series name their zone."""
    has_orphan_inverter: bool = False
    """The user has another inverter, which belongs to no system."""
    soc_name: str = "batteryLevel"
    sends_rich_object: bool = False
    """The system object states vendor, zone and place; else it holds id, user, the location's id and a status."""
    soc_unit: str = "%"
    soc_mode: str = "bucketed"
    accepted_hours: int = 0
    """202 with `retryAfter` until so many hours after the end of the interval."""
    reported_bias: float = 0.0
    """The vendor's daily kWh are off by up to this ratio."""
    unsupported: frozenset[IntervalKind] = frozenset()
    """Kinds of interval that answer 422."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One HEM system: a site's devices of one vendor. Powers in W, energy in Wh."""

    system_id: str
    user_id: str
    vendor: str
    timezone: str
    latitude: float
    longitude: float
    installed_on: date
    seed: int
    pv_watts: int = 6_000
    load_watts: int = 500
    battery_wh: int = 10_000
    """0: no battery; charge, discharge and state of charge are unavailable."""
    battery_watts: int = 4_000
    has_meter: bool = True
    """False: only generation (and the battery, if any) is known."""
    resolution_minutes: int = 5
    soc_resolution_minutes: int | None = None
    """None: as the flows."""
    switches_on: date | None = None
    """From this day on the flows come in `switched_resolution_minutes`."""
    switched_resolution_minutes: int = 5
    missing_scopes: tuple[tuple[str, str], ...] = ()
    """(metric, scope) pairs: the user did not grant the scope, so the metric is unavailable."""
    quirks: Quirks = field(default_factory=Quirks)

    @property
    def has_battery(self) -> bool:
        return self.battery_wh > 0

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def flow_minutes(self, day: date) -> int:
        """Bucket length of the six flows on `day`."""
        has_switched = self.switches_on is not None and day >= self.switches_on
        return self.switched_resolution_minutes if has_switched else self.resolution_minutes

    def soc_minutes(self, day: date) -> int:
        """Bucket length of the state of charge on `day`; a multiple of the flows'."""
        return self.soc_resolution_minutes or self.flow_minutes(day)

    def available_flows(self) -> list[str]:
        """The flows that there is a series of, in vocabulary order."""
        return [flow for flow in FLOWS if self.unavailable_reason(flow) is None]

    def unavailable_reason(self, metric: str) -> str | None:
        """Why a DAY holds no series of `metric`; None where it does."""
        for missing, scope in self.missing_scopes:
            if missing == metric:
                return f"missing_scope_{scope}"
        if metric in BATTERY_METRICS and not self.has_battery:
            return NO_DATA
        if metric in METER_METRICS and not self.has_meter:
            return NO_DATA
        return None
