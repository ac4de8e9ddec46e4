"""What Enode sends, as far as it is documented: pydantic models of the wire, and nothing that interprets a number.

Unknown and absent fields are tolerated, an odd optional value becomes None, and what cannot be read without guessing is
a `WireError`. Attributes are Enode's names in our spelling (`isAvailable` → `is_available`). The points of a series
stay the raw list they were sent as: reading hundreds of points one model at a time costs forty times as much.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json, to_json

_NUL_ESCAPED: Final = b"\\u0000"
CAPACITY_NAMES: Final = ("batteryCapacity", "capacity", "capacityKwh")
"""Where and under which name a battery's capacity [kWh] is sent is not documented for HEM: the first number wins."""
CAPACITY_PLACES: Final = ("chargeState", "information")
"""Nested objects that are searched after the asset itself."""


class WireError(ValueError):
    """The bytes, or one object in them, do not have the shape that the API documents. Says where and what was found."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _identifier(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _within(limit: float) -> Callable[[Any], float | None]:
    def within(value: Any) -> float | None:
        number = _finite(value)
        return number if number is not None and abs(number) <= limit else None

    return within


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _instant(value: Any) -> datetime | None:
    """An aware UTC instant; None for text that is no instant (a stamp without offset could be any instant)."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _mapping(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {}


def _issues(value: Any) -> tuple[str, ...]:
    """The texts in a list of texts or of flat objects; anything else says nothing."""
    texts: list[str] = []
    for issue in value if isinstance(value, list) else ():
        parts = issue.values() if isinstance(issue, Mapping) else (issue,)
        texts.append(" ".join(part for part in parts if isinstance(part, str)))
    return tuple(filter(None, texts))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


