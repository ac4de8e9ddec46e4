"""Rows of the lists: systems, inverters, batteries, meters; and pages of them, newest first."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hem_etl.simulator.axis import day_axis, utc_stamp
from hem_etl.simulator.chance import stable_hex
from hem_etl.simulator.exchange import Refusal, Response
from hem_etl.simulator.homes import Home
from hem_etl.simulator.physics import power_day
from hem_etl.vocabulary import AssetKind

PAGE_PARAMETERS = frozenset({"after", "before", "pageSize"})
DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 100

_BRANDS = {"SOLAREDGE": "SolarEdge", "GIVENERGY": "GivEnergy", "FOXESS": "FoxESS", "SOLAX": "SolaX", "SMA": "SMA"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list; a larger `sequence` is newer."""

    sequence: int
    content: Callable[[], dict[str, object]]


def system_row(home: Home, now: datetime) -> dict[str, object]:
    """The HEM system object as lists show it."""
    if not home.quirks.sends_rich_object:
        return {
            "id": home.system_id,
            "userId": home.user_id,
            "locationId": _location_id(home),
            "status": {"lastSeen": _last_seen(now), "energy": system_state(home, now)["rates"]},
        }
    row: dict[str, object] = {
        "id": home.system_id,
        "userId": home.user_id,
        "vendor": home.vendor,
        "lastSeen": _last_seen(now),
        "isReachable": True,
        "location": {
            "id": _location_id(home),
            "latitude": home.latitude,
            "longitude": home.longitude,
            "lastUpdated": utc_stamp(datetime(2024, 1, 1, tzinfo=UTC)),
        },
    }
    if home.quirks.has_system_timezone:
        row["timezone"] = home.timezone
    if home.quirks.sends_unknown_fields:
        row["capabilities"] = {"curtailment": {"isCapable": False, "interventionIds": []}}
    return row


def location_row(home: Home) -> dict[str, object]:
    """The place of a home as the list of locations shows it. Nobody has set its zone: it is UTC then."""
    return {
        "id": _location_id(home),
        "userId": home.user_id,
        "name": "Home",
        "latitude": home.latitude,
        "longitude": home.longitude,
        "timezoneName": "UTC",
    }


def _location_id(home: Home) -> str:
    return stable_hex("location", home.user_id, home.latitude)


def system_state(home: Home, now: datetime) -> dict[str, object]:
    """The powers of the newest bucket that has ended, in kW; all None where the local day has just begun."""
    day = now.astimezone(home.zone).date()
    power = power_day(home, day)
    newest = day_axis(home.timezone, day, home.flow_minutes(day)).ended(now) - 1
    rates = {
        flow: power.watts[flow][newest] / 1000 if newest >= 0 and home.unavailable_reason(flow) is None else None
        for flow in power.watts
    }
    return {"lastUpdated": _last_seen(now), "rates": rates}


def count_assets(home: Home, kind: AssetKind) -> int:
    """How many devices of `kind` the home's user has: the first belongs to the system, a second one to nobody."""
    if kind is AssetKind.INVERTER:
        return 1 + home.quirks.has_orphan_inverter
    return int(home.has_battery if kind is AssetKind.BATTERY else home.has_meter)


def asset_id_of(home: Home, kind: AssetKind, place: int) -> str:
    return stable_hex("asset", home.system_id, kind, place)


def asset_row(
    home: Home, kind: AssetKind, place: int, now: datetime, *, is_reachable: bool = True
) -> dict[str, object]:
    """The device of `kind` number `place` (0-based), as its list shows it."""
    system_id = home.system_id if place == 0 else None
    asset_id = asset_id_of(home, kind, place)
    brand = _BRANDS.get(home.vendor, home.vendor.capitalize())
    row: dict[str, object] = {
        "id": asset_id,
        "userId": home.user_id,
        "vendor": home.vendor,
        "hemSystemId": system_id,
        "lastSeen": _last_seen(now),
        "isReachable": is_reachable,
        "information": {"id": asset_id, "brand": brand, "model": f"{brand} {kind} {home.pv_watts // 1000}", "sn": ""},
    }
    if kind is AssetKind.BATTERY:
        row["capacity"] = home.battery_wh / 1000
    return row


def _last_seen(now: datetime) -> str:
    return utc_stamp(now - timedelta(minutes=now.minute % 5, seconds=now.second, microseconds=now.microsecond))


def page_of(rows: Sequence[Row], scope: str, parameters: dict[str, str], *, repeats_row: bool = False) -> Response:
    """One page of `rows`, newest first. `scope` names the list: a cursor of another list is unknown here.

    `repeats_row`: the last row of the page before is sent again, as happens when rows are added while one pages.
    """
    size = _page_size(parameters.get("pageSize"))
    if "after" in parameters and "before" in parameters:
        raise Refusal.of_query("after and before are mutually exclusive")
    rows = sorted(rows, key=lambda row: -row.sequence)
    if "before" in parameters:
        cursor = _read_cursor(parameters["before"], scope)
        on_page = [row for row in rows if row.sequence > cursor][-size:]
    elif "after" in parameters:
        cursor = _read_cursor(parameters["after"], scope)
        on_page = [row for row in rows if row.sequence < cursor][:size]
        if repeats_row:
            on_page = [row for row in rows if row.sequence == cursor] + on_page
    else:
        on_page = rows[:size]
    has_older = bool(on_page) and rows[-1].sequence < on_page[-1].sequence
    has_newer = bool(on_page) and rows[0].sequence > on_page[0].sequence
    pagination = {
        "after": _cursor(scope, on_page[-1].sequence) if has_older else None,
        "before": _cursor(scope, on_page[0].sequence) if has_newer else None,
    }
    return Response.of_json({"data": [row.content() for row in on_page], "pagination": pagination})


def _page_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE_SIZE
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= LARGEST_PAGE_SIZE):
        raise Refusal.of_query(f"pageSize must be a whole number from 1 to {LARGEST_PAGE_SIZE}")
    return int(text)


def _cursor(scope: str, sequence: int) -> str:
    text = f"{sequence}.{stable_hex('cursor', scope, sequence)[:12]}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str, scope: str) -> int:
    try:
        sequence = int(base64.urlsafe_b64decode(cursor.encode()).partition(b".")[0])
    except (ValueError, binascii.Error):
        sequence = -1
    if _cursor(scope, sequence) != cursor:
        raise Refusal.of_query("the cursor is unknown")
    return sequence
