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
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final

import polars as pl

from hem_etl.answer import Answer, Kind, Receipt
from hem_etl.enode.wire import WebhookEvent, WireError, canonical_json, read_events
from hem_etl.landing import Landing
from hem_etl.local_day import naive_utc
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

URGENT: Final = frozenset({EventName.DISCOVERED.value, EventName.DELETED.value, EventName.INVALIDATED.value})

LOOK_SCHEMA: Final = {
    "system_id": pl.String(),
    "day": pl.Date(),
    "fetched_at_utc": pl.Datetime("us"),
    "http_status": pl.Int32(),
    "outcome": pl.String(),
}
LIST_SCHEMA: Final = {"user_id": pl.String(), "at_utc": pl.Datetime("us"), "led_to": pl.String()}

ROWS_AT_ONCE: Final = 50_000
"""New events in memory before they are put into the table."""

ANY_WAITS: Final = "from core.event where handled_at_utc is null limit 1"
REPEATED_WITHIN: Final = timedelta(days=7)
"""What equals an event that came so long ago or less repeats it; Enode tries again for a day."""
DUPLICATES: Final = """
with
of_new as (
    select raw
    from core.event
    semi join new using (event_id)
    where received_at_utc between $first and $last
),

-- equal events say the same of when they happened: that leaves few rows whose text is looked at
compared as (
    select *, arg_min(event_id, (received_at_utc, event_id)) over earlier as first_id
    from core.event
    where
        received_at_utc >= $first - $within
        and (created_at_utc between $created_from and $created_to or created_at_utc is null)
        and raw in (from of_new)
    window earlier as (
        partition by raw order by received_at_utc range between $within preceding and current row
    )
)

select event_id, first_id as duplicate_of, 'a repetition' as led_to, received_at_utc as handled_at_utc
from compared
where event_id <> first_id and received_at_utc >= $first
"""
OUTLIVED: Final = """
delete from core.event
where
    received_at_utc < (select cast(max(received_at_utc) as date) from core.event) - $days
    and handled_at_utc is not null
    and (event is null or event not in (select unnest($kept)))
"""
KEPT_FOR_EVER: Final = [name.value for name in EventName if name is not EventName.UPDATED]
"""Events that are few, however large the fleet: a system's or a user's state, and heartbeats."""
HANDLED: Final = """
with
waiting as (
    select *, event_id in (from new) as is_new
    from core.event
    where handled_at_utc is null and duplicate_of is null
),

concerned as (
    select waiting.*, system.system_id as of_system, system.gone_at_utc
    from waiting
    inner join core.system as system
        on system.system_id = waiting.system_id or (waiting.system_id is null and system.user_id = waiting.user_id)
    where system.first_seen_utc <= waiting.received_at_utc and waiting.event <> $discovered
),

for_list as (from waiting anti join concerned using (event_id)),

looked as (
    select system_id, day, fetched_at_utc, http_status, outcome, false as is_old from looks
    union all
    select system_id, day, fetched_at_utc, http_status, outcome, true from core.load where interval_kind = 'day'
),

ends as (
    select for_list.event_id, lists.at_utc, lists.led_to
    from for_list
    inner join lists
        on (lists.user_id is null or lists.user_id = for_list.user_id) and lists.at_utc >= for_list.received_at_utc
    union all
    select for_list.event_id, system.listed_at_utc, 'listed'
    from for_list
    inner join core.system as system
        on system.system_id = for_list.system_id and system.listed_at_utc >= for_list.received_at_utc
    where for_list.is_new
    union all
    -- a look at the day before the event's, or a later one; one at an older day says nothing about now
    select
        concerned.event_id,
        looked.fetched_at_utc,
        concat('asked: ', case when looked.http_status in (200, 202) then 'answered' else looked.outcome end)
    from concerned
    inner join looked
        on looked.system_id = concerned.of_system and looked.fetched_at_utc >= concerned.received_at_utc
    where looked.day >= cast(concerned.received_at_utc as date) - 1 and (concerned.is_new or not looked.is_old)
    union all
    select event_id, greatest(gone_at_utc, received_at_utc), 'the system is gone'
    from concerned
    where gone_at_utc is not null
)

select event_id, min(at_utc) as handled_at_utc, arg_min(led_to, (at_utc, led_to)) as led_to
from ends
group by event_id
"""
ANNOUNCED: Final = """
with
fresh as (
    select *
    from core.event
    where received_at_utc >= $since and duplicate_of is null and event in (select name from waits_for_look)
)

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
    """What one transaction has seen: deliveries, and the looks and lists that may be what events wait for."""

    def __init__(self, writer: Writer, days_kept: int) -> None:
        self._writer = writer
        self._days_kept = timedelta(days=days_kept)
        self._rows: list[dict[str, Any]] = []
        self._new: list[str] = []
        self._received: list[datetime] = []
        self._created: list[datetime] = []
        """The first and last instants of each part of the new ones."""
        self._looks: list[tuple[str, date, datetime, int | None, str | None]] = []
        self._lists: list[tuple[str | None, datetime, str]] = []

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
            self._rows.append(row | _read(event, receipt.fetched_at_utc))
        if len(self._rows) >= ROWS_AT_ONCE:
            self._put()

    def see_list(self, user_id: str | None, at: datetime, led_to: str = "listed") -> None:
        """A list of systems came: of one user, or of all; or the answer that there is none."""
        self._lists.append((user_id, at, led_to))

    def see_look(self, look: Receipt) -> None:
        """A look at statistics."""
        system_id, interval = look.key
        if interval.kind is IntervalKind.DAY:
            self._looks.append((system_id, interval.day, look.fetched_at_utc, look.http_status, look.outcome))

    def write(self) -> list[str]:
        """Say in the table what came of the events, once the transaction's looks and lists are in the others.

        Returns the systems that it is about, as sent; an empty text where one is about none.
        """
        self._put()
        if not self._new and self._writer.read(ANY_WAITS).is_empty():
            return []
        new = pl.DataFrame({"event_id": self._new}, schema={"event_id": pl.String()})
        if self._new:
            self._writer.update("core.event", self._repetitions(new), key="event_id")
        looks = pl.DataFrame(self._looks, schema=LOOK_SCHEMA, orient="row")
        lists = pl.DataFrame(self._lists, schema=LIST_SCHEMA, orient="row")
        discovered = {"discovered": EventName.DISCOVERED.value}
        handled = self._writer.read(HANDLED, discovered, new=new, looks=looks, lists=lists)
        self._writer.update("core.event", handled, key="event_id")
        changed = pl.concat([new, handled.select("event_id")]).unique()
        systems = self._writer.rows("core.event", ["system_id"], keys=changed)["system_id"]
        # counted from the newest event, not from a clock: a rebuild leaves the same
        self._writer.change(OUTLIVED, {"days": self._days_kept, "kept": KEPT_FOR_EVER})
        return systems.fill_null("").unique().sort().to_list()

    def _repetitions(self, new: pl.DataFrame) -> pl.DataFrame:
        """The new events that repeat one before them, and those that one of them comes before."""
        values = {
            "within": REPEATED_WITHIN,
            "first": min(self._received),
            "last": max(self._received),
            "created_from": min(self._created, default=None),
            "created_to": max(self._created, default=None),
        }
        return self._writer.read(DUPLICATES, values, new=new)

    def _put(self) -> None:
        """The new events into the table; a delivery may have been landed twice, its events handled in between."""
        if not self._rows:
            return
        rows = pl.DataFrame(self._rows, schema=EVENT_SCHEMA).unique("event_id", keep="first", maintain_order=True)
        known = self._writer.rows("core.event", ["event_id"], keys=rows.select("event_id"))
        rows = rows.join(known, on="event_id", how="anti", maintain_order="left")
        self._writer.append("core.event", rows)
        self._new += rows["event_id"].to_list()
        for column, bounds in ((rows["received_at_utc"], self._received), (rows["created_at_utc"], self._created)):
            bounds += [each for each in (column.min(), column.max()) if isinstance(each, datetime)]
        self._rows = []


def announced(warehouse: Reader, since: datetime) -> dict[str, datetime]:
    """System → when the newest event came that asks for a look at its days, of those received since that instant."""
    names = pl.DataFrame({"name": [EventName.UPDATED, EventName.DELETED, EventName.INVALIDATED]})
    return dict(warehouse.read(ANNOUNCED, {"since": since}, waits_for_look=names).iter_rows())


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
