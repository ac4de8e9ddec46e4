"""Locks and turns on one machine: the operating system keeps them, on files that hold nothing else."""

import fcntl
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from hem_etl.errors import HemEtlError, disk_trouble
from hem_etl.locks.protocol import Note
from hem_etl.locks.waiting import Patience

TURN_POLL_SECONDS: Final = 0.05


class FileLock:
    """A Lock on a file of this machine."""

    def __init__(self, path: Path, what: str, patience: Patience | None = None) -> None:
        """what: it is called so where somebody waits for it."""
        self.path = path
        self._what = what
        self._patience = patience or Patience()

    @contextmanager
    def hold(self) -> Iterator[Note]:
        """HemEtlError where the file cannot be made."""
        with _opening(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = self.path.open("a+", encoding="utf-8")
        with opened as file:
            self._patience.wait_for(self._what, lambda: _is_taken(file), lambda: _noted(file))

            def note(text: str) -> None:
                file.truncate(0)
                file.write(text)
                file.flush()

            note("")
            yield note

    def holder(self) -> str | None:
        """HemEtlError where the file cannot be read."""
        if not self.path.exists():
            return None
        with _opening(self.path):
            opened = self.path.open(encoding="utf-8")
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _noted(file)
        return None


class FileTurns:
    """Turns on two bytes of one file for each system.

    Enode answers a second request for a system with 429, and whoever asks such a system again and again finds no gap in
    another run's long row of requests: measured, a daily run beside a backfill ended `unreachable`. Within one process
    the client's gate keeps the order; between processes it is these locks.

    Thread-safe as long as the threads of a process look at different systems. Opens its file at the first turn;
    HemEtlError where it cannot.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._opening = threading.Lock()

    @contextmanager
    def of(self, system_id: str, pause: Callable[[float], object]) -> Iterator[None]:
        """Whoever waits holds the place of the next in line, so that the one in front cannot take turn after turn."""
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
        with self._opening:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _take(self, byte: int, pause: Callable[[float], object]) -> None:
        while True:
            file = self._opened()  # not within the try: who may not open it would wait for ever
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except (BlockingIOError, PermissionError):  # POSIX allows either for "held by another process"
                pause(TURN_POLL_SECONDS)
            else:
                return

    def _leave(self, byte: int) -> None:
        with self._opening:
            if self._file is not None:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def _opened(self) -> BinaryIO:
        with self._opening:
            if self._file is None:
                with _opening(self._path):
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = self._path.open("ab")
            return self._file


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """HemEtlError where the disk refuses: another user may have made the file."""
    try:
        yield
    except OSError as error:
        raise HemEtlError(f"cannot open {path} ({disk_trouble(error, 'HEM_ETL_HOME')}).") from error


def _is_taken(file: TextIO) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _noted(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()
