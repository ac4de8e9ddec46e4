"""Webhooks as Enode sends them: subscriptions, deliveries that are tried again for a day, link sessions.

Nothing is sent by itself: whoever owns the simulator's time calls `deliver`, which posts what is due and returns. What
is mischief in it (repeats, forgeries, unknown events …) is chosen by `Mischief`, a pure function of its seed.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from hem_etl.simulator.axis import utc_stamp
from hem_etl.simulator.chance import stable_hex, stable_ratio
from hem_etl.simulator.exchange import API_VERSION, Refusal, Request, Response
from hem_etl.simulator.homes import Home
from hem_etl.vocabulary import EventName, Vendor

SCOPES: Final = frozenset({"inverter:read:data", "battery:read:data", "meter:read:data"})
LANGUAGES: Final = frozenset(
    {"browser", "da-DK", "de-DE", "en-US", "en-GB", "es-ES", "fi-FI", "fr-FR", "it-IT", "nb-NO", "nl-NL", "pl-PL"}
    | {"pt-PT", "sv-SE"}
)
SESSION_FIELDS: Final = frozenset({"redirectUri", "language", "colorScheme"})
"""What every link session is asked with."""
MOST_EVENTS: Final = 100
"""In one delivery."""
HEARTBEAT_EVERY: Final = timedelta(minutes=30)
DELAY: Final = timedelta(hours=1)
FIRST_RETRY: Final = timedelta(minutes=1)
GIVES_UP_AFTER: Final = timedelta(hours=24)

Post = Callable[[str, Mapping[str, str], bytes], int | None]
"""(url, headers, body) → status; None where no answer came."""


@dataclass(frozen=True, slots=True)
class Mischief:
    """What goes wrong on the way, each a share of deliveries from 0 to 1; chosen by the seed alone."""

    seed: int = 1
    repeats: float = 0
    forgeries: float = 0
    """Sent besides, with another signature."""
    malformed: float = 0
    """Sent besides, rightly signed, and no list of events."""
    unknown: float = 0
    """An event and a field that nobody knows are added."""
    reversed_order: float = 0
    splits: float = 0
    """Each event in a delivery of its own."""
    replays: float = 0
    """The first delivery of all is sent once more, besides."""
    delays: float = 0
    """It comes an hour late, with what has gathered by then."""

    def happens(self, what: str, number: int) -> bool:
        return stable_ratio(self.seed, "webhook", what, number) < float(getattr(self, what))


@dataclass(slots=True)
class _Subscription:
    id: str
    url: str
    secret: bytes
    events: frozenset[str]
    is_active: bool = True
    last_success: datetime | None = None
    pending: list[dict[str, Any]] = field(default_factory=list)
    failing_since: datetime | None = None
    next_try: datetime | None = None
    gap: timedelta = FIRST_RETRY
    last_heartbeat: datetime | None = None
    is_delayed: bool = False

    def content(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "url": self.url,
            "events": sorted(self.events),
            "apiVersion": API_VERSION,
            "isActive": self.is_active,
            "lastSuccess": None if self.last_success is None else utc_stamp(self.last_success),
        }

    def wants(self, event: dict[str, Any]) -> bool:
        return self.is_active and ("*" in self.events or event["event"] in self.events)

    def succeed(self, now: datetime) -> None:
        self.last_success, self.is_active = now, True
        self.failing_since, self.next_try, self.gap = None, None, FIRST_RETRY

    def fail(self, now: datetime) -> None:
        """Wait longer each time; after a day everything that waits is deleted."""
        self.failing_since = self.failing_since or now
        if now - self.failing_since >= GIVES_UP_AFTER:
            self.is_active = False
            self.pending.clear()
        self.next_try, self.gap = now + self.gap, min(self.gap * 2, timedelta(hours=4))


class WebhookDesk:
    """Subscriptions and what is sent to them. Thread-safe."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 1) -> None:
        self.knows_hem_events = True
        """False: a subscription that names a HEM event is 400."""
        self.mischief = Mischief()
        self.post: Post = lambda url, headers, body: None
        """How a delivery is sent. By itself none arrives anywhere."""
        self.deliveries: list[tuple[bytes, int | None]] = []
        """Every body that was sent, with the status that came back."""
        self.link_tokens: set[str] = set()
        self._clock, self._seed = clock, seed
        self._subscriptions: dict[str, _Subscription] = {}
        self._made = self._sent = 0
        self._lock = Lock()

    def answer(self, request: Request, endpoint: str, argument: str | None) -> Response:
        """The answer to a request for subscriptions."""
        with self._lock:
            if endpoint == "webhooks":
                if request.method == "GET":
                    return Response.of_json({"data": [each.content() for each in self._subscriptions.values()]})
                return self._subscribe(_content(request))
            found = self._subscriptions.get(argument or "")
            if found is None:
                raise Refusal.unknown("The webhook")
            if endpoint == "webhook_test":
                return self._test(found)
            if request.method == "DELETE":
                del self._subscriptions[found.id]
                return Response(status=204, body=b"")
            return self._update(found, _content(request))

    def link(self, request: Request, user_id: str) -> Response:
        """The answer to `POST /users/{userId}/link`."""
        content = _content(request)
        _refuse_others(content, {"scopes", "vendor", "vendorType", *SESSION_FIELDS})
        scopes = content.get("scopes")
        if not isinstance(scopes, list) or not scopes or not SCOPES.issuperset(map(str, scopes)):
            raise Refusal.of_query("scopes must be a list of scopes that this client has")
        if content.get("vendor") not in (None, *Vendor):
            raise Refusal.of_query("vendor must be one that Enode links")
        return self._session(content, user_id)

    def relink(self, request: Request, asset_id: str) -> Response:
        """The answer to `POST /assets/{assetId}/relink`, for an asset that is there."""
        content = _content(request)
        _refuse_others(content, SESSION_FIELDS)
        return self._session(content, asset_id)

    def _session(self, content: Mapping[str, Any], whose: str) -> Response:
        """A link that is used once: what both kinds of session ask alike is checked, and another token made."""
        if not isinstance(content.get("redirectUri"), str) or not urlsplit(content["redirectUri"]).scheme:
            raise Refusal.of_query("redirectUri is required")
        if content.get("language") not in LANGUAGES:
            raise Refusal.of_query("language is required, and must be one that the Link UI speaks")
        if content.get("colorScheme") not in (None, "light", "dark", "system"):
            raise Refusal.of_query("colorScheme must be light, dark or system")
        with self._lock:
            self._made += 1
            token = stable_hex(self._seed, "link", whose, self._made)
            self.link_tokens.add(token)
        return Response.of_json({"linkUrl": f"https://link.enode.com/{token}", "linkToken": token})

    def announce(self, name: str, home: Home | None = None, **more: Any) -> None:
        """Something happened: it waits for its delivery at every subscription that wants it."""
        event = self._event(name)
        if home is not None:
            event |= {"user": {"id": home.user_id}, "hemSystem": {"id": home.system_id}}
        with self._lock:
            for each in self._subscriptions.values():
                if each.wants(event):
                    each.pending.append(event | more)

    def forget_success(self) -> None:
        """As after a day in which nothing arrived: what waits is deleted, and nothing is sent any more."""
        with self._lock:
            for each in self._subscriptions.values():
                each.is_active = False
                each.pending.clear()

    def deliver(self) -> int:
        """Send what is due now, heartbeats too; returns how many deliveries were answered 2XX."""
        good = 0
        with self._lock:
            for each in self._subscriptions.values():
                now = self._clock()
                if not each.is_active or (each.next_try is not None and now < each.next_try):
                    continue
                if each.last_heartbeat is None or now - each.last_heartbeat >= HEARTBEAT_EVERY:
                    each.pending.append(self._event(EventName.HEARTBEAT) | {"pendingEvents": len(each.pending)})
                    each.last_heartbeat = now
                while each.pending and each.is_active:
                    if not each.is_delayed and self.mischief.happens("delays", self._sent + 1):
                        each.is_delayed, each.next_try = True, now + DELAY
                        break
                    each.is_delayed = False
                    taken = each.pending[:MOST_EVENTS]
                    if not self._send_all(each, taken):
                        each.fail(now)
                        break
                    each.succeed(now)
                    del each.pending[: len(taken)]
                    good += 1
        return good

    def _event(self, name: str) -> dict[str, Any]:
        return {"event": name, "createdAt": utc_stamp(self._clock()), "version": API_VERSION}

    def _send_all(self, subscription: _Subscription, events: list[dict[str, Any]]) -> bool:
        """Whether the events arrived; with the mischief that happens to this delivery."""
        self._sent += 1
        number, happens = self._sent, self.mischief.happens
        if happens("unknown", number):
            strange = {"event": "user:toaster:updated", "createdAt": events[0]["createdAt"], "toaster": {"id": "t-1"}}
            events = [*({**event, "mood": "sunny"} for event in events), strange]
        if happens("reversed_order", number):
            events = events[::-1]
        if happens("forgeries", number):
            self._send(subscription.url, b"not the secret", json.dumps(events).encode())
        if happens("replays", number) and self.deliveries:
            self._send(subscription.url, subscription.secret, self.deliveries[0][0])
        if happens("malformed", number):
            self._send(subscription.url, subscription.secret, b'{"events": [')
        parts = [[event] for event in events] if happens("splits", number) else [events]
        for part in parts:
            body = json.dumps(part).encode()
            statuses = [self._send(subscription.url, subscription.secret, body)]
            if happens("repeats", number):
                self._send(subscription.url, subscription.secret, body)
            if not _is_good(statuses[0]):
                return False
        return True

    def _send(self, url: str, secret: bytes, body: bytes) -> int | None:
        headers = {
            "content-type": "application/json",
            "x-enode-delivery": stable_hex(self._seed, "delivery", len(self.deliveries)),
            "x-enode-signature": "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest(),
        }
        status = self.post(url, headers, body)
        self.deliveries.append((body, status))
        return status

    def _subscribe(self, content: dict[str, Any]) -> Response:
        _refuse_others(content, {"url", "secret", "events", "apiVersion"})
        url, secret, events = self._checked(content)
        if url is None or secret is None or events is None:
            raise Refusal.of_query("url, secret and events are required")
        if content.get("apiVersion", API_VERSION) != API_VERSION:
            raise Refusal.of_query(f"apiVersion must be {API_VERSION}")
        if any(each.url == url for each in self._subscriptions.values()):
            raise Refusal.of_query("A webhook for this url and version is there already")
        self._made += 1
        made = _Subscription(stable_hex(self._seed, "subscription", self._made), url, secret, events)
        self._subscriptions[made.id] = made
        return Response.of_json(made.content())

    def _update(self, found: _Subscription, content: dict[str, Any]) -> Response:
        _refuse_others(content, {"url", "secret", "events"})
        url, secret, events = self._checked(content)
        found.url, found.secret, found.events = url or found.url, secret or found.secret, events or found.events
        return Response.of_json(found.content())

    def _checked(self, content: dict[str, Any]) -> tuple[str | None, bytes | None, frozenset[str] | None]:
        url, given, events = content.get("url"), content.get("secret"), content.get("events")
        if url is not None and (
            not isinstance(url, str) or urlsplit(url).scheme != "https" or not urlsplit(url).netloc
        ):
            raise Refusal.of_query("url must be https")
        if given is not None and (not isinstance(given, str) or not 6 <= len(given) <= 256):
            raise Refusal.of_query("secret must have 6 to 256 characters")
        secret = None if given is None else given.encode()
        if events is None:
            return url, secret, None
        if not isinstance(events, list) or not events:
            raise Refusal.of_query("events must be a list of event names")
        unknown = [name for name in events if name != "*" and not self._knows(name)]
        if unknown:
            raise Refusal.of_query(f"events: unknown event {unknown[0]!r}")
        return url, secret, frozenset(events)

    def _knows(self, name: object) -> bool:
        return name in set(EventName) and (self.knows_hem_events or not re.search("hem-system", str(name)))

    def _test(self, found: _Subscription) -> Response:
        status = self._send(found.url, found.secret, json.dumps([self._event(EventName.TEST)]).encode())
        if _is_good(status):
            found.succeed(self._clock())
        answered = {"code": status, "headers": [], "body": ""} if status is not None else None
        result = "SUCCESS" if _is_good(status) else "FAILURE"
        why = "The webhook was tested" if _is_good(status) else "The webhook did not answer 2XX"
        return Response.of_json({"status": result, "description": why, "response": answered})


def _is_good(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _content(request: Request) -> dict[str, Any]:
    if [value.partition(";")[0].strip().lower() for value in request.values("content-type")] != ["application/json"]:
        raise Refusal.of_query("The content type must be application/json")
    try:
        content = json.loads(request.body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal.of_query("The body must be a JSON object")
    return content


def _refuse_others(content: Mapping[str, Any], allowed: Iterable[str]) -> None:
    if others := sorted(set(content) - set(allowed)):
        raise Refusal.of_query(f"unknown field {others[0]!r}")
