"""Landing: the append-only raw store. Exact bytes once per content, one receipt for every look, changed or not.

A segment is one Parquet file that holds receipts together with the bodies that are new in it. It is written under a
temporary name, flushed to disk and renamed, so a segment is whole or absent, whatever dies when. Any number of
processes may write at once: names never collide and nothing is ever changed. Ids are values in columns, never parts of
a path. Landing knows nothing of the warehouse and does not parse what it keeps.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl

from hem_etl.answer import Answer
from hem_etl.errors import LandingError
from hem_etl.local_day import naive_utc

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Body bytes held in memory before a segment is written."""
SEGMENT_RECEIPTS: Final = 5_000
SEGMENT_SECONDS: Final = 30.0
"""A killed run loses at most what it fetched in this time."""
ROWS_PER_GROUP: Final = 100
STALE_TEMPORARY_SECONDS: Final = 86_400

RECEIPT_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String(),
        "system_id": pl.String(),
        "interval": pl.String(),
        "page": pl.Int32(),
        "user_id": pl.String(),
        "fetched_at_utc": pl.Datetime("us"),
        "duration_ms": pl.Int64(),
        "attempts": pl.Int32(),
        "http_status": pl.Int32(),
        "outcome": pl.String(),
        "detail": pl.String(),
        "body_sha256": pl.String(),
        "is_body_here": pl.Boolean(),
    }
)
"""One row per look, in the order they were landed; `is_body_here`: this segment is the one that keeps the bytes."""
SEGMENT_SCHEMA: Final = pl.Schema({**RECEIPT_SCHEMA, "body": pl.Binary()})


