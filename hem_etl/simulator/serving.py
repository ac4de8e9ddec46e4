"""The one request handler: everything the simulated Enode answers, refuses and counts.

At least as strict as the real API: what is not documented is refused. `transport` calls it in process, `server` over a
real socket; both share tokens, faults and ledger, so a test may switch between them. Thread-safe.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from threading import Lock

import httpx

from hem_etl.local_day import Interval, next_month
from hem_etl.simulator.axis import utc_stamp
from hem_etl.simulator.bodies import day_body, month_body
from hem_etl.simulator.exchange import API_VERSION, Refusal, Request, Response
from hem_etl.simulator.faults import Faults
from hem_etl.simulator.fleet import Fleet
from hem_etl.simulator.homes import Home
from hem_etl.simulator.ledger import Ledger
from hem_etl.simulator.listings import (
    PAGE_PARAMETERS,
    Row,
    asset_id_of,
    asset_row,
    count_assets,
    location_row,
    page_of,
    system_row,
    system_state,
)
from hem_etl.simulator.spoiling import disturbed, refuse, spoilt
from hem_etl.simulator.tokens import TokenDesk
from hem_etl.simulator.transport import SimulatorTransport
from hem_etl.simulator.truth import TrueDay, true_day, true_month
from hem_etl.simulator.webhooks import WebhookDesk
from hem_etl.vocabulary import AssetKind, IntervalKind

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
ANSWERS_BEFORE_VANISHING = 2
"""A system that vanishes in mid-run does so after so many statistics requests."""

_INTERVAL = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_METHODS = {
    "token": ("POST",),
    "link": ("POST",),
    "relink": ("POST",),
    "webhooks": ("GET", "POST"),
    "webhook": ("PATCH", "DELETE"),
    "webhook_test": ("POST",),
}
_ASSET_LISTS = {"inverters": AssetKind.INVERTER, "batteries": AssetKind.BATTERY, "meters": AssetKind.METER}


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that is in flight: what it asks, and whether it overlaps another of the same system."""

    endpoint: str
    argument: str | None
    """The id in the path, decoded once."""
    is_overlapping: bool

    @property
    def system_id(self) -> str | None:
        return self.argument if self.endpoint == "statistics" else None


