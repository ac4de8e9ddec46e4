"""The words of the house: metrics, units, vendors, outcomes, states.

Standard library only, no behaviour beyond looking a word up. Every enum that names something Enode sends stays open:
an unknown value is kept as text by whoever meets it, it never fails an import or a run.
"""

from enum import StrEnum
from typing import Final

FLOWS: Final = ("generation", "consumption", "grid_import", "grid_export", "battery_charge", "battery_discharge")
"""The six energy flows, in the order every table and report shows them. All are ≥ 0 by direction."""

BALANCE_SIDES: Final = {
    "balance_sources": ("generation", "grid_import", "battery_discharge"),
    "balance_sinks": ("consumption", "grid_export", "battery_charge"),
}
"""What a home is given and what it uses or gives away, as sums of flows: equal, but for what is measured badly."""

SOC: Final = "soc"
METRICS: Final = (*FLOWS, SOC)
"""All metrics that have a column, in vocabulary order: the order in which a body's time zone is looked for."""

ATTRIBUTION_INPUTS: Final = ("generation", "grid_import", "grid_export", "battery_charge", "battery_discharge")
"""The load is not among them: it is what these five leave, so that the parts always sum to their whole."""

ATTRIBUTED_FLOWS: Final = (
    "used_solar",
    "used_battery",
    "used_grid",
    "used_total",
    "solar_to_battery",
    "solar_to_grid",
    "grid_to_battery",
    "battery_to_grid",
)
"""used_solar + used_battery + used_grid = used_total; used_solar + solar_to_battery + solar_to_grid = generation."""

WIRE_SPELLINGS: Final = {
    "generation": ("generation",),
    "consumption": ("consumption",),
    "grid_import": ("import",),
    "grid_export": ("export",),
    "battery_charge": ("charge",),
    "battery_discharge": ("discharge",),
    SOC: ("batteryLevel", "soc", "SoC", "stateOfCharge", "batterySoc"),
}
"""Our metric → the keys that Enode sends it under: the first that is present wins, another is then a series of its own
that nobody knows. The key of the state of charge is not documented."""

WIRE_FLOWS: Final = {WIRE_SPELLINGS[flow][0]: flow for flow in FLOWS}
"""The documented key of a flow → ours."""

KW_PER_POWER_UNIT: Final = {"W": 0.001, "kW": 1.0, "MW": 1000.0}
KWH_PER_ENERGY_UNIT: Final = {"Wh": 0.001, "kWh": 1.0, "MWh": 1000.0}
PERCENT_UNITS: Final = ("%", "percent", "Percent", "percentage", "PERCENT")

MINUTES_PER_DAY: Final = 1440
QUARTER_HOUR_MINUTES: Final = 15
MOST_KWH_OF_A_DAY: Final = 100_000.0
"""A reported day beyond it (4 MW around the clock) is no home's: the point counts as unreadable."""
LEAST_DENOMINATOR_KWH: Final = 0.05
"""A ratio whose denominator is not above it is NULL."""
NEGATIVE_BELOW_KW: Final = -0.001
"""A flow below this is flagged `negative`: it counts as sent and stays in the sums."""


class Vendor(StrEnum):
    """The vendors Enode names today. New ones may appear at any time: a vendor is text everywhere else."""

    ENPHASE = "ENPHASE"
    FOXESS = "FOXESS"
    GIVENERGY = "GIVENERGY"
    HUAWEI = "HUAWEI"
    SOLAREDGE = "SOLAREDGE"
    SOLAX = "SOLAX"
    SOLIS = "SOLIS"
    SMA = "SMA"
    TESLA = "TESLA"


class Outcome(StrEnum):
    """What became of the last look at one system and interval: the failure policy's words."""

    LOADED = "loaded"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"
    BEFORE_INSTALLATION = "before_installation"
    RELINK_NEEDED = "relink_needed"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    GONE = "gone"
    UNSUPPORTED = "unsupported"
    UNREACHABLE = "unreachable"


FAILED_OUTCOMES: Final = frozenset({Outcome.UNREADABLE, Outcome.REFUSED, Outcome.UNREACHABLE})
"""A run that meets one of these ends with exit code 3: somebody should look, or run again."""

RETRYABLE_OUTCOMES: Final = FAILED_OUTCOMES
"""Asked again whenever a run covers them: a fix elsewhere could change the answer."""

BLOCKED_OUTCOMES: Final = frozenset({Outcome.RELINK_NEEDED, Outcome.FORBIDDEN})
"""The whole system is blocked: one interval is asked as a probe, the others follow only if it answers."""

FINAL_OUTCOMES: Final = frozenset({Outcome.BEFORE_INSTALLATION, Outcome.UNSUPPORTED, Outcome.GONE})
"""Not asked again, unless by --refresh or (for `gone`) when the system is listed again."""

NO_LOOK: Final = "not_asked"
"""In the place of an outcome, in marts alone: nobody asked for the day, only the vendor's daily total is known."""

NOT_ASKED: Final = "not asked"
"""The detail of an interval that got its system's outcome without a request of its own."""


class Source(StrEnum):
    """Who told what is known of a system. What its own list states outranks the others."""

    LIST = "list"
    ASSETS = "assets"
    SERIES = "series"
    LOCATIONS = "locations"


class State(StrEnum):
    """How final the numbers of an interval are."""

    OPEN = "open"
    PROVISIONAL = "provisional"
    SETTLED = "settled"


class Cause(StrEnum):
    """Why a day got a new version: the vendor sent other content, or the operator's corrections changed."""

    ANSWER = "answer"
    OVERRIDE = "override"


class Absence(StrEnum):
    """Why a series holds nothing: the free-text reason put into one of few drawers (the text is kept beside it)."""

    NO_DATA = "no_data"
    MISSING_SCOPE = "missing_scope"
    UNSUPPORTED = "unsupported"
    BEFORE_INSTALLATION = "before_installation"
    NOT_SENT = "not_sent"
    OTHER = "other"


class Scope(StrEnum):
    """What a check was run on."""

    ALL = "all"
    CHANGED = "changed"


class Severity(StrEnum):
    """`error`: the data (or we) broke a rule of structure. `warning`: coverage or plausibility."""

    ERROR = "error"
    WARNING = "warning"


class IntervalKind(StrEnum):
    """`day`: `2026-03-29`, power in 5 or 15 minute buckets. `month`: `2026-03`, energy in daily buckets."""

    DAY = "day"
    MONTH = "month"


class AssetKind(StrEnum):
    """The devices that make up a system; the list endpoint's name is the plural."""

    INVERTER = "inverter"
    BATTERY = "battery"
    METER = "meter"


class EventName(StrEnum):
    """The webhook events that lead to something, or are known to lead to nothing. Others are kept as text."""

    DISCOVERED = "user:hem-system:discovered"
    UPDATED = "user:hem-system:updated"
    DELETED = "user:hem-system:deleted"
    INVALIDATED = "user:credentials:invalidated"
    HEARTBEAT = "system:heartbeat"
    TEST = "enode:webhook:test"
