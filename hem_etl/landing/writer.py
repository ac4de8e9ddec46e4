"""Writes segments: answers collected by size and age, whole or absent on disk, whatever dies when."""

import hashlib
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl

from hem_etl import __version__
from hem_etl.answer import Answer, Kind
from hem_etl.disk import sync_folder
from hem_etl.errors import LandingError, disk_trouble
from hem_etl.landing.formats import FORMAT, SEGMENT_SCHEMA
from hem_etl.landing.index import Kept
from hem_etl.landing.places import SUFFIX, TEMPORARY, Place
from hem_etl.local_day import naive_utc

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Body bytes held in memory before a segment is written."""
SEGMENT_RECEIPTS: Final = 5_000
SEGMENT_SECONDS: Final = 30.0
"""A killed run loses at most what it fetched in this time."""
ROWS_PER_GROUP: Final = 100
STALE_TEMPORARY_SECONDS: Final = 86_400


class SegmentWriter:
    """Collects answers and writes them as segments by size and age. Not thread-safe: one thread lands."""

    def __init__(self, place: Place, kept: Kept, monotonic: Callable[[], float]) -> None:
        self._place = place
        self._folder = place.outbox
        self._kept = kept
        self._new: set[str] = set()
        """Hashes of the bodies that this writer keeps."""
        self._monotonic = monotonic
        self._rows: list[dict[str, object]] = []
        self._bytes = 0
        self._oldest = 0.0
        self.segments: list[str] = []
        """Names of the segments written so far."""
        try:
            for folder in place.folders:
                folder.mkdir(parents=True, exist_ok=True)
                _remove_stale_temporaries(folder)
        except OSError as error:
            raise LandingError(f"cannot use {self._folder} ({self._trouble(error)}).") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            self._kept.close()

    def add(self, answer: Answer) -> None:
        """Keep one answer; writes a segment when enough has come together."""
        if not self._rows:
            self._oldest = self._monotonic()
        name = None if answer.body is None else hashlib.sha256(answer.body).hexdigest()
        is_new = name is not None and name not in self._new and name not in self._kept
        if name is not None and is_new:
            self._new.add(name)
            self._bytes += len(answer.body or b"")
        self._rows.append(
            {
                "kind": Kind(answer.kind),
                "system_id": answer.system_id,
                "interval": None if answer.interval is None else answer.interval.label,
                "page": answer.page,
                "user_id": answer.user_id,
                "fetched_at_utc": naive_utc(answer.fetched_at),
                "duration_ms": answer.duration_ms,
                "attempts": answer.attempts,
                "http_status": answer.http_status,
                "outcome": answer.outcome,
                "detail": answer.detail,
                "body_sha256": name,
                "is_body_here": is_new,
                "body": answer.body if is_new else None,
                "format": FORMAT,
                "written_by": __version__,
            }
        )
        if self._bytes >= SEGMENT_BYTES or len(self._rows) >= SEGMENT_RECEIPTS:
            self.flush()
        else:
            self.flush_if_old()

    def flush_if_old(self) -> None:
        """Write what waits if its oldest answer has waited long enough; call it while no answers come."""
        if self._rows and self._monotonic() - self._oldest >= SEGMENT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits and send it to its place.

        Raises LandingError where the disk refuses; what waits is then kept for another try. Where the place is out of
        reach, too; what waits is then on the disk, and the next run sends it.
        """
        if not self._rows:
            return
        frame = pl.DataFrame(self._rows, schema=SEGMENT_SCHEMA)
        first = frame["fetched_at_utc"].sort().dt.strftime("%Y%m%dT%H%M%S%6fZ")[0]
        name = f"{first}-{secrets.token_hex(4)}{SUFFIX}"
        temporary = self._folder / f".{name}{TEMPORARY}"
        try:
            with temporary.open("xb") as file:
                frame.write_parquet(file, compression="zstd", row_group_size=ROWS_PER_GROUP)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._folder / name)
            sync_folder(self._folder)
        except (OSError, pl.exceptions.PolarsError) as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            why = self._trouble(error) if isinstance(error, OSError) else one_line(error)
            raise LandingError(f"cannot write to {self._folder} ({why}), then run again.") from error
        self._rows, self._bytes = [], 0
        self._place.send()
        self.segments.append(name)

    def _trouble(self, error: OSError) -> str:
        return disk_trouble(error, self._place.folders[self._folder])


def _remove_stale_temporaries(folder: Path) -> None:
    """What a killed process left half written; a living writer's temporary is seconds old."""
    for name in os.listdir(folder):
        if name[0] == "." and name.endswith(TEMPORARY):
            path = folder / name
            if _age_seconds(path) > STALE_TEMPORARY_SECONDS:
                path.unlink(missing_ok=True)


def _age_seconds(path: Path) -> float:
    """0 for one that its writer has just put in its place."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def one_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
