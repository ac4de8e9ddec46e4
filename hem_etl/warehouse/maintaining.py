"""What a lake gathers, and the same lake without it: small files, deleted rows, snapshots and files that nobody needs.

Each step is a transaction of DuckLake's own, which cannot hold a change of the fence as well. So the fence is replaced
before each: a writer that lost its lock is refused from then on, and so is maintenance that lost it.
"""

from datetime import datetime
from typing import Final

import duckdb

from hem_etl.warehouse.catalogue import PUBLISHED
from hem_etl.warehouse.models.header import literal
from hem_etl.warehouse.rows import Reader
from hem_etl.warehouse.transactions import transaction

DELETED_SHARE: Final = 0.05
"""A file of whose rows more than this are deleted is written anew without them; one with any is never merged."""
NOT_NEEDED: Final = f"""
with snapshot as (
  select snapshot_id, snapshot_time, commit_message is not distinct from '{PUBLISHED}' as is_published
  from ducklake_snapshots($lake)
),
held as (
  select snapshot_id from snapshot where is_published
  qualify coalesce(lead(snapshot_time) over (order by snapshot_id) >= $kept_since, true)
)
select snapshot_id from snapshot anti join held using (snapshot_id)
where snapshot_id < (select max(snapshot_id) from snapshot)
"""
"""All but the newest, the one that was published last, and those that were that at `kept_since` or later."""
TABLES: Final = """
select schema_name, table_name from duckdb_tables() where database_name = current_database() and not internal
"""


def maintain(connection: duckdb.DuckDBPyConnection, lake: str, kept_since: datetime) -> tuple[int, int]:
    """How many snapshots were expired, and files removed. Call it under the lock, with the fence raised.

    kept_since: who attached since then still reads; a file that nothing has named since then is removed. Of files, a
    SQLite catalogue compares the day alone (1.5.5): one may go up to a day earlier.
    """
    named, since = literal(lake), f"timestamptz {literal(kept_since.isoformat())}"

    def call(function: str, *arguments: str) -> list[tuple[object, ...]]:
        with transaction(connection):
            pass
        return connection.execute(f"from {function}({', '.join((named, *arguments))})").fetchall()

    values = {"lake": lake, "kept_since": kept_since}
    not_needed = [snapshot for (snapshot,) in connection.execute(NOT_NEEDED, values).fetchall()]
    # rows of ours are never inlined; those of a client that did not know that must not stay so
    call("ducklake_flush_inlined_data")
    expired = call("ducklake_expire_snapshots", f"versions => {not_needed}") if not_needed else []
    call("ducklake_rewrite_data_files", f"delete_threshold => {DELETED_SHARE}")
    call("ducklake_merge_adjacent_files")
    removed = call("ducklake_cleanup_old_files", f"older_than => {since}")
    orphans = call("ducklake_delete_orphaned_files", f"older_than => {since}")
    return len(expired), len(removed) + len(orphans)


def rows_of_tables(published: Reader) -> dict[str, int]:
    """How many rows each has, by its name."""
    names = [f"{schema}.{table}" for schema, table in published.read(TABLES).rows()]
    return {name: published.count(name) for name in names}
