"""The same bodies by other tools, in an environment of their own: `python benchmarks/peers.py TASK FOLDER`.

Each reads `bodies.ndjson` and leaves `hem.point` in a DuckDB file of its name: one row a point (system, day, series,
instant, value), in which a day of a system that comes again replaces the one before. None of them knows gaps, units,
coverage, quarter hours or versions.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb
import measuring
import orjson

BODIES_AT_ONCE: Final = 500
"""As many as ours holds in memory."""
POINT: Final = """
create schema if not exists hem;
create table if not exists hem.point (system_id varchar, day date, metric varchar, t timestamptz, v double);
"""
REPLACE: Final = """
begin;
delete from hem.point where (system_id, day) in (select distinct system_id, day from come);
insert into hem.point select system_id, day, metric, t, v from come;
commit;
"""
READ_JSON: Final = """
create temp table come as
with
bodies as (
    from read_json(
        '{file}', format = 'newline_delimited', maximum_object_size = 16777216, columns = {{
            system_id: 'varchar', day: 'date',
            body: 'struct(timeseries map(varchar, struct("data" struct(t timestamptz, v double)[])))'
        }}
    )
),

series as (
    select system_id, day, unnest(map_entries(body.timeseries)) as entry from bodies
),

points as (
    select system_id, day, entry.key as metric, unnest(entry.value."data") as point from series
)

select system_id, day, metric, point.t as t, point.v as v from points
"""


def dlt(folder: Path) -> None:
    """dlt: a resource that yields the points of one answer as a page of rows, as its REST source does."""

    def pages() -> Iterator[list[dict[str, Any]]]:
        for answer in _answers(folder):
            day = date.fromisoformat(answer["day"])
            yield [
                {
                    "system_id": answer["system_id"],
                    "day": day,
                    "metric": metric,
                    "t": _instant(point["t"]),
                    "v": point["v"],
                }
                for metric, series in answer["body"]["timeseries"].items()
                for point in series.get("data", ())
            ]

    _run_dlt(folder, "dlt", pages)


def dlt_arrow(folder: Path) -> None:
    """dlt: the resource yields Arrow tables, which its user has to make; dlt then looks at no row."""
    import pyarrow

    schema = pyarrow.schema(
        {
            "system_id": pyarrow.string(),
            "day": pyarrow.date32(),
            "metric": pyarrow.string(),
            "t": pyarrow.timestamp("us", "UTC"),
            "v": pyarrow.float64(),
        }
    )

    def tables() -> Iterator[pyarrow.Table]:
        for answers in _batches(_answers(folder)):
            rows = [
                (answer["system_id"], date.fromisoformat(answer["day"]), metric, _instant(point["t"]), point["v"])
                for answer in answers
                for metric, series in answer["body"]["timeseries"].items()
                for point in series.get("data", ())
            ]
            columns = zip(*rows, strict=True)
            yield pyarrow.table(list(map(pyarrow.array, columns, schema.types)), schema=schema)

    _run_dlt(folder, "dlt-arrow", tables)


def _run_dlt(folder: Path, name: str, pages: Callable[[], Iterator[Any]]) -> None:
    """Merged by system and day, loaded as Parquet.

    Given what makes it fast: columns are declared, instants come parsed (by datetime, in C), nothing is nested, orjson
    reads, files and buffers are large, its telemetry is off.
    """
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
        "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "1000000",
        "NORMALIZE__WORKERS": "1",
    }
    import dlt as tool

    kinds = {"system_id": "text", "day": "date", "metric": "text", "t": "timestamp", "v": "double"}
    points = tool.resource(
        pages,
        name="point",
        write_disposition="merge",
        merge_key=("system_id", "day"),
        max_table_nesting=0,
        columns={column: {"data_type": kind} for column, kind in kinds.items()},
    )
    _begin_anew(folder, name)
    destination = tool.destinations.duckdb(str(folder / f"{name}.duckdb"))
    pipeline = tool.pipeline(
        "bench", destination=destination, dataset_name="hem", pipelines_dir=str(folder / f"{name}-pipelines")
    )
    measuring.tell(lambda: pipeline.run(points, loader_file_format="parquet").raise_on_failed_jobs())


def pandas(folder: Path) -> None:
    """pandas: `json_normalize` makes a frame of each series; frames of 500 answers are put together and replaced."""
    import pandas as tool

    def frames_of(answers: list[dict[str, Any]]) -> tool.DataFrame:
        frames = []
        for answer in answers:
            for metric, series in answer["body"]["timeseries"].items():
                if series["isAvailable"]:
                    frame = tool.json_normalize(series["data"])
                    frames.append(frame.assign(system_id=answer["system_id"], day=answer["day"], metric=metric))
        come = tool.concat(frames, ignore_index=True)
        return come.assign(t=tool.to_datetime(come["t"], utc=True, format="ISO8601"), day=tool.to_datetime(come["day"]))

    def work() -> None:
        with duckdb.connect(str(folder / "pandas.duckdb")) as connection:
            connection.execute(POINT)
            for answers in _batches(_answers(folder)):
                connection.register("come", frames_of(answers))
                connection.execute(REPLACE)

    _begin_anew(folder, "pandas")
    measuring.tell(work)


def read_json(folder: Path) -> None:
    """DuckDB's own reader of JSON, told the shape, all bodies in one statement."""

    def work() -> None:
        with duckdb.connect(str(folder / "read-json.duckdb")) as connection:
            connection.execute(POINT)
            connection.execute(READ_JSON.format(file=folder / "bodies.ndjson"))
            connection.execute(REPLACE)

    _begin_anew(folder, "read-json")
    measuring.tell(work)


def _answers(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "bodies.ndjson").open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _batches(answers: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(answers, BODIES_AT_ONCE)):
        yield batch


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _begin_anew(folder: Path, name: str) -> None:
    for path in (folder / f"{name}.duckdb", folder / f"{name}.duckdb.wal"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / f"{name}-pipelines", ignore_errors=True)


TASKS: Final[Mapping[str, Callable[[Path], None]]] = {
    "dlt": dlt,
    "dlt-arrow": dlt_arrow,
    "pandas": pandas,
    "read-json": read_json,
}


if __name__ == "__main__":
    TASKS[sys.argv[1]](Path(sys.argv[2]))
