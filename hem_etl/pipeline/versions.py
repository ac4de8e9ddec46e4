"""A new version of a day: its row in `core.day_version`, whether an answer or the operator's corrections made it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from hem_etl.local_day import Interval
from hem_etl.pipeline.ledger import Entry
from hem_etl.vocabulary import Cause, State
from hem_etl.warehouse import Writer


def version_row(before: Entry, after: Entry, cause: Cause, at: datetime | None, *, applied: bool) -> dict[str, Any]:
    """What a version says besides the day's totals. before, after: the ledger's row of the day around it."""
    return {
        "system_id": after.system_id,
        "day": Interval.parse(after.interval).day,
        "version": after.version,
        "payload_sha256": after.payload_sha256,
        "content_sha256": after.content_sha256,
        "fetched_at_utc": at,
        "cause": cause.value,
        "applied": applied,
        "was_settled": before.state == State.SETTLED,
    }


def append_versions(writer: Writer, versions: Sequence[dict[str, Any]], totals: pl.DataFrame) -> None:
    """Write `version_row`s. totals: energy and coverage of the same days, as the tables now hold them."""
    rows = pl.DataFrame(versions, schema_overrides={"version": pl.Int32(), "fetched_at_utc": pl.Datetime("us")})
    writer.append("core.day_version", rows.join(totals, on=["system_id", "day"], how="left", validate="1:1"))
