"""Pieces of a daily run, each measured alone: an opening, a transaction of ready frames, a catalogue of many files."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import measuring
import polars as pl
import worlds

from hem_etl import normalise
from hem_etl.local_day import Interval, naive_utc
from hem_etl.pipeline.batches import BODIES_PER_BATCH, chunks
from hem_etl.pipeline.commit import Commit, Loaded, Looks, Standing
from hem_etl.pipeline.corrections import HISTORY_SCHEMA, Corrections
from hem_etl.preparing.prepare import Judging, PreparedDays, prepare_days
from hem_etl.simulator import Fleet, Home
from hem_etl.simulator.bodies import day_body

FILES_AT_ONCE: Final = 500
SPREAD_TABLES: Final = (
    "stored.reading",
    "core.series",
    "core.day_energy",
    "core.load",
    "core.day_version",
    "core.reported_day",
)
"""Those of a history that have rows of each system-day."""


def open_writer(folder: Path) -> None:
    """The writer's tables opened and closed, under the lock."""
    road = worlds.road_of(folder)

    def work() -> None:
        with road.warehouse.writing():
            pass

    measuring.tell(work)


def open_reader(folder: Path) -> None:
    """What is published opened, and one row asked of it."""
    road = worlds.road_of(folder)

    def work() -> None:
        with road.warehouse.reading() as published:
            published.count("core.zone")

    measuring.tell(work)


def load_nothing(folder: Path) -> None:
    """A load that finds all that is landed in the tables."""
    measuring.tell(worlds.road_of(folder).load)


def commit_days(folder: Path, systems: int) -> None:
    """Ready frames of one more day of so many homes of a history into the tables: an opening and a transaction."""
    day, _ = _newest(folder)
    loaded = _commit(folder, systems, day + timedelta(days=1), worlds.documented_fleet(systems))
    assert loaded.new_days == systems, f"{loaded.new_days} of {systems} days are new"


def commit_again(folder: Path, systems: int) -> None:
    """The same for the newest day, which the tables hold with other values."""
    day, version = _newest(folder)
    homes = worlds.documented_fleet(systems).homes  # some have no meter, so that their load is in no body
    sunnier = Fleet(tuple(replace(home, pv_watts=home.pv_watts + 10 * version) for home in homes))
    loaded = _commit(folder, systems, day, worlds.other_loads(sunnier, version))
    assert loaded.changed_days == systems, f"{loaded.changed_days} of {systems} days changed"


def look_again(folder: Path, systems: int) -> None:
    """The same for the newest day, whose very bytes came again."""
    day, version = _newest(folder)
    assert version == 1, "commit it anew: its days were replaced"
    loaded = _commit(folder, systems, day, worlds.documented_fleet(systems))
    assert loaded.unchanged == systems, f"{loaded.unchanged} of {systems} days are unchanged"


def _newest(folder: Path) -> tuple[date, int]:
    """The newest day of the tables, and the highest number of a version of it."""
    with worlds.road_of(folder).warehouse.writing() as writer:
        found = writer.read("select day, max(version) from core.day_version group by day order by day desc limit 1")
    return found.row(0)


def _commit(folder: Path, systems: int, day: date, fleet: Fleet) -> Loaded:
    road = worlds.road_of(folder)
    batches = list(_prepared(folder, fleet, day))
    keys = [key for looks, _ in batches for key in looks]
    segment = pl.DataFrame({"segment": [f"{day}"], "loaded_at_utc": [naive_utc(worlds.NOW)]})
    loaded = Loaded()

    def work() -> None:
        with road.warehouse.writing() as writer, writer.in_one_thread(), writer.transaction():
            standing = Standing(writer, keys, has_corrections=False)
            corrections = Corrections(pl.DataFrame(schema=HISTORY_SCHEMA))
            commit = Commit(writer, road.settings, standing, corrections, loaded, naive_utc(worlds.NOW))
            for looks, prepared in batches:
                if to_read := commit.settle(looks.values()):
                    commit.add_days(to_read, prepared)
            commit.finish()
            writer.append("core.loaded_segment", segment)

    measuring.tell(work, amount=lambda: systems)
    return loaded


def _prepared(folder: Path, fleet: Fleet, day: date) -> Iterator[tuple[Looks, PreparedDays]]:
    """A day of these homes under the names of a history's, batch by batch."""
    for numbered in chunks(enumerate(fleet.homes, 1), BODIES_PER_BATCH):
        bodies = [_body(worlds.home_of_history(home, number), day) for number, home in numbered]
        judging = Judging.by(worlds.settings_of(folder), {body.system_id: None for body in bodies})
        looks = [
            worlds.look_of(body.system_id, body.interval, naive_utc(worlds.NOW), hashlib.sha256(body.body).hexdigest())
            for body in bodies
        ]
        yield {look.key: look for look in looks}, prepare_days(bodies, judging)


def _body(home: Home, day: date) -> normalise.Body:
    body = b'{"timeseries":%b}' % day_body(home, day, worlds.NOW).encode()
    return normalise.Body(home.system_id, Interval.of_day(day), body, worlds.NOW, home.timezone)


def bytes_of_tables(folder: Path) -> None:
    """What all that is landed takes, published."""
    road = worlds.road_of(folder)
    measuring.tell(road.publish, amount=lambda: road.warehouse.describe().published_bytes or 0)


def bytes_of_landing(folder: Path) -> None:
    """What its segments take."""
    landing = worlds.road_of(folder).landing
    measuring.tell(
        landing.segments, amount=lambda: sum((landing.folder / name).stat().st_size for name in landing.segments())
    )


def make_files(folder: Path, systems: int, days: int, files: int) -> None:
    """A history in a lake whose tables are so many files in all, published; rows are the same whatever their number.

    What a transaction writes is such a file; here they are written in bulk and registered by DuckLake itself, some at a
    time: what one call takes grows with the square of its files.
    """
    worlds.make_history(folder, systems, days)
    road = worlds.road_of(folder)
    days_of_a_file = max(1, systems * days * len(SPREAD_TABLES) // files)
    _, data = road.settings.lake()
    with road.warehouse.writing() as writer:
        for relation in SPREAD_TABLES:
            schema, table = relation.split(".")
            written = Path(data) / "spread" / table
            written.parent.mkdir(exist_ok=True)
            file = f"(dense_rank() over (order by day, system_id) - 1) // {days_of_a_file} as file"
            by_file = f"select *, {file}, file // {FILES_AT_ONCE} as part from {relation} order by file"
            with writer.transaction():
                writer.change(f"copy ({by_file}) to '{written}' (format parquet, partition_by (part, file))")
                writer.change(f"delete from {relation}")
            for part in written.iterdir():
                with writer.transaction():
                    registered = f"'hem', '{table}', '{part}/*/*.parquet', schema => '{schema}'"
                    writer.change(f"call ducklake_add_data_files({registered})")
        writer.publish()
