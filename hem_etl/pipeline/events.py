"""Webhook events: from the inbox to landing, from landing to `core.event`, and what each waits for.

An event says "look again", never what is true: it is handled by the first look of the kind that it waits for, whoever
made that look and why. What is due because of events follows from their instants and the ledger's alone, so it is the
same after a crash, and a late, repeated or forged event costs a request at most.

| event | waits for |
|---|---|
| `user:hem-system:discovered` | a list of the user's systems; a system that is new is then asked for its past |
| `user:hem-system:updated` | a look at the system's running or newest day |
| `user:hem-system:deleted` | the same look: it tells `gone` where the list agrees |
| `user:credentials:invalidated` | such a look at any system of the user: it tells whether the user must link again |
| others | nothing |

One about a system or user that is not known waits for a list.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import polars as pl

from hem_etl.answer import Answer, Kind, Receipt
from hem_etl.enode.wire import WebhookEvent, WireError, canonical_json, read_events
from hem_etl.landing import Landing
from hem_etl.local_day import naive_utc
from hem_etl.pipeline.fleet import Fleet
from hem_etl.vocabulary import EventName, IntervalKind
from hem_etl.warehouse import Reader, Writer
from hem_etl.webhooks.inbox import Inbox

EVENT_SCHEMA: Final = pl.Schema(
    {
        "event_id": pl.String(),
        "delivery_id": pl.String(),
        "position": pl.Int32(),
        "event": pl.String(),
        "system_id": pl.String(),
        "user_id": pl.String(),
        "created_at_utc": pl.Datetime("us"),
        "received_at_utc": pl.Datetime("us"),
        "duplicate_of": pl.String(),
        "handled_at_utc": pl.Datetime("us"),
        "led_to": pl.String(),
        "raw": pl.String(),
    }
)
"""The columns of `core.event`."""

LOOKS_AT_DAYS_BEFORE: Final = timedelta(days=1)
"""A look at the day before the event's, or a later one, handles it; one at an older day says nothing about now."""

URGENT: Final = frozenset({EventName.DISCOVERED.value, EventName.DELETED.value, EventName.INVALIDATED.value})

WAITING: Final = "from core.event where handled_at_utc is null"
LOOKED_SINCE: Final = """
select waiting.event_id, min(load.fetched_at_utc) as at, arg_min(load.outcome, load.fetched_at_utc) as outcome
from waiting
inner join core.load as load
    on load.system_id = waiting.looked_at and load.fetched_at_utc >= waiting.received_at_utc
where load.interval_kind = 'day' and load.day >= waiting.since
group by waiting.event_id
"""
FIRST_OF_THEIR_KIND: Final = """
select event_id, first_value(event_id) over (partition by raw order by received_at_utc, event_id) as first_id
from core.event
where raw in (select raw from new)
"""
ANNOUNCED: Final = """
with fresh as (select * from core.event where duplicate_of is null and event in (select name from waits_for_look))
select system.system_id, max(fresh.received_at_utc) as at_utc
from fresh
inner join core.system as system
    on system.system_id = fresh.system_id or (fresh.system_id is null and system.user_id = fresh.user_id)
group by system.system_id
"""
NEVER_ASKED: Final = """
select system_id
from core.system
where
    gone_at_utc is null
    and (
        system_id in (select system_id from core.event)
        or user_id in (select user_id from core.event where system_id is null)
    )
    and system_id not in (select system_id from core.load)
"""
USERS_TO_LIST: Final = """
select distinct event.user_id
from core.event as event
left join core.system as system
    on system.system_id = event.system_id or (event.system_id is null and system.user_id = event.user_id)
where
    event.handled_at_utc is null
    and event.duplicate_of is null
    and (event.event in (select name from waits_for_list) or system.system_id is null)
"""


def take_deliveries(inbox: Inbox, landing: Landing) -> int:
    """Bring what the receivers kept into landing; returns how many deliveries.

    Landed first and only then marked as taken: a death between the two lands a delivery twice, and its events keep
    their ids. Errors as a segment writer.
    """
    if not inbox.files():
        return 0
    taken = 0
    ends: dict[str, int] = {}
    with inbox.taking.hold():
        with landing.writer() as writer:
            for kept in inbox.untaken():
                delivery = kept.delivery
                facts = {"position": kept.position, "delivery_id": delivery.delivery_id, "headers": delivery.headers}
                at, body = delivery.received_at, delivery.body
                writer.add(Answer(Kind.EVENTS, None, None, 0, None, at, 0, 0, None, None, json.dumps(facts), body))
                ends[f"{kept.position.partition('/')[0]}.frames"] = kept.end
                taken += 1
        inbox.take(ends)
    return taken


