"""Every line of a header that says what a change reaches, or what must be seen, is needed: without it a row is wrong.

Each case is the smallest change that needs one line, in a warehouse that is built whole before it. What `union all`
joins are lines of their own here.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

import duckdb
import pytest
from sql.test_models import MODELS, fill_calendar, fill_defaults

from hem_etl.warehouse.models import Models, build, create_tables
from hem_etl.warehouse.models.changing import changed
from hem_etl.warehouse.models.model import Model

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NOW = datetime(2026, 3, 20, 12)
OF_DAYS = ("day_energy", "series", "reported_day", "load")
FLOWS = ("generation", "consumption")

Con = duckdb.DuckDBPyConnection
Tables = dict[str, list[str]]


def insert(con: Con, table: str, **values: object) -> None:
    marks = ", ".join("?" for _ in values)
    con.execute(f"insert into core.{table} ({', '.join(values)}) values ({marks})", list(values.values()))


def forget(con: Con, system: str, day: date) -> None:
    for table in OF_DAYS:
        con.execute(f"delete from core.{table} where system_id = ? and day = ?", [system, day])


def ask(con: Con, system: str, day: date, outcome: str, at: datetime = NOW, **facts: object) -> None:
    """A look, in place of what is known of the day."""
    forget(con, system, day)
    words = {"interval": day.isoformat(), "interval_kind": "day", "state": "provisional"}
    insert(con, "load", system_id=system, day=day, outcome=outcome, fetched_at_utc=at, **words, **facts)


def load(con: Con, system: str, day: date, zone: str = BERLIN, *, without: str = "", **sums: object) -> None:
    """A loaded day, every flow whole but the one that it is without."""
    ask(con, system, day, "loaded", timezone=zone, loaded_at_utc=NOW, answered_at_utc=NOW)
    insert(con, "day_energy", system_id=system, day=day, consumption_kwh=10, attributed_minutes=1440, **sums)
    for flow in FLOWS:
        facts = {"is_known": True, "is_available": flow != without, "valid_minutes": 1440, "resolution_minutes": 15}
        insert(con, "series", system_id=system, day=day, metric=flow, **facts)
    insert(con, "reported_day", system_id=system, day=day, consumption_kwh=10)


def move_the_day_before(con: Con) -> None:
    load(con, "moved", date(2026, 3, 1), NEW_YORK)


def load_again_what_overlaps(con: Con) -> None:
    load(con, "overlapping", date(2026, 3, 2))


def look_at_another_system(con: Con) -> None:
    ask(con, "other", date(2026, 3, 2), "unreachable", at=NOW.replace(hour=15))


def tell_the_zone_of_older_days(con: Con) -> None:
    load(con, "unlisted", date(2026, 3, 10), NEW_YORK)


def lose_a_flow_before_a_lost_day(con: Con) -> None:
    load(con, "lost", date(2026, 3, 1), without="generation")


def lose_another_day(con: Con) -> None:
    ask(con, "lost", date(2026, 3, 8), "unreachable")


def change_the_first_bucket_of_the_last_day(con: Con) -> None:
    load(con, "whole", date(2026, 3, 3), consumption_first_bucket_kwh=0.5)


def change_the_first_bucket_of_the_first_day(con: Con) -> None:
    load(con, "whole", date(2026, 3, 1), consumption_first_bucket_kwh=0.5)


def lose_the_battery_two_months_ago(con: Con) -> None:
    load(con, "battery", date(2025, 12, 5))


CASES: Final[dict[tuple[str, str, int], tuple[Callable[[Con], None], str, date]]] = {
    ("staging.day", "reaches", 0): (move_the_day_before, "moved", date(2026, 3, 1)),
    ("staging.day", "reaches", 1): (look_at_another_system, "other", date(2026, 3, 2)),
    ("staging.day", "reaches", 2): (tell_the_zone_of_older_days, "unlisted", date(2026, 3, 10)),
    ("staging.day", "looks_at", 0): (load_again_what_overlaps, "overlapping", date(2026, 3, 2)),
    ("staging.day_flow", "reaches", 0): (lose_a_flow_before_a_lost_day, "lost", date(2026, 3, 1)),
    ("staging.day_flow", "looks_at", 0): (lose_another_day, "lost", date(2026, 3, 8)),
    ("staging.month", "reaches", 0): (look_at_another_system, "other", date(2026, 3, 2)),
    ("marts.monthly_energy", "reaches", 0): (lose_the_battery_two_months_ago, "battery", date(2025, 12, 5)),
    ("staging.day_behaviour", "reaches", 0): (change_the_first_bucket_of_the_last_day, "whole", date(2026, 3, 3)),
    ("staging.day_behaviour", "looks_at", 0): (change_the_first_bucket_of_the_first_day, "whole", date(2026, 3, 1)),
}
"""(model, line, its place among those that `union all` joins) → the change, and the day that is noted of it."""


def lines_of(model: Model, label: str) -> list[str]:
    return re.split(r"\sunion all\s", getattr(model, label)) if getattr(model, label) else []


def without_line(relation: str, label: str, place: int) -> Models:
    model = MODELS.model(relation)
    kept = " union all ".join(line for number, line in enumerate(lines_of(model, label)) if number != place)
    return replace(
        MODELS,
        built=tuple(replace(each, **{label: kept}) if each is model else each for each in MODELS.built),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse before the changes, built whole."""
    path = tmp_path_factory.mktemp("warehouse") / "before.duckdb"
    with duckdb.connect(str(path), config={"threads": 1}) as con:
        create_tables(con, MODELS)
        fill_calendar(con, {BERLIN, NEW_YORK}, [date(2025, 12, 1), date(2026, 2, 1), date(2026, 3, 1)])
        fill_defaults(con)
        for system in ("moved", "overlapping", "other", "running", "lost", "whole", "battery"):
            insert(con, "system", system_id=system, timezone=BERLIN)
        for system, first_zone in (("moved", BERLIN), ("overlapping", NEW_YORK)):
            load(con, system, date(2026, 3, 1), first_zone)
            load(con, system, date(2026, 3, 2))
        load(con, "running", NOW.date())
        ask(con, "unlisted", date(2026, 3, 5), "unreachable")
        load(con, "unlisted", date(2026, 3, 6))
        load(con, "lost", date(2026, 3, 1))
        ask(con, "lost", date(2026, 3, 5), "unreachable")
        for number in (1, 2, 3):
            load(con, "whole", date(2026, 3, number), consumption_first_bucket_kwh=number / 10)
        for day in (date(2025, 12, 5), date(2026, 2, 5)):  # nothing in between: two months later it is reached
            load(con, "battery", day, paired_battery_charge_kwh=9)
        build(con, MODELS)
    return path


