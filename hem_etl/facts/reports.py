"""What the report shows: the fleet and each home over a range of days, as frames, from one published state.

Sums, ratios and bounds are SQL in `queries/report_*.sql`, with the macros of the marts: whoever draws adds nothing up.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import polars as pl

from hem_etl.errors import UsageError
from hem_etl.facts.queries import text
from hem_etl.local_day import months_between, naive_utc, next_month, zone_named
from hem_etl.matching import known_days, match_systems, match_vendors
from hem_etl.vocabulary import BLOCKED_OUTCOMES, FAILED_OUTCOMES, FINAL_OUTCOMES, QUARTER_HOUR_MINUTES
from hem_etl.warehouse import Reader, Warehouse

DAYS_UNLESS_SAID: Final = 90
NEWEST_DAYS: Final = (7, 30)
"""So many of the newest days are periods of their own, beside the months."""
HOMES_AT_ONCE: Final = 50
"""A question about so many homes costs hardly more than about one, and their quarter hours fit in memory."""
OF_A_HOME: Final = ("days", "months", "profile", "findings", "versions")
"""Lists of HomeFacts, each asked by `report_<name>`."""
OUTCOMES: Final = {
    name: sorted(outcomes)
    for name, outcomes in (("failed", FAILED_OUTCOMES), ("blocked", BLOCKED_OUTCOMES), ("final", FINAL_OUTCOMES))
}
"""Values for questions that judge days by them."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the range that a person may look at by themselves."""

    first_day: date
    last_day: date
    newest: int | None = None
    """They are so many of the newest; None: those of a month."""

    @property
    def is_whole_month(self) -> bool:
        return self.first_day.day == 1 and self.last_day + timedelta(days=1) == next_month(self.first_day)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which homes and local days a report is about."""

    start: date
    end: date
    newest_day: date
    """That was over at the newest look of all, and that at least half of the fleet was asked for."""
    newest_look_utc: datetime
    systems: pl.DataFrame
    """system_id, vendor."""

    @property
    def periods(self) -> list[Period]:
        """Parts of the range, the newest first; a short one has none."""
        days = (self.end - self.start).days + 1
        newest = [Period(self.end - timedelta(days=most - 1), self.end, most) for most in NEWEST_DAYS if most < days]
        months = [
            Period(max(month, self.start), min(next_month(month) - timedelta(days=1), self.end))
            for month in months_between(self.start, self.end)
        ]
        return [*newest, *reversed(months)] if len(months) > 1 else newest


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """The fleet over the range; the SQL of each frame says what its rows are."""

    scope: Scope
    tiles: list[Row]
    """On the last day of the range, and seven days before."""
    homes: list[Row]
    """Worst first."""
    cells: dict[str, list[Row]]
    """Of each of the worst homes, as many as fit; alone or by week or month."""
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
    energy: Row
    """marts.daily_energy."""
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
    parts: list[tuple[Period, Row]]
    """Sums of its periods."""
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

    def fleet(self, most_cells: int) -> FleetFacts:
        """What the first page shows; `most_cells`: so many places has its map of homes and days."""
        return FleetFacts(
            scope=self.scope,
            tiles=self._rows("report_tiles"),
            homes=self._homes,
            cells=self._map(most_cells),
            days=self._rows("report_energy", unit="day"),
            months=self._rows("report_energy", unit="month"),
            vendors=self._parts("report_sums", "vendor", self.scope.systems, period=self._spans([])),
            years=self._rows("report_years"),
            reconciliation=self._parts("report_reconciliation", "vendor", self.scope.systems),
            restatements=self._rows("report_restatements"),
            peers=self._rows("report_peers"),
            complete_coverage=self._complete_coverage,
        )

    def homes(self, system_ids: Sequence[str], most_days: int) -> Iterator[HomeFacts]:
        """What the page of each home shows; `most_days`: of so many days, the newest, every quarter hour."""
        for first in range(0, len(system_ids), HOMES_AT_ONCE):
            yield from self._some_homes(system_ids[first : first + HOMES_AT_ONCE], most_days)

    def _some_homes(self, system_ids: Sequence[str], most_days: int) -> Iterator[HomeFacts]:
        wanted = self.scope.systems.filter(pl.col("system_id").is_in(system_ids))
        lists = {name: _by_home(self._rows(f"report_{name}", wanted)) for name in OF_A_HOME}
        lists["gaps"] = _by_home(self._gaps_of(wanted).rows(named=True))
        lists["cells"] = _by_home(self._cells(wanted, "day"))
        lists["reconciliation"] = _by_home(self._parts("report_reconciliation", "system_id", wanted))
        edits = _by_home(self._rows("report_edits", wanted))
        shown = self._shown(lists["days"], edits, most_days)
        homes = {home["system_id"]: home for home in self._homes}
        sums = {
            (row["system_id"], row["first_day"], row["last_day"]): row
            for row in self._parts("report_sums", "system_id", wanted, period=self._spans(self.scope.periods))
        }
        for system_id in system_ids:
            yield HomeFacts(
                scope=self.scope,
                home=homes[system_id],
                total=sums[system_id, self.scope.start, self.scope.end],
                parts=[(part, sums[system_id, part.first_day, part.last_day]) for part in self.scope.periods],
                shown=shown.get(system_id, []),
                complete_coverage=self._complete_coverage,
                **{name: rows.get(system_id, []) for name, rows in lists.items()},
            )

    @cached_property
    def _homes(self) -> list[Row]:
        return self._rows("report_homes")

    def _map(self, most_cells: int) -> dict[str, list[Row]]:
        """By day where every home has room for its days, else by week, else by month, else of the worst homes alone."""
        start, end = self.scope.start, self.scope.end
        days = (end - start).days + 1
        weeks = (start.weekday() + days - 1) // 7 + 1
        places = {"day": days, "week": weeks, "month": len(list(months_between(start, end)))}
        unit = next((unit for unit, count in places.items() if count * len(self._homes) <= most_cells), "month")
        worst = pl.DataFrame({"system_id": [home["system_id"] for home in self._homes[: most_cells // places[unit]]]})
        return _by_home(self._cells(worst, unit))

    @cached_property
    def _gaps(self) -> pl.DataFrame:
        """Asked once: what is missing in a home costs as much as what is missing in all."""
        return self._frame("report_gaps", self.scope.systems)

    def _gaps_of(self, wanted: pl.DataFrame) -> pl.DataFrame:
        return self._gaps.join(wanted, on="system_id", how="semi", maintain_order="left")

    def _cells(self, wanted: pl.DataFrame, unit: str) -> list[Row]:
        return self._rows("report_cells", wanted, unit=unit, missing_place=self._gaps_of(wanted))

    def _shown(
        self, days: dict[str, list[Row]], edits: dict[str, list[Row]], most_days: int
    ) -> dict[str, list[DayFacts]]:
        """Of each home its newest loaded days, and those on which a clock changes; newest first."""
        chosen = []
        for system_id, rows in days.items():
            loaded = [row for row in rows if row["attributed_coverage"] is not None or _has_flow(row)]
            changed = [row for row in rows if _changes_clock(row) and _has_flow(row)]
            chosen += [(system_id, row["day"]) for row in (*changed, *loaded[-most_days:])]
        places = pl.DataFrame(chosen, schema={"system_id": pl.String(), "day": pl.Date()}, orient="row").unique()
        quarters: dict[tuple[str, date], dict[datetime, Row]] = {}
        for row in self._published.read(text("report_quarters"), shown=places).iter_rows(named=True):
            quarters.setdefault((row["system_id"], row["day"]), {})[row["start_utc"]] = row
        shown: dict[str, list[DayFacts]] = {}
        for bounds in reversed(self._published.read(text("report_bounds"), shown=places).rows(named=True)):
            system_id, day = bounds["system_id"], bounds["day"]
            shown.setdefault(system_id, []).append(
                DayFacts(
                    day,
                    bounds["timezone"],
                    next(row for row in days[system_id] if row["day"] == day),
                    list(_whole_day(bounds, quarters.get((system_id, day), {}))),
                    [edit for edit in edits.get(system_id, []) if _touches(edit, bounds)],
                )
            )
        return shown

    def _spans(self, periods: Sequence[Period]) -> pl.DataFrame:
        """The range, and these."""
        spans = {(self.scope.start, self.scope.end), *((each.first_day, each.last_day) for each in periods)}
        return pl.DataFrame(sorted(spans), schema=["first_day", "last_day"], orient="row")

    def _parts(self, name: str, key: str, wanted: pl.DataFrame, **frames: pl.DataFrame) -> list[Row]:
        """A question that is asked of parts of the systems: of each vendor, or each system."""
        parts = wanted.select("system_id", part=pl.col(key))
        return self._frame(name, parts, unit=None, **frames).rename({"part": key}).rows(named=True)

    def _rows(self, name: str, wanted: pl.DataFrame | None = None, **values: Any) -> list[Row]:
        return self._frame(name, self.scope.systems if wanted is None else wanted, **values).rows(named=True)

    def _frame(
        self, name: str, wanted: pl.DataFrame, *, unit: str | None = None, **frames: pl.DataFrame
    ) -> pl.DataFrame:
        values = {**self._range, **OUTCOMES, "unit": unit}
        return self._published.read(text(name), values, wanted=wanted, **frames)


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
    first, last = known_days(first_day, last_day, start, end or newest_day)
    if start is None:
        first = max(first, last - timedelta(days=DAYS_UNLESS_SAID - 1))
    return Scope(first, last, newest_day, newest_look, known.filter(chosen).sort("system_id"))


def _by_home(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["system_id"], []).append(row)
    return found


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
