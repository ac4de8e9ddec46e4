"""A simulated world with its own clock, and the road through it."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import engines
import httpx
import polars as pl
from polars.testing import assert_frame_equal

from hem_etl.enode.client import Connection, EnodeClient
from hem_etl.pipeline import Request, Road, RunReport
from hem_etl.settings import GivenSettings
from hem_etl.simulator import Fleet, Simulator, make_fleet
from hem_etl.warehouse import Warehouse, open_warehouse
from hem_etl.warehouse.files import FileWarehouse
from hem_etl.webhooks.inbox import Delivery, InboxWriter, open_inbox

NOW = datetime(2026, 11, 22, 13, 15, tzinfo=UTC)


class World:
    """A simulated fleet, a home directory, and a clock that only the test moves (waits take no time)."""

    def __init__(
        self,
        home: Path,
        fleet: Fleet | None = None,
        now: datetime = NOW,
        *,
        has_tables: bool = True,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.now = now
        self.home = home
        self.settings = GivenSettings(
            HEM_ETL_HOME=home,
            ENODE_CLIENT_ID="simulator",
            ENODE_CLIENT_SECRET="simulator-secret",
            HEM_ETL_WORKERS=1,
            **(engines.engine_settings(home) if settings is None else settings),
        )
        if has_tables and not engines.begun(home):
            engines.begin(home)
        self.simulator = Simulator(fleet or make_fleet(18, today=NOW.date()), clock=self.clock)
        self._monotonic = 0.0

    def copied_to(self, home: Path) -> "World":
        """Another home that holds the same, over the same fleet, at the hour at which tests begin."""
        shutil.copytree(self.home, home)
        engines.moved(home)
        return World(home, self.simulator.fleet)

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, **parts: float) -> None:
        self.now += timedelta(**parts)

    def client(self, transport: Callable[[], httpx.BaseTransport] | None = None, url: str | None = None) -> EnodeClient:
        assert self.settings.client_secret is not None
        connection = Connection(
            api_url=url or self.settings.api_url,
            oauth_url=f"{url}/oauth2/token" if url else self.settings.oauth_url,
            client_id="simulator",
            client_secret=self.settings.client_secret,
            retry_seconds=self.settings.retry_seconds,
            has_clock_check=self.settings.clock_check,
        )
        return EnodeClient(
            connection,
            transport=transport or (None if url else self.simulator.transport),
            clock=self.clock,
            monotonic=lambda: self._monotonic,
            sleep=self._sleep,
        )

    def road(self, client: EnodeClient | None = None) -> Road:
        return Road(self.settings, client=client or self.client(), clock=self.clock)

    def request(
        self,
        start: str | date,
        end: str | date | None = None,
        *,
        refresh: bool = False,
        months: bool = True,
        systems: tuple[str, ...] = (),
    ) -> Request:
        """Local days `start`..`end` (default: the one day)."""
        first = date.fromisoformat(str(start))
        last = first if end is None else date.fromisoformat(str(end))
        return Request(first, last, frozenset(systems), has_months=months, is_refresh=refresh)

    def run(self, start: str | date, end: str | date | None = None, **options: Any) -> RunReport:
        """One run in process; options as for `request`."""
        with self.client() as client:
            return self.road(client).run(self.request(start, end, **options))

    def deliver(self, *events: Any, body: bytes | None = None, delivery_id: str | None = "d-1") -> None:
        """One delivery of webhook events, as the receiver keeps it at this instant."""
        folder = open_inbox(self.settings).folder
        folder.mkdir(parents=True, exist_ok=True)
        with InboxWriter(folder, sync=lambda _: None) as writer:
            content = json.dumps(events).encode() if body is None else body
            writer.keep(Delivery(content, self.now, delivery_id)).result()

    def run_due(self) -> RunReport:
        """One run of what events announce."""
        with self.client() as client:
            return self.road(client).run_due()

    @property
    def writers_file(self) -> Path:
        warehouse = open_warehouse(self.settings)
        assert isinstance(warehouse, FileWarehouse)
        return warehouse.file

    def sql(self, query: str) -> pl.DataFrame:
        """Rows of the published file."""
        with open_warehouse(self.settings).reading() as published:
            return published.read(query)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Everything of ours that is published, but for when it was loaded, checked and made."""
        return published_tables(open_warehouse(self.settings))

    def _sleep(self, seconds: float) -> None:
        self._monotonic += seconds


def published_tables(warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    """Everything of ours that is published, but for when it was loaded, checked and made."""
    with warehouse.reading() as published:
        names = published.read(
            "select schema_name || '.' || table_name as name from duckdb_tables() "
            "where database_name = current_database() and schema_name <> 'writer' "
            "union select schema_name || '.' || view_name from duckdb_views() "
            "where database_name = current_database() and schema_name in ('core', 'staging', 'marts') order by name",
        )["name"]
        frames = {name: published.read(f"from {name}") for name in names}
    for name in ("core.check_result", "core.loaded_segment", "core.model", "core.change"):
        frames.pop(name)
    frames["core.dictionary"] = frames["core.dictionary"].filter(~pl.col("relation").str.starts_with("own."))
    return {name: frame.drop("loaded_at_utc", strict=False) for name, frame in frames.items()}


def same_tables(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    """Tables hold the same to the last bit; views too, but for the order in which threads add floats up."""
    assert one.keys() == other.keys()
    for name, frame in one.items():
        exact = name.startswith("core.")
        assert_frame_equal(
            frame, other[name], check_row_order=False, check_exact=exact, rel_tol=0 if exact else 1e-12, abs_tol=1e-12
        )
