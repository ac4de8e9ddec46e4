"""Where a connection puts what does not fit in memory: a folder of its own.

DuckDB 1.5.5 gives every process that opens the same file, or none, the same folder and the same names in it. Two that
spill at once then overwrite each other's blocks: a query fails, or reads what another wrote.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from uuid import uuid4

import duckdb

from hem_etl.warehouse.models.header import literal

PREFIX: Final = "spilled-"
LEFT_AFTER_SECONDS: Final = 2 * 86_400.0
"""Nobody's any more: no query goes on for so long without writing there."""


def spill_apart(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Into a folder in `folder`, or in the system's for temporary files where this user may not write.

    DuckDB makes it when it is needed, and removes it with the last connection of this process to that file.
    """
    ((now,),) = connection.execute("select current_setting('temp_directory')").fetchall()
    if Path(now).name.startswith(PREFIX):
        return  # another connection of this process shares the file, and what is open of it
    place = folder.absolute() if os.access(folder, os.W_OK) else Path(gettempdir())
    connection.execute(f"set temp_directory = {literal(str(place / f'{PREFIX}{uuid4().hex}'))}")


def remove_left(folder: Path) -> None:
    """What processes that were killed left in `folder`."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):  # it ends, or is removed, at this moment
            newest = max(path.stat().st_mtime for path in (left, *left.iterdir()))
            if time.time() - newest > LEFT_AFTER_SECONDS:
                shutil.rmtree(left)
