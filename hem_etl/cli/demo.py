"""The demo and the simulator's server: everything that can be seen without credentials."""

import errno
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from hem_etl import facts
from hem_etl.cli.output import print_line, print_rows, say
from hem_etl.cli.progress import TerminalProgress
from hem_etl.cli.reports import print_report
from hem_etl.enode.client import EnodeClient
from hem_etl.enode.subscriptions import subscribe
from hem_etl.errors import UsageError
from hem_etl.landing import open_landing
from hem_etl.local_day import newest_day_over
from hem_etl.pipeline import Request, Road, make_client
from hem_etl.report import REPORT_FOLDER, make_report
from hem_etl.settings import GivenSettings, Settings
from hem_etl.simulator import Faults, Fleet, Simulator, make_fleet, serve
from hem_etl.vocabulary import EventName
from hem_etl.warehouse import open_warehouse
from hem_etl.webhooks.receiver import answer_here
from hem_etl.webhooks.signature import signing_secrets

DEMO_HOME: Final = Path("hem_demo")
SIMULATED_HOME: Final = Path("hem_simulated")
CLIENT_ID: Final = "simulator"
CLIENT_SECRET: Final = "simulator-secret"  # noqa: S105 - the simulator's own, printed for everybody


def run_demo(systems: int, days: int) -> int:
    """Fleet, run, tables; returns the exit code. Begins anew in `hem_demo` each time."""
    now = datetime.now(UTC)
    last_day = now.date() - timedelta(days=1)
    day_shown = newest_day_over(now)
    _clear(DEMO_HOME)
    say(f"{systems} simulated homes of nine vendors, {days} days up to {last_day}.")
    first_day = last_day - timedelta(days=days - 1)
    with _simulated(systems, seed=1, faults=Faults.none(), port=0) as (simulator, url):
        settings = demo_settings(url, first_day)
        with make_client(settings) as client, TerminalProgress() as progress:
            road = Road(settings, client=client, progress=progress)
            report = road.run(Request(first_day, last_day))
            print_report(report, is_json=False)
            _move_in(make_fleet(systems + 1, today=now.date()), simulator, client, road)
    _print_tables(settings, min(last_day, day_shown))
    return report.exit_code


def _move_in(fleet: Fleet, simulator: Simulator, client: EnodeClient, road: Road) -> None:
    """One home more: Enode's webhook says so, our receiver keeps it, and a run for what waits asks for its past."""
    home = fleet.homes[-1]
    simulator.fleet = fleet
    simulator.webhooks.post = lambda _, headers, body: answer_here(road.settings, headers, body)
    subscribe(client, "https://demo.example/", signing_secrets(road.settings)[0])
    simulator.webhooks.announce(EventName.DISCOVERED, home)
    simulator.webhooks.deliver()
    report = road.run_due()
    say(f"Then a {home.vendor} home moved in: a webhook said so, and {report.new_days} days of it are there too.")


def demo_settings(url: str, start: date) -> Settings:
    """Settings of the demo: its own home and the simulator, whatever the operator's environment says."""
    return GivenSettings(
        ENODE_CLIENT_ID=CLIENT_ID,
        ENODE_CLIENT_SECRET=CLIENT_SECRET,
        ENODE_API_URL=url,
        ENODE_OAUTH_URL=f"{url}/oauth2/token",
        ENODE_WEBHOOK_SECRET=secrets.token_urlsafe(),
        HEM_ETL_HOME=DEMO_HOME,
        HEM_ETL_START_DATE=start,
    )


def serve_simulator(port: int, systems: int, seed: int, faults: str) -> None:
    """Serve until interrupted; prints what to export."""
    try:
        chosen = Faults.all(seed) if faults == "all" else Faults.parse("" if faults == "none" else faults, seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        with _simulated(systems, seed, chosen, port) as (_, url):
            print_exports(url)
            say("Serving; Ctrl-C stops it.")
            stopped = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: stopped.set())
            while not stopped.wait(1):
                pass
    except KeyboardInterrupt:
        say("Stopped.")
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise UsageError(
            f"port {port} cannot be used ({error.strerror}): choose another with --port, 0 for any"
        ) from error


def print_exports(url: str) -> None:
    """The settings of a shell that shall ask this simulator."""
    print_line(f"export ENODE_API_URL={url}")
    print_line(f"export ENODE_OAUTH_URL={url}/oauth2/token")
    print_line(f"export ENODE_CLIENT_ID={CLIENT_ID}")
    print_line(f"export ENODE_CLIENT_SECRET={CLIENT_SECRET}")
    print_line(f"export HEM_ETL_HOME={SIMULATED_HOME}")


@contextmanager
def _simulated(systems: int, seed: int, faults: Faults, port: int) -> Iterator[tuple[Simulator, str]]:
    """A simulator on a real socket of this machine, and its base URL."""
    now = datetime.now(UTC)
    simulator = Simulator(
        make_fleet(systems, seed, today=now.date()),
        clock=lambda: datetime.now(UTC),
        faults=faults,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    with serve(simulator, port=port) as url:
        yield simulator, url


def _clear(home: Path) -> None:
    """Remove what an earlier demo left, and nothing else."""
    settings = GivenSettings(HEM_ETL_HOME=home)
    for place in (*open_warehouse(settings).describe().owned, open_landing(settings).folder):
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _print_tables(settings: Settings, day: date) -> None:
    warehouse = open_warehouse(settings)
    page = facts.first_page(warehouse, day)
    print_rows(
        page.homes,
        title=f"\nmarts.daily_energy on {day} [kWh]; an empty cell: nobody knows, and `gaps` says why",
        digits=1,
    )
    print_rows(
        page.vendors,
        title="marts.vendor_monthly [kWh]; coverage: the share of the month's hours that is known",
        digits=2,
    )
    published = warehouse.describe().published
    say(f"Everything is in {published}: open it with any DuckDB, also while a run goes on. What to try next:")
    for command in (
        'sql "select * from marts.monthly_energy"',
        "gaps                 # what is missing, and why",
        "status               # how each system does",
        *(f"explain {system} {day}   # where its numbers come from" for system in page.incomplete),
    ):
        say(f"  HEM_ETL_HOME={settings.home} {sys.argv[0]} {command}")
    say(f"  {sys.argv[0]} simulator            # the simulated fleet, to ask it yourself")
    made = make_report(warehouse, settings.home / REPORT_FOLDER)
    say(f"The same as pages to look at: open {made.index} in a browser.")
