"""Everything that a home keeps on disk, as bytes in which a secret would be found."""

from pathlib import Path

import duckdb
import polars as pl


def everything_kept(folder: Path, *, but: tuple[Path, ...] = ()) -> bytes:
    """All files as they are, and what those that are compressed hold: segments of landing, tables of DuckDB."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path in but:
            continue
        found += [str(path).encode(), path.read_bytes()]
        if path.suffix == ".parquet":
            found += _cells(pl.read_parquet(path).rows())
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.sql(
                    "select schema_name || '.' || table_name from duckdb_tables()"
                ).fetchall():
                    found += _cells(connection.sql(f"from {table}").fetchall())
    return b"\n".join(found)


def _cells(rows: list[tuple[object, ...]]) -> list[bytes]:
    return [cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row if cell is not None]
