"""When to ask again: the arithmetic of waits, and the loop that keeps to it. What a failure means is not known here."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hem_etl.enode.clocks import read_http_date
from hem_etl.enode.gate import Gate
from hem_etl.enode.problems import RETRYABLE_STATUSES
from hem_etl.enode.transfer import NoAnswerError, Received

log = logging.getLogger(__name__)

LEAST_TRIES: Final = 5
MOST_TRIES: Final = 8
FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 60.0
LOGGED_WAIT_SECONDS: Final = 10.0
"""Longer waits are part of a run's story."""


OnWait = Callable[[str, float, object], None]
"""What is asked, the seconds until it is tried again, and why it is."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What all tries of one request ended with: the last answer, or why there is none."""

    received: Received | None
    failure: NoAnswerError | None
    asked_to_wait_seconds: float | None
    """The server's last `Retry-After`, where that try failed."""


def send_until_answered(
    attempt: Callable[[], Received],
    *,
    what: str,
    gate: Gate,
    clock: Callable[[], datetime],
    random: Callable[[], float],
    budget_seconds: float,
    most_tries: int | None = MOST_TRIES,
    on_retry_after: Callable[[float], None] | None = None,
    on_wait: OnWait | None = None,
) -> Effort:
    """Repeats `attempt` while its failure can pass by itself, waiting as `retry` says. Holds no slot while it waits.

    `what` names the request in the log; `on_retry_after` hears the seconds of each `Retry-After` on a failure,
    `on_wait` of each wait.
    """
    started = gate.monotonic()
    tries = 0
    while True:
        tries += 1
        received, failure, asked = None, None, None
        try:
            received = attempt()
        except NoAnswerError as error:
            failure = error
        if received is not None:
            if received.status not in RETRYABLE_STATUSES:
                return Effort(received, None, None)
            asked = retry_after_seconds(received.retry_after, clock())
        if asked is not None and on_retry_after is not None:
            on_retry_after(asked)
        wait = wait_before_next(
            tries,
            gate.monotonic() - started,
            retry_after_seconds=asked,
            budget_seconds=budget_seconds,
            jitter=random(),
            most_tries=most_tries,
        )
        if wait is None:
            return Effort(received, failure, asked)
        why = received.status if received is not None else failure.kind if failure is not None else None
        level = logging.INFO if wait >= LOGGED_WAIT_SECONDS else logging.DEBUG
        log.log(level, "%s tries=%d wait_seconds=%.1f because=%s", what, tries, wait, why)
        if on_wait is not None:
            on_wait(what, wait, why)
        gate.pause(wait)


def wait_before_next(
    tries: int,
    elapsed_seconds: float,
    *,
    retry_after_seconds: float | None,
    budget_seconds: float,
    jitter: float,
    most_tries: int | None = MOST_TRIES,
) -> float | None:
    """Seconds to wait after the `tries`-th failed try, None to give up.

    0.5 s doubled with each try, times 0.5–1.5 by `jitter` in [0, 1), 60 s at most, and never less than the server asked
    for. Given up is after `most_tries`, and after five once the next wait would end past the budget. A server that
    asks for more than the whole budget is not asked again: holding a worker that long helps nobody.
    """
    if retry_after_seconds is not None and retry_after_seconds > budget_seconds:
        return None
    if most_tries is not None and tries >= most_tries:
        return None
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 10) * (0.5 + jitter))
    wait = max(wait, retry_after_seconds or 0.0)
    return None if tries >= LEAST_TRIES and elapsed_seconds + wait > budget_seconds else wait


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, as seconds or as an HTTP date; None where it is absent or unreadable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return _seconds_until(header, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(header: str, now: datetime) -> float | None:
    then = read_http_date(header)
    return None if then is None else max(0.0, (then - now).total_seconds())
