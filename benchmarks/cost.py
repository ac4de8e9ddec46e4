"""What it costs where little or nothing changed: start-up, a run with nothing due, many segments, publishing one day.

    python benchmarks/cost.py --systems 200 --days 90 --segments 10000

CPU seconds, medians of several rounds that are interleaved, with the quickest and the slowest; as a table, or as JSON
with --json. Absolute seconds vary between machines; compare the ratios. No network: the simulator answers in process.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median

import polars as pl
from marts import FILL

from hem_etl import facts
from hem_etl.enode.client import Connection, EnodeClient
from hem_etl.pipeline import Request, Road
from hem_etl.pipeline.publishing import publish
from hem_etl.settings import GivenSettings, Settings
from hem_etl.simulator import Simulator, make_fleet
from hem_etl.warehouse import FileWarehouse, packaged_models

NOW = datetime(2026, 11, 22, 13, 15, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 12), date(2026, 11, 21)
ROUNDS = 7


@dataclass
class Row:
    """One thing that is measured; `base` names the row that it is compared with."""

    name: str
    work: Callable[[], object]
    base: str | None = None
    seconds: list[float] = field(default_factory=list)
    is_of_children: bool = False

    def measure(self) -> None:
        before = self._cpu()
        self.work()
        self.seconds.append(self._cpu() - before)

    def _cpu(self) -> float:
        if not self.is_of_children:
            return time.process_time()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument(
        "--days", type=int, default=90, help="history; publishing is measured at 2 and 4 times as many too"
    )
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = Home(Path(folder) / "few", 100), Home(Path(folder) / "many", arguments.segments)
        one = History(Path(folder) / "one", arguments.systems, arguments.days)
        two = History(Path(folder) / "two", arguments.systems, 2 * arguments.days)
        four = History(Path(folder) / "four", arguments.systems, 4 * arguments.days)
        rows = [
            *(started(text, few.settings) for text in ("--version", "--help", "run --nope")),
            *(
                started(text, few.settings)
                for text in ("status", f"explain {few.system_id} {LAST}", "sql from_core.zone")
            ),
            *of_segments("a run with nothing due", few.run, many.run),
            *of_segments("a plan", few.plan, many.plan),
            *of_segments("an explanation", few.explain, many.explain),
            Row("publish, all built and checked", one.publish_all),
            Row("publish after one day", one.publish_day, "publish, all built and checked"),
            Row("the same at twice the history", two.publish_day, "publish after one day"),
            Row("the same at four times the history", four.publish_day, "publish after one day"),
        ]
        for number in range(ROUNDS + 1):
            for row in rows:
                row.measure()
                if not number:
                    row.seconds.clear()  # caches are warm from here on
    print(json.dumps(as_data(rows), indent=2) if arguments.json else table(rows))


def started(text: str, settings: Settings) -> Row:
    """A process of its own."""
    arguments = [part.replace("_core", " core") for part in text.split()]
    environment = {"HEM_ETL_HOME": str(settings.home), "PATH": "/usr/bin:/bin"}

    def work() -> None:
        subprocess.run([sys.executable, "-m", "hem_etl", *arguments], env=environment, capture_output=True, check=False)

    return Row(f"hem-etl {' '.join(arguments)}"[:40], work, is_of_children=True)


def of_segments(what: str, few: Callable[[], object], many: Callable[[], object]) -> list[Row]:
    return [Row(f"{what}, few segments", few), Row(f"{what}, many segments", many, f"{what}, few segments")]


class Home:
    """Eighteen homes with ten days, and so many more segments of lists."""

    def __init__(self, home: Path, segments: int) -> None:
        self.settings = GivenSettings(
            HEM_ETL_HOME=home, ENODE_CLIENT_ID="simulator", ENODE_CLIENT_SECRET="simulator-secret"
        )
        self.simulator = Simulator(make_fleet(18, today=NOW.date()), clock=lambda: NOW)
        for _ in range(2):
            self.run()
        self._add(segments)
        self.run()
        with self.road().warehouse.reading() as published:
            self.system_id = published.read("select min(system_id) from core.system").item()

    def run(self) -> None:
        with self._client() as client:
            self.road(client).run(Request(FIRST, LAST))

    def plan(self) -> None:
        self.road().plan(Request(FIRST, LAST))

    def explain(self) -> None:
        road = self.road()
        facts.explain(road.warehouse, road.landing, self.system_id, LAST, None)

    def road(self, client: EnodeClient | None = None) -> Road:
        return Road(self.settings, client=client, clock=lambda: NOW)

    def _client(self) -> EnodeClient:
        assert self.settings.client_secret is not None
        connection = Connection(
            api_url=self.settings.api_url,
            oauth_url=self.settings.oauth_url,
            client_id="simulator",
            client_secret=self.settings.client_secret,
        )
        return EnodeClient(connection, transport=self.simulator.transport, clock=lambda: NOW)

    def _add(self, segments: int) -> None:
        """Segments of a list each, as runs of earlier days would have left them, loaded already."""
        landing = self.road().landing
        like = pl.read_parquet(landing.folder / landing.segments()[-1]).filter(pl.col("kind") == "systems").head(1)
        names = []
        for number in range(segments):
            at = NOW.replace(tzinfo=None) - timedelta(days=2000, minutes=-number)
            body = b'{"data": [], "number": %d}' % number
            names.append(f"{at:%Y%m%dT%H%M%S}000000Z-{number:08x}.parquet")
            like.with_columns(
                fetched_at_utc=pl.lit(at, pl.Datetime("us")),
                body_sha256=pl.lit(hashlib.sha256(body).hexdigest()),
                is_body_here=pl.lit(True),
                body=pl.lit(body),
            ).write_parquet(landing.folder / names[-1])
        with self.road().warehouse.writing() as writer:
            at_utc = pl.lit(NOW.replace(tzinfo=None), pl.Datetime("us"))
            writer.append("core.loaded_segment", pl.DataFrame({"segment": names}).with_columns(loaded_at_utc=at_utc))


class History:
    """A fleet with so many days in the tables, published once."""

    def __init__(self, home: Path, systems: int, days: int) -> None:
        self.warehouse = FileWarehouse(home / "work", home / "hem.duckdb")
        self.models = packaged_models()
        wanted = {"systems": systems, "days": days}
        with self.warehouse.writing() as writer:
            writer.create_tables(self.models)
            for statement in FILL.split(";\n"):
                writer.change(statement, wanted)
        self.day = date(2025, 1, 1) + timedelta(days=days - 1)
        self.publish_all()

    def publish_all(self) -> None:
        self._publish(is_whole=True)

    def publish_day(self) -> None:
        self._publish(is_whole=False)

    def _publish(self, *, is_whole: bool) -> None:
        with self.warehouse.writing() as writer:
            with writer.transaction():
                changed = writer.read("select system_id, day from core.load where day = $day", {"day": self.day})
                writer.note_changes(changed, [])
            publish(writer, self.models, NOW.replace(tzinfo=None), is_whole=is_whole)


def as_data(rows: list[Row]) -> list[dict[str, object]]:
    medians = {row.name: median(row.seconds) for row in rows}
    return [
        {
            "name": row.name,
            "ratio": medians[row.name] / medians[row.base] if row.base else None,
            "compared_with": row.base,
            "cpu_seconds": medians[row.name],
            "least": min(row.seconds),
            "most": max(row.seconds),
        }
        for row in rows
    ]


def table(rows: list[Row]) -> str:
    lines = [f"{'ratio':>6}  {'CPU-s':>7}  {'least':>7}  {'most':>7}  what"]
    for row in as_data(rows):
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(f"{ratio:>6}  {row['cpu_seconds']:7.3f}  {row['least']:7.3f}  {row['most']:7.3f}  {row['name']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
