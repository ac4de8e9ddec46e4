"""What the simulator saw: counts that tests read and nothing in the simulator but `vanished_series` depends on."""

from collections import Counter
from threading import Lock


class Ledger:
    """Thread-safe counts since the start or the last `clear`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        with self._lock:
            self.requests: Counter[tuple[str, int]] = Counter()
            """By (endpoint, status); status 0 is a reset connection."""
            self.statistics: Counter[tuple[str, str]] = Counter()
            """Statistics requests by (system id, interval as it was spelt), whatever came of them."""
            self.answered: Counter[tuple[str, str]] = Counter()
            """Those that got a series body."""
            self.overlaps: Counter[str] = Counter()
            """Statistics requests of a system while another of it was in flight: each got a 429."""
            self.most_in_flight = 0
            """Requests in flight at one moment, at most."""
            self._in_flight: Counter[str] = Counter()
            self._open = 0

    @property
    def total(self) -> int:
        with self._lock:
            return sum(self.requests.values())

    def begin(self, system_id: str | None) -> bool:
        """Notes that a request came in (`system_id`: for statistics of that system); True if it overlaps another."""
        with self._lock:
            self._open += 1
            self.most_in_flight = max(self.most_in_flight, self._open)
            if system_id is None:
                return False
            self._in_flight[system_id] += 1
            is_overlapping = self._in_flight[system_id] > 1
            self.overlaps[system_id] += is_overlapping
            return is_overlapping

    def end(self, system_id: str | None) -> None:
        with self._lock:
            self._open -= 1
            if system_id is not None:
                self._in_flight[system_id] -= 1

    def count(self, endpoint: str, status: int) -> None:
        with self._lock:
            self.requests[endpoint, status] += 1

    def count_statistics(self, system_id: str, label: str) -> None:
        with self._lock:
            self.statistics[system_id, label] += 1

    def count_answer(self, system_id: str, label: str) -> int:
        """Notes a series body; how many there had been before."""
        with self._lock:
            self.answered[system_id, label] += 1
            return self.answered[system_id, label] - 1
