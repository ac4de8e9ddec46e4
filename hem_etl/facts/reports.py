"""What the report shows: the fleet and each home over a range of days, as frames, from one published state.

Sums, ratios and bounds are SQL in `queries/report_*.sql`, with the macros of the marts: whoever draws adds nothing up.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import polars as pl

from hem_etl.errors import UsageError
from hem_etl.facts.queries import text
from hem_etl.local_day import naive_utc, zone_named
from hem_etl.matching import match_systems, match_vendors
from hem_etl.vocabulary import QUARTER_HOUR_MINUTES
from hem_etl.warehouse import Reader, Warehouse

DAYS_UNLESS_SAID: Final = 90
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which homes and local days a report is about."""

    start: date
    end: date
    newest_day: date
    """That was over at the newest look of all, and that at least half of the fleet was asked for."""
    newest_look_utc: datetime
    systems: pl.DataFrame
    """system_id."""


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """The fleet over the range; the SQL of each frame says what its rows are."""

    scope: Scope
    tiles: list[Row]
    """On the last day of the range, and seven days before."""
    homes: list[Row]
    """Worst first."""
    cells: pl.DataFrame
    days: list[Row]
    months: list[Row]
    vendors: list[Row]
    years: list[Row]
    reconciliation: list[Row]
    restatements: list[Row]
    peers: list[Row]
    complete_coverage: float


@dataclass(frozen=True, slots=True)
class DayFacts:
    """A local day in quarter hours: those that the tables do not hold are there too, without values."""

    day: date
    timezone: str | None
    quarters: list[Row]
    """start_utc, start_local, what marts.interval_15min has of it."""
    edits: list[Row]
    """Corrections in force on the day."""


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """One home over the range."""

    scope: Scope
    home: Row
    total: Row
    """Sums of the range."""
    cells: list[Row]
    days: list[Row]
    """marts.daily_energy."""
    months: list[Row]
    """marts.monthly_energy of every month that the range touches."""
    shown: list[DayFacts]
    profile: list[Row]
    gaps: list[Row]
    findings: list[Row]
    versions: list[Row]
    reconciliation: list[Row]
    complete_coverage: float


class ReportFacts:
    """Answers to the report's questions, all from the same published state."""

    def __init__(self, published: Reader, scope: Scope) -> None:
        self._published = published
        self.scope = scope
        self._range = {"start": scope.start, "end": scope.end}
        limits = dict(published.rows("core.setting", ["name", "value"]).iter_rows())
        self._complete_coverage = float(limits["complete_coverage"])

    def fleet(self) -> FleetFacts:
        """What the first page shows."""
        return FleetFacts(
            scope=self.scope,
            tiles=self._rows("report_tiles"),
            homes=self._homes,
            cells=self._cells,
            days=self._rows("report_energy", unit="day"),
            months=self._rows("report_energy", unit="month"),
            vendors=self._frame("report_sums").filter(~pl.col("is_total")).rows(named=True),
            years=self._rows("report_years"),
            reconciliation=self._rows("report_reconciliation"),
            restatements=self._rows("report_restatements"),
            peers=self._rows("report_peers"),
            complete_coverage=self._complete_coverage,
        )

    def home(self, system_id: str, most_days: int) -> HomeFacts:
        """What the page of one home shows; `most_days`: of so many days, the newest, every quarter hour."""
        own = {"system_id": system_id}
        only = pl.DataFrame(own, schema={"system_id": pl.String()})
        days = self._published.records(
            "from marts.daily_energy where system_id = $system_id and day between $start and $end order by day",
            {**own, **self._range},
        )
        return HomeFacts(
            scope=self.scope,
            home=next(home for home in self._homes if home["system_id"] == system_id),
            total=self._frame("report_sums", wanted=only).filter("is_total").row(0, named=True),
            cells=self._cells_of.get(system_id, []),
            days=days,
            months=self._published.records(
                "from marts.monthly_energy where system_id = $system_id "
                "and month between date_trunc('month', $start::date) and $end order by month",
                {**own, **self._range},
            ),
            shown=self._shown(system_id, days, most_days),
            profile=self._records("report_profile", **own),
            gaps=self._records("report_gaps", **own),
            findings=self._records("report_findings", **own),
            versions=self._records("report_versions", **own),
            reconciliation=self._frame("report_reconciliation", wanted=only).rows(named=True),
            complete_coverage=self._complete_coverage,
        )

    @cached_property
    def _homes(self) -> list[Row]:
        """Asked once: a question about the whole fleet costs as much as one about a home."""
        return self._rows("report_homes")

    @cached_property
    def _cells(self) -> pl.DataFrame:
        return self._frame("report_cells")

    @cached_property
    def _cells_of(self) -> dict[str, list[Row]]:
        parts = self._cells.partition_by("system_id", as_dict=True)
        return {str(system_id): part.rows(named=True) for (system_id,), part in parts.items()}

    def _shown(self, system_id: str, days: list[Row], most_days: int) -> list[DayFacts]:
        loaded = [row["day"] for row in days if row["attributed_coverage"] is not None or _has_flow(row)]
        chosen = sorted(
            set(loaded[-most_days:]) | {row["day"] for row in days if _changes_clock(row) and _has_flow(row)}
        )
        bounds = {row["day"]: row for row in self._records("report_bounds", system_id=system_id)}
        shown = pl.DataFrame({"day": chosen}, schema={"day": pl.Date()})
        quarters: dict[date, dict[datetime, Row]] = {}
        values = {"system_id": system_id}
        for row in self._published.read(text("report_quarters"), values, shown=shown).iter_rows(named=True):
            quarters.setdefault(row["day"], {})[row["start_utc"]] = row
        edits = self._records("report_edits", system_id=system_id)
        return [
            DayFacts(
                day,
                bounds[day]["timezone"],
                list(_whole_day(bounds[day], quarters.get(day, {}))),
                [edit for edit in edits if _touches(edit, bounds[day])],
            )
            for day in reversed(chosen)
            if day in bounds
        ]

    def _frame(self, name: str, wanted: pl.DataFrame | None = None, **values: Any) -> pl.DataFrame:
        chosen = self.scope.systems if wanted is None else wanted
        return self._published.read(text(name), {**self._range, **values}, wanted=chosen)

    def _rows(self, name: str, **values: Any) -> list[Row]:
        return self._frame(name, **values).rows(named=True)

    def _records(self, name: str, **values: Any) -> list[Row]:
        return self._published.records(text(name), {**self._range, **values})


