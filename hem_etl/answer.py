"""One look at Enode's API: what came back (`Answer`), and what landing keeps of it (`Receipt`)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hem_etl.local_day import Interval
from hem_etl.vocabulary import Outcome

Key = tuple[str, Interval]
"""A system and one of its intervals: what is asked for, landed and loaded as one."""


class Kind(StrEnum):
    """What a look asked for. Kinds are landed: one that is added needs a new landing format, none is ever renamed."""

    DAY = "day"
    MONTH = "month"
    SYSTEM = "system"
    """One system's state."""
    SYSTEMS = "systems"
    INVERTERS = "inverters"
    BATTERIES = "batteries"
    METERS = "meters"
    LOCATIONS = "locations"
    OVERRIDES = "overrides"
    """The operator's file of corrections: landed like an answer, so that everything can be made again from landing."""
    EVENTS = "events"
    """A delivery of webhook events: what we were sent, not what we asked for."""


STATISTICS_KINDS: Final = (Kind.DAY, Kind.MONTH)
LIST_KINDS: Final = (Kind.SYSTEMS, Kind.INVERTERS, Kind.BATTERIES, Kind.METERS, Kind.LOCATIONS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back when we looked, or that nothing did. The body is the exact bytes, unparsed."""

    kind: Kind
    system_id: str | None
    interval: Interval | None
    page: int
    user_id: str | None
    """The user a list was asked for; None: all users."""
    fetched_at: datetime
    """When the answer was complete (aware, UTC)."""
    duration_ms: int
    attempts: int
    """Requests it took; 0: not asked, the outcome is the system's."""
    http_status: int | None
    outcome: Outcome | None
    """None: 200 or 202 with a body, still to be read; else what the failure means."""
    detail: str | None
    body: bytes | None
    """Bodies of problems too; None when nothing complete came."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A landed look, without its body. Fields as in `Answer`, and in their order as landing keeps them."""

    segment: str
    """Name of the segment that holds it."""
    kind: Kind
    system_id: str | None
    interval: Interval | None
    page: int
    user_id: str | None
    fetched_at_utc: datetime
    """Naive UTC, as in the tables."""
    duration_ms: int
    attempts: int
    http_status: int | None
    outcome: Outcome | None
    detail: str | None
    body_sha256: str | None
    """Content hash of the body; None where none came."""

    @property
    def key(self) -> Key:
        """Of a look at statistics: what it looked at."""
        assert self.system_id is not None
        assert self.interval is not None
        return self.system_id, self.interval
