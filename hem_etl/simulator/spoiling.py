"""What a fault does to an answer. `faults` decides which request is hit; here the answer is replaced or damaged."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from hem_etl.simulator.chance import stable_hash, stable_random
from hem_etl.simulator.exchange import Effect, Refusal, Response
from hem_etl.simulator.homes import NO_DATA

UNREADABLE_KINDS = ("html", "list", "unit", "resolution")
_GATEWAY_PAGE = b"<html><body><h1>200 OK</h1><p>Please wait while your request is verified.</p></body></html>"


def disturbed(response: Response, fault: str, now: datetime, retry_after_seconds: int) -> Response:
    """`response` as a transient fault leaves it."""
    detail = "The vendor limits requests for this account"
    match fault:
        case "burst_503":
            return _outage().response
        case "rate_limit":
            return Refusal.too_many(detail, str(retry_after_seconds)).response
        case "rate_limit_date":
            later = now.replace(microsecond=0) + timedelta(seconds=retry_after_seconds + (now.microsecond > 0))
            return Refusal.too_many(detail, format_datetime(later, usegmt=True)).response
        case "rate_limit_bare":
            return Refusal.too_many(detail).response
        case _:
            return replace(response, effect=Effect(fault))


def refuse(fault: str) -> None:
    """Raises the refusal that a persistent fault makes of every answer; returns where the fault is of another kind."""
    match fault:
        case "relink":
            detail = "The user credentials are invalid. The user must link the account again."
            raise Refusal(400, "user-credentials-invalid", "User credentials invalid", detail)
        case "before_installation":
            raise Refusal.before_installation()
        case "bad_query":
            raise Refusal.of_query("The query could not be understood")
        case "forbidden":
            raise Refusal(403, "forbidden", "Forbidden", "You do not have access to statistics of this HEM system")
        case "vanish" | "lying_404":
            raise Refusal.unknown("The HEM system")
        case "unsupported":
            raise Refusal.unsupported("Statistics are not supported for this vendor and interval")
        case "outage":
            raise _outage()


def spoilt(response: Response, fault: str, seed: int, system_id: str, label: str) -> Response:
    """A statistics answer as `unreadable`, `bad_points` or `vanished_series` leaves it; others leave it alone."""
    if fault == "unreadable":
        return _unreadable(response, unreadable_kind(seed, system_id, label))
    if fault not in ("bad_points", "vanished_series"):
        return response
    content = json.loads(response.body)
    series: dict[str, Any] = content["timeseries"]
    name = next((name for name, one in series.items() if one["isAvailable"]), None)
    if name is None:
        return response
    if fault == "vanished_series":
        series[name] = {"isAvailable": False, "reason": NO_DATA}
    else:
        _spoil_points(series[name]["data"], stable_hash(seed, "points", system_id, label))
    return _with_content(response, content)


def unreadable_kind(seed: int, system_id: str, label: str) -> str:
    """Which of `UNREADABLE_KINDS` this interval gets; a month's resolution is never judged, so its unit is spoilt."""
    kind = UNREADABLE_KINDS[stable_hash(seed, "unreadable", system_id, label) % len(UNREADABLE_KINDS)]
    return "unit" if kind == "resolution" and len(label) == len("2026-03") else kind


def _unreadable(response: Response, kind: str) -> Response:
    if kind == "html":
        return replace(response, body=_GATEWAY_PAGE, headers={"content-type": "text/html"})
    content = json.loads(response.body)
    if kind == "list":
        return _with_content(response, [content])
    for series in content["timeseries"].values():
        if series["isAvailable"] and kind == "unit":
            series["unit"] = "BTU"
        elif series["isAvailable"]:
            series["sampling"]["resolution"] = "PT7M"
    return _with_content(response, content)


def _spoil_points(points: list[dict[str, Any]], chance_seed: int) -> None:
    """A text, a truth value and a time without offset, in three different points that had a value (fewer if fewer)."""
    with_value = [point for point in points if point["v"] is not None]
    chosen = stable_random(chance_seed).sample(with_value, min(3, len(with_value)))
    for point, kind in zip(chosen, ("text", "truth", "time"), strict=False):
        if kind == "time":
            point["t"] = point["t"][: len("2026-03-29T12:00:00")]
        else:
            point["v"] = "n/a" if kind == "text" else True


def _with_content(response: Response, content: object) -> Response:
    return replace(response, body=json.dumps(content, ensure_ascii=False).encode())


def _outage() -> Refusal:
    return Refusal(503, "service-unavailable", "Service Unavailable", "The vendor's service is unavailable")