class Simulator:
    """A simulated Enode. `faults`, `fleet` and `is_feature_enabled` may be changed while it runs."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
        client_id: str = "simulator",
        client_secret: str = "simulator-secret",  # noqa: S107 - made up, opens nothing
        token_seconds: int = 3599,
        pause: Callable[[], None] = lambda: None,
        seed: int = 1,
    ) -> None:
        """`pause` is called while a request is in flight: a short sleep there shows overlaps in process."""
        self.fleet = fleet
        self.client_id, self.client_secret = client_id, client_secret
        self.tokens = TokenDesk(client_id, client_secret, clock, token_seconds, seed)
        self.ledger = Ledger()
        self.is_feature_enabled = True
        """False: the client may not use HEM systems; every answer but the token's is 403."""
        self.has_asset_access = True
        """False: the lists of inverters, batteries, meters and locations are 403."""
        self.moves_to_slash = False
        """True: a path without a slash at its end is answered with a redirect to the one with it."""
        self.webhooks = WebhookDesk(clock, seed)
        self._clock, self._pause, self._lock = clock, pause, Lock()
        self.faults = faults or Faults.none()

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._lock:
            self._faults = faults.bound_to(list(self.fleet.by_id))
            self._attempts: Counter[str] = Counter()
            self._asked: Counter[str] = Counter()

    def handle(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """Answers one request; `path` and `query` are percent-encoded, as in the request line."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        lowered = tuple((name.lower(), value) for name, value in pairs)
        request = Request(method=method, path=path, query=query, headers=lowered, body=body)
        ticket = self.admit(request)
        try:
            return self.answer(request, ticket)
        finally:
            self.release(ticket)

    def admit(self, request: Request) -> Ticket:
        """Notes that a request came in. Every ticket must be released when the answer is out."""
        endpoint, argument = _route(replace(request, path=request.path.rstrip("/")) if self.moves_to_slash else request)
        is_overlapping = self.ledger.begin(argument if endpoint == "statistics" else None)
        return Ticket(endpoint, argument, is_overlapping)

    def release(self, ticket: Ticket) -> None:
        self.ledger.end(ticket.system_id)

    def answer(self, request: Request, ticket: Ticket) -> Response:
        """The answer to an admitted request; never raises for anything a client can send."""
        try:
            response = self._answer(request, ticket)
        except Refusal as refusal:
            response = refusal.response
        self.ledger.count(ticket.endpoint, 0 if response.effect == "reset" else response.status)
        return replace(response, headers=response.headers | {"date": format_datetime(self._clock(), usegmt=True)})

    def transport(self) -> httpx.BaseTransport:
        """An httpx transport that answers in process."""
        return SimulatorTransport(self.handle)

    def truth_day(
        self, system_id: str, day: date, *, as_of: datetime | None = None, over_limit_kw: float = 50.0
    ) -> TrueDay:
        """What an ideal warehouse holds after reading this day as it is served at `as_of` (None: now)."""
        return true_day(self.fleet.by_id[system_id], day, as_of or self._clock(), over_limit_kw)

    def truth_month(
        self, system_id: str, month: date, *, as_of: datetime | None = None
    ) -> dict[date, dict[str, float | None]]:
        """The vendor's own kWh by day and flow as it is served at `as_of` (None: now); None where nothing is sent."""
        return true_month(self.fleet.by_id[system_id], month.replace(day=1), as_of or self._clock())

    def _answer(self, request: Request, ticket: Ticket) -> Response:
        if ticket.endpoint == "unknown":
            raise Refusal.unknown("The path")
        allowed = _METHODS.get(ticket.endpoint, ("GET",))
        if request.method not in allowed:
            others = ", ".join(allowed)
            raise Refusal(405, "method-not-allowed", "Method Not Allowed", f"Use {others}", {"allow": others})
        if ticket.endpoint == "token":
            return self.tokens.grant(request)
        self.tokens.check(request)
        if self.moves_to_slash and not request.path.endswith("/"):
            query = f"?{request.query}" if request.query else ""
            raise Refusal(307, "moved", "Moved", "Mind the slash", {"location": f"{request.path}/{query}"})
        if request.values("enode-version") != [API_VERSION]:
            raise Refusal.of_query(f"The header Enode-Version must be {API_VERSION}")
        if request.values("enode-user-id"):
            raise Refusal.of_query("The header Enode-User-Id is not supported")
        if not self.is_feature_enabled:
            raise Refusal(403, "forbidden", "Forbidden", "HEM systems are not enabled for this client")
        if ticket.endpoint in (*_ASSET_LISTS, "locations") and not self.has_asset_access:
            raise Refusal(403, "forbidden", "Forbidden", "The client may not read this list")
        if ticket.is_overlapping:
            raise Refusal.too_many("Another statistics request for this system is in flight", "1")
        self._pause()
        return self._with_transient_fault(request, self._resource(request, ticket))

    def _resource(self, request: Request, ticket: Ticket) -> Callable[[], Response]:
        """Refuses what is wrong with the request itself; else the answer, yet to be made."""
        match ticket.endpoint:
            case "statistics":
                return self._statistics(request, ticket.argument or "")
            case "webhooks" | "webhook" | "webhook_test":
                request.parameters(frozenset())
                return lambda: self.webhooks.answer(request, ticket.endpoint, ticket.argument)
            case "link":
                request.parameters(frozenset())
                return lambda: self.webhooks.link(request, ticket.argument or "")
            case "relink":
                request.parameters(frozenset())
                if not self.has_asset_access or not self._has_asset(ticket.argument or ""):
                    raise Refusal.unknown("The asset")
                return lambda: self.webhooks.relink(request, ticket.argument or "")
            case "system":
                request.parameters(frozenset())
                return lambda: self._system(ticket.argument or "")
            case _:
                parameters = request.parameters(PAGE_PARAMETERS)
                return lambda: self._list(ticket, parameters)

    def _with_transient_fault(self, request: Request, make: Callable[[], Response]) -> Response:
        key = f"{request.path}?{request.query}"
        with self._lock:
            fault = self._faults.transient(key, self._attempts[key])
            self._attempts[key] = self._attempts[key] + 1 if fault else 0
        try:
            response = make()
        except Refusal as refusal:
            response = refusal.response
        if fault is None:
            return response
        return disturbed(response, fault, self._clock(), self._faults.retry_after_seconds)

    def _statistics(self, request: Request, system_id: str) -> Callable[[], Response]:
        home = self.fleet.by_id.get(system_id)
        if home is None:
            raise Refusal.unknown("The HEM system")
        parameters = request.parameters(frozenset({"interval"}))
        interval = _interval(parameters.get("interval"))
        self.ledger.count_statistics(system_id, interval.label)
        if self._faults.uses_of_a_token:
            self.tokens.wear_out(request, self._faults.uses_of_a_token)
        return lambda: self._series(home, interval)

    def _series(self, home: Home, interval: Interval) -> Response:
        system_id, label, now = home.system_id, interval.label, self._clock()
        fault = self._faults.describe(system_id, label)
        with self._lock:
            self._asked[system_id] += 1
        if fault and (fault != "vanish" or self._has_vanished(system_id)):
            refuse(fault)
        if interval.kind in home.quirks.unsupported:
            raise Refusal.unsupported(f"{home.vendor} has no statistics for a {interval.kind}")
        starts_at, ends_at = interval.bounds_utc(home.zone)
        if now < starts_at:
            raise Refusal.of_query(f"interval {label} has not begun in {home.timezone}")
        if interval.last_day < home.installed_on:
            raise Refusal.before_installation()
        is_day = interval.kind is IntervalKind.DAY
        series = day_body(home, interval.day, now) if is_day else month_body(home, interval.day, now)
        is_accepted = now < ends_at + timedelta(hours=home.quirks.accepted_hours) and home.quirks.accepted_hours > 0
        members = [f'"timeseries":{series}']
        if is_accepted:
            members.append(f'"retryAfter":"{utc_stamp(now + timedelta(hours=1))}"')
        if home.quirks.sends_unknown_fields:
            members.append('"meta":{"requestedBy":"api"}')
        response = Response(status=202 if is_accepted else 200, body=("{" + ",".join(members) + "}").encode())
        answers_before = self.ledger.count_answer(system_id, label)
        if fault and (fault != "vanished_series" or answers_before):
            return spoilt(response, fault, self._faults.seed, system_id, label)
        return response

    def _system(self, system_id: str) -> Response:
        home = self.fleet.by_id.get(system_id)
        if home is None or self._has_vanished(system_id):
            raise Refusal.unknown("The HEM system")
        now = self._clock()
        row = system_row(home, now)
        return Response.of_json(row | {"energyState": system_state(home, now)} if "status" not in row else row)

    def _list(self, ticket: Ticket, parameters: dict[str, str]) -> Response:
        now = self._clock()
        homes = [(i, home) for i, home in enumerate(self.fleet.homes) if not self._has_vanished(home.system_id)]
        if ticket.endpoint == "user_systems":
            if not any(home.user_id == ticket.argument for home in self.fleet.homes):
                raise Refusal.unknown("The user")
            homes = [(i, home) for i, home in homes if home.user_id == ticket.argument]
        if kind := _ASSET_LISTS.get(ticket.endpoint):
            assets = [(i, home, place) for i, home in homes for place in range(count_assets(home, kind))]
            reachable = {home.system_id: not self._faults.has_dead_credentials(home.system_id) for _, home in homes}
            rows = [
                Row(2 * i + place, partial(asset_row, home, kind, place, now, is_reachable=reachable[home.system_id]))
                for i, home, place in assets
            ]
        elif ticket.endpoint == "locations":
            rows = [Row(i, partial(location_row, home)) for i, home in homes]
        else:
            rows = [Row(i, partial(system_row, home, now)) for i, home in homes]
        repeats_row = self._faults.rates.get("repeated_rows", 0) > 0
        return page_of(rows, f"{ticket.endpoint}/{ticket.argument}", parameters, repeats_row=repeats_row)

    def _has_asset(self, asset_id: str) -> bool:
        return any(
            asset_id_of(home, kind, place) == asset_id
            for home in self.fleet.homes
            if not self._has_vanished(home.system_id)
            for kind in AssetKind
            for place in range(count_assets(home, kind))
        )

    def _has_vanished(self, system_id: str) -> bool:
        return self._faults.has_vanishing(system_id) and self._asked[system_id] > ANSWERS_BEFORE_VANISHING


def _route(request: Request) -> tuple[str, str | None]:
    """(endpoint, id in the path)."""
    if request.path == TOKEN_PATH:
        return "token", None
    match request.segments():
        case ["hem-systems"]:
            return "systems", None
        case ["users", user_id, "hem-systems"] if user_id:
            return "user_systems", user_id
        case ["users", user_id, "link"] if user_id:
            return "link", user_id
        case ["assets", asset_id, "relink"] if asset_id:
            return "relink", asset_id
        case ["webhooks"]:
            return "webhooks", None
        case ["webhooks", name] if name:
            return "webhook", name
        case ["webhooks", name, "test"] if name:
            return "webhook_test", name
        case ["hem-systems", system_id] if system_id:
            return "system", system_id
        case ["hem-systems", system_id, "statistics"] if system_id:
            return "statistics", system_id
        case ["inverters" | "batteries" | "meters" | "locations" as name]:
            return name, None
        case _:
            return "unknown", None


def _interval(text: str | None) -> Interval:
    if text is None:
        raise Refusal.of_query("interval is required")
    if _INTERVAL.fullmatch(text) is None:
        raise Refusal.of_query("interval must be a day (2026-03-29) or a month (2026-03)")
    try:
        interval = Interval.parse(text)
        next_month(interval.last_day)
    except (ValueError, OverflowError):
        raise Refusal.of_query("interval is no date of the calendar") from None
    return interval
