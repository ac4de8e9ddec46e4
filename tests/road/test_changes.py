"""What changed since the last publish is noted, whatever happens; checks look there, and once a day everywhere."""

import random
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from engines import tampering
from world import NOW, World, published_tables, same_tables

from hem_etl.errors import StructuralCheckError
from hem_etl.pipeline import publishing
from hem_etl.simulator import Faults, Simulator, make_fleet
from hem_etl.warehouse import FileWarehouse, Models, Writer, open_warehouse, packaged_models

pytestmark = pytest.mark.slow

TABLES = ("reading", "interval_15min", "day_energy", "series", "day_version", "load", "reported_day")
"""Tables of core that have a system and a day in each row; findings have an interval."""
FIRST, LAST = date(2026, 10, 30), date(2026, 11, 21)
HEADER = "system_id,start,end,metric,value,author,reason\n"

Day = tuple[str, date]


@dataclass
class Publish:
    """What a publish was told of."""

    days: set[Day]
    is_everything: bool


@pytest.fixture
def publishes(monkeypatch: pytest.MonkeyPatch) -> list[Publish]:
    """Those of the tests, as they come."""
    noted: list[Publish] = []
    publish = publishing.publish

    def noting(writer: Writer, models: Models, *args: Any, **options: Any) -> Any:
        writer.create_tables(models)
        days = set(writer.read(publishing.CHANGED_DAYS).rows())
        noted.append(Publish(days, bool(writer.changes()["system_id"].null_count())))
        return publish(writer, models, *args, **options)

    monkeypatch.setattr(publishing, "publish", noting)
    return noted


def published(world: World) -> dict[str, dict[Day, list[str]]]:
    """Table → day → its rows, as readers have them."""
    if not open_warehouse(world.settings).is_published():
        return {name: {} for name in (*TABLES, "finding")}
    found: dict[str, dict[Day, list[str]]] = {}
    for name in TABLES:
        found[name] = by_day(world.sql(f"select * from core.{name}"))
    days = "if(length(interval) = 7, interval || '-01', interval)::date as day"
    found["finding"] = by_day(world.sql(f"select * exclude (day), {days} from core.finding"))
    return found


def by_day(rows: pl.DataFrame) -> dict[Day, list[str]]:
    found: dict[Day, list[str]] = {}
    for row in sorted(rows.iter_rows(named=True), key=repr):
        found.setdefault((row["system_id"], row["day"]), []).append(repr(row))
    return found


def differing(before: dict[str, dict[Day, list[str]]], after: dict[str, dict[Day, list[str]]]) -> set[Day]:
    return {
        day
        for name in after
        for day in before[name].keys() | after[name].keys()
        if before[name].get(day) != after[name].get(day)
    }


def run_some_days(world: World, chance: random.Random) -> None:
    first = FIRST + timedelta(days=chance.randrange((LAST - FIRST).days))
    last = first + timedelta(days=chance.randrange(3))
    world.run(first, last, refresh=chance.random() < 0.5, months=chance.random() < 0.5)


def let_time_pass_and_ask_again(world: World, chance: random.Random) -> None:
    world.pass_time(hours=chance.choice([1, 7, 30, 200]))
    world.run(FIRST, LAST, refresh=False)


def be_faulty(world: World, chance: random.Random) -> None:
    """Series vanish, systems are blocked or gone, bodies cannot be read; each with other systems."""
    world.simulator = Simulator(
        world.simulator.fleet,
        clock=world.clock,
        faults=Faults.all(chance.randrange(99)) if chance.random() < 0.7 else None,
    )
    run_some_days(world, chance)


