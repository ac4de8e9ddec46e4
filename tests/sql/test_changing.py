"""Tables rebuilt by the keys that changed hold what a build from nothing makes of the same core, to the last bit.

The tables of core are changed at random here, without the road: also in ways that no road leads to.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from sql.test_models import MODELS, fill_calendar, fill_defaults

from hem_etl.warehouse import models as sql_models
from hem_etl.warehouse.models.changing import changed

FIRST, DAYS = date(2026, 2, 20), 70
"""Over a change of clocks and four months."""
ZONES = ["Europe/Berlin", "Asia/Kolkata", "America/New_York"]
SYSTEMS = ["stated", "other", "unstated", "unlisted"]
"""The last two have no zone but that of their newest loaded day; the last is in no list."""
FLOWS = ["generation", "consumption", "grid_import", "grid_export", "battery_charge", "battery_discharge"]
FAILED = ["unreachable", "refused", "relink_needed", "before_installation", "gone", "unsupported"]
OF_DAYS = ["day_energy", "series", "day_version", "finding", "reported_day", "load"]

Day = tuple[str, date | None]


@dataclass
class Fleet:
    """A warehouse that is changed at random, and what was noted of it."""

    con: duckdb.DuckDBPyConnection
    chance: random.Random
    now: datetime = datetime(2026, 4, 10, 12)
    noted: set[Day] = field(default_factory=set)

    def some_days(self) -> list[tuple[str, date]]:
        """A day of some systems, or some days of one."""
        first = FIRST + timedelta(days=self.chance.randrange(DAYS))
        if self.chance.random() < 0.5:
            return [(system, first) for system in self.chance.sample(SYSTEMS, self.chance.randint(1, len(SYSTEMS)))]
        return [(self.chance.choice(SYSTEMS), first + timedelta(days=n)) for n in range(self.chance.randint(1, 9))]

    def insert(self, table: str, **values: Any) -> None:
        marks = ", ".join("?" for _ in values)
        self.con.execute(f"insert into core.{table} ({', '.join(values)}) values ({marks})", list(values.values()))

    def forget(self, days: Iterable[tuple[str, date]], tables: Iterable[str]) -> None:
        for table in tables:
            self.con.executemany(
                f"delete from core.{table} where system_id = ? and day = ?", [list(day) for day in days]
            )

    def number(self) -> float | None:
        return None if self.chance.random() < 0.2 else self.chance.uniform(0, 20)

    def let_time_pass(self) -> None:
        self.now += timedelta(hours=self.chance.choice([0, 1, 5, 30, 300]), minutes=self.chance.randrange(60))

    def ask(self, system: str, day: date, outcome: str, **facts: Any) -> None:
        self.forget([(system, day)], ["load"])
        interval = {
            "interval": day.isoformat(),
            "interval_kind": "day",
            "ends_at_utc": datetime.combine(day, datetime.min.time()) + timedelta(days=1),
        }
        self.insert(
            "load",
            system_id=system,
            day=day,
            outcome=outcome,
            fetched_at_utc=self.now,
            state="provisional",
            **interval,
            **facts,
        )

    def load_days(self) -> None:
        days = self.some_days()
        zone = self.chance.choice([None, *ZONES])
        for system, day in days:
            self.load(system, day, zone)
        self.noted.update(days)

    def load(self, system: str, day: date, zone: str | None) -> None:
        self.forget([(system, day)], ["day_energy", "series"])
        answered = {
            "loaded_at_utc": self.now,
            "answered_at_utc": self.now,
            "timezone": zone,
            "loaded_outcome": "loaded",
        }
        self.ask(system, day, "loaded", **answered)
        versions = self.con.execute(
            "select count(*) from core.day_version where system_id = ? and day = ?", [system, day]
        ).fetchall()[0][0]
        sums = {f"{flow}_kwh": self.number() for flow in FLOWS}
        cover = {f"{flow}_coverage": self.chance.choice([None, 0.5, 1.0]) for flow in FLOWS}
        cause = self.chance.choice(["answer", "override"])
        self.insert(
            "day_version",
            system_id=system,
            day=day,
            version=versions + 1,
            fetched_at_utc=self.now,
            cause=cause,
            **sums,
            **cover,
        )
        if self.chance.random() < 0.9:
            pairs = {f"paired_{flow}_kwh": self.number() for flow in FLOWS}
            used = {f"used_{name}_kwh": self.number() for name in ("solar", "battery", "grid", "total")}
            peaks = {
                name: self.number()
                for name in (
                    "generation_bucket_peak_kw",
                    "grid_import_peak_kw",
                    "consumption_first_bucket_kwh",
                    "balance_sources_kwh",
                    "balance_sinks_kwh",
                )
            }
            self.insert(
                "day_energy",
                system_id=system,
                day=day,
                attributed_minutes=self.chance.choice([None, 600, 1440]),
                **sums,
                **pairs,
                **used,
                **peaks,
            )
        for metric in [*FLOWS, "soc"]:
            if self.chance.random() < 0.9:
                is_available = self.chance.random() < 0.8
                counted = {
                    "valid_minutes": self.chance.choice([1440, 1440, 600]),
                    "expected_buckets": 96,
                    "resolution_minutes": self.chance.choice([5, 15]),
                    "edited_buckets": self.chance.choice([0, 0, 2]),
                    "null_buckets": 1,
                    "missing_buckets": self.chance.randrange(9),
                    "duplicate_buckets": 0,
                    "off_grid_buckets": 0,
                    "offset_mismatch_buckets": 0,
                }
                self.insert(
                    "series",
                    system_id=system,
                    day=day,
                    metric=metric,
                    is_known=True,
                    is_available=is_available,
                    absence=None if is_available else "no_data",
                    **counted,
                )
        if self.chance.random() < 0.3:
            self.insert("finding", system_id=system, day=day, interval=day.isoformat(), rule="night_generation")

    def fail_days(self) -> None:
        days = self.some_days()
        for system, day in days:
            before = self.con.execute(
                "select loaded_at_utc, answered_at_utc, timezone from core.load where system_id = ? and day = ?",
                [system, day],
            ).fetchall()
            loaded_at, answered_at, zone = before[0] if before else (None, None, None)
            self.ask(
                system,
                day,
                self.chance.choice(FAILED),
                loaded_at_utc=loaded_at,
                answered_at_utc=answered_at,
                timezone=zone,
            )
        self.noted.update(days)

    def report_days(self) -> None:
        days = self.some_days()
        self.forget(days, ["reported_day"])
        for system, day in days:
            self.insert("reported_day", system_id=system, day=day, **{f"{flow}_kwh": self.number() for flow in FLOWS})
        self.noted.update(days)

    def take_days_away(self) -> None:
        days = self.some_days()
        self.forget(days, OF_DAYS)
        self.noted.update(days)

    def list_another_state(self) -> None:
        system = self.chance.choice(SYSTEMS[:-1])
        self.forget_system(system)
        zone = None if system == "unstated" else self.chance.choice(ZONES)
        facts = {
            "user_id": self.chance.choice([None, "ann", "ben"]),
            "vendor": self.chance.choice([None, "TESLA", "SMA"]),
        }
        gone = self.chance.choice([None, None, self.now])
        self.insert("system", system_id=system, timezone=zone, gone_at_utc=gone, **facts)
        self.insert("system_history", system_id=system, valid_from_utc=self.now, **facts)
        self.insert("asset", asset_id=system, kind="battery", system_id=system, capacity_kwh=self.number())
        self.noted.add((system, None))

    def forget_system(self, system: str) -> None:
        for table in ("system", "asset"):
            self.con.execute(f"delete from core.{table} where system_id = ?", [system])

    def step(self) -> str:
        """Change something; returns what."""
        change = self.chance.choice(
            [
                self.load_days,
                self.load_days,
                self.load_days,
                self.fail_days,
                self.report_days,
                self.take_days_away,
                self.list_another_state,
            ]
        )
        self.let_time_pass()
        change()
        return change.__name__

    def changed_days(self) -> list[tuple[str, date]]:
        whole = {system for system, day in self.noted if day is None}
        every = [FIRST + timedelta(days=n) for n in range(DAYS + 10)]
        return sorted({(s, d) for s, d in self.noted if d is not None} | {(s, d) for s in whole for d in every})


@pytest.fixture
def con() -> Iterable[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as con:
        sql_models.create_tables(con, MODELS)
        fill_calendar(con, set(ZONES), [FIRST + timedelta(days=n) for n in range(DAYS + 10)])
        fill_defaults(con)
        sql_models.build(con, MODELS)
        yield con


def contents(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    return {view.relation: sorted(map(repr, con.execute(f"from {view.relation}").fetchall())) for view in MODELS.views}


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 6), *(pytest.param(seed, 50, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_after_each_change_the_tables_are_those_of_a_build_from_nothing(
    con: duckdb.DuckDBPyConnection, seed: int, steps: int
) -> None:
    fleet = Fleet(con, random.Random(seed))
    for number in range(steps):
        fleet.noted.clear()
        told = [fleet.step() for _ in range(2)]
        con.execute("create or replace temp table noted (system_id varchar, day date)")
        if days := fleet.changed_days():
            con.executemany("insert into noted values (?, ?)", [list(day) for day in days])
        with changed(con, MODELS, "noted") as what_changed:
            what_changed.build()
        by_keys = contents(con)
        sql_models.build(con, MODELS)
        for relation, rows in contents(con).items():
            assert by_keys[relation] == rows, (number, told, relation)
