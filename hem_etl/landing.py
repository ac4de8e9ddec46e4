"""Landing: the append-only raw store. Exact bytes once per content, one receipt for every look, changed or not.

A segment is one Parquet file that holds receipts together with the bodies that are new in it. It is written under a
temporary name, flushed to disk and renamed, so a segment is whole or absent, whatever dies when. Any number of
processes may write at once: names never collide and nothing is ever changed. Ids are values in columns, never parts of
a path. Landing knows nothing of the warehouse and does not parse what it keeps.

It is the users' only backup, so segments of every format ever written are read (`FORMAT`), what a newer version wrote
is refused whole, and nothing in between is guessed.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import polars as pl

from hem_etl import __version__
from hem_etl.answer import Answer, Key, Kind, Receipt
from hem_etl.errors import LandingError, disk_trouble
from hem_etl.local_day import Interval, naive_utc
from hem_etl.settings import Settings
from hem_etl.vocabulary import Outcome

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Body bytes held in memory before a segment is written."""
SEGMENT_RECEIPTS: Final = 5_000
SEGMENT_SECONDS: Final = 30.0
"""A killed run loses at most what it fetched in this time."""
ROWS_PER_GROUP: Final = 100
STALE_TEMPORARY_SECONDS: Final = 86_400
DISTRUSTED: Final = ".distrusted"
"""Ends the name of a mark beside a segment."""

FORMAT: Final = 2
"""The format of the segments written here. A column or a kind that is added makes a new one.

    1  as RECEIPT_SCHEMA and `body` alone; written until 0.1.0
    2  + `format`, `written_by`; the kind `locations`
"""

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
SEGMENT_SCHEMA: Final = pl.Schema(
    {**RECEIPT_SCHEMA, "body": pl.Binary(), "format": pl.Int16(), "written_by": pl.String()}
)
"""A column that an older format lacks is NULL. `written_by`: the version of hem_etl that did."""
_RECEIPT_COLUMNS: Final = [name for name in RECEIPT_SCHEMA if name != "is_body_here"]
"""In the order of `Receipt`'s fields, after the segment's name."""

_MARKS: Final = ["kind", "format", "written_by"]
"""What tells whether a row may be read here."""


def open_landing(settings: Settings) -> "Landing":
    """The store that the settings describe; its folder is made by the first segment."""
    return Landing(settings.landing)


