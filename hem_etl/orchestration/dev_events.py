"""What happens by itself in the world of `make dev`: a home moves in, and homes tell of new data.

A receiver runs beside Dagster as it does in production; the simulated Enode delivers to it.
"""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import dagster as dg
import httpx

from hem_etl.enode.subscriptions import subscribe
from hem_etl.facts import fleet_numbers
from hem_etl.orchestration.assets import ANNOUNCED_DATA
from hem_etl.pipeline import make_client
from hem_etl.settings import load_settings
from hem_etl.simulator import Fleet, Home, Simulator
from hem_etl.vocabulary import EventName
from hem_etl.warehouse import open_warehouse
from hem_etl.webhooks.signature import signing_secrets

PUBLIC_URL: Final = "https://dev.example/"
"""Where Enode believes that it delivers: it accepts https alone."""
EVERY_SECONDS: Final = 60
ANSWERED_WITHIN_SECONDS: Final = 5


def start_receiver(port: int) -> subprocess.Popen[bytes]:
    """`hem-etl webhooks serve` by the settings of this home, in a process group of its own."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "hem_etl", "webhooks", "serve", "--port", str(port)], start_new_session=True
    )


def has_moved_in(home: Home) -> bool:
    """Whether it is known from an earlier start."""
    warehouse = open_warehouse(load_settings())
    return warehouse.is_published() and home.system_id in fleet_numbers(warehouse).system_ids


def deliver_to(simulator: Simulator, receiver_url: str) -> None:
    """Subscribe, so that the simulated Enode sends what happens to this receiver."""

    def post(_: str, headers: Mapping[str, str], body: bytes) -> int | None:
        try:
            answer = httpx.post(receiver_url, content=body, headers=dict(headers), timeout=ANSWERED_WITHIN_SECONDS)
        except httpx.HTTPError:
            return None
        return answer.status_code

    simulator.webhooks.post = post
    settings = load_settings()
    with make_client(settings) as client:
        subscribe(client, PUBLIC_URL, signing_secrets(settings)[0])


def move_in(simulator: Simulator, fleet: Fleet, run_configuration: Mapping[str, object]) -> None:
    """The newest home of this fleet moves in: a webhook says so, and a run of `announced_data` asks for its past."""
    from hem_etl.orchestration.definitions import defs  # by the settings of this home

    simulator.fleet = fleet
    simulator.webhooks.announce(EventName.DISCOVERED, fleet.homes[-1])
    simulator.webhooks.deliver()
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.get() as instance:
        job.execute_in_process(run_configuration, instance=instance, asset_selection=[ANNOUNCED_DATA])


def wait_for(child: subprocess.Popen[bytes], simulator: Simulator) -> int:
    """Wait until the process ends, and return its exit code; meanwhile one home after the other tells of new data."""
    number = 0
    while True:
        try:
            return child.wait(EVERY_SECONDS)
        except subprocess.TimeoutExpired:
            homes = simulator.fleet.homes
            simulator.webhooks.announce(EventName.UPDATED, homes[number % len(homes)])
            simulator.webhooks.deliver()
            number += 1