Text = Annotated[str | None, BeforeValidator(_text)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
Truth = Annotated[bool | None, BeforeValidator(_truth)]
Instant = Annotated[datetime | None, BeforeValidator(_instant)]
Latitude = Annotated[float | None, BeforeValidator(_within(90))]
Longitude = Annotated[float | None, BeforeValidator(_within(180))]


class Wire(BaseModel):
    """Base of the wire models: fields by Enode's camelCase name, everything else ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True)


M = TypeVar("M", bound=Wire)


class Location(Wire):
    """A place, as part of a system or as an item of the list of locations. Its `timezoneName` is no fact: UTC where
    nobody set it."""

    id: Text = None
    latitude: Latitude = None
    longitude: Longitude = None


class HemSystem(Wire):
    """One item of the list of systems. Only `id` is sure to be there; a vendor is any text.

    `lastSeen` and `isReachable` stand at the top or under `status`; the place in it, or as `locationId` elsewhere.
    """

    id: Identifier
    user_id: Text = None
    vendor: Text = None
    timezone: Text = None
    last_seen: Instant = None
    is_reachable: Truth = None
    location: Annotated[Location, BeforeValidator(_mapping)] = Location()
    location_id: Text = None

    @model_validator(mode="before")
    @classmethod
    def _with_status(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        status, location = _mapping(sent.get("status")), _mapping(sent.get("location"))
        found = {name: status[name] for name in ("lastSeen", "isReachable") if name in status and name not in sent}
        return {"locationId": location.get("id"), **sent, **found}


class AssetInformation(Wire):
    brand: Text = None
    model: Text = None


class Asset(Wire):
    """One inverter, battery or meter; `hem_system_id` is None for a device that belongs to no HEM system."""

    id: Identifier
    hem_system_id: Annotated[str | None, BeforeValidator(_identifier)] = None
    vendor: Text = None
    last_seen: Instant = None
    is_reachable: Truth = None
    information: Annotated[AssetInformation, BeforeValidator(_mapping)] = AssetInformation()
    capacity_kwh: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_capacity(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        places = (sent, *(_mapping(sent.get(place)) for place in CAPACITY_PLACES))
        numbers = (_finite(place.get(name)) for place in places for name in CAPACITY_NAMES)
        return {**sent, "capacityKwh": next((number for number in numbers if number is not None and number > 0), None)}


class Pagination(Wire):
    """Opaque cursors; None at an end of the list."""

    after: Annotated[str | None, BeforeValidator(_identifier)] = None
    before: Annotated[str | None, BeforeValidator(_identifier)] = None


class _Named(Wire):
    id: Text = None


class Page(Wire):
    """The envelope of every list. Items are read one by one with `read_system` or `read_asset`."""

    data: list[Any]
    pagination: Annotated[Pagination, BeforeValidator(_mapping)] = Pagination()


class WebhookEvent(Wire):
    """One event of a delivery. What it is about may be told by a full object or by an id alone."""

    event: Identifier
    created_at: Instant = None
    user: Annotated[_Named, BeforeValidator(_mapping)] = _Named()
    hem_system: Annotated[_Named, BeforeValidator(_mapping)] = _Named()


class Subscription(Wire):
    """One subscription of webhooks, as Enode tells it; never its secret."""

    id: Identifier
    url: Text = None
    events: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    api_version: Text = None
    is_active: Truth = None
    last_success: Instant = None


class TrialAnswer(Wire):
    code: int | None = None


class Trial(Wire):
    """What came of a test delivery: `status`, why, and what our receiver answered."""

    status: Text = None
    description: Text = None
    response: Annotated[TrialAnswer, BeforeValidator(_mapping)] = TrialAnswer()

    @property
    def is_good(self) -> bool:
        return (self.status or "").upper() == "SUCCESS"


class LinkSession(Wire):
    """Where a user links an account again: single use, 24 hours. The URL is a secret."""

    link_url: SecretStr


class Sampling(Wire):
    mode: Text = None
    resolution: Text = None
    """ISO 8601 duration, as sent (`PT5M`)."""


class SeriesEnvelope(Wire):
    """All of a series but the meaning of its points.

    Where `isAvailable` was not sent, a series with points is available and one without is not. An available series
    whose `data` is null has no points; one that has no `data`, or something else than a list, is a WireError.
    """

    is_available: bool = Field(strict=True)
    reason: Text = None
    unit: Text = None
    unit_type: Text = None
    sampling: Annotated[Sampling, BeforeValidator(_mapping)] = Sampling()
    timezone: Text = None
    data: list[Any] = []

    @model_validator(mode="before")
    @classmethod
    def _settled(cls, sent: Any) -> Any:
        if not isinstance(sent, Mapping):
            return sent
        has_points = isinstance(sent.get("data"), list)
        available = sent.get("isAvailable")
        if available is None:
            available = has_points
        if available is False:
            return {**sent, "isAvailable": False, "data": sent["data"] if has_points else []}
        if "data" not in sent:
            raise ValueError("available, but it has no data")
        return {**sent, "isAvailable": available, "data": [] if sent["data"] is None else sent["data"]}


class Problem(Wire):
    """RFC 7807, or the error object of OAuth (RFC 6749, 5.2)."""

    type: Text = None
    title: Text = Field(None, validation_alias=AliasChoices("title", "error"))
    detail: Text = Field(None, validation_alias=AliasChoices("detail", "error_description", "message"))
    issues: Annotated[tuple[str, ...], BeforeValidator(_issues)] = ()
    """What each of `issues[]` says, as text."""


def read_json(body: bytes) -> Any:
    """The JSON value that `body` spells; WireError where it spells none. In its texts U+FFFD stands for U+0000.

    Postgres keeps no text with that one: in a lake's catalogue it would stop every load.
    """
    try:
        sent = from_json(body)
    except ValueError as error:
        raise WireError(f"not JSON: {error}") from None
    return _without_nul(sent) if _NUL_ESCAPED in body else sent


def _without_nul(sent: Any) -> Any:
    if isinstance(sent, str):
        return sent.replace("\0", "\ufffd")
    if isinstance(sent, list):
        return [_without_nul(item) for item in sent]
    if isinstance(sent, dict):
        return {_without_nul(name): _without_nul(value) for name, value in sent.items()}
    return sent


def read_page(body: bytes) -> Page:
    """One page of a list; WireError unless the body is an object with a list `data`."""
    return read_model(Page, read_json(body), "page")


def read_events(body: bytes) -> list[tuple[Any, WebhookEvent | WireError]]:
    """The items of a delivery, each with what can be read of it; WireError unless the body is a list."""
    items = read_json(body)
    if not isinstance(items, list):
        raise WireError(f"delivery: no list of events (found {_shape(items)})")
    return [(item, _event(item)) for item in items]


def read_system(item: Any) -> HemSystem:
    """One system from an item of a page, or from the parsed body of one system; WireError without an id."""
    return read_model(HemSystem, item, "HEM system")


def read_location(item: Any) -> Location:
    """One location from an item of a page; WireError where it is no object."""
    return read_model(Location, item, "location")


def read_asset(item: Any) -> Asset:
    """One asset from an item of a page; WireError without an id."""
    return read_model(Asset, item, "asset")


def read_statistics(body: bytes) -> dict[str, SeriesEnvelope | WireError]:
    """Enode's name → series, or why that series cannot be read. WireError where the body as a whole cannot be.

    A series that is null counts as unavailable without a reason.
    """
    sent = read_json(body)
    timeseries = sent.get("timeseries") if isinstance(sent, dict) else None
    if not isinstance(timeseries, dict):
        raise WireError(f"statistics: no object `timeseries` in {_shape(sent)}")
    return {name: _read_series(name, series) for name, series in timeseries.items()}


def read_problem(body: bytes | None) -> Problem | None:
    """The problem a failure's body describes, the first one of a list; None where it describes none."""
    try:
        sent = read_json(body or b"")
    except WireError:
        return None
    if isinstance(sent, list) and sent:
        sent = sent[0]
    if isinstance(sent, dict) and "title" not in sent and isinstance(sent.get("error"), dict):
        sent = sent["error"]
    if not isinstance(sent, dict):
        return None
    problem = Problem.model_validate(sent)
    return problem if problem.type or problem.title or problem.detail or problem.issues else None


def canonical_json(item: Any) -> str:
    """`item` as one line of JSON that does not depend on the order of keys; NaN and infinity become null."""
    return json.dumps(from_json(to_json(item, inf_nan_mode="null")), sort_keys=True, separators=(",", ":"))


def _read_series(name: str, series: Any) -> SeriesEnvelope | WireError:
    try:
        return read_model(SeriesEnvelope, {"isAvailable": False} if series is None else series, f"series {name!r}")
    except WireError as error:
        return error


def _event(item: Any) -> WebhookEvent | WireError:
    try:
        return read_model(WebhookEvent, item, "event")
    except WireError as error:
        return error


def read_model(model: type[M], sent: Any, what: str) -> M:
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors(include_url=False)
        )
        raise WireError(f"{what}: {problems} (found {_shape(sent)})") from None


def _shape(sent: Any) -> str:
    """What was found, without its values."""
    if isinstance(sent, dict):
        return f"an object with {', '.join(sorted(map(str, sent))[:10]) or 'no fields'}"
    return f"a list of {len(sent)}" if isinstance(sent, list) else f"{type(sent).__name__}"
