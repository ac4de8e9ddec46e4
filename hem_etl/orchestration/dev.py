"""`make dev`: simulator, webhook receiver, Dagster's webserver and daemon on this machine, over a filled fleet.

Everything is kept in ./hem_dev, which survives; demo, real and these data never mix. Ctrl-C or TERM stops all of it.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

import dagster as dg
import httpx

import hem_etl
from hem_etl.errors import ModelError, SettingsError
from hem_etl.locks import BusyError, FileLock, Note
from hem_etl.orchestration import dev_events
from hem_etl.orchestration.assets import DAY_STATISTICS, HEM_SYSTEMS
from hem_etl.orchestration.dead_runs import settle_dead_runs
from hem_etl.orchestration.models import every_model_key
from hem_etl.orchestration.partitions import Scheme
from hem_etl.pipeline import Road
from hem_etl.settings import load_settings
from hem_etl.simulator import Fleet, Simulator, make_fleet, serve

HOME: Final = Path("hem_dev")
PACKAGE: Final = Path(hem_etl.__file__).parent
SYSTEMS: Final = 18
DAYS_FILLED: Final = 7
DAYS_BEFORE: Final = 45
"""The first partition lies so long before the first start: there is a past to backfill."""
CLIENT_ID, CLIENT_SECRET = "simulator", "simulator-secret"
WEB_PORT: Final = 3000
"""Where it is free; else any free port."""
STARTED_WITHIN_SECONDS: Final = 600
STOPPED_WITHIN_SECONDS: Final = 20

WORKSPACE: Final = """# Made by `make dev`.
load_from:
  - python_module:
      module_name: hem_etl.orchestration.definitions
      location_name: hem_etl
"""
"""As workspace.yaml of the repository, but for a package that is installed."""
QUIET: Final = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
"""Run configuration: the log of the run keeps every line, the terminal shows warnings."""

WHAT_TO_CLICK: Final = """
Dagster is at {url}   (simulated Enode: {simulator}; data: {home}; Ctrl-C stops everything)

  Lineage                     the whole graph: group `enode` asks the API; `core`, `staging`, `marts` are the SQL
  Catalog > day_statistics    Partitions: the matrix day × system; {days} days are filled, the earlier ones are missing
                              Materialize…: days, systems, "only failed and missing", Launch backfill
  Catalog > daily_energy      rows, columns and where each comes from, the SQL; its Checks beside it
  Runs                        what has run so far
  Automation > daily          the schedule, 13:15 UTC: switch it on, or preview a tick now
  Automation > new_systems    fills the missing past by itself, newest first: switch it on
  Automation > webhook_events asks for what webhooks announce (a home tells of new data every minute): switch it on

  duckdb -readonly {home}/hem.duckdb      ask it anything, while runs go on
