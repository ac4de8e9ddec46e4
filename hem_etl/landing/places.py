"""Where segments are kept: a folder, or a bucket of S3 (`bucket`). What is kept there never changes.

A place keeps segments and, beside them, marks of those that are not believed from an instant on. It knows names and
bytes; what stands in them is the store's business.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from hem_etl.disk import sync_folder
from hem_etl.errors import LandingError, disk_trouble

SUFFIX: Final = ".parquet"
DISTRUSTED: Final = ".distrusted"
"""Ends the name of a mark beside a segment."""
TEMPORARY: Final = ".tmp"
"""Ends the name of what is half written; it begins with a dot."""


class Place(Protocol):
    """A place for segments. Every verb may raise LandingError that says what to do; `mark_of` only before `listed`."""

    name: str
    """How people are told of it."""
    folder: Path
    """Where on this machine segments are read."""
    outbox: Path
    """Where a segment is written before it is sent."""
    folders: Mapping[Path, str | None]
    """Folders of this machine that are written to, and the setting that names each; None: none does."""

    def listed(self) -> dict[str, str | None]:
        """Names of all segments and marks that are here now; each with the MD5 of its bytes, where that is told."""

    def read(self, name: str) -> bytes:
        """The bytes of a segment or mark that is here."""

    def create(self, name: str, content: bytes) -> str | None:
        """Keep these bytes, whole or not at all; the MD5 of what is kept, where that is told.

        LandingError where others are kept by that name.
        """

    def send(self) -> None:
        """Have everything here that was written to `outbox`. Where that fails it stays there for the next time."""

    def bring(self, segments: Iterable[str]) -> None:
        """Have these segments in `folder`, as far as they are here."""

    def mark_of(self, segment: str) -> str | None:
        """What the segment's mark says; None: it has none, as far as is known since `listed`."""

    def mark(self, segment: str, text: str) -> None:
        """Mark a segment, in place of a mark it has."""

    def prove(self) -> None:
        """LandingError where the next segment could not be kept here."""


class Folder:
    """A folder of this machine, or one that machines share."""

    def __init__(self, folder: Path, setting: str | None = None) -> None:
        """setting: what names the folder."""
        self.name = str(folder)
        self.folder = self.outbox = folder
        self.folders: Mapping[Path, str | None] = {folder: setting}

    def listed(self) -> dict[str, str | None]:
        try:
            return dict.fromkeys(filter(is_kept, os.listdir(self.folder)))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise LandingError(f"{self.folder} cannot be listed ({disk_trouble(error)}).") from error

    def read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise LandingError(f"{self.folder / name} cannot be read ({disk_trouble(error)}).") from error

    def create(self, name: str, content: bytes) -> str | None:
        if (self.folder / name).exists():
            if self.read(name) != content:
                raise LandingError(other_bytes(name, self.name))
            return None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            put_in_place(self.folder / name, content)
            sync_folder(self.folder)
        except OSError as error:
            raise LandingError(self._refusal(error)) from error
        return None

    def send(self) -> None:
        """What is written here is here."""

    def bring(self, segments: Iterable[str]) -> None:
        """What is here is on this machine."""

    def mark_of(self, segment: str) -> str | None:
        try:
            return (self.folder / f"{segment}{DISTRUSTED}").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def mark(self, segment: str, text: str) -> None:
        try:
            put_in_place(self.folder / f"{segment}{DISTRUSTED}", text.encode())
            sync_folder(self.folder)
        except OSError as error:
            raise LandingError(self._refusal(error)) from error

    def prove(self) -> None:
        """Whether a file can be made in `folders` is told for all folders at once."""

    def _refusal(self, error: OSError) -> str:
        return f"cannot write to {self.folder} ({disk_trouble(error, self.folders[self.folder])})."


def is_kept(name: str) -> bool:
    """Whether a name is a segment's or a mark's."""
    return name.endswith((SUFFIX, SUFFIX + DISTRUSTED)) and name[0] != "."


def put_in_place(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all, though its name may not be on the disk yet."""
    temporary = file.with_name(f".{secrets.token_hex(4)}-{file.name}{TEMPORARY}")
    try:
        with temporary.open("xb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.rename(file)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def other_bytes(name: str, place: str) -> str:
    return (
        f"{place} keeps other bytes by the name {name}: nothing was replaced. Compare the two; the one that is wrong "
        "has to be moved away by hand."
    )
