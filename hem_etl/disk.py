"""What has to be on the disk before anybody builds on it, and how a large file gets there."""

import errno
import fcntl
import mmap
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

COPIED_AT_ONCE: Final = 64 * 1024 * 1024
"""Of a large file; a multiple of the pages of any machine. It is the memory that a copy takes."""
LARGE: Final = 512 * 1024 * 1024
"""Smaller files are copied through the page cache: who reads the copy next finds it in memory."""
FICLONE: Final = 0x40049409
"""Linux: share all blocks of another file. Python knows the name from 3.12 on."""


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk: a file that was renamed into it stays, whatever dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """A reader finds the old content or the new one, whole. For small files, written by one process at a time."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def replacing(path: Path, *, is_private: bool = False) -> Iterator[BinaryIO]:
    """A file to write a person's `path` anew: in its place once the block ends, whole; an error leaves what was there.

    is_private: readable by this user alone; else by whom the file before was. A link stays one, what it names is
    replaced. A pipe, a terminal or an open descriptor (/dev/stdout) is written as it is, at its end. Nothing is
    flushed. OSError where the file cannot be made; one that this user may not write is not replaced.
    """
    if _is_stream(path):
        with path.open("ab") as file:
            if is_private and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)
            yield file
        return
    target = Path(os.path.realpath(path))
    before = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    if before is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    mode = 0o600 if is_private else 0o666 if before is None else before
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            if before is not None and not is_private:
                os.fchmod(file.fileno(), before)
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Also where /dev/stdout is a file at the moment: who opened it goes on writing there."""
    folder = os.path.realpath(path.parent)
    is_open_descriptor = folder in ("/dev", "/dev/fd") or folder.startswith("/proc/")
    return path.exists() and (is_open_descriptor or not path.is_file())


def copy_file(source: Path, target: Path) -> None:
    """Blocks are shared where the file system can (XFS, Btrfs, NFS 4.2); else a LARGE file goes past the page cache.

    Gigabytes that go through the cache drive out of it what is read next, and cost two to ten times the CPU time.
    Nothing is flushed.
    """
    is_large = source.stat().st_size >= LARGE
    for copy in (_share_blocks, _write_past_the_cache) if is_large else (_share_blocks,):
        with suppress(OSError), source.open("rb", buffering=0) as old, target.open("wb", buffering=0) as new:
            copy(old, new)
            return
    shutil.copyfile(source, target)


def _share_blocks(old: FileIO, new: FileIO) -> None:
    fcntl.ioctl(new, FICLONE, old.fileno())


def _write_past_the_cache(old: FileIO, new: FileIO) -> None:
    """The pages of the old file go to the disk as they are. OSError where the file system cannot do that.

    Or where the file does not end with a block of the disk: DuckDB's do.
    """
    flags = fcntl.fcntl(new, fcntl.F_GETFL)
    fcntl.fcntl(new, fcntl.F_SETFL, flags | getattr(os, "O_DIRECT", 0))
    size = os.fstat(old.fileno()).st_size
    for first in range(0, size, COPIED_AT_ONCE):
        length = min(COPIED_AT_ONCE, size - first)
        with mmap.mmap(old.fileno(), length, access=mmap.ACCESS_READ, offset=first) as pages:
            if os.write(new.fileno(), pages) != length:
                raise OSError("the disk took less than it was given")