def correct(world: World, chance: random.Random) -> None:
    """Another file of corrections, or none."""
    systems = world.sql("select system_id from core.system order by all")["system_id"].to_list()
    rows = [
        f"{chance.choice(systems)},{day},{day + timedelta(days=chance.randrange(4))},"
        f"{chance.choice(['generation', 'consumption'])},{chance.choice(['ignore', '1.5'])},ann,meter\n"
        for day in chance.sample([FIRST + timedelta(days=n) for n in range((LAST - FIRST).days)], chance.randrange(3))
    ]
    world.road().apply_overrides((HEADER + "".join(rows)).encode())


def set_another_bound(world: World, chance: random.Random) -> None:
    world.settings = world.settings.model_copy(update={"gap_generation_kw": chance.choice([9.0, 10.0, 11.0])})
    run_some_days(world, chance)


STEPS = (run_some_days, run_some_days, let_time_pass_and_ask_again, be_faulty, correct, set_another_bound)


@pytest.mark.only_file("a copy of the writer's file is built from nothing")
@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 3), (2, 30), (3, 30), (4, 30), pytest.param(77, 200, marks=pytest.mark.large)]
)
def test_every_day_that_differs_was_noted_and_built_as_a_build_from_nothing_does(
    tmp_path: Path, publishes: list[Publish], seed: int, steps: int
) -> None:
    chance = random.Random(seed)
    world = World(tmp_path / "home", make_fleet(4, seed, today=NOW.date(), is_rich=chance.random() < 0.5))
    world.run(LAST)
    narrow = 0
    for number in range(steps):
        before = published(world)
        publishes.clear()
        world.pass_time(minutes=1)  # no two looks at the same moment
        step = chance.choice(STEPS)
        step(world, chance)
        differs = differing(before, published(world))
        noted = {day for publish in publishes for day in publish.days}
        is_everything = any(publish.is_everything for publish in publishes)
        assert is_everything or differs <= noted, (number, step.__name__, sorted(differs - noted)[:5])
        narrow += bool(differs) and not is_everything
        same_tables(built(world.tables()), built(tables_from_nothing(world)))
    assert narrow, "no step changed some days alone"

    world.road().publish()
    of_runs = world.tables()
    world.road().rebuild()
    same_tables(of_runs, world.tables())


