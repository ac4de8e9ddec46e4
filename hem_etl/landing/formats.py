"""What a segment looks like on disk, in every format ever written."""

from typing import Final

import polars as pl

FORMAT: Final = 3
"""The format of the segments written here. A column or a kind that is added makes a new one.

    1  as RECEIPT_SCHEMA and `body` alone; written until 0.1.0
    2  + `format`, `written_by`; the kind `locations`
    3  + the kind `events`
"""

RECEIPT_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String(),
        "system_id": pl.String(),
        "interval": pl.String(),
        "page": pl.Int32(),
        "user_id": pl.String(),
        "fetched_at_utc": pl.Datetime("us"),
        "duration_ms": pl.Int64(),
        "attempts": pl.Int32(),
        "http_status": pl.Int32(),
        "outcome": pl.String(),
        "detail": pl.String(),
        "body_sha256": pl.String(),
        "is_body_here": pl.Boolean(),
    }
)
"""One row per look, in the order they were landed; `is_body_here`: this segment is the one that keeps the bytes."""
SEGMENT_SCHEMA: Final = pl.Schema(
    {**RECEIPT_SCHEMA, "body": pl.Binary(), "format": pl.Int16(), "written_by": pl.String()}
)
"""A column that an older format lacks is NULL. `written_by`: the version of hem_etl that did."""
