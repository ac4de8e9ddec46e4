"""What the bench runs of ours, one task a process: `python benchmarks/tasks.py TASK FOLDER […]`.

Tasks named `make-…` prepare a folder for others. Every other task can be repeated: it leaves its folder as it needs it.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb
import measuring
import pieces
import polars as pl
import worlds
from msgspec import Struct
from msgspec.json import Decoder

from hem_etl import facts, normalise
from hem_etl.local_day import Interval, days_between
from hem_etl.pipeline import Request, Road
from hem_etl.pipeline.versions import DAY_TABLES
from hem_etl.preparing.prepare import Judging, prepare_days
from hem_etl.settings import Settings
from hem_etl.simulator import make_fleet
from hem_etl.vocabulary import WIRE_FLOWS
from hem_etl.warehouse import packaged_models

BODIES_AT_ONCE: Final = 500
DAGSTER_BEGINS: Final = "2026-10-01"
SUMS_OF_A_PEER: Final = """
with series as (
    select
        system_id, day, metric, sum(v) as kw, date_diff('minute', min(t), max(t)) / (count(*) - 1) as minutes,
        count(*) as points
    from hem.point
    group by all
)
select system_id, day::date, metric, kw * minutes / 60, points from series
"""


def landing_to_tables(folder: Path, workers: int = 1) -> None:
    """Everything landed into an empty warehouse: readings, quarter hours, sums of days, series, ledger."""
    road = _emptied(folder, workers)
    measuring.tell(road.load, amount=lambda: _values_of(road))


def landing_to_published(folder: Path) -> None:
    """The same, with all models built, all checks run, and the file that people query put in place."""
    road = _emptied(folder)

    def work() -> None:
        road.load()
        road.publish()

    measuring.tell(work, amount=lambda: _values_of(road))


def bodies_to_frames(folder: Path) -> None:
    """Bodies in memory into all that the tables will hold of them, in frames."""
    bodies = [
        normalise.Body(system_id, Interval.of_day(day), body, worlds.NOW, zone)
        for system_id, day, zone, body in _bodies(folder)
    ]
    judging = Judging.by(worlds.settings_of(folder), {body.system_id: None for body in bodies})

    def work() -> None:
        for first in range(0, len(bodies), BODIES_AT_ONCE):
            prepare_days(bodies[first : first + BODIES_AT_ONCE], judging)

    measuring.tell(work, amount=lambda: _values(folder))


class _Point(Struct):
    t: str
    v: float | None


class _Series(Struct):
    data: list[_Point] = []


class _Body(Struct):
    timeseries: dict[str, _Series]


def floor_of_parsing(folder: Path) -> None:
    """Bodies decoded into typed points by msgspec, and the values put into lists; no time, no unit, no rule."""
    bodies = [body for *_, body in _bodies(folder)]
    decoder = Decoder(_Body)

    def work() -> None:
        for body in bodies:
            for series in decoder.decode(body).timeseries.values():
                [point.v for point in series.data]

    measuring.tell(work, amount=lambda: _values(folder))


def floor_of_writing(folder: Path) -> None:
    """The rows that loading ends with, ready as frames in memory, appended to a new DuckDB file; no ledger, no rule."""
    frames = {table: pl.read_parquet(folder / f"{table}.parquet") for table in DAY_TABLES}
    target = folder / "appended.duckdb"
    target.unlink(missing_ok=True)

    def work() -> None:
        with duckdb.connect(str(target)) as connection:
            for schema in {table.partition(".")[0] for table in frames}:
                connection.execute(f"create schema {schema}")
            for table, frame in frames.items():
                connection.register("ready", _Arrow(frame))
                connection.execute(f"create table {table} as from ready")

    measuring.tell(work, amount=lambda: _values(folder))


class _Arrow:
    """A frame as an Arrow stream, which DuckDB takes without pyarrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def publish_all(folder: Path) -> None:
    """All models built, all checks run on everything, published."""
    measuring.tell(lambda: worlds.publish_history(folder, is_whole=True))


