"""The store in one place: reads segments, and says which exist and which are believed."""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from hem_etl import __version__
from hem_etl.answer import STATISTICS_KINDS, Key, Kind, Receipt
from hem_etl.errors import LandingError, UsageError
from hem_etl.landing.bucket import open_bucket, waiting
from hem_etl.landing.formats import FORMAT, RECEIPT_SCHEMA, SEGMENT_SCHEMA
from hem_etl.landing.index import MADE_OF, Index
from hem_etl.landing.places import DISTRUSTED, SUFFIX, Folder, Place
from hem_etl.landing.writer import SegmentWriter, one_line
from hem_etl.local_day import Interval
from hem_etl.settings import Settings
from hem_etl.vocabulary import Outcome

SEGMENTS_AT_ONCE: Final = 8
"""Whole in memory while bodies are looked for: 16 MB each."""
_RECEIPT_COLUMNS: Final = [name for name in RECEIPT_SCHEMA if name != "is_body_here"]
"""In the order of `Receipt`'s fields, after the segment's name."""

_MARKS: Final = ["kind", "format", "written_by"]
"""What tells whether a row may be read here."""


def open_landing(settings: Settings) -> "Landing":
    """The store that the settings describe; its folder is made by the first segment."""
    if settings.landing_bucket is None:
        return Landing(Folder(settings.landing, "HEM_ETL_LANDING" if settings.landing_override else "HEM_ETL_HOME"))
    return Landing(open_bucket(settings, settings.landing_bucket, settings.landing, settings.outbox))


def waiting_segments(settings: Settings) -> list[str]:
    """Names of segments on this machine that are in no bucket yet."""
    return waiting(settings.outbox)


def open_place(settings: Settings, name: str) -> Place:
    """Where segments are kept by that name: a folder's path or `s3://BUCKET/PREFIX`, by the settings' keys.

    UsageError for an empty one, as of a variable that a script did not set.
    """
    if not name.strip():
        raise UsageError("an empty name is no place for segments: give the path of a folder, or s3://BUCKET/PREFIX")
    name = name.rstrip("/") or "/"
    configured = open_landing(settings).place
    if name == configured.name:
        return configured
    if "://" not in name:
        return Folder(Path(name))
    own = settings.cache_of(name)
    return open_bucket(settings, name, own, own / "outbox")  # what waits in ours is not for that one


