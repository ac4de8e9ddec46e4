"""Turns: one look at a system at a time, over all processes that share a home directory.

Enode answers a second request for a system with 429, and whoever asks such a system again and again finds no gap in
another run's long row of requests: measured, a daily run beside a backfill ended `unreachable`. Within one process the
gate keeps the order; between processes it is these locks, on two bytes of one file for each system. They end with
their process.
"""

import fcntl
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

POLL_SECONDS: Final = 0.05


class Turns:
    """Thread-safe as long as the threads of a process look at different systems. Opens its file at the first turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._opening = threading.Lock()

    @contextmanager
    def of(self, system_id: str, pause: Callable[[float], object]) -> Iterator[None]:
        """Waits, by `pause`, until no other process looks at this system, and keeps the others waiting.

        Whoever waits holds the place of the next in line, so that the one in front cannot take turn after turn.
        """
        digest = hashlib.sha256(system_id.encode(errors="surrogatepass")).digest()
        turn = 2 * int.from_bytes(digest[:6])
        next_in_line = turn + 1
        self._take(next_in_line, pause)
        try:
            self._take(turn, pause)
        finally:
            self._leave(next_in_line)
        try:
            yield
        finally:
            self._leave(turn)

    def close(self) -> None:
        """Leaves every turn."""
        with self._opening:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _take(self, byte: int, pause: Callable[[float], object]) -> None:
        while True:
            try:
                fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):  # POSIX allows either for "held by another process"
                pause(POLL_SECONDS)
            else:
                return

    def _leave(self, byte: int) -> None:
        with self._opening:
            if self._file is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def _opened(self) -> BinaryIO:
        with self._opening:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab")
            return self._file
