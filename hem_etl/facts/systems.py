"""The fleet: which systems there are, and how each does."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from hem_etl.pipeline.planning import match_systems
from hem_etl.warehouse import read, reading

SYSTEMS: Final = """
select s.system_id, s.user_id, s.vendor, s.timezone, s.is_reachable, s.last_seen_utc, s.gone_at_utc,
       string_agg(concat_ws(' ', a.kind, a.brand, a.model), ', ' order by a.asset_id) as assets
from core.system s
left join core.asset a using (system_id)
where s.user_id in (select id from wanted) or not exists (select id from wanted)
group by all
order by s.system_id
"""
STATUS: Final = "from marts.status order by lag_days desc nulls first, system_id"


def read_systems(database: Path, users: Iterable[str] = ()) -> pl.DataFrame:
    """The fleet and its devices, of these users or of all."""
    with reading(database) as connection:
        return read(connection, SYSTEMS, wanted=_ids(users))


def read_status(database: Path) -> pl.DataFrame:
    """marts.status, those that lag most first."""
    with reading(database) as connection:
        return read(connection, STATUS)


def known_systems(database: Path, wanted: Iterable[str]) -> frozenset[str]:
    """The ids that these ids, or unique beginnings of ids, stand for. UsageError where one stands for none."""
    with reading(database) as connection:
        return match_systems(wanted, read(connection, "select system_id from staging.system")["system_id"])


def _ids(ids: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame({"id": list(ids)}, schema={"id": pl.String()})