def publish_day(folder: Path) -> None:
    """Published after one day of all homes changed."""
    measuring.tell(lambda: worlds.publish_history(folder, is_whole=False))


def replace_days(folder: Path, days: int) -> None:
    """Load a segment in which so many days of one home came with other values."""
    at = worlds.land_restated(folder, days)
    road = worlds.road_of(folder, now=at)
    loaded = measuring.tell(road.load)
    assert loaded.changed_days == days, f"{loaded.changed_days} of {days} days changed"


def build_models(folder: Path) -> None:
    """Every table and view of the models made anew."""
    road = worlds.road_of(folder)
    with road.warehouse.writing() as writer:
        measuring.tell(lambda: writer.build(road.models))


def run_checks(folder: Path) -> None:
    """Every check on everything."""
    road = worlds.road_of(folder)
    with road.warehouse.writing() as writer:
        measuring.tell(lambda: writer.run_checks(road.models))


def read_marts(folder: Path) -> None:
    """A sum or count over every column and row of every mart but the quarter hours."""
    with worlds.road_of(folder).warehouse.reading() as published:
        marts = [m for m in packaged_models().views if m.schema == "marts" and m.name != "interval_15min"]
        queries = []
        for mart in marts:
            kinds = published.read(f"select column_name, column_type from (describe {mart.relation})").rows()
            sums = [f"sum({name})" if kind == "DOUBLE" else f"count({name})" for name, kind in kinds]
            queries.append(f"select count(*), {', '.join(sums)} from {mart.relation}")
        measuring.tell(lambda: [published.read(query) for query in queries])


def read_month(folder: Path) -> None:
    """One home's month of marts.interval_15min and marts.daily_energy: what one person asks."""
    one = f"where system_id = '{worlds.RESTATED_HOME}' and day between '2025-03-01' and '2025-03-31'"
    with worlds.road_of(folder).warehouse.reading() as published:
        measuring.tell(
            lambda: [published.read(f"from {mart} {one}") for mart in ("marts.interval_15min", "marts.daily_energy")]
        )


def nothing_due(folder: Path) -> None:
    """A run that lists the fleet, finds nothing due, and publishes nothing."""
    measuring.tell(worlds.SegmentsHome(folder).run)


def plan(folder: Path) -> None:
    """What a run would ask."""
    road = worlds.road_of(folder)
    measuring.tell(lambda: road.plan(Request(worlds.SegmentsHome.first, worlds.SegmentsHome.last)))


def explain(folder: Path) -> None:
    """From a published number back to the bytes."""
    road = worlds.road_of(folder)
    with road.warehouse.reading() as published:
        system_id = published.read("select min(system_id) from core.system").item()
    measuring.tell(lambda: facts.explain(road.warehouse, road.landing, system_id, worlds.SegmentsHome.last, None))


def dagster_run(folder: Path) -> None:
    """What one run costs more in Dagster than without: a partition that is not due."""
    days, cpu, wall = _dagster_overhead(folder, 1, 1)
    measuring.tell_numbers(cpu, wall, days)


def dagster_partition(folder: Path) -> None:
    """What each further partition of a run costs more: 30 days of 18 homes against one of one."""
    one, cpu_of_one, wall_of_one = _dagster_overhead(folder, 1, 1)
    many, cpu, wall = _dagster_overhead(folder, 30, 18)
    measuring.tell_numbers((cpu - cpu_of_one) / (many - one), (wall - wall_of_one) / (many - one), 1)


