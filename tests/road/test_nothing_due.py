"""A run that has nothing due publishes nothing that is equal, and publishes again for whatever is not."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import engines
import pytest
from tiers import swept
from world import NOW, World

from hem_etl.simulator import make_fleet
from hem_etl.warehouse import FileWarehouse, open_warehouse

DAY = "2026-11-20"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "home", make_fleet(3, today=NOW.date()))
    world.run(DAY)
    world.run(DAY)
    return world


def published(world: World) -> Path:
    return world.settings.database


def identity(world: World) -> object:
    return engines.identity(world.settings)


def test_the_published_file_stays_as_it_was_and_the_report_tells_its_checks(world: World) -> None:
    before, first = identity(world), world.run(DAY)
    again = world.run(DAY)

    assert first.asked == again.asked == 0
    assert identity(world) == before
    assert again.checks == first.checks != []
    assert again.warnings == first.warnings
    assert again.published == open_warehouse(world.settings).describe().published
    assert again.entries.keys() == first.entries.keys() != set()


@pytest.mark.only_file("a lake is no file that is opened")
@pytest.mark.parametrize("run", [lambda world: world.run(DAY), World.run_due], ids=["of a day", "of what events say"])
def test_it_opens_the_writers_file_once(
    world: World, monkeypatch: pytest.MonkeyPatch, run: Callable[[World], object]
) -> None:
    opened: list[str] = []
    connect = duckdb.connect

    def counted(database: str = ":memory:", *args: Any, **options: Any) -> Any:
        opened.append(database)
        return connect(database, *args, **options)

    monkeypatch.setattr(duckdb, "connect", counted)
    run(world)

    warehouse = open_warehouse(world.settings)
    assert isinstance(warehouse, FileWarehouse)
    assert opened == [str(warehouse.file)]


def remove(world: World) -> None:
    published(world).unlink()


def put_another_there(world: World) -> None:
    copy = published(world).with_name("older")
    shutil.copy(published(world), copy)
    copy.replace(published(world))


def touch(world: World) -> None:
    os.utime(published(world), ns=(1, 1))


def set_another_bound(world: World) -> None:
    world.settings = world.settings.model_copy(update={"gap_generation_kw": 11.0})


def write_in_the_tables(world: World) -> None:
    with world.road().warehouse.writing() as writer:
        writer.change("update core.asset set model = 'other' where asset_id = (select min(asset_id) from core.asset)")


def end_an_interval(world: World) -> None:
    with world.road().warehouse.writing() as writer, writer.transaction():
        writer.change("update core.load set state = 'open' where interval = $day", {"day": DAY})
        writer.note_changes(writer.changes().clear(), ["core.load"])


def forget_a_view(world: World) -> None:
    with engines.tampering(world.settings) as file:
        file.execute("update core.model set sha256 = 'another text' where relation = 'marts.daily_energy'")


def forget_a_check(world: World) -> None:
    with engines.tampering(world.settings) as file:
        file.execute("update core.model set sha256 = 'another text' where relation = 'checks.days_tile_time'")


HAPPENS = [write_in_the_tables, set_another_bound, end_an_interval, forget_a_view, forget_a_check]


@pytest.mark.parametrize("happens", swept(zip(HAPPENS), 2))
def test_what_readers_do_not_have_yet_is_published(world: World, happens: Callable[[World], None]) -> None:
    is_published_once_after(happens, world)


@pytest.mark.only_file("nobody can put another snapshot in the place of one")
@pytest.mark.parametrize("happens", swept(zip([remove, put_another_there, touch]), 1))
def test_a_file_that_is_not_the_one_published_is_replaced(world: World, happens: Callable[[World], None]) -> None:
    is_published_once_after(happens, world)


def is_published_once_after(happens: Callable[[World], None], world: World) -> None:
    happens(world)
    before = identity(world) if open_warehouse(world.settings).is_published() else None

    assert world.run(DAY).asked == 0
    after = identity(world)
    assert after != before
    world.run(DAY)
    assert identity(world) == after


@pytest.mark.only_file("the publish of a lake is one commit")
@pytest.mark.parametrize("dies_in", ["_replace_file", "_identity"])
@pytest.mark.slow
def test_a_publish_that_was_killed_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch, dies_in: str) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    write_in_the_tables(world)
    with monkeypatch.context() as killed, suppress(KeyboardInterrupt):
        killed.setattr(f"hem_etl.warehouse.files.{dies_in}", die)
        world.road().publish()
    before = identity(world)
    world.run(DAY)

    assert identity(world) != before
    assert open_warehouse(world.settings).is_current()


def test_a_structural_failure_is_told_again_until_it_is_mended(world: World) -> None:
    with world.road().warehouse.writing() as writer:
        writer.change("insert into core.load by name select * from core.load limit 1")
    for _ in range(2):
        with pytest.raises(Exception, match="core_load_key"):
            world.run(DAY)


def test_what_a_list_says_anew_is_published_and_that_it_was_seen_again_is_not(world: World) -> None:
    before = identity(world)
    world.pass_time(minutes=5)
    world.run(DAY)
    assert identity(world) == before

    world.simulator = type(world.simulator)(make_fleet(4, today=NOW.date()), clock=world.clock)
    named = world.sql("select min(system_id) from core.system").item()
    assert world.run(DAY, systems=(named,)).asked == 0
    assert identity(world) != before
    assert world.sql("select count(*) from core.system").item() == 4


@pytest.mark.only_file("that a lake was reset its tables say: they are gone")
def test_a_warehouse_is_current_until_it_is_reset(world: World) -> None:
    warehouse = open_warehouse(world.settings)
    assert isinstance(warehouse, FileWarehouse)
    assert warehouse.is_current()
    warehouse.reset()
    assert not warehouse.is_current()
