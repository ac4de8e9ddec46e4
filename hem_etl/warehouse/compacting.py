"""What replaced rows leave behind in a DuckDB file, and the same file without it.

DuckDB rewrites what changed into new blocks and keeps the old ones for later; it gives them back to the disk only where
they stand at the end of the file. So a file whose days are replaced again and again stays larger than what it holds.
"""

from pathlib import Path
from typing import Final

import duckdb

from hem_etl.warehouse.models.header import literal, quoted

MOST_WASTE: Final = 0.3
"""A file that is larger than its content by more than this is written anew."""
FEWEST_BLOCKS: Final = 64
"""Below it nothing is won: 16 MB."""


def is_bloated(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the open file, after a checkpoint, is larger than its content by more than MOST_WASTE."""
    query = "select used_blocks, free_blocks from pragma_database_size() where database_name = current_database()"
    ((used, free),) = connection.execute(query).fetchall()
    if used + free < FEWEST_BLOCKS:
        return False
    held = used * _share_of_rows_that_count(connection)
    return bool(used + free > (1 + MOST_WASTE) * held)


def _share_of_rows_that_count(connection: duckdb.DuckDBPyConnection) -> float:
    """Rows that were deleted stand in their row group until its neighbours leave room for the others."""
    tables = connection.execute(
        "select schema_name, table_name, estimated_size from duckdb_tables() where database_name = current_database()"
    ).fetchall()
    stored = sum(size for _, _, size in tables)
    if not stored:
        return 1.0
    counts = " union all ".join(f"select count(*) from {quoted(schema)}.{quoted(name)}" for schema, name, _ in tables)
    return float(sum(count for (count,) in connection.execute(counts).fetchall()) / stored)


def write_compacted(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """All that the open database holds, comments and the order of rows too, into a new file that holds nothing else.

    Where that fails, no such file is left.
    """
    remove(target)
    ((name,),) = connection.execute("select current_database()").fetchall()
    connection.execute(f"attach {literal(str(target))} as compacted")
    try:
        try:
            connection.execute(f"copy from database {quoted(name)} to compacted")
            connection.execute("checkpoint compacted")
        finally:
            connection.execute("detach compacted")
    except BaseException:
        remove(target)
        raise


def remove(target: Path) -> None:
    """With what a killed process may have left beside it: it would be replayed into the next file of that name."""
    for path in (target, target.with_name(f"{target.name}.wal")):
        path.unlink(missing_ok=True)