@dataclass(frozen=True, slots=True)
class Backlog:
    """What lies in the inbox, as far as it was looked at."""

    deliveries: int = 0
    newest: str | None = None
    """Where the last of them lies: the same whoever looks."""
    is_urgent: bool = False
    """Whether one tells of a system or a user's state, and not of new data alone."""


def backlog(inbox: Inbox, most: int = 1_000) -> Backlog:
    """The first deliveries that nobody took over yet."""
    found = Backlog()
    for kept in islice(inbox.untaken(), most):
        names = {event.event for _, event in _items(kept.delivery.body) if isinstance(event, WebhookEvent)}
        is_urgent = found.is_urgent or not URGENT.isdisjoint(names)
        found = Backlog(found.deliveries + 1, kept.position, is_urgent)
    return found


class Events:
    """The events that wait, while deliveries and looks are applied in the order of time; `write` puts them back."""

    def __init__(self, writer: Writer, fleet: Fleet) -> None:
        self._writer = writer
        self._fleet = fleet
        rows = writer.read(f"select {', '.join(EVENT_SCHEMA)} {WAITING}").cast(EVENT_SCHEMA)
        self._waiting: dict[str, dict[str, Any]] = {row["event_id"]: row for row in rows.iter_rows(named=True)}
        self._of_system: dict[str | None, set[str]] = {}
        for row in self._waiting.values():
            self._of_system.setdefault(row["system_id"], set()).add(row["event_id"])
        self._new: dict[str, dict[str, Any]] = {}
        self._handled: dict[str, dict[str, Any]] = {}

    def see_delivery(self, receipt: Receipt, body: bytes) -> None:
        """Take in what one delivery announces."""
        facts = json.loads(receipt.detail or "{}")
        for position, (item, event) in enumerate(_items(body)):
            name = hashlib.sha256(f"{facts['position']}:{position}".encode()).hexdigest()[:32]
            row = dict.fromkeys(EVENT_SCHEMA) | {
                "event_id": name,
                "delivery_id": facts["delivery_id"],
                "position": position,
                "received_at_utc": receipt.fetched_at_utc,
                "raw": None if item is None else canonical_json(item),
            }
            self._take(row | _read(event, receipt.fetched_at_utc))

    def see_list(self, user_id: str | None, at: datetime, led_to: str = "listed") -> None:
        """A list of systems came: of one user, or of all; or the answer that there is none."""
        for row in list(self._waiting.values()):
            is_listed = user_id is None or row["user_id"] == user_id
            if is_listed and row["received_at_utc"] <= at and self._waits_for_list(row):
                self._handle(row, at, led_to)

    def see_look(self, look: Receipt) -> None:
        """A look at statistics of a day."""
        if look.interval is None or look.interval.kind is not IntervalKind.DAY:
            return
        system_id, interval = look.key
        for name in [*self._of_system.get(system_id, ()), *self._of_system.get(None, ())]:
            row = self._waiting[name]
            is_about = row["system_id"] is not None or row["user_id"] == self._fleet.user(system_id)
            is_later = row["received_at_utc"] <= look.fetched_at_utc
            is_about_now = interval.day >= (row["received_at_utc"] - LOOKS_AT_DAYS_BEFORE).date()
            if is_about and is_later and is_about_now and not self._waits_for_list(row):
                self._handle(row, look.fetched_at_utc, f"asked: {look.outcome or 'answered'}")

    def write(self) -> list[str]:
        """Put what changed into the table, once the transaction's looks are in the ledger.

        Returns the systems that it is about, as sent; an empty text where one is about none.
        """
        self._leave_out_what_is_known()
        self._handle_what_was_looked_at_before()
        changed = pl.DataFrame([*self._new.values(), *self._handled.values()], schema=EVENT_SCHEMA)
        if changed.is_empty():
            return []
        changed = changed.unique("event_id", keep="last", maintain_order=True)
        self._writer.replace("core.event", changed, keys=changed.select("event_id"))
        self._mark_duplicates(pl.DataFrame(list(self._new.values()), schema=EVENT_SCHEMA))
        return changed["system_id"].fill_null("").unique().sort().to_list()

    def _take(self, row: dict[str, Any]) -> None:
        if row["event_id"] in self._waiting:
            return
        self._new[row["event_id"]] = row
        if row["handled_at_utc"] is None:
            self._waiting[row["event_id"]] = row
            self._of_system.setdefault(row["system_id"], set()).add(row["event_id"])

    def _leave_out_what_is_known(self) -> None:
        """A delivery may have been landed twice, its events handled in between."""
        new = pl.DataFrame({"event_id": list(self._new)}, schema={"event_id": pl.String()})
        for name in self._writer.rows("core.event", ["event_id"], keys=new)["event_id"] if self._new else ():
            row = self._new.pop(name)
            self._waiting.pop(name, None)
            self._of_system.get(row["system_id"], set()).discard(name)

    def _handle(self, row: dict[str, Any], at: datetime, led_to: str) -> None:
        handled = row | {"handled_at_utc": at, "led_to": led_to}
        del self._waiting[row["event_id"]]
        self._of_system[row["system_id"]].discard(row["event_id"])
        (self._new if row["event_id"] in self._new else self._handled)[row["event_id"]] = handled

    def _waits_for_list(self, row: dict[str, Any]) -> bool:
        if row["event"] == EventName.DISCOVERED:
            return True
        return not self._systems_of(row)

    def _systems_of(self, row: dict[str, Any]) -> list[str]:
        if row["system_id"] is not None:
            return [row["system_id"]] if self._fleet.knows(row["system_id"]) else []
        return self._fleet.systems_of(row["user_id"])

    def _handle_what_was_looked_at_before(self) -> None:
        """Events that were landed after the look that came after them, and those of systems that are gone."""
        for row in [row for row in self._waiting.values() if row["event_id"] in self._new]:
            listed_at = self._fleet.listed_at(row["system_id"])
            if self._waits_for_list(row) and listed_at is not None and listed_at >= row["received_at_utc"]:
                self._handle(row, listed_at, "listed")
        asked_about = [
            (row["event_id"], system_id, row["received_at_utc"], (row["received_at_utc"] - LOOKS_AT_DAYS_BEFORE).date())
            for row in self._waiting.values()
            if row["event_id"] in self._new and not self._waits_for_list(row)
            for system_id in self._systems_of(row)
        ]
        if asked_about:
            schema = {
                "event_id": pl.String(),
                "looked_at": pl.String(),
                "received_at_utc": pl.Datetime("us"),
                "since": pl.Date(),
            }
            looked = self._writer.read(LOOKED_SINCE, waiting=pl.DataFrame(asked_about, schema=schema, orient="row"))
            for name, at, outcome in looked.iter_rows():
                self._handle(self._waiting[name], at, f"asked: {outcome}")
        for row in list(self._waiting.values()):
            gone_at = self._fleet.gone_at(row["system_id"])
            if gone_at is not None and not self._waits_for_list(row):
                self._handle(row, max(gone_at, row["received_at_utc"]), "the system is gone")

    def _mark_duplicates(self, new: pl.DataFrame) -> None:
        firsts = self._writer.read(FIRST_OF_THEIR_KIND, new=new.select("raw").drop_nulls())
        later = firsts.filter(pl.col("event_id") != pl.col("first_id"))
        if later.is_empty():
            return
        rows = self._writer.rows("core.event", EVENT_SCHEMA, keys=later.select("event_id"))
        marked = rows.drop("duplicate_of").join(later.rename({"first_id": "duplicate_of"}), on="event_id", how="left")
        settled = marked.with_columns(led_to=pl.lit("a repetition"), handled_at_utc="received_at_utc")
        settled = settled.select(EVENT_SCHEMA.names())
        self._writer.replace("core.event", settled, keys=settled.select("event_id"))


