"""What the tables hold, as planning and reporting read it: from the writer's file or the published one alike."""

from contextlib import suppress
from datetime import date

import polars as pl

from hem_etl.answer import Key
from hem_etl.errors import HemEtlError, LandingError
from hem_etl.landing import Landing
from hem_etl.local_day import Interval
from hem_etl.pipeline.fleet import SYSTEM_SCHEMA
from hem_etl.pipeline.ledger import Entry
from hem_etl.vocabulary import FAILED_OUTCOMES, IntervalKind
from hem_etl.warehouse import Reader, Warehouse


def known_systems(warehouse: Reader) -> pl.DataFrame:
    """Rows of core.system."""
    return warehouse.rows("core.system", SYSTEM_SCHEMA)


def entries_between(warehouse: Reader, first: date, last: date) -> list[Entry]:
    """The ledger's rows of intervals that begin in `first`..`last`."""
    span = {"first": first, "last": last}
    rows = warehouse.read("select * from core.load where day between $first and $last", span)
    return [Entry.of_row(row) for row in rows.iter_rows(named=True)]


def failed_intervals(warehouse: Reader) -> frozenset[Key]:
    """Those whose last look ended in no known outcome, of every system that was ever listed."""
    failed = pl.DataFrame({"outcome": sorted(FAILED_OUTCOMES)})
    rows = warehouse.rows("core.load", ["system_id", "interval_kind", "day"], keys=failed)
    return frozenset((system_id, Interval(IntervalKind(kind), day)) for system_id, kind, day in rows.iter_rows())


def seconds_per_request(warehouse: Reader) -> float | None:
    """The median of the last looks that asked."""
    timed = "select median(duration_ms / 1000) as seconds from core.load where attempts > 0"
    seconds: float | None = warehouse.read(timed).item()
    return seconds


def overrides_in_force(warehouse: Reader) -> set[str]:
    return set(warehouse.read("select override_id from core.override where valid_to_utc is null")["override_id"])


def require_whole(landing: Landing, warehouse: Warehouse) -> None:
    """LandingError where landing lacks what the published file was made from: days would be lost silently."""
    published_segments: set[str] = set()
    with suppress(HemEtlError), warehouse.reading() as published:
        published_segments = set(published.rows("core.loaded_segment", ["segment"])["segment"])
    if lost := sorted(published_segments - set(landing.segments())):
        where = warehouse.describe().published
        raise LandingError(
            f"{landing.place.name} lacks {len(lost)} segments that {where} was made from (such as {lost[0]}): restore "
            f"them from a backup. If they are gone for good, move {where} away: what is left is published then."
        )
