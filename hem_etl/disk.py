"""What has to be on the disk before anybody builds on it."""

import os
from pathlib import Path


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
