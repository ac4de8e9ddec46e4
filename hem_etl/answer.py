"""One look at Enode's API: the facts that travel from the client through landing to the warehouse."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hem_etl.vocabulary import Outcome

STATISTICS_KINDS: Final = ("day", "month")
LIST_KINDS: Final = ("systems", "inverters", "batteries", "meters")
OVERRIDES: Final = "overrides"
"""The operator's file of corrections: landed like an answer, so that everything can be made again from landing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back when we looked, or that nothing did. The body is the exact bytes, unparsed."""

    kind: str
    """`day`, `month`, `system` (one system's state), a list (`systems`, `inverters`,
    `batteries`, `meters`), or `overrides`."""
    system_id: str | None
    interval: str | None
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
