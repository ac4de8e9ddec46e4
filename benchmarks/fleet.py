"""A large fleet through the whole road against the simulator on a real socket: where the time goes, peak memory.

    python benchmarks/fleet.py --systems 1000 --days 7

The simulator runs in a process of its own. Absolute seconds vary between machines; compare the shares and ratios.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from hem_etl.local_day import Interval, days_between
from hem_etl.pipeline import Request, Road, make_client
from hem_etl.settings import GivenSettings
from hem_etl.simulator import Simulator, make_fleet, serve
from hem_etl.warehouse import open_warehouse


def serve_fleet(systems: int, today: date, pipe: Connection) -> None:
    simulator = Simulator(make_fleet(systems, today=today))
    with serve(simulator) as url:
        pipe.send(url)
        pipe.recv()


@contextmanager
def simulated(systems: int, today: date) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve_fleet, args=(systems, today, theirs), daemon=True)
    process.start()
    yield ours.recv()
    ours.send("stop")
    process.join(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--days", type=int, default=7)
    arguments = parser.parse_args()
    today = datetime.now(UTC).date()
    last = today - timedelta(days=1)
    first = last - timedelta(days=arguments.days - 1)
    with tempfile.TemporaryDirectory() as folder, simulated(arguments.systems, today) as url:
        settings = GivenSettings(
            HEM_ETL_HOME=Path(folder),
            ENODE_API_URL=url,
            ENODE_OAUTH_URL=f"{url}/oauth2/token",
            ENODE_CLIENT_ID="simulator",
            ENODE_CLIENT_SECRET="simulator-secret",
        )
        seconds: dict[str, float] = {}
        with make_client(settings) as client:
            road = Road(settings, client=client)
            started = time.perf_counter()
            listed = road.sync_systems()
            road.load()
            seconds["systems"] = time.perf_counter() - started
            plan = road.plan(Request(first, last, has_months=False))
            for step, work in (
                ("extract", lambda: road.extract(plan, listed)),
                ("load", road.load),
                ("models, checks, publish", road.publish),
            ):
                started = time.perf_counter()
                work()
                seconds[step] = time.perf_counter() - started
        with open_warehouse(settings).reading() as published:
            values = published.read("select sum(sent_buckets)::bigint from core.series").item()
            started = time.perf_counter()
            published.read("select count(*), sum(generation_kwh) from marts.daily_energy")
            seconds["query daily_energy"] = time.perf_counter() - started
        report(seconds, plan.requests, values, settings.database.stat().st_size, first, last)


def report(seconds: dict[str, float], requests: int, values: int, size: int, first: date, last: date) -> None:
    total = sum(seconds.values())
    days = len(list(days_between(first, last)))
    print(f"{requests} system-days ({days} days, {Interval.of_day(first).label} on), {values / 1e6:.1f} M values")
    for step, took in seconds.items():
        print(f"{step:<26}{took:8.1f} s {took / total:6.1%}   {values / took / 1e6:8.2f} M values/s")
    print(f"extract ÷ load             {seconds['extract'] / seconds['load']:8.2f}")
    print(f"requests/s while asking    {requests / seconds['extract']:8.0f}")
    print(f"file                       {size / 1e6:8.1f} MB   {size / values:8.2f} bytes per value")
    print(f"peak memory                {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB")


if __name__ == "__main__":
    main()