def built(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Those that are made of core: that a system was merely seen again is in core and waits for the next publish."""
    return {name: frame for name, frame in tables.items() if not name.startswith("core.")}


def tables_from_nothing(world: World) -> dict[str, pl.DataFrame]:
    """The tables of a copy of this world, whose models were all made anew."""
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copy(writers_file(world), copy / "warehouse.duckdb")
        warehouse = FileWarehouse(copy, copy / "published.duckdb")
        with warehouse.publishing() as writer:
            writer.build(packaged_models())
        return published_tables(warehouse)


def writers_file(world: World) -> str:
    warehouse = open_warehouse(world.settings)
    assert isinstance(warehouse, FileWarehouse)
    return str(warehouse.file)


FAULT = """
insert into stored.interval_15min by name
select system_id, day, start_utc, utc_offset_minutes, 10 as generation_kwmin, 16 as generation_minutes
from core.interval_15min where day = $day and generation_minutes = 15
"""
"""Quarter hours with more minutes than they have."""


def break_a_day(world: World, day: str) -> None:
    """As a bug would: nobody notes it."""
    with tampering(world.settings) as file:
        file.execute(FAULT, {"day": day})


def mend(world: World, day: str) -> None:
    with tampering(world.settings) as file:
        file.execute(f"delete from stored.interval_15min where day = '{day}' and generation_minutes = 16")


def scopes(world: World) -> dict[str, str]:
    query = "select check_name, max_by(scope, at_utc) from core.check_result group by all"
    return dict(world.sql(query).iter_rows())


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "home", make_fleet(3, today=NOW.date()))
    world.run("2026-11-18", "2026-11-19", months=False)
    return world


def test_local_checks_run_on_what_changed_and_the_file_says_so(world: World) -> None:
    assert set(scopes(world).values()) == {"all"}
    world.pass_time(minutes=1)
    report = world.run("2026-11-20", months=False)

    is_local = {check.name: bool(check.local_to) for check in packaged_models().checks}
    assert scopes(world) == {name: "changed" if local else "all" for name, local in is_local.items()}
    assert {check.name: check.scope for check in report.checks} == scopes(world)
    assert [check.name for check in report.checks] == list(is_local)
    world.pass_time(minutes=1)
    world.road().publish()
    assert set(scopes(world).values()) == {"all"}


def test_a_fault_where_nothing_changed_is_found_within_a_day_and_then_until_it_is_mended(world: World) -> None:
    break_a_day(world, "2026-11-18")
    world.run("2026-11-20", months=False)
    world.pass_time(hours=20)
    for _ in range(2):
        with pytest.raises(StructuralCheckError, match="interval_15min_consistent"):
            world.run("2026-11-21", months=False)
    mend(world, "2026-11-18")
    world.run("2026-11-21", months=False)
    assert world.sql("select count(*) from core.day_energy where day = '2026-11-21'").item() > 0


def test_a_check_that_failed_is_run_on_everything_until_it_holds(world: World) -> None:
    break_a_day(world, "2026-11-18")
    with pytest.raises(StructuralCheckError, match="interval_15min_consistent"):
        world.road().publish()
    world.pass_time(minutes=1)
    with pytest.raises(StructuralCheckError, match="interval_15min_consistent"):
        world.run("2026-11-20", months=False)
    mend(world, "2026-11-18")
    world.pass_time(minutes=1)
    world.run("2026-11-20", months=False)
    assert scopes(world)["interval_15min_consistent"] == "all"
    world.pass_time(minutes=1)
    world.run("2026-11-21", months=False)
    assert scopes(world)["interval_15min_consistent"] == "changed"


def test_what_a_local_check_finds_is_counted_over_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in a day that is being loaded, beside an older one of the same kind."""
    break_a_day(world, "2026-11-18")
    publish = publishing.publish

    def spoilt(writer: Writer, *args: Any, **options: Any) -> Any:
        writer._connection.execute(FAULT, {"day": "2026-11-20"})
        return publish(writer, *args, **options)

    monkeypatch.setattr(publishing, "publish", spoilt)
    with pytest.raises(StructuralCheckError) as failed:
        world.run("2026-11-20", months=False)
    ((_, rows, _),) = [found for found in failed.value.failures if found[0] == "interval_15min_consistent"]
    with tampering(world.settings) as file:
        ((both,),) = file.execute("select count(*) from core.interval_15min where generation_minutes = 16").fetchall()
    assert rows == both


@pytest.mark.parametrize("text", ["marts.daily_energy", "checks.reading_key", "macros.ratio"])
def test_another_text_of_a_model_or_check_is_proved_on_everything(world: World, text: str) -> None:
    with tampering(world.settings) as file:
        file.execute("update core.model set sha256 = 'another text' where relation in (?, ?)", [text, "main.ratio"])
    world.pass_time(minutes=1)
    world.run("2026-11-20", months=False)
    assert set(scopes(world).values()) == {"all"}


def test_a_check_of_an_older_version_makes_no_run_look_at_everything(world: World) -> None:
    with tampering(world.settings) as file:
        file.execute(
            "insert into core.check_result by name "
            "select * replace ('of_an_older_version' as check_name, at_utc - interval 1 month as at_utc) "
            "from core.check_result limit 1"
        )
    world.pass_time(minutes=1)
    assert {check.scope for check in world.run("2026-11-20", months=False).checks} == {"all", "changed"}


def test_what_a_clock_that_ran_ahead_has_proved_counts_for_nothing(world: World) -> None:
    with tampering(world.settings) as file:
        file.execute("update core.check_result set at_utc = at_utc + interval 1 year")
    world.pass_time(minutes=1)
    assert {check.scope for check in world.run("2026-11-20", months=False).checks} == {"all"}