class Landing:
    """The store in one folder. Reading needs no lock: segments never change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def segments(self) -> list[str]:
        """Names of all segments, oldest first (a name begins with the instant of its first answer)."""
        return sorted(path.name for path in self.folder.glob("*.parquet"))

    def read_receipts(self, segments: Iterable[str]) -> pl.DataFrame:
        """Receipts of the named segments: RECEIPT_SCHEMA + `segment`, ordered by time.

        Raises LandingError for a damaged or missing segment.
        """
        return self._collect(segments, pl.lit(True))

    def read_receipts_of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """All receipts ever landed of the (system_id, interval) pairs in `keys`, ordered by time."""
        wanted = keys.select("system_id", "interval").unique()
        likely = pl.col("interval").is_in(wanted["interval"].unique().to_list())
        found = self._collect(self.segments(), likely)
        return found.join(wanted, on=["system_id", "interval"], how="semi", maintain_order="left")

    def read_receipts_of_kind(self, kind: str, segments: Iterable[str]) -> pl.DataFrame:
        """The receipts of one kind in the named segments, ordered by time."""
        return self._collect(segments, pl.col("kind") == kind)

    def read_bodies(self, hashes: Collection[str], *, likely: Iterable[str] = ()) -> dict[str, bytes]:
        """Content hash → exact bytes, checked against the hash. Looks in the `likely` segments first, then in all.

        Raises LandingError where a body is missing or damaged.
        """
        found = self._bodies_in(likely, set(hashes))
        if missing := set(hashes) - found.keys():
            found |= self._bodies_in(self.segments(), missing)
        for name in hashes:
            if name not in found:
                raise LandingError(f"landing {self.folder} lacks a body ({name[:12]}…): restore it from a backup.")
            if hashlib.sha256(found[name]).hexdigest() != name:
                raise LandingError(f"a body in {self.folder} is damaged ({name[:12]}…): restore it from a backup.")
        return found

    def find_bodies(self, hashes: Collection[str]) -> dict[str, tuple[str, bool]]:
        """Content hash → (the segment that keeps the bytes, whether they still give the hash), where they are kept."""
        segments = self.segments()
        if not segments or not hashes:
            return {}
        wanted = pl.col("is_body_here") & pl.col("body_sha256").is_in(list(hashes))
        rows = self._run(self._scan(segments).filter(wanted).select("body_sha256", "segment", "body"))
        return {name: (segment, hashlib.sha256(body).hexdigest() == name) for name, segment, body in rows.iter_rows()}

    def _bodies_in(self, segments: Iterable[str], hashes: set[str]) -> dict[str, bytes]:
        names = list(segments)
        if not names or not hashes:
            return {}
        wanted = pl.col("is_body_here") & pl.col("body_sha256").is_in(list(hashes))
        return dict(self._run(self._scan(names).filter(wanted).select("body_sha256", "body")).iter_rows())

    def known_hashes(self, labels: Collection[str | None]) -> set[str]:
        """Hashes of the bodies kept for these intervals (None: lists and system states)."""
        segments = self.segments()
        if not segments:
            return set()
        of_labels = pl.col("interval").is_in([label for label in labels if label is not None])
        if None in labels:
            of_labels |= pl.col("interval").is_null()
        rows = self._scan(segments).filter(pl.col("is_body_here") & of_labels).select("body_sha256")
        return set(self._run(rows)["body_sha256"].to_list())

    def writer(
        self, known_hashes: Collection[str] = (), *, monotonic: Callable[[], float] = time.monotonic
    ) -> "SegmentWriter":
        """A writer that leaves out the bytes of bodies already kept. Use it as a context manager, from one thread."""
        return SegmentWriter(self.folder, set(known_hashes), monotonic)

    def _collect(self, segments: Iterable[str], where: pl.Expr) -> pl.DataFrame:
        names = list(segments)
        if not names:
            return pl.DataFrame(schema={**RECEIPT_SCHEMA, "segment": pl.String()})
        rows = self._scan(names).filter(where).select(*RECEIPT_SCHEMA.names(), "segment")
        return self._run(rows).sort("fetched_at_utc", "segment", maintain_order=True)

    def _scan(self, names: Iterable[str]) -> pl.LazyFrame:
        paths = [self.folder / name for name in names]
        name = pl.col("segment").str.split("/").list.last()
        return pl.scan_parquet(paths, schema=SEGMENT_SCHEMA, include_file_paths="segment", glob=False).with_columns(
            name
        )

    def _run(self, rows: pl.LazyFrame) -> pl.DataFrame:
        try:
            return rows.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LandingError(
                f"a segment in {self.folder} cannot be read ({_one_line(error)}). Restore it from a backup, or move it "
                "away: its intervals are then asked again with --refresh."
            ) from error


class SegmentWriter:
    """Collects answers and writes them as segments by size and age. Not thread-safe: one thread lands."""

    def __init__(self, folder: Path, known_hashes: set[str], monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._known = known_hashes
        self._monotonic = monotonic
        self._rows: list[dict[str, object]] = []
        self._bytes = 0
        self._oldest = 0.0
        self.segments: list[str] = []
        """Names of the segments written so far."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._remove_stale_temporaries()
        except OSError as error:
            raise LandingError(
                f"cannot use {folder} ({error.strerror}): correct HEM_ETL_HOME or its access."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, answer: Answer) -> None:
        """Keep one answer; writes a segment when enough has come together."""
        if not self._rows:
            self._oldest = self._monotonic()
        name = None if answer.body is None else hashlib.sha256(answer.body).hexdigest()
        is_new = name is not None and name not in self._known
        if name is not None and is_new:
            self._known.add(name)
            self._bytes += len(answer.body or b"")
        self._rows.append(
            {
                "kind": answer.kind,
                "system_id": answer.system_id,
                "interval": answer.interval,
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
        """Write what waits. Raises LandingError when the disk refuses; what waits is then kept for another try."""
        if not self._rows:
            return
        frame = pl.DataFrame(self._rows, schema=SEGMENT_SCHEMA)
        first = frame["fetched_at_utc"].sort().dt.strftime("%Y%m%dT%H%M%S%6fZ")[0]
        name = f"{first}-{secrets.token_hex(4)}.parquet"
        temporary = self._folder / f".{name}.tmp"
        try:
            with temporary.open("xb") as file:
                frame.write_parquet(file, compression="zstd", row_group_size=ROWS_PER_GROUP)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._folder / name)
            _sync_folder(self._folder)
        except (OSError, pl.exceptions.PolarsError) as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise LandingError(f"cannot write to {self._folder} ({_one_line(error)}): make room, run again.") from error
        self.segments.append(name)
        self._rows, self._bytes = [], 0

    def _remove_stale_temporaries(self) -> None:
        """What a killed process left half written; a living writer's temporary is seconds old."""
        for path in self._folder.glob(".*.parquet.tmp"):
            if time.time() - path.stat().st_mtime > STALE_TEMPORARY_SECONDS:
                path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
