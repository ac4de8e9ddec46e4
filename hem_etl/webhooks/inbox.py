"""The inbox: deliveries on disk, between their receipt and landing. Exact bytes, whatever they are.

Each receiver appends to files of its own, so any number run beside each other. A file is a row of frames (lengths,
head, body, checksum of all three); what a death in the middle of a write leaves is a frame whose checksum does not
hold, and reading ends before it. A receiver never appends to a file of another, so nothing follows a torn frame.

`RECEIVER-NUMBER.frames` are a receiver's files; its lock `RECEIVER.lock` tells that it lives. What was taken over into
landing is noted beside the file (`.taken`); a file that was taken whole and will not grow is removed.
"""

import hashlib
import json
import os
import queue
import secrets
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from hem_etl.disk import sync_folder, write_whole
from hem_etl.errors import HemEtlError, disk_trouble
from hem_etl.locks import FileLock, Patience
from hem_etl.settings import Settings

FILE_BYTES: Final = 16 * 1024 * 1024
"""A receiver begins a new file at this size, so that what is landed can be removed."""
WAITING_BYTES: Final = 64 * 1024 * 1024
"""More than this is not held in memory while the disk is slow: the sender keeps it."""
LOCK_SECONDS: Final = 5.0

_MAGIC: Final = b"HEMI"
_LENGTHS: Final = struct.Struct(">4sII")
_CHECKSUM_BYTES: Final = hashlib.sha256().digest_size


class FullError(Exception):
    """Too much waits for the disk."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST that was rightly signed."""

    body: bytes
    received_at: datetime
    delivery_id: str | None = None
    """As the sender names it; it is not signed, so it identifies nothing."""
    headers: dict[str, str] = field(default_factory=dict)
    """Those that tell how to read the body. Never the signature."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery as it lies in the inbox. `position` (file and offset) is the same whenever it is read."""

    position: str
    delivery: Delivery
    end: int