class Landing:
    """The store in one place. Reading needs no lock: segments never change."""

    def __init__(self, place: Place | Path) -> None:
        """place: the path of a folder, too."""
        self.place: Place = Folder(place) if isinstance(place, Path) else place
        self.folder = self.place.folder
        """Where segments are read on this machine, with the index beside them."""
        self._index = Index(self.folder)

    def segments(self) -> list[str]:
        """Names of all segments, oldest first (a name begins with the instant of its first answer)."""
        return sorted(name for name in self.place.listed() if name.endswith(SUFFIX))

    def read_receipts(self, segments: Iterable[str], *kinds: Kind) -> list[Receipt]:
        """Receipts of the named segments (all, or of these kinds), ordered by time.

        Raises LandingError for a damaged or missing segment.
        """
        if not kinds:
            return self._receipts(segments, pl.lit(True))
        if not set(kinds) & set(STATISTICS_KINDS):
            segments = self._index.of_kinds(kinds, list(segments))
        return self._receipts(segments, pl.col("kind").is_in(kinds))

    def read_receipts_of(self, keys: Collection[Key]) -> list[Receipt]:
        """All receipts ever landed of these systems' intervals, ordered by time."""
        labels = {interval.label for _, interval in keys}
        wanted = set(keys)
        segments = self._index.of_intervals(labels, self.segments())
        found = self._receipts(segments, pl.col("interval").is_in(list(labels)))
        return [receipt for receipt in found if receipt.key in wanted]

    def read_bodies(self, hashes: Collection[str], *, likely: Iterable[str] = ()) -> dict[str, bytes]:
        """Content hash → exact bytes, checked against the hash. Looks in the `likely` segments first, then in all.

        Raises LandingError where a body is missing or damaged.
        """
        found = self._bodies_in(likely, set(hashes))
        if missing := set(hashes) - found.keys():
            found |= self._bodies_in(self._index.keeping(missing, self.segments()), missing)
        for name in hashes:
            if name not in found:
                raise LandingError(f"landing {self.place.name} lacks a body ({name[:12]}…): restore it from a backup.")
            if hashlib.sha256(found[name]).hexdigest() != name:
                ((segment, _),) = self.find_bodies([name]).values()
                raise self._damaged(segment, f"the body {name[:12]}… is damaged")
        return found

    def bring(self, hashes: Collection[str]) -> None:
        """Have in `folder` all segments that may keep these bodies, for a process that knows nothing but the folder."""
        if isinstance(self.place, Folder):
            return
        self.place.bring(self._index.keeping(hashes, self.segments()))

    def find_bodies(self, hashes: Collection[str]) -> dict[str, tuple[str, bool]]:
        """Content hash → (the segment that keeps the bytes, whether they still give the hash), where they are kept."""
        segments = self._index.keeping(hashes, self.segments())
        kept = self._kept(segments, pl.col("body_sha256").is_in(list(hashes)), "body_sha256", "segment", "body")
        return {name: (segment, hashlib.sha256(body).hexdigest() == name) for name, segment, body in kept.iter_rows()}

    def _bodies_in(self, segments: Iterable[str], hashes: set[str]) -> dict[str, bytes]:
        """Chosen once they are read: a filter by hundreds of hashes costs the scan five times what it saves."""
        found: dict[str, bytes] = {}
        names = list(segments)
        for first in range(0, len(names), SEGMENTS_AT_ONCE):
            kept = self._kept(names[first : first + SEGMENTS_AT_ONCE], pl.lit(True), "body_sha256", "body")
            found.update(kept.filter(pl.col("body_sha256").is_in(hashes)).iter_rows())
        return found

    def writer(self, *, monotonic: Callable[[], float] = time.monotonic) -> SegmentWriter:
        """A writer that leaves out the bytes of bodies already kept. Use it as a context manager, from one thread."""
        return SegmentWriter(self.place, self._index.kept(self.cover()), monotonic)

    def cover(self) -> list[str]:
        """Bring the index up to date; names of the segments as by `segments`, of all that was to be sent there, too."""
        self.place.send()
        if names := self.segments():
            self._index.cover(names, lambda new: self._read(new, pl.lit(True), *MADE_OF))
        return names

    def distrust(self, segment: str, after: datetime) -> None:
        """Never again give out the segment's looks from after that instant (naive UTC): a clock had run ahead.

        The bytes stay, and may be those of honest receipts elsewhere.
        """
        self.place.mark(segment, after.isoformat())

    def distrusted(self) -> dict[str, datetime]:
        """Segment → the instant after which its receipts are not believed."""
        return {
            segment: after
            for mark in self.place.listed()
            if mark.endswith(DISTRUSTED)
            and (after := self._believed_until(segment := mark.removesuffix(DISTRUSTED))) is not None
        }

    def _believed_until(self, segment: str) -> datetime | None:
        text = self.place.mark_of(segment)
        try:
            return None if text is None else datetime.fromisoformat(text)
        except ValueError:
            raise LandingError(
                f"{segment}{DISTRUSTED} in {self.place.name} names no instant: remove it. The next `hem-etl run` makes "
                "it anew if there still are looks from the future."
            ) from None

    def _receipts(self, segments: Iterable[str], where: pl.Expr) -> list[Receipt]:
        names = list(segments)
        rows = self._read(names, where, "segment", *_RECEIPT_COLUMNS)
        for segment in names:
            if (after := self._believed_until(segment)) is None:
                continue
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
        self.place.bring(names)
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
            for name in names if len(names) > 1 else ():  # tells which
                self._read([name], where, *columns)
            self._refuse_foreign(self._marks(names[0]))
            raise self._damaged(names[0], one_line(error)) from error
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
                f"{segment} in {self.place.name} {what}, which hem_etl {__version__} cannot read: install {writer} and "
                "run again. Nothing of it was loaded, and nothing is lost."
            )

    def _damaged(self, segment: str, why: str) -> LandingError:
        restore = "Restore"
        if not isinstance(self.place, Folder):
            restore = f"First remove {self.folder / segment}, which is read anew, and run again. Else restore"
        return LandingError(
            f"{segment} in {self.place.name} cannot be read ({why}). {restore} it from a backup, or move it away: its "
            "intervals are then asked again with --refresh."
        )


@lru_cache(maxsize=4_096)
def _interval(label: str) -> Interval:
    return Interval.parse(label)
