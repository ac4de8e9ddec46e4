"""A series as Enode documents it."""

POINTS = [{"t": "2026-03-29T12:00:00+02:00", "v": 4.812}, {"t": "2026-03-29T12:05:00+02:00", "v": None}]
SERIES = {
    "isAvailable": True,
    "unit": "kW",
    "unitType": "Power",
    "sampling": {"mode": "bucketed", "resolution": "PT5M"},
    "timezone": "Europe/Berlin",
    "data": POINTS,
}
