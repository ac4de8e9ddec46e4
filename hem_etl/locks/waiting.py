"""How one waits for a lock, whoever keeps it: tries again, says so soon and then seldom, gives up in the end."""

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


@dataclass(frozen=True, slots=True)
class Patience:
    """For so long; by default one try."""

    wait_seconds: float = 0.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for(self, what: str, take: Callable[[], bool], noted: Callable[[], str]) -> None:
        """Until `take` succeeds; BusyError, with what its holder has `noted`, when it does not in time."""
        started = self.monotonic()
        told_after = TOLD_AFTER_SECONDS
        while not take():
            waited = self.monotonic() - started
            if waited >= self.wait_seconds:
                raise BusyError(noted(), waited)
            if waited >= told_after:
                holder = noted() or SOMEBODY
                LOG.warning("waiting for %s held_by=%r seconds=%.0f of=%.0f", what, holder, waited, self.wait_seconds)
                told_after += TOLD_EVERY_SECONDS
            self.sleep(POLL_SECONDS)