class Landing:
    """The store in one folder. Reading needs no lock: segments never change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def segments(self) -> list[str]:
        """Names of all segments, oldest first (a name begins with the instant of its first answer)."""
        return sorted(path.name for path in self.folder.glob("*.parquet"))

    def read_receipts(self, segments: Iterable[str], *kinds: Kind) -> list[Receipt]:
        """Receipts of the named segments (all, or of these kinds), ordered by time.

        Raises LandingError for a damaged or missing segment.
        """
        return self._receipts(segments, pl.col("kind").is_in(kinds) if kinds else pl.lit(True))

    def read_receipts_of(self, keys: Collection[Key]) -> list[Receipt]:
        """All receipts ever landed of these systems' intervals, ordered by time."""
        labels = {interval.label for _, interval in keys}
        wanted = set(keys)
        found = self._receipts(self.segments(), pl.col("interval").is_in(list(labels)))
        return [receipt for receipt in found if receipt.key in wanted]

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
        kept = self._kept(self.segments(), pl.col("body_sha256").is_in(list(hashes)), "body_sha256", "segment", "body")
        return {name: (segment, hashlib.sha256(body).hexdigest() == name) for name, segment, body in kept.iter_rows()}

    def _bodies_in(self, segments: Iterable[str], hashes: set[str]) -> dict[str, bytes]:
        kept = self._kept(segments, pl.col("body_sha256").is_in(list(hashes)), "body_sha256", "body")
        return dict(kept.iter_rows())

    def known_hashes(self, intervals: Collection[Interval | None]) -> set[str]:
        """Hashes of the bodies kept for these intervals (None: lists and system states)."""
        of_intervals = pl.col("interval").is_in([interval.label for interval in intervals if interval is not None])
        if None in intervals:
            of_intervals |= pl.col("interval").is_null()
        return set(self._kept(self.segments(), of_intervals, "body_sha256")["body_sha256"])

    def writer(
        self, known_hashes: Collection[str] = (), *, monotonic: Callable[[], float] = time.monotonic
    ) -> "SegmentWriter":
        """A writer that leaves out the bytes of bodies already kept. Use it as a context manager, from one thread."""
        return SegmentWriter(self.folder, set(known_hashes), monotonic)

    def distrust(self, segment: str, after: datetime) -> None:
        """Never again give out the segment's looks from after that instant (naive UTC): a clock had run ahead.

        The bytes stay, and may be those of honest receipts elsewhere.
        """
        mark = self.folder / f"{segment}{DISTRUSTED}"
        temporary = mark.with_name(f".{mark.name}.tmp")
        try:
            temporary.write_text(after.isoformat(), encoding="utf-8")
            temporary.replace(mark)
            _sync_folder(self.folder)
        except OSError as error:
            raise LandingError(f"cannot write to {self.folder} ({disk_trouble(error, 'HEM_ETL_HOME')}).") from error

    def distrusted(self) -> dict[str, datetime]:
        """Segment → the instant after which its receipts are not believed."""
        marks = sorted(self.folder.glob(f"*{DISTRUSTED}"))
        return {
            mark.name.removesuffix(DISTRUSTED): datetime.fromisoformat(mark.read_text(encoding="utf-8"))
            for mark in marks
        }

    def _receipts(self, segments: Iterable[str], where: pl.Expr) -> list[Receipt]:
        rows = self._read(segments, where, "segment", *_RECEIPT_COLUMNS)
        for segment, after in self.distrusted().items():
            believed = (pl.col("fetched_at_utc") <= after) | (pl.col("kind") == Kind.OVERRIDES)
            rows = rows.filter((pl.col("segment") != segment) | believed)
        ordered = rows.sort("fetched_at_utc", "segment", maintain_order=True)
        return [self._receipt(*row) for row in ordered.iter_rows()]

    def _receipt(self, segment: str, kind: str, system_id: str, label: str | None, *facts: Any) -> Receipt:
        page, user_id, fetched_at_utc, duration_ms, attempts, http_status, outcome, detail, body_sha256 = facts
        try:
            interval = None if label is None else _interval(label)
            result = None if outcome is None else Outcome(outcome)
        except ValueError as error:
            raise self._damaged(segment, f"it holds a receipt that nothing here has written: {error}") from error
        looked = (page, user_id, fetched_at_utc, duration_ms, attempts, http_status)
        return Receipt(segment, Kind(kind), system_id, interval, *looked, result, detail, body_sha256)

    def _kept(self, segments: Iterable[str], where: pl.Expr, *columns: str) -> pl.DataFrame:
        """Columns of the receipts that keep the bytes of their bodies."""
        return self._read(segments, pl.col("is_body_here") & where, *columns)

    def _read(self, segments: Iterable[str], where: pl.Expr, *columns: str) -> pl.DataFrame:
        """Columns of what the named segments hold, as SEGMENT_SCHEMA and `segment`, the name of each row's file."""
        names = list(segments)
        if not names:
            return pl.DataFrame(schema={**SEGMENT_SCHEMA, "segment": pl.String()}).select(columns)
        scanned = pl.scan_parquet(
            [self.folder / name for name in names],
            schema=SEGMENT_SCHEMA,
            include_file_paths="segment",
            glob=False,
            missing_columns="insert",
            extra_columns="ignore",  # a newer format's: refused below
        )
        rows = (
            scanned.filter(where)
            .select({*columns, *_MARKS, "segment"})
            .with_columns(pl.col("segment").str.split("/").list.last())
        )
        try:
            read = rows.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            for name in names:
                self._refuse_foreign(self._marks(name))
            raise self._damaged("a segment", _one_line(error)) from error
        self._refuse_foreign(read)
        return read.select(columns)

    def _marks(self, segment: str) -> pl.DataFrame:
        """Of one segment alone what `_refuse_foreign` looks at; no rows where not even that can be read."""
        try:
            return pl.read_parquet(self.folder / segment, columns=_MARKS).with_columns(segment=pl.lit(segment))
        except (pl.exceptions.PolarsError, OSError):
            return pl.DataFrame(schema={**SEGMENT_SCHEMA, "segment": pl.String()})

    def _refuse_foreign(self, rows: pl.DataFrame) -> None:
        """Raises LandingError where a newer format, or a kind that this version does not know, is among the rows."""
        is_newer = (pl.col("format") > FORMAT).fill_null(False)  # the first format does not name itself
        is_known = pl.col("kind").is_in(list(Kind)).fill_null(False)
        foreign = rows.filter(is_newer | ~is_known).select("segment", "kind", "written_by", newer=is_newer).head(1)
        for segment, kind, written_by, newer in foreign.iter_rows():
            if kind is None and not newer:
                raise self._damaged(segment, "it holds a row that is no receipt")
            what = "is of a newer format" if newer else f"holds a receipt of kind {kind!r}"
            writer = f"hem_etl {written_by} or newer" if written_by else "the version of hem_etl that landed it"
            raise LandingError(
                f"{segment} in {self.folder} {what}, which hem_etl {__version__} cannot read: install {writer} and run "
                "again. Nothing of it was loaded, and nothing is lost."
            )

    def _damaged(self, what: str, why: str) -> LandingError:
        return LandingError(
            f"{what} in {self.folder} cannot be read ({why}). Restore it from a backup, or move it away: its "
            "intervals are then asked again with --refresh."
        )


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
            raise LandingError(f"cannot use {folder} ({disk_trouble(error, 'HEM_ETL_HOME')}).") from error

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
            why = disk_trouble(error, "HEM_ETL_HOME") if isinstance(error, OSError) else _one_line(error)
            raise LandingError(f"cannot write to {self._folder} ({why}), then run again.") from error
        self.segments.append(name)
        self._rows, self._bytes = [], 0

    def _remove_stale_temporaries(self) -> None:
        """What a killed process left half written; a living writer's temporary is seconds old."""
        for path in self._folder.glob(".*.parquet.tmp"):
            if time.time() - path.stat().st_mtime > STALE_TEMPORARY_SECONDS:
                path.unlink(missing_ok=True)


@lru_cache(maxsize=4_096)
def _interval(label: str) -> Interval:
    return Interval.parse(label)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