class InboxWriter:
    """Keeps deliveries, from one thread of its own: those that come together share one fsync. A context manager."""

    def __init__(self, folder: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._folder = folder
        self._sync = sync
        self._receiver = secrets.token_hex(8)
        self._files = 0
        self._file: BinaryIO | None = None
        self._size = 0
        self._waiting = queue.SimpleQueue[tuple[bytes, Future[None]] | None]()
        self._waiting_bytes = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)
        self._lock = ExitStack()
        self.syncs = 0

    def __enter__(self) -> Self:
        lock = FileLock(self._folder / f"{self._receiver}.lock", "a receiver's lock", Patience(LOCK_SECONDS))
        self._lock.enter_context(lock.hold())
        try:
            self._next_file()
        except OSError as error:
            self._lock.close()
            raise HemEtlError(f"cannot write in {self._folder} ({disk_trouble(error, 'HEM_ETL_HOME')}).") from error
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What waits is kept first."""
        self._waiting.put(None)
        self._thread.join()
        self._close_file()
        self._lock.close()

    @property
    def waiting_bytes(self) -> int:
        return self._waiting_bytes

    def keep(self, delivery: Delivery) -> Future[None]:
        """Done when the bytes are on disk; fails with OSError where the disk refuses. FullError: too much waits."""
        frame = _frame(delivery)
        with self._counting:
            if self._waiting_bytes + len(frame) > WAITING_BYTES:
                raise FullError
            self._waiting_bytes += len(frame)
        future = Future[None]()
        future.set_running_or_notify_cancel()  # whoever stops waiting must not stop the thread that keeps it
        self._waiting.put((frame, future))
        return future

    def _work(self) -> None:
        is_open = True
        while is_open:
            batch = [self._waiting.get()]
            with suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            is_open = None not in batch
            together = [item for item in batch if item is not None]
            if not together:
                continue
            try:
                self._append(b"".join(frame for frame, _ in together))
                failure = None
            except Exception as error:  # somebody waits for each of them, whatever went wrong
                failure = error
            with self._counting:
                self._waiting_bytes -= sum(len(frame) for frame, _ in together)
            for _, future in together:
                future.set_exception(failure) if failure else future.set_result(None)

    def _append(self, frames: bytes) -> None:
        """Whole on disk, or OSError and as if it had not been tried."""
        if self._file is None or self._size >= FILE_BYTES:
            self._next_file()
        file = self._file
        assert file is not None
        try:
            left = memoryview(frames)
            while left:
                left = left[file.write(left) :]
            self._sync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(self._size)
            self._leave_file()  # after a failed fsync nothing is known of the file's pages: never append to it again
            raise
        self.syncs += 1
        self._size += len(frames)

    def _next_file(self) -> None:
        self._close_file()
        path = self._folder / f"{self._receiver}-{self._files:08d}.frames"
        self._file = path.open("xb", buffering=0)
        self._files += 1
        self._size = 0
        try:
            sync_folder(self._folder)
        except OSError:
            self._leave_file()  # a file whose name may not be on disk keeps nothing
            raise

    def _leave_file(self) -> None:
        """Another one next time; an empty one goes, or a full disk would leave one for each try."""
        file = self._file
        self._close_file()
        if file is not None and self._size == 0:
            with suppress(OSError):
                Path(file.name).unlink()

    def _close_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


class Inbox:
    """What the receivers kept and nobody took over yet. Taking is for one process at a time (`taking`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taking = FileLock(folder / "taking.lock", "the inbox", Patience(60.0))

    def files(self) -> list[str]:
        """Names of the files that hold deliveries, each receiver's in the order it wrote them."""
        return sorted(path.name for path in self.folder.glob("*.frames"))

    def backlog_bytes(self) -> int:
        """What is not taken over yet."""
        return sum(self._size(name) - self._taken(name) for name in self.files())

    def untaken(self) -> Iterator[Kept]:
        """Every whole delivery that was not taken over, file by file."""
        for name in self.files():
            with suppress(FileNotFoundError):
                yield from read_frames(self.folder / name, self._taken(name))

    def take(self, ends: dict[str, int]) -> None:
        """Note that these files are in landing up to these offsets; remove those that are taken whole and finished."""
        for name, end in ends.items():
            write_whole(self.folder / f"{name}.taken", str(end))
        finished = self._finished()
        for name in finished:
            path = self.folder / name
            if next(read_frames(path, self._taken(name)), None) is None:
                path.unlink(missing_ok=True)
                path.with_name(f"{name}.taken").unlink(missing_ok=True)
        left = {_receiver(name) for name in self.files()}
        for lock in self.folder.glob("*.lock"):
            if lock != self.taking.path and lock.stem not in left and FileLock(lock, "").holder() is None:
                lock.unlink(missing_ok=True)

    def _finished(self) -> list[str]:
        """Files that nobody appends to any more: all but the last of each receiver that lives."""
        names = self.files()
        newest = {_receiver(name): name for name in names}
        living = {
            receiver for receiver in newest if FileLock(self.folder / f"{receiver}.lock", "").holder() is not None
        }
        return [name for name in names if name != newest[_receiver(name)] or _receiver(name) not in living]

    def _taken(self, name: str) -> int:
        try:
            return int((self.folder / f"{name}.taken").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0  # taken twice is harmless: a position is loaded once

    def _size(self, name: str) -> int:
        with suppress(FileNotFoundError):
            return (self.folder / name).stat().st_size
        return 0


def open_inbox(settings: Settings) -> Inbox:
    """The inbox that the settings describe; its folder is made by the first receiver."""
    return Inbox(settings.inbox)


def read_frames(path: Path, start: int = 0) -> Iterator[Kept]:
    """The whole deliveries of one file, from an offset; ends before one that is torn or not yet written to its end."""
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        while True:
            lengths = file.read(_LENGTHS.size)
            if len(lengths) < _LENGTHS.size:
                return
            magic, head_bytes, body_bytes = _LENGTHS.unpack(lengths)
            if magic != _MAGIC:
                return
            content = file.read(head_bytes + body_bytes)
            if file.read(_CHECKSUM_BYTES) != hashlib.sha256(lengths + content).digest():
                return
            end = offset + _LENGTHS.size + head_bytes + body_bytes + _CHECKSUM_BYTES
            head: dict[str, Any] = json.loads(content[:head_bytes])
            delivery = Delivery(
                content[head_bytes:],
                datetime.fromisoformat(head["received_at"]).astimezone(UTC),
                head["delivery_id"],
                head["headers"],
            )
            yield Kept(f"{path.stem}/{offset}", delivery, end)
            offset = end


def _receiver(name: str) -> str:
    return name.rpartition("-")[0]


def _frame(delivery: Delivery) -> bytes:
    facts = {
        "received_at": delivery.received_at.isoformat(),
        "delivery_id": delivery.delivery_id,
        "headers": delivery.headers,
    }
    head = json.dumps(facts).encode()
    content = _LENGTHS.pack(_MAGIC, len(head), len(delivery.body)) + head + delivery.body
    return content + hashlib.sha256(content).digest()
