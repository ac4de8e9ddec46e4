"""The limits all requests of a client share: how many at once, how many a second, one at a time per system, and stop.

It counts and waits; it knows nothing of HTTP.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hem_etl.locks import Budget


class Stopped(Exception):
    """The client was told to stop: nothing is asked any more. What was answered before is unaffected."""


class Gate:
    """Thread-safe. Every wait in it ends with Stopped as soon as `stop` is called."""

    def __init__(
        self,
        max_in_flight: int,
        requests_per_second: float = 0,
        *,
        budget: Budget | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """budget: whoever counts requests of other processes too, in place of this gate's own count."""
        self.monotonic = monotonic
        self._reserve = self._reserve_turn if budget is None else budget.reserve
        self.requests_made = 0
        """Requests let through so far, repeated ones and those for tokens included."""
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._changed = threading.Condition()
        self._all_slots = self._free_slots = max_in_flight
        self._seconds_per_request = 1 / requests_per_second if requests_per_second > 0 else 0.0
        self._next_send = monotonic()
        self._busy_systems: set[str] = set()
        self._closed_until: dict[str, float] = {}

    @property
    def is_stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Wakes every waiting thread with Stopped; whoever comes later gets it at once."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Waits, in real time, until no request is in flight; False where some still are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._free_slots == self._all_slots, timeout_seconds)

    def check(self) -> None:
        """Raises Stopped once the gate is stopped."""
        if self._stopping.is_set():
            raise Stopped("the client was stopped")

    def pause(self, seconds: float) -> None:
        """Sleeps; holds nothing that another thread could want but its own system."""
        self.check()
        if seconds > 0:
            self._sleep(seconds)
            self.check()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Leave to send one request, held until its answer is complete. Waits for a free one, then for its turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._free_slots > 0 or self.is_stopped)
            self.check()
            self._free_slots -= 1
        try:
            self.pause(self._reserve())
            with self._changed:
                self.requests_made += 1
            yield
        finally:
            with self._changed:
                self._free_slots += 1
                self._changed.notify_all()

    @contextmanager
    def only_look_at(self, system_id: str) -> Iterator[None]:
        """Waits until no other thread looks at this system, and keeps the others waiting."""
        with self._changed:
            self._changed.wait_for(lambda: system_id not in self._busy_systems or self.is_stopped)
            self.check()
            self._busy_systems.add(system_id)
        try:
            yield
        finally:
            with self._changed:
                self._busy_systems.discard(system_id)
                self._changed.notify_all()

    def close_system(self, system_id: str, seconds: float) -> None:
        """The server wants to be left alone about this system for so long."""
        with self._changed:
            until = self.monotonic() + seconds
            self._closed_until[system_id] = max(until, self._closed_until.get(system_id, until))

    def closed_seconds(self, system_id: str) -> float:
        """How long the system stays closed; 0 where it is open."""
        with self._changed:
            left = self._closed_until.get(system_id, 0.0) - self.monotonic() if self._closed_until else 0.0
            if left <= 0:
                self._closed_until.pop(system_id, None)
            return max(0.0, left)

    def _reserve_turn(self) -> float:
        """Seconds until this request may be sent; turns are `1 / requests_per_second` apart."""
        if not self._seconds_per_request:
            return 0.0
        with self._changed:
            now = self.monotonic()
            turn = max(self._next_send, now)
            self._next_send = turn + self._seconds_per_request
            return turn - now