def announced(warehouse: Reader) -> dict[str, datetime]:
    """System → when the newest event came that asks for a look at its days."""
    names = [EventName.UPDATED, EventName.DELETED, EventName.INVALIDATED]
    return dict(warehouse.read(ANNOUNCED, waits_for_look=pl.DataFrame({"name": names})).iter_rows())


def never_asked_of(warehouse: Reader) -> set[str]:
    """Systems that an event was about, or whose user one was about, and that were never asked for anything."""
    return set(warehouse.read(NEVER_ASKED)["system_id"])


def users_to_list(warehouse: Reader) -> list[str | None]:
    """Users whose systems an event asks to be listed; None among them: an event does not say whose."""
    names = pl.DataFrame({"name": [EventName.DISCOVERED, EventName.DELETED]})
    return warehouse.read(USERS_TO_LIST, waits_for_list=names)["user_id"].to_list()


def _items(body: bytes) -> Sequence[tuple[Any, WebhookEvent | WireError]]:
    try:
        return read_events(body)
    except WireError as error:
        return [(None, error)]


def _read(event: WebhookEvent | WireError, received_at: datetime) -> dict[str, Any]:
    if isinstance(event, WireError):
        return {"handled_at_utc": received_at, "led_to": f"kept, but it cannot be read: {event}"}
    facts = {
        "event": event.event,
        "system_id": event.hem_system.id,
        "user_id": event.user.id,
        "created_at_utc": None if event.created_at is None else naive_utc(event.created_at),
    }
    if event.event not in set(EventName):
        return facts | {"handled_at_utc": received_at, "led_to": "recorded: no name that we know"}
    if event.event in (EventName.HEARTBEAT, EventName.TEST):
        return facts | {"handled_at_utc": received_at, "led_to": "recorded"}
    if event.hem_system.id is None and event.user.id is None:
        return facts | {"handled_at_utc": received_at, "led_to": "recorded: it names neither a system nor a user"}
    return facts
