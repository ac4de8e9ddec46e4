"""How one waits for what another holds: tries again, says so soon and then seldom, gives up on a lock in the end."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hem_etl.locks.protocol import SOMEBODY, BusyError

LOG = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
TOLD_AFTER_SECONDS: Final = 3.0
TOLD_EVERY_SECONDS: Final = 300.0


def telling(
    pause: Callable[[float], object], monotonic: Callable[[], float], what: str, after_seconds: float
) -> Callable[[float], None]:
    """`pause`, which says what it waits for once that has taken so long, counted from now."""
    started, reminder = monotonic(), _Reminder(after_seconds)

    def told_pause(seconds: float) -> None:
        pause(seconds)
        waited = monotonic() - started
        if reminder.is_due(waited):
            LOG.warning("waiting for %s seconds=%.0f", what, waited)

    return told_pause


@dataclass(slots=True)
class _Reminder:
    """Of those who wait, when to say so."""

    told_after_seconds: float = TOLD_AFTER_SECONDS

    def is_due(self, waited_seconds: float) -> bool:
        """The first time after so long, and then every few minutes."""
        if waited_seconds < self.told_after_seconds:
            return False
        self.told_after_seconds += TOLD_EVERY_SECONDS
        return True


@dataclass(frozen=True, slots=True)
class Patience:
    """For so long; by default one try."""

    wait_seconds: float = 0.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for(self, what: str, take: Callable[[], bool], noted: Callable[[], str]) -> None:
        """Until `take` succeeds; BusyError, with what its holder has `noted`, when it does not in time."""
        started = self.monotonic()
        reminder = _Reminder()
        while not take():
            waited = self.monotonic() - started
            if waited >= self.wait_seconds:
                raise BusyError(noted(), waited)
            if reminder.is_due(waited):
                holder = noted() or SOMEBODY
                LOG.warning("waiting for %s held_by=%r seconds=%.0f of=%.0f", what, holder, waited, self.wait_seconds)
            self.sleep(POLL_SECONDS)