def _dagster_overhead(folder: Path, days: int, systems: int) -> tuple[int, float, float]:
    """Partitions of a run in process, on the shipped storage; CPU and wall seconds beyond those of the road alone."""
    import dagster as dg

    from hem_etl.orchestration.definitions import make_definitions
    from hem_etl.orchestration.partitions import Scheme

    home = worlds.SegmentsHome(folder)
    roads, scheme = _Roads(home), Scheme(DAGSTER_BEGINS)
    wanted = [str(worlds.LAST_DAY - timedelta(days=back)) for back in (days - 1, 0)]
    fleet = sorted(made.system_id for made in make_fleet(18, today=worlds.NOW.date()).homes)[:systems]
    with _dagster_home(folder), dg.DagsterInstance.get() as instance:
        scheme.add_keys(fleet, instance)
        job = make_definitions(scheme, roads).resolve_implicit_global_asset_job_def()
        tags = scheme.window(wanted[0], wanted[1], [scheme.system_key(system_id) for system_id in fleet])
        started, cpu = time.perf_counter(), measuring.cpu_seconds()
        result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("day_statistics")], tags=tags)
        cpu, wall = measuring.cpu_seconds() - cpu, time.perf_counter() - started
    assert result.success
    intervals = [
        (system_id, Interval.of_day(day))
        for system_id in fleet
        for day in days_between(worlds.LAST_DAY - timedelta(days=days - 1), worlds.LAST_DAY)
    ]
    started, own = time.perf_counter(), measuring.cpu_seconds()
    with home.client() as client:
        worlds.road_of(folder, client).run_intervals(intervals)
    own, own_wall = measuring.cpu_seconds() - own, time.perf_counter() - started
    return len(intervals), cpu - own, wall - own_wall


class _Roads:
    """Gives the assets roads through the made-up home."""

    def __init__(self, home: worlds.SegmentsHome) -> None:
        self._home = home

    def settings(self) -> Settings:
        return worlds.settings_of(self._home.folder)

    @contextmanager
    def open(self, log: object, *, is_part: bool = False) -> Iterator[Road]:
        with self._home.client() as client:
            yield worlds.road_of(self._home.folder, client)


@contextmanager
def _dagster_home(folder: Path) -> Iterator[None]:
    """A new DAGSTER_HOME with the shipped configuration."""
    from hem_etl import orchestration

    home = folder / "dagster"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    shutil.copy(Path(orchestration.__file__).with_name("dagster.yaml"), home)
    os.environ |= {"DAGSTER_HOME": str(home), "DAGSTER_EVENT_BATCH_SIZE": "1000"}
    yield


def make_landing(folder: Path, systems: int, days: int) -> None:
    """Documented bodies, landed and as lines, and what loading ends with, as files."""
    fleet = worlds.documented_fleet(systems)
    worlds.make_landing(folder, fleet, days)
    worlds.write_lines(folder / "bodies.ndjson", fleet, days)
    road = worlds.road_of(folder)
    road.load()
    with road.warehouse.writing() as writer:
        for table in DAY_TABLES:
            writer.read(f"from {table}").write_parquet(folder / f"{table}.parquet")


def make_odd_landing(folder: Path, systems: int, days: int) -> None:
    """Bodies of vendors with all their quirks, landed."""
    worlds.make_landing(folder, make_fleet(systems, today=worlds.NOW.date()), days)


def _emptied(folder: Path, workers: int = 1) -> Road:
    """The road over what is landed there, with nothing loaded."""
    road = worlds.road_of(folder, workers=workers)
    road.warehouse.reset()
    (folder / "hem.duckdb").unlink(missing_ok=True)
    return road


def _values_of(road: Road) -> float:
    """How many points were loaded."""
    with road.warehouse.writing() as writer:
        return float(writer.read("select sum(sent_buckets) from core.series").item())


def _values(folder: Path) -> float:
    """How many points the documented bodies hold."""
    return float(pl.read_parquet(folder / "core.series.parquet")["sent_buckets"].sum())


def _bodies(folder: Path) -> list[tuple[str, date, str, bytes]]:
    """System, day, zone and body."""
    zones = dict(pl.read_parquet(folder / "core.series.parquet").select("system_id", "timezone").drop_nulls().rows())
    found = []
    with (folder / "bodies.ndjson").open("rb") as lines:
        for line in lines:
            head, body = line.split(b',"body":', 1)
            system_id, day = head.decode().removeprefix('{"system_id":"').removesuffix('"').split('","day":"')
            found.append((system_id, date.fromisoformat(day), zones[system_id], body[:-2]))
    return found