"""


def main() -> int:
    """Start everything, wait for a signal, stop everything; returns the exit code."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    home = HOME.resolve()
    today = datetime.now(UTC).date()
    fleet = make_fleet(SYSTEMS + 1, today=today)
    simulator = Simulator(Fleet(fleet.homes[:SYSTEMS]), client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    children: list[subprocess.Popen[bytes]] = []
    try:
        with only_one(home) as address, serve(simulator) as simulator_url:
            _say(f"{SYSTEMS} simulated homes at {simulator_url}")
            move_into(home, simulator_url, today)
            renew_tables()
            settle()
            has_moved_in = dev_events.has_moved_in(fleet.homes[-1])
            if has_moved_in:
                simulator.fleet = fleet  # it stays: a home that the lists lacked would be gone
            fill(today)
            receiver_port = free_port()
            children.append(dev_events.start_receiver(receiver_port))
            receiver_url = f"http://127.0.0.1:{receiver_port}/"
            if not _answers(f"{receiver_url}healthz", children[0]):
                return 1
            dev_events.deliver_to(simulator, receiver_url)
            if not has_moved_in:
                dev_events.move_in(simulator, fleet, QUIET)
                _say(f"Then a {fleet.homes[-1].vendor} home moved in: a webhook said so, and its past is there too.")
            url = f"http://127.0.0.1:{free_port(WEB_PORT)}"
            address(url)
            children.append(start_dagster(url))
            if not _answers(f"{url}/server_info", children[1]):
                return 1
            _say(WHAT_TO_CLICK.format(url=url, simulator=simulator_url, home=HOME, days=DAYS_FILLED))
            return dev_events.wait_for(children[1], simulator)
    except _Stopped:
        _say("Stopping …")
        return 0
    except AlreadyRunning as error:
        _say(str(error))
        return 1
    finally:
        for child in reversed(children):
            stop(child)


def move_into(home: Path, simulator_url: str, today: date) -> None:
    """Work in this home with settings of its own: neither the operator's environment nor a `.env` reaches in.

    Makes DAGSTER_HOME with the shipped configuration where there is none, and a workspace.yaml.
    """
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    configuration = dagster_home / "dagster.yaml"
    if not configuration.exists():
        shipped = files("hem_etl.orchestration").joinpath("dagster.yaml")
        configuration.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    (home / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    for name in [name for name in os.environ if name.startswith(("HEM_ETL_", "ENODE_"))]:
        del os.environ[name]
    os.environ |= {
        "DAGSTER_HOME": str(dagster_home),
        "ENODE_CLIENT_ID": CLIENT_ID,
        "ENODE_CLIENT_SECRET": CLIENT_SECRET,
        "ENODE_API_URL": simulator_url,
        "ENODE_OAUTH_URL": f"{simulator_url}/oauth2/token",
        "ENODE_WEBHOOK_SECRET": secrets.token_urlsafe(),
        "HEM_ETL_HOME": str(home),
        "HEM_ETL_START_DATE": first_day(home, today).isoformat(),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH")))),
    }
    os.chdir(home)


def first_day(home: Path, today: date) -> date:
    """The first partition: chosen at the first start, and kept."""
    kept = home / "start_date"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text((today - timedelta(days=DAYS_BEFORE)).isoformat(), encoding="utf-8")
    return date.fromisoformat(kept.read_text(encoding="utf-8").strip())


class AlreadyRunning(Exception):
    """Another `make dev` works in this home."""


@contextmanager
def only_one(home: Path) -> Iterator[Note]:
    """The home for this process alone; the lock ends with it. AlreadyRunning says where the other one is."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(FileLock(home / "dev.lock", f"`make dev` in {home.name}").hold())
        except BusyError as error:
            at = error.holder or "starting"
            raise AlreadyRunning(f"`make dev` is running in {home.name} already: {at}. Stop that one first.") from None
        yield address


def settle() -> None:
    """Fail runs that a crash has left: everything of this home that runs is of this process."""
    with dg.DagsterInstance.get() as instance:
        for run_id in settle_dead_runs(instance):
            _say(f"Run {run_id[:8]} was left by a crash: it is failed now, and its backfill goes on.")


def renew_tables() -> None:
    """Where another version of hem_etl made this home, or other limits hold: its tables anew from what is landed."""
    road = Road(load_settings())
    if not road.landing.segments():
        return
    try:
        road.load()
    except (ModelError, SettingsError) as error:
        _say(f"{error}\nDoing that now …")
        road.rebuild()


def fill(today: date) -> None:
    """A week of the fleet through Dagster, once, so that the matrix of partitions has green in it."""
    from hem_etl.orchestration.definitions import defs  # by the settings of this home

    last = today - timedelta(days=1)
    scheme = Scheme.of(load_settings())
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        if instance.get_materialized_partitions(DAY_STATISTICS):
            return
        _say(f"Filling {DAYS_FILLED} days up to {last} …")
        job.execute_in_process(QUIET, instance=instance, asset_selection=[HEM_SYSTEMS])
        tags = scheme.window(
            (last - timedelta(days=DAYS_FILLED - 1)).isoformat(), last.isoformat(), scheme.system_keys(instance)
        )
        job.execute_in_process(QUIET, instance=instance, asset_selection=[DAY_STATISTICS], tags=tags)
        job.execute_in_process(QUIET, instance=instance, asset_selection=every_model_key())


def start_dagster(url: str) -> subprocess.Popen[bytes]:
    """Webserver, daemon and code server, in a process group of their own: a Ctrl-C reaches them through us only."""
    options = ["-h", "127.0.0.1", "-p", url.rpartition(":")[2], "--log-level", "warning"]
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-w", "workspace.yaml", *options],
        start_new_session=True,
    )


def free_port(wanted: int = 0) -> int:
    """The wanted port of this machine, or another one where it is taken."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as listener:
            return int(listener.getsockname()[1])
    except OSError:
        return free_port()


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ask the group to end, then insist."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.kill(child.pid, number) if number != signal.SIGKILL else os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOPPED_WITHIN_SECONDS)


def _answers(url: str, child: subprocess.Popen[bytes]) -> bool:
    """Wait until the process answers there; False when it ended instead."""
    for _ in range(STARTED_WITHIN_SECONDS * 2):
        if child.poll() is not None:
            return False
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=1).status_code == 200:
                return True
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.5)
    _say(f"{url} does not answer after {STARTED_WITHIN_SECONDS} s")
    return False


class _Stopped(BaseException):
    """A person or the system wants an end."""


def _stop(*_: object) -> None:
    raise _Stopped


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