@contextmanager
def after(change: Callable[[Con], None], file: Path, tmp_path: Path) -> Iterator[Con]:
    shutil.copy(file, tmp_path / "after.duckdb")
    with duckdb.connect(str(tmp_path / "after.duckdb"), config={"threads": 1}) as con:
        change(con)
        yield con


def rebuilt(con: Con, models: Models, system: str, day: date) -> Tables:
    con.execute("create or replace temp table noted as select ?::varchar as system_id, ?::date as day", [system, day])
    with changed(con, models, "noted") as what_changed:
        what_changed.build()
    return tables(con)


def tables(con: Con) -> Tables:
    made = [model.relation for model in MODELS.built if model.is_table]
    return {relation: sorted(map(repr, con.execute(f"from {relation}").fetchall())) for relation in made}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_a_change_is_followed_with_the_line_and_not_without_it(
    case: tuple[str, str, int], file: Path, tmp_path: Path
) -> None:
    change, system, day = CASES[case]
    with after(change, file, tmp_path) as con:
        followed = rebuilt(con, MODELS, system, day)
    with after(change, file, tmp_path) as con:
        not_followed = rebuilt(con, without_line(*case), system, day)
        build(con, MODELS)
        of_nothing = tables(con)

    assert followed == of_nothing
    assert not_followed[case[0]] != of_nothing[case[0]]


def test_every_line_has_a_case() -> None:
    lines = {
        (model.relation, label, place)
        for model in MODELS.built
        for label in ("reaches", "looks_at")
        for place, _ in enumerate(lines_of(model, label))
    }
    assert lines == CASES.keys()