@contextmanager
def open_report(
    warehouse: Warehouse,
    *,
    systems: Collection[str] = (),
    vendors: Collection[str] = (),
    start: date | None = None,
    end: date | None = None,
) -> Iterator[ReportFacts]:
    """Facts about these homes (an empty choice means all) on these days (by default the newest 90 that are over).

    Raises UsageError for a home or vendor that is not known, a range that holds no day, and where no day was asked yet.
    """
    with warehouse.reading() as published:
        yield ReportFacts(published, _scope(published, systems, vendors, start, end))


def _scope(
    published: Reader, systems: Collection[str], vendors: Collection[str], start: date | None, end: date | None
) -> Scope:
    known = published.rows("staging.system", ["system_id", "vendor"])
    chosen = pl.lit(True)
    if systems:
        chosen &= pl.col("system_id").is_in(match_systems(systems, known["system_id"]))
    if vendors:
        chosen &= pl.col("vendor").is_in(match_vendors(vendors, known["vendor"]))
    first_day, last_day, newest_day, newest_look = published.read(text("report_range")).row(0)
    if newest_day is None:
        raise UsageError("no day that is over was asked yet: `hem-etl run --last 14d` asks for them")
    last = min(end or newest_day, last_day)
    first = max(start or last - timedelta(days=DAYS_UNLESS_SAID - 1), first_day)
    if first > last:
        raise UsageError(
            f"no day between {start or first_day} and {end or newest_day} is known: {first_day}..{last_day} are"
        )
    return Scope(first, last, newest_day, newest_look, known.filter(chosen).select("system_id").sort("system_id"))


def _has_flow(row: Row) -> bool:
    return any(value is not None for name, value in row.items() if name.endswith("_coverage"))


def _changes_clock(row: Row) -> bool:
    return row["day_hours"] not in (None, 24)


def _whole_day(bounds: Row, held: dict[datetime, Row]) -> Iterator[Row]:
    """Every quarter hour of the local day, in order; what the tables lack has no values."""
    zone, utc = zone_named(bounds["timezone"]), zone_named("UTC")
    step = timedelta(minutes=QUARTER_HOUR_MINUTES)
    at = bounds["start_utc"]
    while at < bounds["end_utc"]:
        local = at.replace(tzinfo=utc).astimezone(zone)
        yield {
            **held.get(at, {}),
            "start_utc": at,
            "start_local": local.replace(tzinfo=None, fold=0),
            "utc_offset_minutes": round((local.replace(tzinfo=None) - naive_utc(local)) / timedelta(minutes=1)),
        }
        at += step


def _touches(edit: Row, bounds: Row) -> bool:
    if edit["start_utc"] is not None:
        return bool(edit["start_utc"] < bounds["end_utc"] and edit["end_utc"] > bounds["start_utc"])
    return bool(edit["start_day"] <= bounds["day"] <= edit["end_day"])
