"""The flows as people call them, in the order in which they are stacked."""

from typing import Final

from hem_etl.report.language import Language

ABOVE: Final = ("generation", "battery_discharge", "grid_import")
"""Into the home's circuit: drawn above zero."""
BELOW: Final = ("consumption", "battery_charge", "grid_export")
"""Out of it: drawn below zero."""
CAME_FROM: Final = ("used_solar", "used_battery", "used_grid")
WENT_TO: Final = ("used_solar", "solar_to_battery", "solar_to_grid")

_NAMES: Final = {
    "generation": "Generation",
    "consumption": "Consumption",
    "grid_import": "Grid import",
    "grid_export": "Grid export",
    "battery_charge": "Battery charge",
    "battery_discharge": "Battery discharge",
    "peak_import": "Highest import",
    "soc": "State of charge",
    "used_solar": "Solar → home",
    "used_battery": "Battery → home",
    "used_grid": "Grid → home",
    "used_total": "Used in the home",
    "solar_to_battery": "Solar → battery",
    "solar_to_grid": "Solar → grid",
    "grid_to_battery": "Grid → battery",
    "battery_to_grid": "Battery → grid",
}


def flow_name(flow: str, language: Language) -> str:
    """What people call it; a name that nobody knows as it was sent."""
    return language.say(_NAMES[flow]) if flow in _NAMES else flow