def same_sums(folder: Path, peer: str) -> None:
    """Stops where a peer's table holds other points than ours, or another energy of a system's day."""
    series, energy = (pl.read_parquet(folder / f"core.{name}.parquet") for name in ("series", "day_energy"))
    ours = {
        (system_id, day, wire): kwh
        for wire, metric in WIRE_FLOWS.items()
        for system_id, day, kwh in energy.select("system_id", "day", f"{metric}_kwh").drop_nulls().iter_rows()
    }
    with duckdb.connect(str(folder / f"{peer}.duckdb"), read_only=True) as theirs:
        rows = theirs.execute(SUMS_OF_A_PEER).fetchall()
    points = sum(count for *_, count in rows)
    assert points == series["sent_buckets"].sum(), f"{peer}: {points} points, ours {series['sent_buckets'].sum()}"
    found = {(system_id, day, name): kwh for system_id, day, name, kwh, _ in rows if name in WIRE_FLOWS}
    assert found.keys() == ours.keys(), f"{peer}: {len(found)} sums, ours {len(ours)}"
    far = max(abs(found[key] - ours[key]) for key in ours)
    assert far < 1e-9, f"{peer}: a sum differs by {far} kWh"


def make_history(folder: Path, systems: int, days: int) -> None:
    worlds.make_history(folder, systems, days)


def make_backfill(folder: Path, systems: int, days: int) -> None:
    """A fleet with a history, and eighteen homes beside it of which nothing is known yet."""
    worlds.make_history(folder, systems, days)
    shutil.copytree(folder / "work", folder / "before")


def backfill(folder: Path) -> None:
    """Thirty days of each of eighteen homes, each home a run, as a backfill in the browser makes them."""
    shutil.rmtree(folder / "landing", ignore_errors=True)
    shutil.rmtree(folder / "work")
    shutil.copytree(folder / "before", folder / "work")
    fleet = worlds.documented_fleet(18)
    wanted = [
        [(home.system_id, Interval.of_day(worlds.LAST_DAY - timedelta(days=back))) for back in range(30)]
        for home in fleet.homes
    ]

    def work() -> None:
        for intervals in wanted:
            with worlds.client_of(worlds.settings_of(folder), fleet) as client:
                worlds.road_of(folder, client).run_intervals(intervals)

    measuring.tell(work)


def make_loaded(folder: Path, systems: int, days: int, times: int) -> None:
    """Days of a documented fleet, loaded and published; then each of them replaced so many times, and published."""
    fleet = worlds.documented_fleet(systems)
    worlds.make_landing(folder, fleet, days)
    for number in range(times + 1):
        at = worlds.NOW + timedelta(minutes=number)
        if number:
            worlds.land(folder, worlds.other_loads(fleet, number), days, at)
        road = worlds.road_of(folder, now=at)
        road.load()
        road.publish()


def make_segments(folder: Path, segments: int) -> None:
    worlds.SegmentsHome(folder).make(segments)


def make_dagster(folder: Path) -> None:
    """Eighteen homes with thirty days, of which nothing is due."""
    for _ in range(2):
        with worlds.SegmentsHome(folder).client() as client:
            worlds.road_of(folder, client).run(Request(worlds.LAST_DAY - timedelta(days=29), worlds.LAST_DAY))


TASKS: Final[Mapping[str, Callable[..., None]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        make_landing,
        make_odd_landing,
        make_history,
        make_segments,
        make_backfill,
        make_loaded,
        make_dagster,
        same_sums,
        landing_to_tables,
        landing_to_published,
        bodies_to_frames,
        floor_of_parsing,
        floor_of_writing,
        publish_all,
        publish_day,
        replace_days,
        build_models,
        run_checks,
        read_marts,
        read_month,
        nothing_due,
        backfill,
        plan,
        explain,
        dagster_run,
        dagster_partition,
        pieces.open_writer,
        pieces.open_reader,
        pieces.load_nothing,
        pieces.commit_days,
        pieces.commit_again,
        pieces.look_again,
        pieces.bytes_of_tables,
        pieces.bytes_of_landing,
        pieces.make_files,
    )
}


if __name__ == "__main__":
    task, folder, *others = sys.argv[1:]
    TASKS[task](Path(folder), *(int(other) if other.isdigit() else other for other in others))
