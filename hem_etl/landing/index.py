"""The index: which segment holds the receipts of an interval, which one keeps a body. Made from the segments alone.

It holds nothing that the segments do not, so it may be lost at any time: what it lacks is looked up in the segments
themselves, and the next writer brings it up to date. Of a file that is damaged, or that another version made, a new one
is made. Receipts and bodies are always read from the segments: the index only says from which.
"""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import polars as pl

LOG = logging.getLogger(__name__)

FILE: Final = "index.sqlite"
VERSION: Final = 1
BUSY_SECONDS: Final = 60.0
MADE_OF: Final = ["segment", "kind", "system_id", "interval", "body_sha256", "is_body_here"]
"""Columns of the receipts that it is made of."""
TABLES: Final = f"""
create table segment (id integer primary key, name text not null unique);
create table receipt (
    segment_id integer not null, number integer not null, kind text, system_id text, interval text,
    kept_sha256 text, primary key (segment_id, number)
) without rowid;
create index receipt_of_interval on receipt (interval, system_id);
create index receipt_of_kind on receipt (kind) where interval is null;
create index receipt_of_body on receipt (kept_sha256) where kept_sha256 is not null;
pragma user_version = {VERSION};
"""
HOLDING: Final = "select distinct name from receipt join segment on segment.id = segment_id where "
AT_ONCE: Final = 500
"""Values in one question: SQLite takes no more than about 32,000."""


class Index:
    """The index of one folder of segments. Cheap to make: nothing is opened until it is needed.

    Each question names all segments there are, and the answer is of those: what the index covers and does not have is
    left out, what it does not cover, or all where it cannot be read, may hold anything.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def of_intervals(self, labels: Collection[str], names: Collection[str]) -> set[str]:
        """Segments that may hold receipts of these intervals."""
        return self._may_hold(names, "interval in ({})", labels)

    def of_kinds(self, kinds: Collection[str], names: Collection[str]) -> set[str]:
        """Segments that may hold receipts of these kinds, of no interval."""
        return self._may_hold(names, "interval is null and kind in ({})", kinds)

    def keeping(self, hashes: Collection[str], names: Collection[str]) -> set[str]:
        """Segments that may keep the bytes of these bodies."""
        return self._may_hold(names, "kept_sha256 in ({})", hashes)

    def uncovered(self, names: Collection[str]) -> set[str]:
        """Segments of which it knows nothing."""
        return self._may_hold(names, "kind in ({})", ())

    def kept(self, names: Collection[str]) -> "Kept":
        """The hashes of the bodies that covered segments keep; none where it covers segments that are gone."""
        return Kept(self._file, names)

    def cover(self, names: Collection[str], read: Callable[[Collection[str]], pl.DataFrame]) -> None:
        """Cover exactly the named segments; `read` gives the receipts (MADE_OF) of those that are new.

        Where the disk refuses, the index stays as it was: nothing is wrong without it, only slower.
        """
        try:
            self._cover(set(names), read)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                LOG.warning("the index of %s could not be written (%s): looking in the segments", self._file, error)
            else:
                LOG.warning("the index of %s is damaged (%s): it is made again", self._file, error)
                with suppress(OSError, sqlite3.DatabaseError):
                    self._file.unlink(missing_ok=True)
                    self._cover(set(names), read)

    def _cover(self, names: set[str], read: Callable[[Collection[str]], pl.DataFrame]) -> None:
        with closing(self._writable()) as file:  # which also takes back what a killed process left half written
            is_ours = file.execute("pragma user_version").fetchone() == (VERSION,)
            covered = _names(file) if is_ours else set()
        if covered == names:
            return
        new = names - covered
        receipts = read(sorted(new))  # before the lock: it may take long
        with closing(self._writable()) as file:
            file.execute("begin immediate")
            (version,) = file.execute("pragma user_version").fetchone()
            if version != VERSION:
                for table in ("segment", "receipt"):
                    file.execute(f"drop table if exists {table}")
                for statement in TABLES.split(";\n"):
                    file.execute(statement)
            covered = _names(file)
            for name in covered - names:
                file.execute("delete from receipt where segment_id = (select id from segment where name = ?)", [name])
                file.execute("delete from segment where name = ?", [name])
            of_segments = receipts.partition_by("segment", as_dict=True)
            for name in sorted(new - covered):
                added = file.execute("insert into segment (name) values (?)", [name])
                rows = of_segments.get((name,), receipts.clear())  # one that holds nothing is looked at once, too
                file.executemany(
                    "insert into receipt values (?, ?, ?, ?, ?, ?)", _rows(int(added.lastrowid or 0), rows)
                )
            file.execute("commit")

    def _writable(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None)

    def _may_hold(self, names: Collection[str], where: str, values: Collection[object]) -> set[str]:
        every, found = list(values), set[str]()
        try:
            with _opened(self._file) as file:
                covered = _names(file)
                for first in range(0, len(every) if covered else 0, AT_ONCE):
                    part = every[first : first + AT_ONCE]
                    query = HOLDING + where.format(", ".join("?" * len(part)))
                    found.update(name for (name,) in file.execute(query, part))
        except sqlite3.DatabaseError as error:
            LOG.warning("the index %s cannot be read (%s): looking in the segments", self._file, error)
            return set(names)
        return {name for name in names if name in found or name not in covered}


class Kept:
    """The hashes of the bodies that the index knows to be kept; `close` it."""

    def __init__(self, file: Path, names: Collection[str]) -> None:
        self._file = file
        self._names = set(names)
        self._opened: sqlite3.Connection | None = None
        self._is_usable = True

    def __contains__(self, body_sha256: str) -> bool:
        if not self._is_usable:
            return False
        try:
            if self._opened is None:
                self._opened = _connect(self._file)
                self._is_usable = _names(self._opened) <= self._names
            query = "select 1 from receipt where kept_sha256 = ? limit 1"
            return self._is_usable and bool(self._opened.execute(query, [body_sha256]).fetchall())
        except sqlite3.DatabaseError:  # the bytes are kept once more
            self._is_usable = False
            return False

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(_connect(file)) as opened:
        yield opened


def _connect(file: Path) -> sqlite3.Connection:
    """Read-only; an empty one where there is no index of this version."""
    if file.exists():
        uri = f"{file.resolve().as_uri()}?mode=ro"
        opened = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        is_ours = False
        try:
            is_ours = opened.execute("pragma user_version").fetchone() == (VERSION,)
        finally:
            if not is_ours:
                opened.close()
        if is_ours:
            return opened
    empty = sqlite3.connect(":memory:", check_same_thread=False)
    empty.executescript(TABLES)
    return empty


def _names(file: sqlite3.Connection) -> set[str]:
    return {name for (name,) in file.execute("select name from segment")}


def _rows(segment_id: int, receipts: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    columns = ("kind", "system_id", "interval", "body_sha256", "is_body_here")
    for number, (kind, system_id, interval, sha256, is_body_here) in enumerate(receipts.select(columns).iter_rows()):
        yield segment_id, number, kind, system_id, interval, sha256 if is_body_here else None
