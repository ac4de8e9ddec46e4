"""Which homes need somebody."""

from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from hem_etl.facts import in_need

WELL: dict[str, Any] = {
    "newest_complete_day": date(2026, 3, 1),
    "lag_days": 3,
    "last_outcome": "loaded",
    "relink_reason": None,
    "gone_at_utc": None,
}
SCHEMA = {
    "newest_complete_day": pl.Date(),
    "lag_days": pl.Int64(),
    "last_outcome": pl.String(),
    "relink_reason": pl.String(),
    "gone_at_utc": pl.Datetime("us"),
}
NEVER_COMPLETE = {"newest_complete_day": None, "lag_days": None}
GONE = {"gone_at_utc": datetime(2026, 3, 1)}


@pytest.mark.parametrize(
    ("facts", "needs"),
    [
        ({}, False),
        ({"lag_days": 4}, True),
        (NEVER_COMPLETE, True),
        ({**NEVER_COMPLETE, "last_outcome": None}, False),
        ({"relink_reason": "scopes are missing: meter:read:data"}, True),
        ({"last_outcome": "relink_needed"}, True),
        ({"last_outcome": "forbidden"}, True),
        ({"last_outcome": "unreachable"}, True),
        ({"last_outcome": "unreadable"}, True),
        ({"last_outcome": "before_installation"}, False),
        ({"last_outcome": None}, False),
        ({"lag_days": 40, "last_outcome": "gone", **GONE}, False),
    ],
)
def test_a_home_needs_somebody_where_nothing_comes_by_itself(facts: dict[str, Any], needs: bool) -> None:
    assert in_need(pl.DataFrame([WELL | facts], schema=SCHEMA)).height == needs
