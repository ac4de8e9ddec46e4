"""New versions of days: what the tables hold of them replaced at once, whatever made them, with a row that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import polars as pl

from hem_etl import normalise
from hem_etl.pipeline.keys import day_frame
from hem_etl.pipeline.ledger import Entry
from hem_etl.vocabulary import Cause, State
from hem_etl.warehouse import Writer

DAY_TABLES: Final = (
    "stored.reading",
    "stored.reading_5min",
    "stored.interval_15min",
    "core.day_energy",
    "core.series",
)
"""What a new version of a day replaces, findings aside."""


@dataclass(frozen=True, slots=True)
class Version:
    """A new version of one day. before, after: the ledger's row of the day around it."""

    before: Entry
    after: Entry
    cause: Cause
    at: datetime | None
    """When the answer came, or the corrections were put in force."""
    applied: bool
    """Whether the tables hold all that the body sent."""

    @property
    def day(self) -> tuple[str, date]:
        return self.after.system_id, self.after.interval.day

    def row(self) -> dict[str, Any]:
        """As `core.day_version` holds it, the day's totals aside."""
        return {
            "system_id": self.after.system_id,
            "day": self.after.interval.day,
            "version": self.after.version,
            "payload_sha256": self.after.payload_sha256,
            "content_sha256": self.after.content_sha256,
            "fetched_at_utc": self.at,
            "cause": self.cause.value,
            "applied": self.applied,
            "was_settled": self.before.state == State.SETTLED,
        }


def write_days(
    writer: Writer,
    versions: Sequence[Version],
    days: normalise.Days,
    quarters: pl.DataFrame,
    energy: pl.DataFrame,
    *,
    sent: pl.DataFrame,
) -> int:
    """Put these versions of days in the place of what the tables hold of them; returns the number of rows written.

    days, quarters, energy: of the values that count. sent: the readings as they came.
    """
    keys = day_frame([version.day for version in versions])
    loaded_before = day_frame([version.day for version in versions if version.before.version is not None])
    tables = dict(zip(DAY_TABLES, (*normalise.kept(sent, quarters), energy, days.series), strict=True))
    for table, rows in tables.items():
        # a day that was never loaded has no rows but those that say why
        writer.replace(table, rows, keys=keys if table == "core.series" else loaded_before)
    facts = pl.DataFrame(
        [version.row() for version in versions],
        schema_overrides={"version": pl.Int32(), "fetched_at_utc": pl.Datetime("us")},
    )
    totals = normalise.day_totals(days, energy)
    writer.append("core.day_version", facts.join(totals, on=["system_id", "day"], how="left", validate="1:1"))
    return sum(rows.height for rows in tables.values())
