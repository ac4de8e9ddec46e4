"""The operator's corrections over time, as a value: which of them count for a day at an instant. No table, no landing.

The newest file at an instant is the set in force from then on: it counts for looks that come after that instant, and
for every day that was loaded by then. A look of the very same instant comes before the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from hem_etl import normalise
from hem_etl.pipeline.override_file import Override

TICK: Final = timedelta(microseconds=1)
"""What lies between an instant and the next: files at one instant do not exist."""

HISTORY_SCHEMA: Final = pl.Schema(
    {
        "override_id": pl.String(),
        "system_id": pl.String(),
        "metric": pl.String(),
        "start": pl.String(),
        "end": pl.String(),
        "value": pl.Float64(),
        "author": pl.String(),
        "reason": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "start_utc": pl.Datetime("us"),
        "end_utc": pl.Datetime("us"),
        "valid_from_utc": pl.Datetime("us"),
        "valid_to_utc": pl.Datetime("us"),
    }
)
"""The columns of `core.override`."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections ever in force. history: HISTORY_SCHEMA."""

    history: pl.DataFrame

    def in_force(self, days: pl.DataFrame) -> pl.DataFrame:
        """OVERRIDE_SCHEMA: the corrections that count for looks at these days (system_id, day, fetched_at_utc)."""
        since, until, at = pl.col("valid_from_utc"), pl.col("valid_to_utc"), pl.col("fetched_at_utc")
        return (
            self._reaching(days.select("system_id", "day", "fetched_at_utc"))
            .filter((since < at) & (until.is_null() | (until >= at)))
            .select(normalise.OVERRIDE_SCHEMA.names())
        )

    def around(self, days: pl.DataFrame, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What counts for looks at these (system_id, day) at that very instant, and right after it."""
        before, after = (
            self.in_force(days.with_columns(fetched_at_utc=pl.lit(instant, pl.Datetime("us"))))
            for instant in (at, at + TICK)
        )
        return before, after

    def instants(self, days: pl.DataFrame) -> list[datetime]:
        """When the corrections of any of these (system_id, day) change, in the order of time."""
        reaching = self._reaching(days)
        instants = pl.concat([reaching["valid_from_utc"], reaching["valid_to_utc"].drop_nulls()])
        return instants.unique().sort().to_list()

    def changing(self, days: pl.DataFrame, at: datetime) -> pl.DataFrame:
        """Those of these (system_id, day), in order, that the change at that instant reaches."""
        changes = (pl.col("valid_from_utc") == at) | (pl.col("valid_to_utc") == at)
        return self._reaching(days).filter(changes).select("system_id", "day").unique().sort("day", "system_id")

    def differing_from(self, other: "Corrections") -> pl.DataFrame:
        """Rows of history that only one of the two holds."""
        return pl.concat([self.history, other.history]).filter(
            pl.struct(pl.all()).is_unique()  # what both hold stands twice
        )

    def _reaching(self, days: pl.DataFrame) -> pl.DataFrame:
        """Each of these days with every row that was ever to count on it."""
        return days.join(self.history, on="system_id", how="inner").filter(
            pl.col("day").is_between("first_day", "last_day")
        )


def history_of(files: Sequence[tuple[datetime, Sequence[Override]]]) -> pl.DataFrame:
    """HISTORY_SCHEMA from the files in the order of time: each is in force as a whole until the next."""
    periods: list[tuple[Override, datetime, datetime | None]] = []
    standing: dict[str, tuple[Override, datetime]] = {}
    for at, rows in files:
        new = {row.override_id: row for row in rows}
        periods += [(*standing.pop(name), at) for name in standing.keys() - new.keys()]
        for name, row in new.items():
            standing.setdefault(name, (row, at))
    periods += [(row, since, None) for row, since in standing.values()]
    in_force = [_period(row, since, until) for row, since, until in periods if since != until]
    return pl.DataFrame(in_force, schema=HISTORY_SCHEMA).sort("system_id", "metric", "valid_from_utc", "override_id")


def _period(row: Override, since: datetime, until: datetime | None) -> dict[str, object]:
    first_day, last_day = row.reach
    start_utc, end_utc = row.instants or (None, None)
    return {
        "override_id": row.override_id,
        "system_id": row.system_id,
        "metric": row.metric,
        "start": row.start,
        "end": row.end,
        "value": row.value,
        "author": row.author,
        "reason": row.reason,
        "first_day": first_day,
        "last_day": last_day,
        "start_utc": start_utc,
        "end_utc": end_utc,
        "valid_from_utc": since,
        "valid_to_utc": until,
    }
