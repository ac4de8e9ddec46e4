"""What is measured on: bodies, landing, tables with a history, many segments. All made up, the same in every run."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from hem_etl.answer import Answer, Kind, Receipt
from hem_etl.enode.client import Connection, EnodeClient
from hem_etl.local_day import Interval
from hem_etl.pipeline import Request, Road
from hem_etl.pipeline.publishing import publish
from hem_etl.settings import GivenSettings, Settings
from hem_etl.simulator import Fleet, Home, Quirks, Simulator, make_fleet
from hem_etl.simulator.bodies import day_body
from hem_etl.vocabulary import IntervalKind
from hem_etl.warehouse import Writer

NOW: Final = datetime(2026, 11, 22, 13, 15, tzinfo=UTC)
LAST_DAY: Final = date(2026, 11, 10)
"""Of the bodies: whatever vendors restate, they have by NOW."""
HISTORY_BEGINS: Final = date(2025, 1, 1)
HISTORY: Final = (Path(__file__).with_name("history.sql")).read_text(encoding="utf-8")
RESTATED_HOME: Final = "system-000001"
"""The home of a history whose days are sent anew."""
OF_A_LAKE: Final = ("HEM_ETL_WAREHOUSE", "HEM_ETL_LAKE_")
OTHER_LISTS_AT: Final = datetime(2021, 6, 1, tzinfo=UTC)


def settings_of(home: Path, workers: int = 1) -> Settings:
    """On the file, or on the lake that the environment names."""
    values: dict[str, Any] = {name: value for name, value in os.environ.items() if name.startswith(OF_A_LAKE)}
    return GivenSettings(
        **values,
        HEM_ETL_HOME=home,
        ENODE_CLIENT_ID="simulator",
        ENODE_CLIENT_SECRET="simulator-secret",
        HEM_ETL_WORKERS=workers,
    )


def client_of(settings: Settings, fleet: Fleet) -> EnodeClient:
    """A client whose answers are made in this process."""
    assert settings.client_secret is not None
    connection = Connection(
        api_url=settings.api_url,
        oauth_url=settings.oauth_url,
        client_id="simulator",
        client_secret=settings.client_secret,
    )
    simulator = Simulator(fleet, clock=lambda: NOW)
    return EnodeClient(connection, transport=simulator.transport, clock=lambda: NOW)


def road_of(home: Path, client: EnodeClient | None = None, now: datetime = NOW, workers: int = 1) -> Road:
    return Road(settings_of(home, workers), client=client, clock=lambda: now)


def documented_fleet(systems: int) -> Fleet:
    """Homes of all vendors, zones and resolutions whose bodies are as Enode documents them, without a vendor's quirks.

    What other tools make of such bodies is right without a rule of ours, so that sums can be compared.
    """
    homes = make_fleet(systems, today=NOW.date()).homes
    return Fleet(tuple(replace(home, quirks=Quirks(), installed_on=date(2024, 1, 1)) for home in homes))


def bodies_of(fleet: Fleet, days: int) -> Iterator[tuple[Home, date, bytes]]:
    """Statistics of every home for so many days up to LAST_DAY, day by day."""
    for back in reversed(range(days)):
        day = LAST_DAY - timedelta(days=back)
        for home in fleet.homes:
            yield home, day, b'{"timeseries":%b}' % day_body(home, day, NOW).encode()


def answer_of(system_id: str, day: date, body: bytes, at: datetime) -> Answer:
    return Answer(Kind.DAY, system_id, Interval.of_day(day), 1, None, at, 900, 1, 200, None, None, body)


def look_of(system_id: str, interval: Interval, at: datetime, body_sha256: str) -> Receipt:
    """A look that brought an answer, as landing gives it back; at: naive UTC."""
    kind = Kind.DAY if interval.kind is IntervalKind.DAY else Kind.MONTH
    return Receipt("no segment", kind, system_id, interval, 1, None, at, 900, 1, 200, None, None, body_sha256)


def make_landing(folder: Path, fleet: Fleet, days: int) -> None:
    """A home directory with the lists and these days landed."""
    folder.mkdir(parents=True)
    with client_of(settings_of(folder), fleet) as client:
        road_of(folder, client).sync_systems()
    land(folder, fleet, days, NOW)


def land(folder: Path, fleet: Fleet, days: int, at: datetime) -> None:
    """What was answered at that instant."""
    with road_of(folder).landing.writer() as writer:
        for home, day, body in bodies_of(fleet, days):
            writer.add(answer_of(home.system_id, day, body, at))


def other_loads(fleet: Fleet, number: int) -> Fleet:
    """The same homes with other values, for each number."""
    return Fleet(tuple(replace(home, load_watts=home.load_watts + 10 * number) for home in fleet.homes))


def write_lines(file: Path, fleet: Fleet, days: int) -> None:
    """The same bodies as lines: objects of system_id, day, and the body as it was sent."""
    with file.open("wb") as lines:
        for home, day, body in bodies_of(fleet, days):
            lines.write(
                b'{"system_id":"%b","day":"%b","body":%b}\n' % (home.system_id.encode(), str(day).encode(), body)
            )


def home_of_history(home: Home, number: int) -> Home:
    """The home as that one of a history: by its name and in its zone."""
    return replace(home, system_id=f"system-{number:06}", timezone="Asia/Kolkata", installed_on=HISTORY_BEGINS)


def make_history(folder: Path, systems: int, days: int) -> None:
    """A fleet with so many days in the tables, published once."""
    folder.mkdir(parents=True, exist_ok=True)
    road = road_of(folder)
    with road.warehouse.writing() as writer:
        writer.create_tables(road.models)
        for statement in HISTORY.split(";\n"):
            writer.change(statement, {"systems": systems, "days": days})
    road.load()
    publish_history(folder, is_whole=True)


def publish_history(folder: Path, *, is_whole: bool) -> None:
    """Publish after the newest day of all homes changed."""
    road = road_of(folder)
    with road.warehouse.writing() as writer:
        note_newest_day(writer)
        publish(writer, road.models, NOW.replace(tzinfo=None), is_whole=is_whole)


def note_newest_day(writer: Writer) -> None:
    with writer.transaction():
        newest = writer.read("select system_id, day from core.load where day = (select max(day) from core.load)")
        writer.note_changes(newest, [])


def land_restated(folder: Path, days: int) -> datetime:
    """Land so many days of one home of a history, with other values than before; returns when they came."""
    landing = road_of(folder).landing
    turn = len(landing.segments()) + 1
    at = NOW + timedelta(minutes=turn)
    home = replace(
        make_fleet(1, today=NOW.date()).homes[0],
        system_id=RESTATED_HOME,
        timezone="Asia/Kolkata",
        resolution_minutes=15,
        soc_resolution_minutes=None,
        installed_on=HISTORY_BEGINS,
        quirks=Quirks(),
        load_watts=400 + 10 * turn,
    )
    with landing.writer() as writer:
        for number in range(days):
            day = HISTORY_BEGINS + timedelta(days=number)
            writer.add(answer_of(home.system_id, day, b'{"timeseries":%b}' % day_body(home, day, NOW).encode(), at))
    return at


class SegmentsHome:
    """Eighteen homes with ten days, and so many more segments of lists."""

    first, last = date(2026, 11, 12), date(2026, 11, 21)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, segments: int) -> None:
        for _ in range(2):
            self.run()
        self._add(segments)
        self.run()

    def run(self) -> None:
        with self.client() as client:
            road_of(self.folder, client).run(Request(self.first, self.last))

    def client(self) -> EnodeClient:
        return client_of(settings_of(self.folder), make_fleet(18, today=NOW.date()))

    def _add(self, segments: int) -> None:
        """Segments of a list each, as runs of earlier days would have left them, loaded already."""
        road = road_of(self.folder)
        landing = road.landing
        like = pl.scan_parquet(landing.folder / "*.parquet").filter(pl.col("kind") == "systems").head(1).collect()
        names = []
        for number in range(segments):
            at = OTHER_LISTS_AT + timedelta(minutes=number)
            body = b'{"data": [], "number": %d}' % number
            names.append(f"{at:%Y%m%dT%H%M%S}000000Z-{number:08x}.parquet")
            like.with_columns(
                fetched_at_utc=pl.lit(at.replace(tzinfo=None), pl.Datetime("us")),
                body_sha256=pl.lit(hashlib.sha256(body).hexdigest()),
                is_body_here=pl.lit(True),
                body=pl.lit(body),
            ).write_parquet(landing.folder / names[-1])
        with road.warehouse.writing() as writer:
            loaded_at = pl.lit(NOW.replace(tzinfo=None), pl.Datetime("us"))
            writer.append("core.loaded_segment", pl.DataFrame({"segment": names}).with_columns(loaded_at_utc=loaded_at))
